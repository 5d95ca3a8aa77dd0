// Streams of all wires, cut in any way: the assembled message is always the same.
#include "net/model/reply_reader.hpp"
#include "net/model/wire.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"
#include "tests/seeds.hpp"
#include "tests/source_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace troupe;
using namespace troupe::net;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t bytes_max = 1 << 20;

std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct recorded {
    std::string name;
    model_wire wire = model_wire::openai;
    std::string stream;
    std::string wanted; ///< JSON.
};

std::vector<recorded> all_recorded() {
    std::vector<recorded> out;
    for (const auto& file : fs::recursive_directory_iterator(test::source_folder() / "tests/fixtures/model_wires")) {
        if (file.path().extension() != ".stream")
            continue;
        const auto folder = file.path().parent_path().filename().string();
        const auto wire = detail::enum_value<model_wire>(folder);
        BOOST_REQUIRE(wire);
        auto wanted = file.path();
        const auto parsed = json::document::parse(read(wanted.replace_extension(".json")));
        BOOST_REQUIRE(parsed);
        out.push_back({folder + "/" + file.path().stem().string(), *wire, read(file.path()), parsed->root().dump()});
    }
    return out;
}

std::string as_json(const model_reply& reply) {
    std::string calls = "[";
    for (const auto& call : reply.tool_calls) {
        calls += calls.size() > 1 ? "," : "";
        json::object_writer(calls)
            .field("id", call.id)
            .field("name", call.name)
            .field("arguments", call.arguments)
            .end();
    }
    std::string usage = "null";
    if (!reply.usage.estimated) {
        usage.clear();
        json::object_writer(usage)
            .field("input", reply.usage.input)
            .field("output", reply.usage.output)
            .field("cached_input", reply.usage.cached_input)
            .field("reasoning", reply.usage.reasoning)
            .end();
    }
    constexpr const char* ends[] = {"stop", "tool_calls", "length", "content_filter"};
    std::string out;
    json::object_writer(out)
        .field("content", reply.content)
        .field("reasoning", reply.reasoning)
        .raw_field("tool_calls", calls + "]")
        .raw_field("usage", usage)
        .field("finish", ends[static_cast<int>(reply.finish)])
        .field("model", reply.model)
        .raw_field("reasoning_state", reply.reasoning_state.empty() ? "null" : reply.reasoning_state)
        .end();
    return out;
}

/// The reply to these bytes, given in the pieces that end at `cuts`.
expected<model_reply> assembled(model_wire name, std::string_view bytes, const std::vector<std::size_t>& cuts) {
    const auto& wire = wire_of(name);
    std::string tokens;
    const auto reply = wire.assembler([&](std::string_view token) { tokens += token; });
    reply_reader reader(wire.pieces, *reply, bytes_max);
    std::size_t from = 0;
    bool more = true;
    for (const auto to : cuts)
        if (more && to > from) {
            more = reader.take(bytes.substr(from, to - from));
            from = to;
        }
    if (more && from < bytes.size())
        reader.take(bytes.substr(from));
    reader.end();
    if (reader.failure())
        return *reader.failure();
    auto out = reply->finish(400);
    if (out && out->content != tokens)
        throw std::logic_error("what was shown while it came is the content");
    return out;
}

std::string outcome(const expected<model_reply>& reply) {
    return reply ? as_json(*reply) : std::string(explain(reply.error().code).name);
}

/// As a fixture has it, so that all that was said is compared.
void check(const recorded& one, const expected<model_reply>& reply) {
    const auto wanted = json::document::parse(one.wanted);
    if (const auto name = wanted->root().text_or("problem"); !name.empty()) {
        BOOST_TEST(outcome(reply) == name);
        BOOST_REQUIRE(!reply);
        BOOST_TEST(reply.error().detail.find(wanted->root().text_or("says")) != std::string::npos,
                   reply.error().detail);
    } else {
        BOOST_TEST(outcome(reply) == one.wanted);
    }
}

std::string with_crlf(std::string_view text) {
    std::string out;
    for (const char c : text)
        out += c == '\n' ? "\r\n" : std::string(1, c);
    return out;
}

std::vector<std::size_t> every_byte(std::size_t size) {
    std::vector<std::size_t> out(size);
    for (std::size_t i = 0; i < size; ++i)
        out[i] = i + 1;
    return out;
}

template <class Random>
std::vector<std::size_t> random_cuts(Random& random, std::size_t size) {
    std::vector<std::size_t> out(1 + random() % 40);
    for (auto& cut : out)
        cut = random() % (size + 1);
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_streams)

BOOST_AUTO_TEST_CASE(recorded_streams_mean_what_is_written_beside_them) {
    const auto all = all_recorded();
    BOOST_TEST(all.size() > 20u);
    for (const auto& one : all)
        BOOST_TEST_CONTEXT(one.name) { check(one, assembled(one.wire, one.stream, {})); }
}

BOOST_AUTO_TEST_CASE(message_is_the_same_whatever_the_chunking) {
    for (const auto& one : all_recorded())
        for (const auto& bytes : {one.stream, with_crlf(one.stream)})
            BOOST_TEST_CONTEXT(one.name) {
                check(one, assembled(one.wire, bytes, every_byte(bytes.size())));
                test::each_seed(50, one.name, [&](std::uint64_t seed) {
                    std::mt19937_64 random(seed);
                    const auto seen = assembled(one.wire, bytes, random_cuts(random, bytes.size()));
                    if (outcome(seen) != outcome(assembled(one.wire, bytes, {})))
                        throw std::logic_error("the cuts do not matter");
                });
            }
}

/// Only what follows the content, such as usage, may be missing from what is returned.
BOOST_AUTO_TEST_CASE(cut_stream_is_never_returned_as_a_whole_reply) {
    for (const auto& one : all_recorded())
        BOOST_TEST_CONTEXT(one.name) {
            const auto whole = assembled(one.wire, one.stream, {});
            for (std::size_t size = 0; size < one.stream.size(); ++size) {
                const auto cut = assembled(one.wire, one.stream.substr(0, size), {});
                if (!cut)
                    continue;
                BOOST_REQUIRE(whole);
                BOOST_REQUIRE(cut->content == whole->content);
                BOOST_REQUIRE(cut->tool_calls == whole->tool_calls);
                BOOST_REQUIRE(cut->reasoning_state == whole->reasoning_state);
            }
        }
}

BOOST_AUTO_TEST_CASE(bad_input_is_refused_by_every_wire) {
    const std::string_view events[] = {"data: {nonsense\n\n", "data: [1]\n\n", "data: \"text\"\n\n",
                                       "data: {\"a\":\"\xFF\"}\n\n"};
    const std::string_view lines[] = {"{nonsense\n", "[1]\n", "<html>Welcome</html>\n"};
    for (const auto wire :
         {model_wire::openai, model_wire::openai_responses, model_wire::anthropic, model_wire::deepseek}) {
        for (const auto text : events)
            BOOST_TEST(outcome(assembled(wire, text, {})) == "model_reply_invalid");
        BOOST_TEST(outcome(assembled(wire, "<html>Welcome</html>", {})) == "model_reply_invalid");
    }
    for (const auto text : lines)
        BOOST_TEST(outcome(assembled(model_wire::ollama, text, {})) == "model_reply_invalid");
    for (const auto wire : {model_wire::openai, model_wire::openai_responses, model_wire::anthropic, model_wire::ollama,
                            model_wire::deepseek}) {
        const std::string mark = wire_of(wire).pieces == framing::events ? "data: " : "";
        const std::string end = wire_of(wire).pieces == framing::events ? "\n\n" : "\n";
        BOOST_TEST(outcome(assembled(wire, mark + R"({"type":"unheard_of","choices":7,"message":[],"output":{}})" + end,
                                     {})) == "model_unavailable");
        BOOST_TEST(outcome(assembled(wire, "", {})) == "model_unavailable");
        BOOST_TEST(outcome(assembled(wire, mark + std::string(2 << 20, 'x') + end, {})) == "model_reply_invalid");
    }
}

/// Well-formed events of which any member is missing, or of another type than it should be.
BOOST_AUTO_TEST_CASE(missing_and_mistyped_members_do_no_harm) {
    for (const auto& one : all_recorded())
        test::each_seed(30, one.name, [&](std::uint64_t seed) {
            std::mt19937_64 random(seed);
            auto bytes = one.stream;
            std::vector<std::size_t> quotes;
            for (std::size_t at = bytes.find("\":"); at != std::string::npos; at = bytes.find("\":", at + 1))
                quotes.push_back(at);
            for (int i = 0; i < 3 && !quotes.empty(); ++i)
                bytes[quotes[random() % quotes.size()] - 1] = 'X'; // another name
            for (const std::string_view value : {":0", ":null", ":\"\""})
                if (const auto at = bytes.find(value, random() % bytes.size()); at != std::string::npos)
                    bytes.replace(at, value.size(), random() % 2 == 0 ? ":[{}]" : ":-7");
            const auto seen = assembled(one.wire, bytes, {});
            if (!seen && seen.error().detail.empty())
                throw std::logic_error("a refusal has words");
        });
}

BOOST_AUTO_TEST_SUITE_END()
