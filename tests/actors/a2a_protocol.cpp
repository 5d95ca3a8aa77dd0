#include "actors/a2a/a2a_protocol.hpp"
#include "actors/a2a/remote_agents.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <variant>

// Tasks, messages and cards as A2A has them.
using namespace troupe;
using namespace troupe::actors;

namespace {

json::document read(const std::string& text) {
    auto out = json::document::parse(text);
    BOOST_REQUIRE_MESSAGE(out, text);
    return std::move(*out);
}

std::string state_in(const std::string& text) {
    const auto parsed = read(text);
    const auto status = parsed.root().pointer("/status/state");
    return status ? std::string(status->as_string().value_or("")) : "";
}

task_document a_task(task_status status) {
    task_document out;
    out.id = make_uuid();
    out.status = status;
    out.agent_id = make_uuid();
    out.updated_at = {1000};
    return out;
}

std::int64_t code_of(const std::string& params) {
    const auto out = read_a2a_message(params);
    const auto* wrong = std::get_if<rpc::rpc_error>(&out);
    return wrong == nullptr ? 0 : wrong->code;
}

} // namespace

BOOST_AUTO_TEST_SUITE(a2a)

BOOST_AUTO_TEST_CASE(states_of_tasks_have_their_names) {
    using enum task_status;
    for (const auto& [status, name] :
         {std::pair(inbox, "SUBMITTED"), std::pair(assigned, "SUBMITTED"), std::pair(in_progress, "WORKING"),
          std::pair(review, "COMPLETED"), std::pair(done, "COMPLETED"), std::pair(blocked, "SUBMITTED"),
          std::pair(cancelled, "CANCELED"), std::pair(failed, "FAILED")}) {
        BOOST_TEST(state_in(a2a_task_of(a_task(status)).json()) == std::string("TASK_STATE_") + name);
    }
    auto back = a_task(inbox);
    back.agent_id.reset();
    back.error = "It is stopped.";
    BOOST_TEST(state_in(a2a_task_of(back).json()) == "TASK_STATE_REJECTED");
}

BOOST_AUTO_TEST_CASE(a_journal_becomes_a_stream_that_ends_with_artifacts) {
    auto task = a2a_task_of(a_task(task_status::assigned));
    BOOST_TEST(task.take("message_added", "{}", {1}).empty());
    BOOST_TEST(task.take("task_assigned", "{}", {1}).empty()); // it was so
    BOOST_TEST(task.take("work_started", "{}", {2}).size() == 1U);
    const auto end = task.take("work_finished", R"({"status":"review","result":"a \"b\"","output":{"n":1}})", {3});
    BOOST_REQUIRE(end.size() == 3U);
    const auto first = read(end[0]);
    BOOST_TEST(std::string(*first.root().pointer("/artifactUpdate/artifact/parts/0/text")->as_string()) == "a \"b\"");
    const auto second = read(end[1]);
    BOOST_TEST(*second.root().pointer("/artifactUpdate/artifact/parts/0/data/n")->as_int() == 1);
    const auto last = read(end[2]);
    BOOST_TEST(std::string(*last.root().pointer("/statusUpdate/status/state")->as_string()) == "TASK_STATE_COMPLETED");
    BOOST_TEST(is_terminal(task.state));
    BOOST_TEST(task.take("task_moved", R"({"from":"review","to":"done"})", {4}).empty()); // people are content
}

BOOST_AUTO_TEST_CASE(failures_say_why) {
    auto task = a2a_task_of(a_task(task_status::in_progress));
    const auto end = task.take("work_finished", R"({"status":"failed","error":"no model"})", {3});
    BOOST_REQUIRE(end.size() == 1U);
    BOOST_TEST(end[0].find("no model") != std::string::npos);
    auto back = a2a_task_of(a_task(task_status::assigned));
    BOOST_TEST(back.take("task_returned", R"({"error":"stopped"})", {3}).size() == 1U);
    BOOST_TEST((back.state == a2a_state::rejected));
}

BOOST_AUTO_TEST_CASE(questions_of_its_own_run_are_shown_until_they_are_answered) {
    auto task = a2a_task_of(a_task(task_status::assigned));
    const auto asked = [&](const std::string& run, const std::string& reason) {
        return task.take("approval_opened",
                         R"({"request":{"run_id":")" + run + R"(","reason":")" + reason + R"(","text":"Which?"}})", {3},
                         "approvals/1");
    };
    BOOST_TEST(asked("r", "question").empty()); // nobody works on it
    BOOST_REQUIRE(task.take("work_started", R"({"run_id":"r"})", {2}).size() == 1U);
    BOOST_TEST(asked("other", "question").empty());
    BOOST_TEST(asked("r", "approval").empty());
    BOOST_REQUIRE(asked("r", "question").size() == 1U);
    BOOST_TEST(task.asks());
    BOOST_TEST(task.note == "Which?");
    BOOST_TEST(task.take("approval_decided", "{}", {4}, "approvals/2").empty());
    BOOST_REQUIRE(task.take("approval_decided", "{}", {4}, "approvals/1").size() == 1U);
    BOOST_TEST((task.state == a2a_state::working));
}

BOOST_AUTO_TEST_CASE(messages_are_read_and_what_is_wrong_is_named) {
    const auto good = read_a2a_message(
        R"({"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"Do\nit"},{"data":{"n":1}}]},)"
        R"("configuration":{"returnImmediately":true}})");
    const auto* m = std::get_if<a2a_message>(&good);
    BOOST_REQUIRE(m != nullptr);
    BOOST_TEST(m->text == "Do\nit\n{\"n\":1}");
    BOOST_TEST(m->at_once);
    BOOST_TEST(task_for(*m).title == "Do");
    BOOST_TEST(task_for(*m).description == m->text);
    BOOST_TEST(code_of("[]") == rpc::rpc_invalid_params);
    BOOST_TEST(code_of("{") == rpc::rpc_invalid_params);
    BOOST_TEST(code_of(R"({"message":7})") == rpc::rpc_invalid_params);
    BOOST_TEST(code_of(R"({"message":{"messageId":"m","role":"ROLE_USER","parts":[7]}})") ==
               a2a_content_type_not_supported);
    BOOST_TEST(code_of(R"({"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":" "}]}})") ==
               rpc::rpc_invalid_params);
    BOOST_TEST(code_of(R"({"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":")" +
                       std::string(100'001, 'x') + R"("}]}})") == rpc::rpc_invalid_params);
}

BOOST_AUTO_TEST_CASE(cards_say_what_agents_can_and_where_they_are) {
    agent_document agent;
    agent.settings.name = "scout \"x\"";
    agent.settings.capabilities = {"python", "sql"};
    const auto card = read(a2a_card(agent, "http://here/a2a", "1.0"));
    BOOST_TEST(card.root().text_or("name") == "scout \"x\"");
    BOOST_TEST(card.root().find("skills")->size() == 2U);
    BOOST_TEST(std::string(*card.root().pointer("/supportedInterfaces/0/url")->as_string()) == "http://here/a2a");
}

BOOST_AUTO_TEST_CASE(the_operators_agents_are_read_and_what_is_wrong_is_named) {
    const auto good =
        parse_remote_agents(R"({"agents":[{"name":"oracle","url":"https://o.example/a/","key":"secret:O"}]})");
    BOOST_REQUIRE(good);
    BOOST_TEST(good->front().key == "secret:O");
    for (const auto& [text, place] :
         {std::pair(R"({})", "/agents"),
          std::pair(R"({"agents":[{"name":"Or acle","url":"https://o"}]})", "/agents/0/name"),
          std::pair(R"({"agents":[{"name":"a","url":"ftp://o.example"}]})", "/agents/0/url"),
          std::pair(R"({"agents":[{"name":"a","url":"http://o"},{"name":"a","url":"http://o"}]})", "/agents/1/name"),
          std::pair(R"({"agents":[{"name":"a","url":"http://o","kee":"x"}]})", "/agents/0/kee")}) {
        const auto wrong = parse_remote_agents(text);
        BOOST_REQUIRE_MESSAGE(!wrong, text);
        BOOST_TEST(wrong.error().detail.find(place) != std::string::npos, wrong.error().detail);
    }
}

BOOST_AUTO_TEST_SUITE_END()
