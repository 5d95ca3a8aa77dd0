#include "actors/agent/agent_model.hpp"
#include "actors/agent/agent_routes.hpp"
#include "actors/kinds/kind.hpp"
#include "actors/name/name_model.hpp"
#include "actors/task/board_model.hpp"
#include "actors/task/task_model.hpp"
#include "actors/tool/tool.hpp"
#include "tests/actors/given.hpp"
#include "tests/actors/mini_node.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// Tools of an orchestrator's run.
struct board : mini_node {
    board() {
        host<agent_model>();
        host<name_model>();
        host<task_model>();
        host<board_model>();
        serve(agent_routes(services));
        where.run = {mini_node::organization, "run", id_of(9)};
        where.store = services.store;
        where.ask = [this](runtime::command c) { return decide(c); };
    }
    tool_result perform(std::string_view tool, std::string_view arguments, std::string key = "run/1/1/1") {
        where.key = std::move(key);
        return perform_tool(tool, arguments, where);
    }
    static uuid task_of(const tool_result& r) {
        BOOST_REQUIRE_MESSAGE(!r.is_error, r.content);
        return parse_uuid(json::document::parse(r.details.text)->root().text_or("task_id")).value();
    }
    task_document task(const uuid& id) {
        const auto stored = storage::read_document(*services.store, {mini_node::organization, "task", id});
        return from_json<task_document>((*stored)->json, strictness::stored).value();
    }
    void agent(const std::string& body) { BOOST_TEST(call(net::verb::post, "/agents", body).status == 201); }

    tool_environment where;
};

bool has(const tool_result& r, std::string_view part) { return r.content.find(part) != std::string::npos; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(board_tool, board)

BOOST_AUTO_TEST_CASE(a_task_is_made_once_however_often_the_call_is_performed) {
    agent(R"({"name":"scout","capabilities":["search"]})");
    where.project_id = id_of(5);
    const auto* arguments = R"({"title":"Look it up","description":"All of it","agent":"scout","labels":["x"]})";
    const auto id = task_of(perform("create_task", arguments, "run/1/1/1"));
    BOOST_TEST((task_of(perform("create_task", arguments, "run/1/1/2")) == id)); // a later attempt of the same call
    BOOST_TEST((task_of(perform("create_task", arguments, "run/1/2/1")) != id)); // another call
    const auto made = task(id);
    BOOST_TEST(made.title == "Look it up");
    BOOST_TEST((made.status == task_status::assigned));
    BOOST_TEST((made.project_id == id_of(5)));
    BOOST_TEST(made.created_by == "run/" + to_string(id_of(9)));
    settle();
    const auto agents = perform("list_agents", "{}");
    BOOST_TEST(has(agents, "scout: custom"), agents.content);
    BOOST_TEST(has(agents, "can: search"), agents.content);
}

BOOST_AUTO_TEST_CASE(tasks_wait_in_the_inbox_until_they_are_given_to_somebody) {
    agent(R"({"name":"scout"})");
    const auto id = to_string(task_of(perform("create_task", R"({"title":"Later"})")));
    BOOST_TEST(has(perform("list_tasks", R"({"status":"inbox"})"), id + " [inbox] Later"));
    BOOST_TEST(perform("assign_task", R"({"task":")" + id + R"(","agent":"nobody"})", "run/2/1/1").is_error);
    BOOST_TEST(!perform("assign_task", R"({"task":")" + id + R"(","agent":"scout"})", "run/2/2/1").is_error);
    BOOST_TEST(perform("list_tasks", R"({"status":"inbox"})").content == "There are none.\n");
    BOOST_TEST(has(perform("list_tasks", R"({"task":")" + id + R"("})"), "[assigned] Later"));
    BOOST_TEST(perform("list_tasks", R"({"task":")" + to_string(id_of(77)) + R"("})").is_error);
}

BOOST_AUTO_TEST_CASE(parameters_are_held_against_the_kind_of_the_agent_and_others_are_named) {
    agent(R"({"name":"coder","kind":"code_generator"})");
    const auto refused =
        perform("create_task", R"({"title":"Write","agent":"coder","parameters":{"language":"cobol"}})");
    BOOST_TEST(refused.is_error);
    BOOST_TEST(has(refused, "parameters"), refused.content);
    const auto unknown = perform("create_task", R"({"title":"Write","agent":"nobody"})");
    BOOST_TEST(has(unknown, "coder"), unknown.content);
    where.ask = {};
    BOOST_TEST(perform("create_task", R"({"title":"Write"})").is_error);
}

BOOST_AUTO_TEST_CASE(the_orchestrator_has_them_and_says_what_it_cannot_do_without_a_model) {
    const auto* kind = find_kind("orchestrator");
    BOOST_REQUIRE(kind);
    for (const auto* tool : {"create_task", "assign_task", "list_tasks", "list_agents"}) {
        BOOST_TEST(std::ranges::count(kind->tools, std::string_view(tool)) == 1);
    }
    BOOST_TEST(!kind->rehearsal.empty());
}

BOOST_AUTO_TEST_SUITE_END()
