#include "actors/run/context_fold.hpp"
#include "actors/run/run_context.hpp"
#include "actors/tool/tool.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const std::string page = "The first line\n" + std::string(3000, 'x');

context_message said(std::string role, std::string content, std::string tool = "") {
    context_message m;
    m.role = std::move(role);
    m.content = std::move(content);
    m.tool_name = std::move(tool);
    return m;
}
context_message asked(asked_call call) {
    auto m = said("assistant", "I go on.");
    m.tool_calls = {std::move(call)};
    return m;
}
/// Turns of a model, each with a page that a tool gave.
std::vector<context_message> pages(std::size_t turns) {
    std::vector<context_message> out;
    for (std::size_t n = 0; n < turns; ++n) {
        out.push_back(asked(read_call()));
        out.push_back(said("tool", page, "read_file"));
    }
    return out;
}
std::uint64_t all_bytes(const std::vector<context_message>& messages) {
    std::uint64_t out = 0;
    for (const auto& m : messages) {
        out += bytes_of(m);
    }
    return out;
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A run that has read so many pages, and whose next model call is open.
run reading(std::size_t turns) {
    auto r = started();
    for (std::size_t n = 0; n < turns; ++n) {
        r.accepted(reply(r, {read_call()}, "I read."));
        r.accepted(result(r, 1, page));
    }
    return r;
}
fold_context folding(const run& r, std::uint64_t bytes) {
    const auto& p = r.state().progress;
    const auto plan = plan_fold(r.state().messages, bytes);
    return {p.step, p.attempt, plan.messages, plan.freed_bytes};
}

} // namespace

BOOST_AUTO_TEST_SUITE(context_fold)

BOOST_AUTO_TEST_CASE(the_oldest_is_folded_first_and_no_more_than_is_needed) {
    auto messages = pages(6);
    const auto before = all_bytes(messages);
    const auto plan = plan_fold(messages, 4000);
    BOOST_TEST(plan.messages.size() == 2u);
    BOOST_TEST((plan.messages.at(0).message == 1 && plan.messages.at(1).message == 3));
    fold(messages, plan.messages);
    BOOST_TEST(before - all_bytes(messages) == plan.freed_bytes);
    BOOST_TEST(messages[1].content ==
               "The first line [… 3015 bytes are folded; recall with message 1 gives them back …]");
    BOOST_TEST(messages[5].content == page);
}

BOOST_AUTO_TEST_CASE(the_last_turns_stay_whole_and_what_was_folded_is_not_folded_again) {
    auto messages = pages(5);
    fold(messages, plan_fold(messages, UINT64_MAX).messages);
    BOOST_TEST(!contains(messages[5].content, "xxx"));
    BOOST_TEST(messages[7].content == page);
    BOOST_TEST(messages[9].content == page);
    BOOST_TEST(plan_fold(messages, UINT64_MAX).messages.empty());
    BOOST_TEST(plan_fold(pages(2), UINT64_MAX).messages.empty());
    BOOST_TEST(plan_fold({}, UINT64_MAX).messages.empty());
}

BOOST_AUTO_TEST_CASE(words_of_people_stay_and_calls_keep_their_tool_and_the_beginning_of_their_arguments) {
    auto messages = pages(2);
    const std::string content = "int main() {\n" + std::string(1000, 'y') + "}";
    messages.insert(messages.begin(),
                    {said("user", page), said("tool", page, "ask_human"), said("assistant", page),
                     asked({"id", "write_file", R"({"path":"a.cpp","content":)" + json::quoted(content) + "}"}),
                     asked({"id", "write_file", "no json " + content})});
    messages[2].reasoning_state = std::string(1000, 's');
    fold(messages, plan_fold(messages, UINT64_MAX).messages);
    BOOST_TEST(messages[0].content == page);
    BOOST_TEST(messages[1].content == page);
    BOOST_TEST(!contains(messages[2].content, "xxx"));
    BOOST_TEST(messages[2].reasoning_state.size() == 1000u); // it is signed
    const auto& call = messages[3].tool_calls.at(0);
    BOOST_TEST(call.name == "write_file");
    const auto arguments = json::document::parse(call.arguments).value();
    BOOST_TEST(arguments.root().text_or("path") == "a.cpp");
    BOOST_TEST(arguments.root().text_or("content").starts_with("int main() { [… 1014 bytes are folded"));
    BOOST_TEST(messages[4].tool_calls.at(0).arguments == "{}");
}

BOOST_AUTO_TEST_CASE(a_beginning_is_cut_at_whole_characters) {
    auto messages = pages(2);
    std::string text;
    for (int n = 0; n < 300; ++n) {
        text += "ä";
    }
    messages.insert(messages.begin(), said("tool", "a" + text, "read_file"));
    fold(messages, plan_fold(messages, UINT64_MAX).messages);
    const auto round = json::document::parse(json::quoted(messages[0].content)).value();
    BOOST_TEST(round.root().as_string().value() == messages[0].content);
    BOOST_TEST(!contains(messages[0].content, "\xef\xbf\xbd"));
}

BOOST_AUTO_TEST_CASE(a_call_that_is_too_long_begins_again_with_a_shorter_context) {
    auto r = reading(5);
    const auto& p = r.state().progress;
    const auto fold = folding(r, 5000);
    const auto events = r.accepted(fold);
    BOOST_TEST(names_of(events) == (texts{"context_folded", "model_call_started"}), boost::test_tools::per_element());
    BOOST_TEST((p.attempt == 2 && p.step == 6));
    BOOST_TEST(p.folded == 2u);
    BOOST_TEST(p.context_bytes == all_bytes(r.state().messages));
    BOOST_TEST(p.used.tokens == 5u * 120); // what never left costs nothing
    BOOST_TEST(contains(request_of(r.state()).messages.at(3).content, "are folded; recall with message 1 "));
    BOOST_TEST(r.accepted(fold).empty()); // late
}

BOOST_AUTO_TEST_CASE(a_call_that_has_left_is_not_folded) {
    auto r = reading(5);
    const auto fold = folding(r, 5000);
    r.accepted(mark_model_call{6, 1});
    BOOST_TEST(r.accepted(fold).empty());
}

BOOST_AUTO_TEST_CASE(recall_is_offered_once_something_was_folded) {
    auto r = reading(5);
    const auto offers = [&] { return std::ranges::count(tools_of(r.state().progress), recall_tool_name) == 1; };
    BOOST_TEST(!offers());
    auto early = r;
    BOOST_TEST(names_of(early.accepted(reply(early, {{"id", "recall", R"({"message":1})"}}))).at(1) ==
               "tool_call_finished"); // there is no such tool
    r.accepted(folding(r, 5000));
    BOOST_TEST(offers());
    BOOST_TEST(names_of(r.accepted(reply(r, {{"id", "recall", R"({"message":1})"}}))).back() == "tool_call_started");
}

BOOST_AUTO_TEST_CASE(a_model_that_counts_more_tokens_is_believed) {
    auto r = started();
    const auto before = estimate_input_tokens(r.state().progress);
    auto counted = reply(r, {read_call()});
    counted.input_tokens = 2 * before;
    r.accepted(counted);
    BOOST_TEST(r.state().progress.tokens_permille == 2000u);
    BOOST_TEST(estimate_input_tokens(r.state().progress) > 2 * before);
    r.accepted(result(r, 1));
    auto few = reply(r, {read_call()});
    few.input_tokens = 1;
    r.accepted(few);
    BOOST_TEST(r.state().progress.tokens_permille == 1000u);
}

BOOST_AUTO_TEST_CASE(a_window_leaves_room_for_the_answer_and_for_error) {
    BOOST_TEST(room_of(200'000, 8192) == (200'000u - 8192) / 20 * 19);
    BOOST_TEST(room_of(8000, 8192) == 6000u / 20 * 19);
    auto r = reading(5);
    const auto& p = r.state().progress;
    BOOST_TEST(bytes_to_free(p, 1'000'000) == 0u);
    BOOST_TEST(bytes_to_free(p, 3000) == (estimate_input_tokens(p) - 2000) * 4);
}

BOOST_AUTO_TEST_SUITE_END()
