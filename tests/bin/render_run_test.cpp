#include "bin/cli/render_run.hpp"

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>

using namespace troupe;
using namespace troupe::cli;

namespace {

/// Feeds envelopes, one a line, as `run watch --json` prints them.
std::string render(run_renderer& renderer, std::string_view envelopes) {
    std::string out;
    for (const auto& line : lines_of(envelopes)) {
        const auto parsed = json::document::parse(line).value();
        const auto data = parsed.root().find("data").value();
        out += renderer.feed(parsed.root().text_or("kind"), data, parse_timestamp(parsed.root().text_or("ts")).value());
    }
    return out;
}

std::string event(std::string_view kind, std::string_view data, int second = 0) {
    return fmt::format(R"({{"id":"c","ts":"2026-11-21T07:00:{:02}.000Z","channel":"runs/x","kind":"{}","data":{}}})",
                       second, kind, data) +
           "\n";
}

constexpr std::string_view recorded =
    R"({"ts":"2026-11-21T07:00:00.000Z","kind":"run_created","data":{"goal":"Add a subtract function and its test","model":"rehearsal"}}
{"ts":"2026-11-21T07:00:00.010Z","kind":"run_started","data":{"model":"rehearsal","version_before":3}}
{"ts":"2026-11-21T07:00:00.020Z","kind":"model_call_started","data":{"step":1,"attempt":1}}
{"ts":"2026-11-21T07:00:00.030Z","kind":"model_call_sent","data":{"step":1,"attempt":1}}
{"ts":"2026-11-21T07:00:00.100Z","kind":"token","data":{"step":1,"attempt":1,"offset":0,"text":"I look at the "}}
{"ts":"2026-11-21T07:00:00.110Z","kind":"token","data":{"step":1,"attempt":1,"offset":14,"text":"files first."}}
{"ts":"2026-11-21T07:00:00.200Z","kind":"model_call_finished","data":{"step":1,"attempt":1,"content":"I look at the files first.","input_tokens":900,"output_tokens":20}}
{"ts":"2026-11-21T07:00:00.210Z","kind":"tool_call_started","data":{"step":1,"call":1,"attempt":1,"tool":"list_files","arguments":{"path":"."}}}
{"ts":"2026-11-21T07:00:00.213Z","kind":"tool_call_finished","data":{"step":1,"call":1,"attempt":1,"tool":"list_files","content":"src/calc.py","is_error":false,"details":{"count":1}}}
{"ts":"2026-11-21T07:00:01.000Z","kind":"model_call_started","data":{"step":2,"attempt":1}}
{"ts":"2026-11-21T07:00:01.100Z","kind":"model_call_finished","data":{"step":2,"attempt":1,"content":"","input_tokens":950,"output_tokens":80}}
{"ts":"2026-11-21T07:00:01.110Z","kind":"tool_call_started","data":{"step":2,"call":1,"attempt":1,"tool":"edit_file","arguments":{"path":"src/calc.py","old_text":"a + b","new_text":"a - b"}}}
{"ts":"2026-11-21T07:00:01.112Z","kind":"tool_call_finished","data":{"step":2,"call":1,"attempt":1,"tool":"edit_file","content":"edited","is_error":false,"details":{"path":"src/calc.py","diff":"--- a/src/calc.py\n+++ b/src/calc.py\n@@ -1,2 +1,5 @@\n def add(a, b):\n     return a + b\n+\n+def subtract(a, b):\n+    return a - b\n"}}}
{"ts":"2026-11-21T07:00:01.120Z","kind":"approval_requested","data":{"approval_id":"018f3c1e-7d2a-7000-8000-000000000001","step":2,"call":2,"reason":"approval","text":"run_command: python3 -m unittest","tool":"run_command","arguments":{"command":"python3 -m unittest"}}}
{"ts":"2026-11-21T07:00:05.000Z","kind":"approval_resolved","data":{"approval_id":"018f3c1e-7d2a-7000-8000-000000000001","step":2,"call":2,"decision":"approve","answer":"","decided_by":"key/admin"}}
{"ts":"2026-11-21T07:00:05.010Z","kind":"tool_call_started","data":{"step":2,"call":2,"attempt":1,"tool":"run_command","arguments":{"command":"python3 -m unittest"}}}
{"ts":"2026-11-21T07:00:05.100Z","kind":"output","data":{"step":2,"call":2,"stream":"stderr","text":"..\nRan 2 tests "}}
{"ts":"2026-11-21T07:00:05.110Z","kind":"output","data":{"step":2,"call":2,"stream":"stderr","text":"in 0.001s\nOK\n"}}
{"ts":"2026-11-21T07:00:05.350Z","kind":"tool_call_finished","data":{"step":2,"call":2,"attempt":1,"tool":"run_command","content":"exit code: 0\nstdout: empty\nstderr (30 bytes):\n..","is_error":false,"details":{"exit_code":0,"duration_ms":340}}}
{"ts":"2026-11-21T07:00:06.000Z","kind":"model_call_started","data":{"step":3,"attempt":1}}
{"ts":"2026-11-21T07:00:06.500Z","kind":"model_call_finished","data":{"step":3,"attempt":1,"content":"","input_tokens":1000,"output_tokens":50}}
{"ts":"2026-11-21T07:00:06.510Z","kind":"tool_call_started","data":{"step":3,"call":1,"attempt":1,"tool":"finish","arguments":{"result":"Done."}}}
{"ts":"2026-11-21T07:00:06.520Z","kind":"run_finished","data":{"result":"I added subtract and its test; both tests pass."}}
)";

constexpr std::string_view golden = R"(goal  Add a subtract function and its test
▸ step 1
  I look at the files first.
  → list_files .  ✓ 3 ms
▸ step 2
  → edit_file src/calc.py  ✓ 2 ms
    --- a/src/calc.py
    +++ b/src/calc.py
    @@ -1,2 +1,5 @@
     def add(a, b):
         return a + b
    +
    +def subtract(a, b):
    +    return a - b
◆ approval needed: run_command: python3 -m unittest
    troupe run approve 018f3c1e-7d2a   or   troupe run deny 018f3c1e-7d2a REASON
  ✓ approved by key/admin
  → run_command python3 -m unittest
    │ ..
    │ Ran 2 tests in 0.001s
    │ OK
    ✓ exit 0 340 ms
▸ step 3
✓ succeeded · 3 steps · 3 000 tokens · 6.5 s
  I added subtract and its test; both tests pass.
)";

} // namespace

BOOST_AUTO_TEST_SUITE(render_run)

BOOST_AUTO_TEST_CASE(a_recorded_run_reads_like_a_story) {
    run_renderer renderer({.width = 100}, "018f3c1e-7d2a");
    BOOST_TEST(render(renderer, recorded) == golden);
    BOOST_TEST((renderer.ended() == run_status::succeeded));
}

BOOST_AUTO_TEST_CASE(the_past_shows_as_much_as_the_live_run) {
    std::string past; // without what is live only
    for (const auto& line : lines_of(recorded)) {
        past +=
            line.find(R"("kind":"token")") == std::string::npos && line.find(R"("kind":"output")") == std::string::npos
                ? line + "\n"
                : "";
    }
    run_renderer renderer({.width = 100}, "018f3c1e-7d2a");
    const auto text = render(renderer, past);
    BOOST_TEST(text.find("  I look at the files first.\n") != std::string::npos);
    BOOST_TEST(text.find("  → run_command python3 -m unittest  ✓ exit 0 340 ms\n    │ ..\n") != std::string::npos);
    BOOST_TEST(text.find("stdout: empty") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(under_a_run_stands_how_far_it_is) {
    run_renderer renderer({}, "018f3c1e");
    const auto now = parse_timestamp("2026-11-21T07:00:20.000Z").value();
    BOOST_TEST(renderer.progress({}, now).empty());
    BOOST_TEST(renderer.last_output().empty());
    render(renderer, event("run_created", R"({"goal":"x"})") +
                         event("model_call_finished", R"({"step":1,"input_tokens":900,"output_tokens":300})"));
    BOOST_TEST(renderer.progress({}, now) == "1 step · 1 200 tokens · 20.0 s");
    BOOST_TEST(renderer.progress({9, 50'000, 0, 0}, now) == "1/9 steps · 1 200/50 000 tokens · 20.0 s");
    render(renderer, event("model_call_finished", R"({"step":2,"cost_micros":250000})"));
    BOOST_TEST(renderer.progress({0, 0, 1'000'000, 0}, now) == "2 steps · 1 200 tokens · 0.25/1.00 · 20.0 s");
    render(renderer, event("tool_call_started", R"({"step":2,"call":1,"tool":"read_file","arguments":{"path":"a"}})") +
                         event("tool_call_finished", R"({"step":2,"call":1,"tool":"read_file","content":"one\ntwo"})"));
    BOOST_TEST(renderer.last_output() == "  read_file a, as the model read it:\n    one\n    two\n");
}

BOOST_AUTO_TEST_CASE(tokens_given_again_after_a_reconnection_show_once) {
    run_renderer renderer({}, "r");
    const auto text =
        render(renderer, event("model_call_started", R"({"step":1,"attempt":1})") +
                             event("token", R"({"step":1,"attempt":1,"offset":0,"text":"one two"})") +
                             event("token", R"({"step":1,"attempt":1,"offset":0,"text":"one two three"})") +
                             event("model_call_finished", R"({"step":1,"attempt":1,"content":"one two three"})"));
    BOOST_TEST(text == "▸ step 1\n  one two three\n");
}

BOOST_AUTO_TEST_CASE(a_new_attempt_starts_its_text_anew) {
    run_renderer renderer({}, "r");
    const auto text = render(
        renderer,
        event("model_call_started", R"({"step":1,"attempt":1})") +
            event("token", R"({"step":1,"attempt":1,"offset":0,"text":"half a"})") +
            event(
                "model_call_failed",
                R"({"step":1,"attempt":1,"code":"model_unavailable","detail":"The provider is away.","retry_at":"2026-11-21T07:00:02.000Z"})") +
            event("model_call_started", R"({"step":1,"attempt":2})") +
            event("token", R"({"step":1,"attempt":2,"offset":0,"text":"whole"})") +
            event("model_call_finished", R"({"step":1,"attempt":2,"content":"whole"})"));
    BOOST_TEST(text ==
               "▸ step 1\n  half a\n  ! The provider is away. (tried again in 2.0 s)\n▸ step 1  attempt 2\n  whole\n");
}

BOOST_AUTO_TEST_CASE(long_output_keeps_its_beginning_and_its_end) {
    std::string lines;
    for (int i = 1; i <= 100; ++i) {
        lines += fmt::format("line {}\\n", i);
    }
    run_renderer renderer({}, "r");
    const auto text = render(
        renderer,
        event("tool_call_started", R"({"step":1,"call":1,"tool":"run_command","arguments":{"command":"seq 100"}})") +
            event("output", R"({"step":1,"call":1,"stream":"stdout","text":")" + lines + R"("})") +
            event(
                "tool_call_finished",
                R"({"step":1,"call":1,"tool":"run_command","content":"","details":{"exit_code":2,"duration_ms":5}})"));
    BOOST_TEST(text.find("│ line 12\n") != std::string::npos);
    BOOST_TEST(text.find("│ line 13\n") == std::string::npos);
    BOOST_TEST(text.find("│ … 76 lines left out\n") != std::string::npos);
    BOOST_TEST(text.find("│ line 100\n    ✗ exit 2 5 ms\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(calls_at_the_same_time_name_themselves_when_they_end) {
    run_renderer renderer({}, "r");
    const auto text = render(
        renderer,
        event("tool_call_started", R"({"step":1,"call":1,"tool":"read_file","arguments":{"path":"a"}})") +
            event("tool_call_started", R"({"step":1,"call":2,"tool":"read_file","arguments":{"path":"b"}})") +
            event("tool_call_finished",
                  R"({"step":1,"call":1,"tool":"read_file","content":"no such file: a","is_error":true})") +
            event("tool_call_finished", R"({"step":1,"call":2,"tool":"read_file","content":"x","is_error":false})"));
    BOOST_TEST(text == "  → read_file a\n  → read_file b\n    no such file: a\n    ✗ read_file a\n    ✓ read_file b\n");
}

BOOST_AUTO_TEST_CASE(what_the_model_writes_cannot_steer_the_terminal) {
    run_renderer renderer({}, "r");
    const auto text = render(
        renderer,
        event("model_call_started", R"({"step":1,"attempt":1})") +
            event("token", R"({"step":1,"attempt":1,"offset":0,"text":"a\u001b"})") +
            event("token", R"({"step":1,"attempt":1,"offset":2,"text":"[2Jb"})") +
            event(
                "tool_call_started",
                R"({"step":1,"call":1,"tool":"run_command","arguments":{"command":"echo \u001b]0;x\u0007\nrm -rf /"}})") +
            event("output", R"({"step":1,"call":1,"text":"\u001b[1Aover\n"})") +
            event("run_failed", R"({"code":"internal","detail":"\u001b[31mred"})"));
    BOOST_TEST(text.find('\x1b') == std::string::npos);
    BOOST_TEST(text.find('\x07') == std::string::npos);
    BOOST_TEST(text.find("  ab\n  → run_command echo rm -rf /\n    │ over\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(each_end_has_its_status_and_reason) {
    const auto end = [](std::string_view kind, std::string_view data) {
        run_renderer renderer({}, "r");
        auto text = render(renderer, event("run_created", R"({"goal":"g"})", 0) + event(kind, data, 5));
        return std::pair(text, renderer.ended());
    };
    BOOST_TEST(end("run_failed", R"({"code":"budget_exhausted","detail":"The steps are used up."})").first ==
               "goal  g\n✗ failed · 0 steps · 5.0 s\n  The steps are used up.\n");
    BOOST_TEST((end("run_failed", R"({"code":"x","detail":"y"})").second == run_status::failed));
    BOOST_TEST(end("run_cancelled", R"({"reason":"wrong branch"})").first ==
               "goal  g\n– cancelled · 0 steps · 5.0 s\n  wrong branch\n");
    BOOST_TEST((end("run_cancelled", R"({"reason":""})").second == run_status::cancelled));
    BOOST_TEST((end("some_newer_event", R"({})").second == std::nullopt));
}

BOOST_AUTO_TEST_CASE(each_wait_says_how_to_end_it) {
    run_renderer renderer({}, "018f");
    BOOST_TEST(render(renderer, event("approval_requested", R"({"reason":"question","text":"Which port?"})")) ==
               "◆ question: Which port?\n    troupe run answer 018f TEXT\n");
    BOOST_TEST(render(renderer, event("approval_requested", R"({"reason":"unknown_step","text":"make deploy"})")) ==
               "◆ decide: make deploy\n    troupe run retry 018f   or   troupe run skip 018f\n");
    BOOST_TEST(render(renderer,
                      event("approval_resolved", R"({"decision":"deny","answer":"not today","decided_by":"key/1"})")) ==
               "  ✗ denied by key/1: not today\n");
    BOOST_TEST(
        render(renderer, event("tool_call_denied", R"({"step":1,"call":1,"tool":"run_command","content":"no"})")) ==
        "  ✗ denied: run_command\n");
}

BOOST_AUTO_TEST_CASE(arguments_have_a_short_form) {
    const auto text = [](std::string_view tool, std::string_view arguments) {
        const auto parsed = json::document::parse(arguments).value();
        return call_text(tool, parsed.root());
    };
    BOOST_TEST(text("run_command", R"({"command":"make test","time_limit_ms":5})") == "run_command make test");
    BOOST_TEST(text("search_files", R"({"pattern":"TODO","path":"src"})") == "search_files \"TODO\" in src");
    BOOST_TEST(text("write_file", R"({"path":"a.txt","content":"…"})") == "write_file a.txt");
    BOOST_TEST(text("list_files", "{}") == "list_files");
    BOOST_TEST(text("other", R"({"x":1})") == "other {\"x\":1}");
    BOOST_TEST(text("run_command", R"("{\"command\":\"ls\"}")") == "run_command ls");
}

BOOST_AUTO_TEST_CASE(streamed_words_wrap_at_the_width) {
    word_stream words(12, 2);
    std::string out;
    for (const std::string_view piece : {"one t", "wo thr", "ee four\nfive", " "}) {
        out += words.feed(piece);
    }
    out += words.finish();
    BOOST_TEST(out == "  one two\n  three four\n  five\n");
}

BOOST_AUTO_TEST_SUITE_END()
