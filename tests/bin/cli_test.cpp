#include "bin/cli/commands.hpp"
#include "bin/cli/find_project.hpp"
#include "schemas/base/clock.hpp"
#include "tests/bin/fake_node.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::cli;
using tests::fake_node;
using tests::fake_reply;
using tests::fake_request;

namespace {

constexpr std::string_view run_id = "018f3c1e-7d2a-7000-8000-000000000001";
const std::string run_body =
    R"({"id":"018f3c1e-7d2a-7000-8000-000000000001","goal":"Do it","status":"running","model":"rehearsal","step":2,
"limits":{},"used":{},"waiting":[],"version_before":0,"created_by":"key/1","created_at":"2026-11-21T07:00:00.000Z","updated_at":"2026-11-21T07:00:00.000Z"})";
const std::string no_items = R"({"items":[],"next_cursor":null})";

struct outcome {
    int code = 0;
    std::string out;
    std::string err;
};

outcome run(std::vector<std::string> words, const std::string& url = "") {
    std::ostringstream out;
    std::ostringstream err;
    surroundings around;
    around.out = &out;
    around.err = &err;
    around.search.environment = [](const char*) { return std::nullopt; };
    around.search.working_folder = "/nonexistent";
    around.search.process_runs = [](int) { return true; };
    if (!url.empty()) {
        words.insert(words.end(), {"--url", url, "--key", "k"});
    }
    const int result = run_cli(words, around);
    return {result, out.str(), err.str()};
}

std::string items(const std::string& one) { return R"({"items":[)" + one + R"(],"next_cursor":null})"; }

fake_reply refusal(int status, std::string_view code, std::string_view detail) {
    return {status,
            fmt::format(R"({{"type":"about:blank","title":"t","status":{},"code":"{}","detail":"{}"}})", status, code,
                        detail),
            "application/problem+json"};
}

/// A run that streams its whole life; its goal was reached or not.
fake_reply streamed(const fake_request& r, std::string_view last) {
    if (r.line.find("/events") == std::string::npos) {
        return {200, run_body};
    }
    const auto event = [](std::string_view id, std::string_view kind, std::string_view data) {
        return fmt::format("id: {0}\ndata: "
                           "{{\"id\":\"{0}\",\"ts\":\"2026-11-21T07:00:00.000Z\",\"channel\":\"runs/"
                           "x\",\"kind\":\"{1}\",\"data\":{2}}}\n\n",
                           id, kind, data);
    };
    return {200,
            ": hello\n\n" + event("1", "run_created", R"({"goal":"Do it"})") +
                event("2", last, R"({"result":"Done.","detail":"Broke."})"),
            "text/event-stream"};
}

} // namespace

BOOST_AUTO_TEST_SUITE(cli)

BOOST_AUTO_TEST_CASE(wrong_usage_is_two_and_suggests) {
    auto o = run({"statsu"});
    BOOST_TEST(o.code == 2);
    BOOST_TEST(o.err.find("Did you mean \"troupe status\"?") != std::string::npos);
    o = run({"run", "wach", "018f"});
    BOOST_TEST(o.code == 2);
    BOOST_TEST(o.err.find("Did you mean \"troupe run watch\"?") != std::string::npos);
    o = run({"run", "watch"});
    BOOST_TEST(o.code == 2);
    BOOST_TEST(o.err.find("troupe run watch --help") != std::string::npos);
    BOOST_TEST(run({"run", "list", "--statsu", "x"}).err.find("--status?") != std::string::npos);
    BOOST_TEST(run({"run", "list", "--limit", "many"}).code == 2);
    BOOST_TEST(run({}).code == 2);
    BOOST_TEST(run({"run"}).code == 2);
}

BOOST_AUTO_TEST_CASE(help_is_there_for_everything) {
    BOOST_TEST(run({"--help"}).code == 0);
    BOOST_TEST(run({"run", "--help"}).out.find("run approve") != std::string::npos);
    for (const auto& c : all_commands()) {
        const auto text = help_text(c.name, {});
        BOOST_TEST(text.find("Usage\n  troupe " + c.name) != std::string::npos, c.name);
        BOOST_TEST(text.find("Examples\n") != std::string::npos, c.name);
    }
    BOOST_TEST(run({"help", "run", "start"}).out.find("--max-steps N") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_node_is_three) {
    const auto o = run({"status"});
    BOOST_TEST(o.code == 3);
    BOOST_TEST(o.err.find("error: No node is running here. Start one with `troupe serve`") == 0U);
    BOOST_TEST(o.out == "");
}

BOOST_AUTO_TEST_CASE(a_refused_connection_is_three) {
    std::string url;
    {
        fake_node gone([](const auto&) { return fake_reply{}; });
        url = gone.url();
    }
    BOOST_TEST(run({"status"}, url).code == 3);
}

BOOST_AUTO_TEST_CASE(problems_have_their_exit_codes) {
    const auto code_for = [](int status, std::string_view name) {
        fake_node node([=](const auto&) { return refusal(status, name, "Because."); });
        const auto o = run({"run", "show", std::string(run_id)}, node.url());
        BOOST_TEST(o.err.starts_with("error: Because.\n"));
        return o.code;
    };
    BOOST_TEST(code_for(404, "not_found") == 4);
    BOOST_TEST(code_for(401, "unauthenticated") == 5);
    BOOST_TEST(code_for(403, "forbidden") == 5);
    BOOST_TEST(code_for(409, "conflict") == 1);
    BOOST_TEST(code_for(503, "overloaded") == 1);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_no_problem_is_judged_by_its_status) {
    fake_node node([](const auto&) { return fake_reply{404, "<html>nginx</html>", "text/html"}; });
    BOOST_TEST(run({"run", "show", std::string(run_id)}, node.url()).code == 4);
}

BOOST_AUTO_TEST_CASE(field_errors_are_listed_with_their_pointers) {
    fake_node node([](const auto&) {
        return fake_reply{
            422,
            R"({"status":422,"code":"invalid_request","detail":"Two mistakes.","errors":[{"pointer":"/name","message":"is\u001b[2J required"}]})",
            "application/problem+json"};
    });
    const auto o = run({"agent", "create", "x"}, node.url());
    BOOST_TEST(o.code == 1);
    BOOST_TEST(o.err.find("error: Two mistakes.\n  /name: is required\n") == 0U);
}

BOOST_AUTO_TEST_CASE(the_key_and_an_idempotency_key_are_sent) {
    fake_node node([](const auto&) { return fake_reply{200, run_body}; });
    BOOST_TEST(run({"run", "cancel", std::string(run_id), "wrong", "branch"}, node.url()).code == 0);
    const auto asked = node.requests();
    BOOST_REQUIRE(asked.size() == 1U);
    BOOST_TEST(asked[0].line == "POST /api/v1/runs/" + std::string(run_id) + "/cancel");
    BOOST_TEST(asked[0].body == R"({"reason":"wrong branch"})");
    BOOST_TEST(asked[0].headers.at("authorization") == "Bearer k");
    BOOST_TEST(asked[0].headers.at("idempotency-key").size() == 36U);
}

BOOST_AUTO_TEST_CASE(a_name_is_asked_for_before_ids_are_searched) {
    const std::string agent = R"({"id":"018f3c1e-7d2a-7000-8000-0000000000cc","settings":{"name":"scout"}})";
    fake_node node([&](const fake_request& r) {
        return fake_reply{200, r.line.starts_with("POST")                       ? agent
                               : r.line.find("name=scout") != std::string::npos ? items(agent)
                                                                                : no_items};
    });
    BOOST_TEST(run({"agent", "pause", "scout"}, node.url()).code == 0);
    BOOST_TEST(node.requests().size() == 2U);
    BOOST_TEST(node.requests().back().line == "POST /api/v1/agents/018f3c1e-7d2a-7000-8000-0000000000cc/pause");
    BOOST_TEST(node.requests().back().body == "");
    BOOST_TEST(run({"agent", "pause", "nobody"}, node.url()).code == 4);
}

BOOST_AUTO_TEST_CASE(json_is_the_apis_own) {
    fake_node node([](const auto&) { return fake_reply{200, R"({"node":"n1","shards":256})"}; });
    const auto o = run({"--json", "status"}, node.url());
    BOOST_TEST(o.code == 0);
    BOOST_TEST(o.out == "{\"node\":\"n1\",\"shards\":256}\n");
}

BOOST_AUTO_TEST_CASE(lists_go_over_pages) {
    fake_node node([](const fake_request& r) {
        return r.line.find("cursor=c2") != std::string::npos
                   ? fake_reply{200, items(run_body)}
                   : fake_reply{200, R"({"items":[)" + run_body + R"(],"next_cursor":"c2"})"};
    });
    const auto o = run({"run", "list", "--limit", "2"}, node.url());
    BOOST_TEST(o.code == 0);
    BOOST_TEST(node.requests().size() == 2U);
    BOOST_TEST(o.out.find("● running") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_watched_run_ends_with_its_result) {
    fake_node good([](const auto& r) { return streamed(r, "run_finished"); });
    auto o = run({"run", "watch", std::string(run_id)}, good.url());
    BOOST_TEST(o.code == 0);
    BOOST_TEST(o.out.find("✓ succeeded") != std::string::npos);
    BOOST_TEST(good.requests().back().line.ends_with("/events?since=start"));
    fake_node bad([](const auto& r) { return streamed(r, "run_failed"); });
    o = run({"run", "watch", std::string(run_id), "--json"}, bad.url());
    BOOST_TEST(o.code == 1);
    BOOST_TEST(o.out.find("\"kind\":\"run_failed\"") != std::string::npos);
    BOOST_TEST(std::count(o.out.begin(), o.out.end(), '\n') == 2);
}

BOOST_AUTO_TEST_CASE(a_stream_that_breaks_is_taken_up_after_the_last_event) {
    fake_node node([](const fake_request& r) {
        auto reply = streamed(r, "run_finished");
        if (r.line.ends_with("since=start")) { // the first connection ends before the run does
            reply.body.resize(reply.body.find("id: 2"));
        }
        return reply;
    });
    const auto o = run({"run", "watch", std::string(run_id)}, node.url());
    BOOST_TEST(o.code == 0);
    BOOST_TEST(node.requests().back().line.ends_with("since=1"));
    BOOST_TEST(o.err.find("connection to the node lost") != std::string::npos);
    BOOST_TEST(o.err.find("connected again") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(followed_events_go_on_after_the_last_one) {
    // The first connection breaks after an event; the second ends with a refusal, so that the command does.
    fake_node node([](const fake_request& r) {
        auto reply = streamed(r, "run_finished");
        return r.line.ends_with("since=start") ? reply : refusal(403, "forbidden", "Enough.");
    });
    const auto o = run({"events", "--follow", "--after", "start"}, node.url());
    BOOST_TEST(o.code == 5);
    BOOST_REQUIRE(node.requests().size() == 2U);
    BOOST_TEST(node.requests()[0].line == "GET /api/v1/events?since=start");
    BOOST_TEST(node.requests()[1].line == "GET /api/v1/events?since=2");
    BOOST_TEST(o.out.find("run_finished") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(followed_events_that_were_lost_before_the_first_are_read_again_without_the_past) {
    fake_node node([](const fake_request& r) {
        auto reply = streamed(r, "run_finished");
        if (r.line == "GET /api/v1/events") {
            reply.body = ": hello\n\n";
        } else if (r.line.ends_with("since=start")) { // an event of today behind those of the past
            reply.body += fmt::format("id: 3\ndata: {{\"id\":\"3\",\"ts\":\"{}\",\"channel\":\"runs/x\",\"kind\":"
                                      "\"lost_meanwhile\",\"data\":{{}}}}\n\n",
                                      to_string(system_now() + 1000));
        } else {
            return refusal(403, "forbidden", "Enough.");
        }
        return reply;
    });
    const auto o = run({"events", "--follow"}, node.url());
    BOOST_TEST(node.requests().back().line.ends_with("since=3"));
    BOOST_TEST(o.out.find("lost_meanwhile") != std::string::npos);
    BOOST_TEST(o.out.find("run_finished") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(events_go_over_pages) {
    fake_node node([](const fake_request& r) {
        return fake_reply{200, r.line.find("after=c2") != std::string::npos
                                   ? items(R"({"id":"c3","kind":"second"})")
                                   : R"({"items":[{"id":"c2","kind":"first"}],"next_cursor":"c2"})"};
    });
    const auto o = run({"events", "--limit", "300", "--after", "c1"}, node.url());
    BOOST_TEST(o.code == 0);
    BOOST_REQUIRE(node.requests().size() == 2U);
    BOOST_TEST(node.requests()[0].line == "GET /api/v1/events?limit=200&after=c1");
    BOOST_TEST(node.requests()[1].line == "GET /api/v1/events?limit=200&after=c2");
    BOOST_TEST(o.out.find("second") > o.out.find("first"));
}

BOOST_AUTO_TEST_CASE(output_that_cannot_be_written_is_a_failure) {
    fake_node node([](const auto&) { return fake_reply{200, R"({"node":"n1"})"}; });
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"status", "--json", "--url", node.url(), "--key", "k"}, {"--help"}, {"version"}}) {
        std::ostream full(nullptr); // takes nothing
        std::ostringstream err;
        surroundings around;
        around.out = &full;
        around.err = &err;
        around.search.environment = [](const char*) { return std::nullopt; };
        BOOST_TEST(run_cli(words, around) == 1);
        BOOST_TEST(err.str().find("could not be written") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(why_takes_every_kind_and_finds_it_when_none_is_given) {
    const std::string id(run_id);
    // Only an approval has this id.
    fake_node node([](const fake_request& r) {
        return r.line.find("/why/approval/") != std::string::npos || r.line.find("/approvals/") != std::string::npos
                   ? fake_reply{200, R"({"kind":"approval","summary":"It waits.","reasons":[]})"}
                   : refusal(404, "not_found", "Nothing there.");
    });
    for (const std::vector<std::string>& words : {std::vector<std::string>{"why", "approval", id}, {"why", id}}) {
        BOOST_TEST(run(words, node.url()).code == 0);
        BOOST_TEST(node.requests().back().line == "GET /api/v1/why/approval/" + id);
    }
    BOOST_TEST(run({"why", "run", id}, node.url()).code == 4);
    BOOST_TEST(run({"why", "018f3c1e-7d2a-7000-8000-0000000000ff", "x"}, node.url()).code == 2);
}

BOOST_AUTO_TEST_CASE(why_asks_for_the_kind_when_several_fit) {
    fake_node both([](const fake_request& r) {
        return r.line.starts_with("GET /api/v1/runs") || r.line.starts_with("GET /api/v1/approvals")
                   ? fake_reply{200, run_body}
                   : refusal(404, "not_found", "Nothing there.");
    });
    const auto o = run({"why", std::string(run_id)}, both.url());
    BOOST_TEST(o.code == 1);
    BOOST_TEST(o.err.find("say the kind") != std::string::npos);
    BOOST_TEST(o.err.find("  approval: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_agents_state_is_said_as_the_node_answered_it) {
    const auto said = [](std::string_view verb, std::string_view state) {
        fake_node node([&](const auto&) {
            return fake_reply{200, fmt::format(R"({{"id":"{}","settings":{{"name":"w1"}},{}}})", run_id, state)};
        });
        return run({"agent", std::string(verb), std::string(run_id)}, node.url()).out;
    };
    BOOST_TEST(said("start", R"("status":"idle","paused":false)") == "w1 works.\n");
    BOOST_TEST(said("start", R"("status":"idle","paused":true)") ==
               "w1 is paused: it takes no new task until `troupe agent resume w1`.\n");
    BOOST_TEST(said("resume", R"("status":"offline","paused":false)") ==
               "w1 is stopped: it takes no new task until `troupe agent start w1`.\n");
    BOOST_TEST(said("stop", R"("status":"offline","paused":true)") ==
               "w1 is stopped and paused: it takes no new task until `troupe agent start w1` and `troupe agent resume "
               "w1`.\n");
    BOOST_TEST(said("start", R"("status":"error","paused":false,"error":"No model."  )") ==
               "w1 does not work: No model.\n");
}

BOOST_AUTO_TEST_CASE(configuration_as_json_has_numbers_and_switches) {
    const auto shown = run({"config", "show", "--json"}).out;
    BOOST_TEST(shown.find("\"shards\":256,") != std::string::npos);
    BOOST_TEST(shown.find("\"log.json\":false,") != std::string::npos);
    BOOST_TEST(shown.find("\"log.level\":\"info\",") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(approve_finds_what_the_run_waits_for) {
    const std::string approval =
        R"({"id":"018f3c1e-7d2a-7000-8000-0000000000aa","run_id":"018f3c1e-7d2a-7000-8000-000000000001","step_key":"00001.001",
"reason":"approval","status":"pending","text":"make","tool":"run_command","arguments":{"command":"make"},"created_at":"2026-11-21T07:00:00.000Z"})";
    fake_node node([&](const fake_request& r) {
        return fake_reply{200, r.line.starts_with("GET") ? items(approval) : approval};
    });
    const std::string id(run_id);
    BOOST_TEST(run({"run", "approve", id}, node.url()).code == 0);
    BOOST_TEST(node.requests().back().line == "POST /api/v1/approvals/018f3c1e-7d2a-7000-8000-0000000000aa/decide");
    BOOST_TEST(node.requests().back().body.find(R"("decision":"approve")") != std::string::npos);
    const auto o = run({"run", "answer", id, "eight"}, node.url());
    BOOST_TEST(o.code == 1);
    BOOST_TEST(o.err.find("troupe run approve") != std::string::npos);
    fake_node nothing([](const auto&) { return fake_reply{200, no_items}; });
    BOOST_TEST(run({"run", "approve", id}, nothing.url()).err.find("waits for no decision") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_folder_is_a_project_reused_or_made) {
    const auto folder = std::filesystem::canonical(std::filesystem::temp_directory_path());
    const auto document = fmt::format(
        R"({{"id":"018f3c1e-7d2a-7000-8000-0000000000bb","name":"tmp","description":"","folder":"{}","files":0,"bytes":0,
"created_by":"k","created_at":"2026-11-21T07:00:00.000Z","updated_at":"2026-11-21T07:00:00.000Z"}})",
        folder.string());
    fake_node knows([&](const auto&) { return fake_reply{200, items(document)}; });
    api first({knows.url(), "k"});
    BOOST_TEST(find_project(first, ".", folder).value().name == "tmp");
    BOOST_TEST(knows.requests().size() == 1U);
    fake_node fresh([&](const fake_request& r) {
        return r.line.starts_with("GET") ? fake_reply{200, no_items} : fake_reply{201, document};
    });
    api second({fresh.url(), "k"});
    BOOST_TEST(find_project(second, ".", folder).value().folder.value() == folder.string());
    BOOST_TEST(fresh.requests().back().body.find("\"folder\":\"" + folder.string()) != std::string::npos);
    BOOST_TEST((find_project(second, "./not-there", folder).error().code == code::not_found));
}

BOOST_AUTO_TEST_CASE(failures_are_shown_with_count_time_module_and_text) {
    const auto failure = items(
        R"({"fingerprint":"0123456789abcdef","module":"edge","level":"error","count":12345,"first_at":"2026-11-21T07:00:00.000Z",
"last_at":"2026-11-21T07:30:00.000Z","pattern":"# is full","text":"7 is full","request_id":"r1","trace_id":null})");
    fake_node node([&](const auto&) { return fake_reply{200, failure}; });
    const auto o = run({"failures"}, node.url());
    BOOST_TEST(o.code == 0);
    BOOST_TEST(node.requests().back().line.starts_with("GET /api/v1/system/failures?"));
    for (const auto* word : {"count", "last", "module", "text", "12 345", "edge", "7 is full"}) {
        BOOST_TEST(o.out.find(word) != std::string::npos, word);
    }
    BOOST_TEST(run({"failures", "--json"}, node.url()).out.find("\"request_id\":\"r1\"") != std::string::npos);
    fake_node well([](const auto&) { return fake_reply{200, no_items}; });
    BOOST_TEST(run({"failures"}, well.url()).err.find("Nothing went wrong") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(completion_knows_every_command_and_flag) {
    const auto script = run({"completion", "bash"});
    BOOST_TEST(script.code == 0);
    BOOST_TEST(script.out.find("'run start') flags=\"$flags --project --model") != std::string::npos);
    BOOST_TEST(run({"completion", "fish"}).code == 2);
}

BOOST_AUTO_TEST_CASE(problems_are_explained_without_a_node) {
    BOOST_TEST(run({"problems", "conflict"}).code == 0);
    const auto o = run({"problems", "conflit"});
    BOOST_TEST(o.code == 4);
    BOOST_TEST(o.err.find("Did you mean conflict?") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
