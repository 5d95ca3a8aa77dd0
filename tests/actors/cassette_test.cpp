#include "actors/provider/cassette.hpp"
#include "actors/provider/cassette_player.hpp"
#include "schemas/base/ids.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace troupe;
using namespace troupe::actors;

namespace {

namespace fs = std::filesystem;

net::model_request request(const std::string& goal, const std::string& result = "") {
    net::model_request out;
    out.model = "m";
    out.messages = {{.role = net::role::system, .content = "Work."}, {.role = net::role::user, .content = goal}};
    if (!result.empty()) {
        net::message call{.role = net::role::assistant, .content = "I look."};
        call.tool_calls = {{"call_7", "read_file", R"({"path": "a"})"}};
        out.messages.push_back(call);
        out.messages.push_back({.role = net::role::tool, .content = result, .tool_name = "read_file"});
    }
    out.tools = {{"read_file", "Reads.", "{}"}};
    out.idempotency_key = "run/1";
    return out;
}

/// Answers in two pieces, or with a problem while there are some.
class scripted final : public net::model {
public:
    std::vector<problem> problems;
    std::size_t calls = 0;

    [[nodiscard]] std::string describe() const override { return "scripted"; }
    expected<net::model_reply> complete(const net::model_request& asked, std::stop_token,
                                        const std::function<void(std::string_view)>& on_token) override {
        ++calls;
        if (!problems.empty()) {
            auto out = problems.front();
            problems.erase(problems.begin());
            return out;
        }
        on_token("About ");
        on_token(asked.messages.at(1).content);
        net::model_reply out;
        out.content = "About " + asked.messages.at(1).content;
        out.tool_calls = {{"call_1", "read_file", R"({"path":"b"})"}};
        out.finish = net::finish_reason::tool_calls;
        out.usage = {11, 7};
        out.reasoning_state = "[1]";
        return out;
    }
};

/// A desk with a folder of its own, and the model behind it.
struct studio {
    fs::path folder = fs::temp_directory_path() / ("troupe-cassettes-" + to_string(make_uuid()));
    std::shared_ptr<scripted> inner = std::make_shared<scripted>();
    cassette_desk desk{folder};

    studio() { fs::create_directories(folder); }
    ~studio() { fs::remove_all(folder); }
    studio(const studio&) = delete;

    std::shared_ptr<net::model> model(std::string_view name) {
        auto found = desk.find(name, [&](std::string_view asked) -> expected<std::shared_ptr<net::model>> {
            BOOST_TEST(asked == "some/model");
            return std::shared_ptr<net::model>(inner);
        });
        BOOST_REQUIRE_MESSAGE(found, (found ? "" : found.error().detail));
        return *found;
    }
    [[nodiscard]] std::string text() const {
        std::ifstream in(folder / "tape.jsonl");
        return {std::istreambuf_iterator<char>(in), {}};
    }
};

expected<net::model_reply> ask(net::model& model, const net::model_request& r, std::string* tokens = nullptr) {
    return model.complete(r, {}, [&](std::string_view text) {
        if (tokens) {
            *tokens += std::string(text) + "|";
        }
    });
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(cassettes)

BOOST_AUTO_TEST_CASE(what_was_recorded_plays_again_and_calls_nobody) {
    studio s;
    const auto recorded = ask(*s.model("record:tape/some/model"), request("cats")).value();
    std::string tokens;
    const auto played = ask(*s.model("cassette:tape"), request("cats"), &tokens).value();
    BOOST_TEST(s.inner->calls == 1u);
    BOOST_TEST(tokens == "About |cats|");
    BOOST_TEST(played.content == recorded.content);
    BOOST_TEST((played.tool_calls == recorded.tool_calls && played.finish == recorded.finish));
    BOOST_TEST((played.usage == recorded.usage && played.reasoning_state == recorded.reasoning_state));
}

BOOST_AUTO_TEST_CASE(what_differs_in_each_run_is_not_compared) {
    studio s;
    BOOST_TEST(!!ask(*s.model("record:tape/some/model"),
                     request("run 01a20551-8b2a-7000-a654-ea209f5c13a0", "exit code: 0, 12 ms, 2026-11-22T22:12:39Z")));
    auto again = request("run 99a20551-8b2a-7000-a654-ea209f5c13a9", "exit code: 0, 4711 ms, 2027-01-01T00:00:00Z");
    again.messages[2].tool_calls = {{"other", "read_file", R"({"path":"a"})"}};
    BOOST_TEST(!!ask(*s.model("cassette:tape"), again));
    again.messages[3].content = "exit code: 1, 12 ms, 2026-11-22T22:12:39Z";
    BOOST_TEST(!ask(*s.model("cassette:tape"), again));
}

BOOST_AUTO_TEST_CASE(another_request_fails_and_shows_where_it_differs) {
    studio s;
    const auto recorder = s.model("record:tape/some/model");
    BOOST_TEST(!!ask(*recorder, request("dogs")));
    BOOST_TEST(!!ask(*recorder, request("cats", "one\ntwo\nthree")));
    const auto refused = ask(*s.model("cassette:tape"), request("cats", "one\n2\nthree"));
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code == code::script_exhausted));
    BOOST_TEST(refused.error().detail ==
               "No recorded call is this one. The nearest, call 2 of 2, differs first in message "
               "4 (- recorded, + asked):\n- two\n+ 2\n");
    auto other_tools = request("cats", "one\ntwo\nthree");
    other_tools.tools.push_back({"fly", "", "{}"});
    BOOST_TEST(contains(ask(*s.model("cassette:tape"), other_tools).error().detail, "+ fly"));
    other_tools.tools.pop_back();
    other_tools.messages[3].is_error = true;
    BOOST_TEST(contains(ask(*s.model("cassette:tape"), other_tools).error().detail, "+ tool read_file (error)"));
}

BOOST_AUTO_TEST_CASE(a_refusal_plays_before_the_answer_that_followed) {
    studio s;
    problem busy{code::model_rate_limited, "slow down"};
    busy.retry_after_s = 3;
    s.inner->problems = {busy};
    const auto recorder = s.model("record:tape/some/model");
    BOOST_TEST(!ask(*recorder, request("cats")));
    BOOST_TEST(!!ask(*recorder, request("cats")));
    const auto player = s.model("cassette:tape");
    const auto first = ask(*player, request("cats"));
    BOOST_REQUIRE(!first);
    BOOST_TEST((first.error().code == code::model_rate_limited && first.error().retry_after_s == 3u));
    BOOST_TEST(!!ask(*player, request("cats")));
    BOOST_TEST(!!ask(*player, request("cats"))); // the last one stays
    auto other_run = request("cats");
    other_run.idempotency_key = "other/1";
    BOOST_TEST(!ask(*player, other_run));
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_is_not_recorded) {
    studio s;
    s.inner->problems = {{code::cancelled, ""}};
    BOOST_TEST(!ask(*s.model("record:tape/some/model"), request("cats")));
    BOOST_TEST(s.text().empty());
}

BOOST_AUTO_TEST_CASE(a_line_that_a_crash_cut_goes_and_the_rest_stays) {
    studio s;
    BOOST_TEST(!!ask(*s.model("record:tape/some/model"), request("cats")));
    std::ofstream(s.folder / "tape.jsonl", std::ios::app) << R"({"request":{"mod)";
    BOOST_TEST(cassette::parse(s.text())->entries().size() == 1u);
    BOOST_TEST(!!ask(*s.model("record:tape/some/model"), request("dogs")));
    BOOST_TEST(cassette::parse(s.text())->entries().size() == 2u);
    BOOST_TEST(!!ask(*s.model("cassette:tape"), request("dogs")));
}

BOOST_AUTO_TEST_CASE(damage_and_bad_names_are_named) {
    studio s;
    const auto none = [](std::string_view) { return problem{code::model_unknown, "none"}; };
    for (const char* name :
         {"cassette:", "cassette:../x", "cassette:.x", "cassette:a/b", "record:/m", "record:a b/m"}) {
        const auto refused = s.desk.find(name, none);
        BOOST_REQUIRE_MESSAGE(!refused, name);
        BOOST_TEST((refused.error().code == code::model_unknown), name);
    }
    BOOST_TEST(!cassette_desk("").find("cassette:a", none));
    BOOST_TEST((ask(*s.model("cassette:missing"), request("x")).error().code == code::model_unknown));
    for (const char* text :
         {"{}\n", "no\n", "{\"format\":\"troupe-cassette/2\"}\n",
          "{\"format\":\"troupe-cassette/1\"}\n{\"request\":{}}\n", "{\"format\":\"troupe-cassette/1\"}\n[]\n"}) {
        const auto read = cassette::parse(text);
        BOOST_REQUIRE_MESSAGE(!read, text);
        BOOST_TEST((read.error().code == code::script_invalid), text);
        BOOST_TEST(read.error().detail.starts_with("line "), text);
    }
    BOOST_TEST(cassette::parse("")->entries().empty());
}

BOOST_AUTO_TEST_SUITE_END()
