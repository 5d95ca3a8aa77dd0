#include "actors/provider/rehearsal.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::actors;
using net::message;
using net::role;

namespace {

/// A conversation with a script: what the runs of agents do, without a run.
class conversation {
public:
    conversation(std::string_view script, std::string goal) {
        auto made = make_rehearsal_model(script, "test.yaml");
        if (!made)
            BOOST_FAIL(made.error().detail);
        model_ = *std::move(made);
        for (const char* name : {"list_files", "read_file", "edit_file", "run_command", "finish"})
            request_.tools.push_back({name, "", "{}"});
        request_.messages = {{.role = role::system, .content = "You are an agent."},
                             {.role = role::user, .content = std::move(goal)}};
    }

    /// The next reply: "text" or "text → tool {arguments}; tool {…}". It becomes part of the context.
    std::string next() {
        auto reply = model_->complete(request_, {}, {});
        if (!reply)
            return std::string(explain(reply.error().code).name) + ": " + reply.error().detail;
        std::string out = reply->content;
        for (const auto& call : reply->tool_calls)
            out += (&call == &reply->tool_calls.front() ? " → " : "; ") + call.name + " " + call.arguments;
        calls_ = reply->tool_calls;
        request_.messages.push_back(
            {.role = role::assistant, .content = reply->content, .tool_calls = reply->tool_calls});
        return out;
    }

    /// The result of the call at `index` of the last reply.
    conversation& result(std::string content, bool is_error = false, std::size_t index = 0) {
        request_.messages.push_back({.role = role::tool,
                                     .content = std::move(content),
                                     .tool_call_id = calls_.at(index).id,
                                     .tool_name = calls_.at(index).name,
                                     .is_error = is_error});
        return *this;
    }

    conversation& say(std::string content) {
        request_.messages.push_back({.role = role::user, .content = std::move(content)});
        return *this;
    }

    net::model& model() { return *model_; }
    net::model_request& request() { return request_; }

private:
    std::unique_ptr<net::model> model_;
    net::model_request request_;
    std::vector<net::tool_call> calls_;
};

/// Pointers and messages of what is wrong with a script.
std::vector<std::string> errors_of(std::string_view script) {
    const auto made = make_rehearsal_model(script, "bad.yaml");
    BOOST_REQUIRE(!made);
    BOOST_CHECK(made.error().code == code::script_invalid);
    std::vector<std::string> out;
    for (const auto& e : made.error().errors)
        out.push_back(e.pointer + " " + e.message);
    return out;
}

constexpr std::string_view reader = R"(
name: reader
rules:
  - when: {step: 1}
    say: Looking.
    call:
      - {tool: list_files, arguments: {}}
  - name: open
    when: {last_tool: list_files, last_result_matches: '(?<file>\w+\.txt)'}
    once: true
    say: I read ${file}.
    call:
      - {tool: read_file, arguments: {path: "${file}", start_line: 1}}
  - when: {after: open, last_tool: read_file, last_is_error: true}
    say: "It failed: ${result}"
  - when: {after: open, last_tool: read_file}
    say: Done with ${file}.
)";

} // namespace

BOOST_AUTO_TEST_SUITE(rehearsal)

BOOST_AUTO_TEST_CASE(replies_follow_what_the_tools_answered) {
    conversation talk(reader, "Read it.");
    BOOST_TEST(talk.next() == "Looking. → list_files {}");
    BOOST_TEST(talk.result("a.cpp\nnotes.txt\n").next() ==
               R"(I read notes.txt. → read_file {"path":"notes.txt","start_line":1})");
    BOOST_TEST(talk.result("hello").next() == "Done with notes.txt.");
}

BOOST_AUTO_TEST_CASE(errors_take_another_way) {
    conversation talk(reader, "Read it.");
    talk.next();
    talk.result("notes.txt").next();
    BOOST_TEST(talk.result("no such file", true).next() == "It failed: no such file");
}

BOOST_AUTO_TEST_CASE(same_context_gives_the_same_reply) {
    conversation talk(reader, "Read it.");
    talk.next();
    talk.result("notes.txt");
    const auto first = talk.model().complete(talk.request(), {}, {});
    const auto again = talk.model().complete(talk.request(), {}, {});
    auto other = make_rehearsal_model(reader, "test.yaml"); // another process, after a crash
    BOOST_REQUIRE(other);
    const auto elsewhere = (*other)->complete(talk.request(), {}, {});
    for (const auto* one : {&again, &elsewhere}) {
        BOOST_REQUIRE(*one);
        BOOST_TEST((*one)->content == first->content);
        BOOST_CHECK((*one)->tool_calls == first->tool_calls);
        BOOST_TEST((*one)->usage.output == first->usage.output);
    }
    BOOST_TEST(first->usage.estimated);
    BOOST_CHECK(first->finish == net::finish_reason::tool_calls);
}

BOOST_AUTO_TEST_CASE(no_rule_says_what_it_saw) {
    conversation talk(reader, "Read it.");
    talk.next();
    const std::string reply = talk.result("nothing here").next();
    BOOST_TEST(reply.starts_with("script_exhausted: "));
    BOOST_TEST(reply.find("step 2") != std::string::npos);
    BOOST_TEST(reply.find("Read it.") != std::string::npos);
    BOOST_TEST(reply.find("list_files answered: nothing here") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rule_that_is_once_is_used_once_and_the_first_match_wins) {
    conversation talk(R"(
rules:
  - {once: true, say: first}
  - {say: second}
  - {say: never})",
                      "x");
    BOOST_TEST(talk.next() == "first");
    BOOST_TEST(talk.next() == "second");
    BOOST_TEST(talk.next() == "second");
}

BOOST_AUTO_TEST_CASE(captures_are_escaped_and_plain_numbers_stay_numbers) {
    conversation talk(R"x(
rules:
  - when: {goal_matches: 'text <(?<text>[\s\S]*)> number <(?<number>.*?)>'}
    say: costs $${number} is ${number}
    call:
      - tool: edit_file
        arguments:
          quoted: "${number}"
          plain: ${number}
          text: "${text}"
          also_text: ${text}
          nested: {"a b": [true, "true", null, 1.5, "${step}", ~]}
)x",
                      "text <a \"b\"\\\n\t{}> number <42>");
    BOOST_TEST(talk.next() == "costs ${number} is 42 → edit_file "
                              R"({"quoted":"42","plain":42,"text":"a \"b\"\\\n\t{}","also_text":"a \"b\"\\\n\t{}",)"
                              R"("nested":{"a b":[true,"true",null,1.5,"1",null]}})");
    conversation other(R"(
rules:
  - {when: {goal_contains: apple}, say: apple}
  - {when: {goal_contains: pear}, say: pear}
)",
                       "a pear");
    BOOST_TEST(other.next() == "pear");
}

BOOST_AUTO_TEST_CASE(captures_stay_and_come_from_where_they_are_asked_from) {
    conversation talk(R"(
rules:
  - when: {step: 1}
    capture:
      - {from: goal, matches: 'of (?<who>\w+)'}
    call: [{tool: read_file}, {tool: read_file}]
  - when: {step: 2}
    capture:
      - {matches: 'x=(?<newest>\d+)'}
      - {from: any_result, matches: 'y=(?<y>\d+)'}
    say: ${newest} ${y}
  - when: {captured: [y], message_contains: again}
    say: ${who} ${y}
)",
                      "of Ada");
    talk.next();
    talk.result("x=1 y=2", false, 0).result("x=3", false, 1);
    // No condition chooses a result: the newest is looked at.
    BOOST_TEST(talk.next() == "3 2");
    BOOST_TEST(talk.say("again").next() == "Ada 2");
}

BOOST_AUTO_TEST_CASE(conditions_hold_on_one_result_together) {
    conversation talk(R"(
rules:
  - {when: {step: 1}, call: [{tool: read_file}, {tool: run_command}]}
  - {when: {last_tool: read_file, last_result_contains: b}, say: wrong}
  - {when: {last_tool: read_file, last_result_contains: a}, say: right}
)",
                      "x");
    talk.next();
    BOOST_TEST(talk.result("a", false, 0).result("b", false, 1).next() == "right");
}

BOOST_AUTO_TEST_CASE(rule_whose_capture_is_missing_does_not_match) {
    conversation talk(R"(
rules:
  - {when: {goal_matches: 'maybe (?<name>\w+)'}, say: 'never'}
  - {say: 'hello ${name}'}
  - {say: nobody}
)",
                      "x");
    BOOST_TEST(talk.next() == "nobody");
}

BOOST_AUTO_TEST_CASE(tools_that_are_missing_are_seen) {
    conversation talk(R"(
rules:
  - {when: {tools_available: [run_command, fly]}, say: with}
  - {say: without}
)",
                      "x");
    BOOST_TEST(talk.next() == "without");
    conversation other(R"({rules: [{when: {tools_available: [run_command]}, say: with}]})", "x");
    BOOST_TEST(other.next() == "with");
}

BOOST_AUTO_TEST_CASE(text_streams_word_by_word_where_there_is_time_between_words) {
    for (const auto& [delay, streamed] :
         {std::pair("delay_ms: 1, ", "one  |two\n|three |"), {"", "one  two\nthree |"}}) {
        conversation talk(std::string("{") + delay + R"(rules: [{say: "one  two\nthree "}]})", "x");
        std::string tokens;
        const auto reply = talk.model().complete(talk.request(), {},
                                                 [&](std::string_view token) { tokens += std::string(token) + "|"; });
        BOOST_REQUIRE(reply);
        BOOST_TEST(tokens == streamed);
        BOOST_TEST(reply->content == "one  two\nthree ");
        BOOST_CHECK(reply->finish == net::finish_reason::stop);
    }
}

BOOST_AUTO_TEST_CASE(stop_ends_a_slow_reply) {
    conversation talk(R"({delay_ms: 10000, rules: [{say: one two three}]})", "x");
    std::stop_source stop;
    const auto reply =
        talk.model().complete(talk.request(), stop.get_token(), [&](std::string_view) { stop.request_stop(); });
    BOOST_REQUIRE(!reply);
    BOOST_CHECK(reply.error().code == code::cancelled);
}

BOOST_AUTO_TEST_CASE(script_errors_name_file_and_line) {
    const auto seen = errors_of(R"(name: x
speed: 3
rules:
  - when: {step: 0, colour: red}
    say: ${nobody}
  - name: empty
  - when:
      after: nothing
      last_result_matches: '(unclosed'
    capture:
      - {from: somewhere, matches: 'no group'}
    call:
      - {arguments: [1]}
)");
    const std::vector<std::string> want{
        "bad.yaml:2 a script has no 'speed'",
        "bad.yaml:4 has to be a number from 1 to 1000000",
        "bad.yaml:4 'when' has no 'colour'",
        "bad.yaml:5 nothing in this script captures 'nobody' (write $${ for a plain ${)",
        "bad.yaml:6 a rule needs 'say', 'call' or both",
        "bad.yaml:8 there is no rule 'nothing'",
    };
    BOOST_REQUIRE(seen.size() > want.size());
    BOOST_TEST(std::vector(seen.begin(), seen.begin() + static_cast<long>(want.size())) == want,
               boost::test_tools::per_element());
    BOOST_TEST(seen[6].starts_with("bad.yaml:9 is no regular expression: "));
    BOOST_TEST(seen[7] == "bad.yaml:11 has to be result, any_result or goal");
    BOOST_TEST(seen[8] == "bad.yaml:11 captures nothing; name a group: (?<name>…)");
    BOOST_TEST(seen.size() == 11u);
}

BOOST_AUTO_TEST_CASE(what_is_no_script_is_refused) {
    BOOST_TEST(errors_of("rules: [").at(0).starts_with("bad.yaml:1 "));
    BOOST_TEST(errors_of("name: x\nrules:\n\t- say: x").at(0).starts_with("bad.yaml:3 "));
    for (const char* text : {"", "just text", "[1, 2]", "name: x", "rules: {}", "rules: []"})
        BOOST_TEST(!errors_of(text).empty());
    const std::string aliases = "rules: [{say: x, call: [{tool: t, arguments: {a: &a [1,1,1,1,1,1,1,1,1,1], b: &b "
                                "[*a,*a,*a,*a,*a,*a,*a,*a,*a,*a],"
                                " c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b], d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], e: "
                                "[*d,*d,*d,*d,*d,*d,*d,*d]}}]}]";
    BOOST_TEST(errors_of(aliases).at(0).find("too large") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(costly_pattern_is_no_match_and_ends) {
    conversation talk(R"x(
rules:
  - {when: {goal_matches: '^(a+)+$'}, say: matched}
  - {say: not matched}
)x",
                      std::string(40, 'a') + "b");
    BOOST_TEST(talk.next() == "not matched");
}

BOOST_AUTO_TEST_CASE(description_hides_nothing) {
    conversation talk("{name: demo, rules: [{say: x}]}", "x");
    BOOST_TEST(talk.model().describe() == "rehearsal script demo (scripted, no language model)");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(default_rehearsal)

namespace {

constexpr std::string_view failing =
    "exit code: 1\nstdout (165 bytes):\nranges_test.cpp:35: pages \"1-3,4-6\": expected \"1-6\", got \"1-3,4-6\"\n"
    "ranges_test.cpp:36: pages \"2,3,4,9\": expected \"2-4,9\", got \"2,3,4,9\"\n7 of 9 checks passed\nstderr: empty\n";
constexpr std::string_view passing = "exit code: 0\nstdout (21 bytes):\n9 of 9 checks passed\nstderr: empty\n";

/// Up to the first run of the tests.
conversation read_the_sample() {
    conversation talk(default_rehearsal_script(), "Make the tests pass.");
    BOOST_TEST(talk.next().ends_with(R"(→ list_files {"depth":3})"));
    talk.result("README.md\nranges.cpp\nranges.hpp\nranges_test.cpp\nrun-tests.sh\n");
    BOOST_TEST(talk.next().ends_with(R"(→ read_file {"path":"README.md"}; read_file {"path":"ranges.cpp"})"));
    talk.result("# ranges\n", false, 0);
    talk.result("  37\t        if (!merged.empty() && next.first <= merged.back().last)\n", false, 1);
    BOOST_TEST(talk.next().ends_with(R"(→ run_command {"command":"sh run-tests.sh"})"));
    return talk;
}

conversation mend_the_sample() {
    auto talk = read_the_sample();
    const std::string reply = talk.result(std::string(failing)).next();
    BOOST_TEST(reply.find("ranges_test.cpp, line 35") != std::string::npos);
    BOOST_TEST(reply.ends_with(R"(→ edit_file {"path":"ranges.cpp","old_text":"next.first <= merged.back().last",)"
                               R"("new_text":"next.first <= merged.back().last + 1"})"));
    return talk;
}

} // namespace

BOOST_AUTO_TEST_CASE(it_mends_the_sample_and_reports_what_it_saw) {
    auto talk = mend_the_sample();
    BOOST_TEST(talk.result("edited ranges.cpp").next().ends_with(R"(→ run_command {"command":"sh run-tests.sh"})"));
    const std::string last = talk.result(std::string(passing)).next();
    BOOST_TEST(
        last.find("→ finish {\"result\":\"The tests pass: 9 of 9 checks passed (before: 7 of 9 checks passed).") !=
        std::string::npos);
    BOOST_TEST(last.find("ranges_test.cpp:35") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(tests_that_pass_already_are_left_alone) {
    auto talk = read_the_sample();
    const std::string reply = talk.result(std::string(passing)).next();
    BOOST_TEST(reply.find("→ finish {\"result\":\"Nothing was changed") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(failed_edit_and_failed_tests_are_told) {
    auto refused = mend_the_sample();
    BOOST_TEST(
        refused.result("old_text is not in the file", true).next().find("Not solved. edit_file reported: old_text") !=
        std::string::npos);
    auto failed = mend_the_sample();
    failed.result("edited").next();
    BOOST_TEST(failed.result(std::string(failing)).next().find("the tests still fail:") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_it_does_not_know_is_said) {
    auto strange = read_the_sample();
    BOOST_TEST(strange.result("exit code: 2\nstdout:\nstderr:\ng++: not found\n").next().find("does not know") !=
               std::string::npos);
    conversation other(default_rehearsal_script(), "Write a poem.");
    other.next();
    BOOST_TEST(
        other.result("poem.txt\n").next().find("→ finish {\"success\":false,\"result\":\"Nothing was changed.") !=
        std::string::npos);
    conversation bare(default_rehearsal_script(), "x");
    bare.request().tools.clear();
    BOOST_TEST(bare.next().find("does not have all of them") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
