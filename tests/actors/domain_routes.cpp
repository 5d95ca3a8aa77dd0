#include "actors/agent/agent_model.hpp"
#include "actors/agent/agent_routes.hpp"
#include "actors/approval/approval_model.hpp"
#include "actors/approval/approval_routes.hpp"
#include "actors/kinds/kind.hpp"
#include "actors/message/message_model.hpp"
#include "actors/message/message_routes.hpp"
#include "actors/name/name_model.hpp"
#include "actors/notification/inbox_model.hpp"
#include "actors/notification/notification_routes.hpp"
#include "actors/project/project_model.hpp"
#include "actors/project/project_routes.hpp"
#include "actors/task/board_model.hpp"
#include "actors/task/task_model.hpp"
#include "actors/task/task_routes.hpp"
#include "schemas/approval_messages.hpp"
#include "schemas/run_messages.hpp"
#include "tests/actors/mini_node.hpp"
#include "tests/actors/notification_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using enum troupe::net::verb;

namespace {

struct node : mini_node {
    node() {
        host<name_model>();
        host<agent_model>();
        host<task_model>();
        host<board_model>();
        host<message_model>();
        host<inbox_model>();
        host<project_model>();
        host<approval_model>();
        serve(agent_routes(services));
        serve(task_routes(services));
        serve(message_routes(services));
        serve(notification_routes(services, *desk));
        serve(project_routes(services));
        serve(approval_routes(services, [this](const net::principal&, std::string_view permission) {
            return permission == "agent:write" && may_write_agents
                       ? expected<void>()
                       : expected<void>(problem{code::forbidden, "It may not."});
        }));
    }

    bool may_write_agents = false;
    plain_desk desk{*services.store};

    template <class Document>
    Document read(const net::response& r) {
        BOOST_REQUIRE_MESSAGE(r.status < 300, r.status << " " << r.body);
        auto decoded = from_json<Document>(r.body, strictness::input);
        BOOST_REQUIRE_MESSAGE(decoded, r.body);
        return std::move(*decoded);
    }

    agent_document agent(const std::string& name) {
        return read<agent_document>(call(post, "/agents", R"({"name":")" + name + R"("})"));
    }
    std::size_t count(const std::string& path) {
        const auto page = call(get, path);
        BOOST_REQUIRE_MESSAGE(page.status == 200, page.body);
        return json::document::parse(page.body)->root().find("items")->size();
    }
};

std::string header_of(const net::response& r, std::string_view name) {
    for (const auto& [key, value] : r.headers) {
        if (key == name) {
            return value;
        }
    }
    return {};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(domain_routes, node)

BOOST_AUTO_TEST_CASE(who_has_a_decision_remembered_for_an_agent_has_to_be_allowed_to_change_it) {
    const auto id = make_uuid();
    const open_approval asked{make_uuid(), "00001.001",   wait_reason::approval,
                              "May it?",   "run_command", {R"({"command":"make"})"},
                              make_uuid()};
    BOOST_REQUIRE(decide(command({organization, "approval", id}, "open_approval", to_json(asked))));
    const auto path = "/approvals/" + to_string(id) + "/decide";
    const std::string always = R"({"decision":"approve","remember":"agent"})";
    BOOST_TEST(call(post, path, always).status == 403);
    BOOST_TEST(call(post, path, R"({"decision":"approve","remember":"run","pattern":"git *"})").status == 422);
    may_write_agents = true;
    const auto decided = read<approval_document>(call(post, path, always));
    BOOST_TEST(decided.rule.value_or("") == "run_command(make)");
    BOOST_TEST(call(post, "/approvals/" + to_string(id) + "/delegate", R"({"to":")" + to_string(id) + R"("})").status ==
               422);
}

BOOST_AUTO_TEST_CASE(parameters_of_a_task_are_checked_against_the_kind_of_its_agent) {
    const auto kinds = add_kinds({{.name = "counter",
                                   .description = "Counts.",
                                   .tools = {"count_all"},
                                   .parameters_schema = R"({"type":"object","required":["file"]})",
                                   .result_schema = R"({"type":"object"})"}});
    BOOST_REQUIRE(kinds);
    const auto listed = call(get, "/agent-kinds").body;
    BOOST_TEST(listed.find(R"("name":"custom")") != std::string::npos);
    BOOST_TEST(listed.find(R"("parameters_schema":{"type":"object","required":["file"]})") != std::string::npos,
               listed);
    const auto counter = read<agent_document>(call(post, "/agents", R"({"name":"counter","kind":"counter"})"));
    const auto id = to_string(counter.id);
    for (const auto& [path, body] : {std::pair<std::string, std::string>("/agents/counter/tasks", R"({"title":"Sum"})"),
                                     {"/agents/counter/tasks", R"({"title":"Sum","parameters":{"fil":"a"}})"},
                                     {"/tasks", R"({"title":"Sum","agent_id":")" + id + R"(","parameters":{}})"},
                                     {"/tasks", R"({"title":"Sum","parameters":7})"}}) {
        const auto refused = call(post, path, body);
        BOOST_TEST(refused.status == 422, refused.body);
        BOOST_TEST(refused.body.find(R"("pointer":"/parameters)") != std::string::npos, refused.body);
    }
    const auto task =
        read<task_document>(call(post, "/agents/counter/tasks", R"({"title":"Sum","parameters":{"file":"a"}})"));
    BOOST_TEST(task.parameters->text == R"({"file":"a"})");
}

BOOST_AUTO_TEST_CASE(every_operation_has_one_name_and_every_route_a_permission) {
    std::set<std::string> operations;
    for (const auto& routes :
         {agent_routes(services), task_routes(services), project_routes(services), approval_routes(services, {})}) {
        for (const auto& route : routes) {
            BOOST_TEST(operations.insert(route.operation).second, route.operation);
            BOOST_TEST(!route.permission.empty());
            BOOST_TEST(!!route.run);
            BOOST_TEST((route.verb == get || route.verb == del || route.body || route.path.ends_with("/cancel") ||
                        route.path.ends_with("/retry") || route.path.starts_with("/agents/{id}/")));
        }
    }
}

BOOST_AUTO_TEST_CASE(agent_is_created_once_per_name_and_found_by_it) {
    const auto made = call(post, "/agents", R"({"name":"Scout"})");
    BOOST_TEST(made.status == 201);
    const auto document = read<agent_document>(made);
    BOOST_TEST(header_of(made, "Location") == "/api/v1/agents/" + to_string(document.id));
    settle();
    BOOST_TEST(call(post, "/agents", R"({"name":"SCOUT"})").status == 409);
    BOOST_TEST((read<agent_document>(call(get, "/agents/scout")).id == document.id));
    BOOST_TEST(count("/agents?name=Scout") == 1u);
    BOOST_TEST(call(get, "/agents/nobody").status == 404);
}

BOOST_AUTO_TEST_CASE(retried_create_is_the_same_agent) {
    const std::map<std::string, std::string> key{{"idempotency-key", "k1"}};
    const auto first = read<agent_document>(call(post, "/agents", R"({"name":"scout"})", key));
    const auto again = call(post, "/agents", R"({"name":"scout"})", key);
    BOOST_TEST((read<agent_document>(again).id == first.id));
    BOOST_TEST(header_of(again, "Idempotent-Replayed") == "true");
    BOOST_TEST(count("/agents") == 1u);
}

BOOST_AUTO_TEST_CASE(refused_create_leaves_the_name_free) {
    refuse_next.insert("create_agent");
    BOOST_TEST(call(post, "/agents", R"({"name":"scout"})").status == 503);
    BOOST_TEST(call(post, "/agents", R"({"name":"scout","max_concurrent_tasks":0})").status == 422);
    agent("scout");
}

BOOST_AUTO_TEST_CASE(refused_create_does_not_free_the_name_of_the_agent_that_has_it) {
    const std::map<std::string, std::string> key{{"idempotency-key", "k1"}};
    read<agent_document>(call(post, "/agents", R"({"name":"scout"})", key));
    settle();
    refuse_next.insert("create_agent");
    BOOST_TEST(call(post, "/agents", R"({"name":"scout"})", key).status == 503);
    BOOST_TEST(call(post, "/agents", R"({"name":"scout"})").status == 409);
}

BOOST_AUTO_TEST_CASE(renamed_agent_has_the_new_name_and_gives_up_the_old) {
    agent("scout");
    agent("guard");
    settle();
    BOOST_TEST(call(put, "/agents/scout", R"({"name":"guard"})").status == 409);
    read<agent_document>(call(patch, "/agents/scout", R"({"name":"ranger","role":"east"})"));
    settle();
    BOOST_TEST(call(get, "/agents/ranger").status == 200);
    BOOST_TEST(call(get, "/agents/scout").status == 404);
    agent("scout");
    BOOST_TEST(read<agent_document>(call(patch, "/agents/ranger", R"({"role":"west"})")).settings.name == "ranger");
    BOOST_TEST(call(patch, "/agents/" + to_string(make_uuid()), R"({"name":"x"})").status == 404);
}

BOOST_AUTO_TEST_CASE(deleted_agent_is_gone_and_its_name_is_free) {
    agent("scout");
    settle();
    BOOST_TEST(call(del, "/agents/scout").status == 204);
    BOOST_TEST(call(get, "/agents/scout").status == 404);
    const auto next = agent("scout"); // at once
    settle();
    BOOST_TEST((read<agent_document>(call(get, "/agents/scout")).id == next.id));
}

BOOST_AUTO_TEST_CASE(policy_of_a_tool_that_does_not_exist_is_refused) {
    const auto refused = call(post, "/agents", R"({"name":"scout","tools":{"run_comand":"deny","execute":"ask"}})");
    BOOST_TEST(refused.status == 422);
    BOOST_TEST(refused.body.find("/tools/run_comand") != std::string::npos);
    BOOST_TEST(refused.body.find("/tools/execute") == std::string::npos);
    agent("scout"); // its name is free
    BOOST_TEST(call(put, "/agents/scout", R"({"tools":{"write_files":"deny"}})").status == 422);
    BOOST_TEST(call(put, "/agents/scout", R"({"tools":{"write_file":"deny"}})").status == 200);
}

BOOST_AUTO_TEST_CASE(agent_is_found_by_its_session_key_and_in_any_case) {
    const auto scout = agent("Scout");
    for (const std::string name : {"Scout", "SCOUT", "scout", "agent:custom:scout"}) {
        BOOST_TEST((read<agent_document>(call(get, "/agents/" + name)).id == scout.id));
    }
    BOOST_TEST(call(post, "/agents", R"({"name":"agent:custom:scout"})").status == 422);
}

BOOST_AUTO_TEST_CASE(what_a_task_names_has_to_be_there) {
    const auto nobody = R"({"title":"Sum","agent_id":")" + to_string(make_uuid()) + R"("})";
    const auto nowhere = R"({"title":"Sum","project_id":")" + to_string(make_uuid()) + R"("})";
    agent("scout");
    const auto task = read<task_document>(call(post, "/tasks", R"({"title":"Sum"})"));
    for (const auto& refused :
         {call(post, "/tasks", nobody), call(post, "/tasks", nowhere), call(post, "/agents/scout/tasks", nowhere),
          call(post, "/tasks/" + to_string(task.id) + "/assign",
               R"({"agent_id":")" + to_string(make_uuid()) + R"("})")}) {
        BOOST_TEST(refused.status == 422);
        BOOST_TEST(refused.body.find("names nothing") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(name_that_an_agent_gave_up_is_free_at_once) {
    agent("scout");
    BOOST_TEST(call(put, "/agents/scout", R"({"name":"ranger"})").status == 200);
    agent("scout");
    settle();
    BOOST_TEST(call(post, "/agents", R"({"name":"ranger"})").status == 409);
    BOOST_TEST(call(put, "/agents/ranger", R"({"name":"warden"})").status == 200);
    BOOST_TEST(call(put, "/agents/warden", R"({"name":"ranger"})").status == 200);
    settle();
    BOOST_TEST(call(post, "/agents", R"({"name":"ranger"})").status == 409);
}

BOOST_AUTO_TEST_CASE(agent_is_stopped_and_started_by_its_routes) {
    agent("scout");
    BOOST_TEST((read<agent_document>(call(post, "/agents/scout/stop")).status == agent_status::offline));
    BOOST_TEST((read<agent_document>(call(post, "/agents/scout/start")).status == agent_status::idle));
    BOOST_TEST(read<agent_document>(call(post, "/agents/scout/pause")).paused);
    BOOST_TEST(!read<agent_document>(call(post, "/agents/scout/resume")).paused);
    BOOST_TEST(read<agent_document>(call(post, "/agents/scout/heartbeat")).heartbeat_at.has_value());
}

BOOST_AUTO_TEST_CASE(task_goes_from_the_board_through_the_agent_to_review) {
    const auto scout = agent("scout");
    const auto task = read<task_document>(call(post, "/agents/scout/tasks", R"({"title":"Sum","priority":"high"})"));
    BOOST_TEST((task.agent_id == scout.id));
    settle();
    const auto owed = take_outside();
    settle();
    const auto path = "/tasks/" + to_string(task.id);
    const auto working = read<task_document>(call(get, path));
    BOOST_TEST((working.status == task_status::in_progress));
    BOOST_TEST((read<agent_document>(call(get, "/agents/scout")).status == agent_status::busy));
    BOOST_TEST_REQUIRE(owed.size() == 1u);
    BOOST_TEST(owed[0].type == "create_run");
    BOOST_TEST((owed[0].to.id == working.run_id));
    const run_ended end{*working.run_id, task.id, run_status::succeeded, "42", {}};
    BOOST_REQUIRE(decide(command({organization, "agent", scout.id}, "run_ended", to_json(end))));
    settle();
    const auto finished = read<task_document>(call(get, path));
    BOOST_TEST((finished.status == task_status::review));
    BOOST_TEST(finished.result.value() == "42");
    BOOST_TEST(count("/tasks?status=review") == 1u);
    BOOST_TEST(count("/tasks?status=in_progress") == 0u);
    BOOST_TEST(count("/tasks?agent_id=" + to_string(scout.id)) == 1u);
}

BOOST_AUTO_TEST_CASE(task_for_an_agent_that_is_not_there_comes_back) {
    BOOST_TEST(call(post, "/agents/nobody/tasks", R"({"title":"Sum"})").status == 404);
    agent("scout");
    const auto task = read<task_document>(call(post, "/agents/scout/tasks", R"({"title":"Sum"})"));
    BOOST_TEST(call(del, "/agents/scout").status == 204); // before it heard of the task
    settle();
    const auto back = read<task_document>(call(get, "/tasks/" + to_string(task.id)));
    BOOST_TEST((back.status == task_status::inbox));
    BOOST_TEST(back.error.has_value());
}

BOOST_AUTO_TEST_CASE(tasks_of_a_deleted_agent_come_back) {
    agent("scout");
    const auto first = read<task_document>(call(post, "/agents/scout/tasks", R"({"title":"One"})"));
    const auto second = read<task_document>(call(post, "/agents/scout/tasks", R"({"title":"Two"})"));
    settle();
    take_outside();
    settle();
    call(del, "/agents/scout");
    settle();
    const auto path = [](const task_document& t) { return "/tasks/" + to_string(t.id); };
    BOOST_TEST((read<task_document>(call(get, path(second))).status == task_status::inbox));
    BOOST_TEST(
        (read<task_document>(call(get, path(first))).status == task_status::in_progress)); // until its run has ended
}

BOOST_AUTO_TEST_CASE(task_is_moved_changed_and_deleted_by_its_routes) {
    const auto task = read<task_document>(call(post, "/tasks", R"({"title":"Sum"})"));
    const auto path = "/tasks/" + to_string(task.id);
    BOOST_TEST((read<task_document>(call(post, path + "/status", R"({"status":"in_progress"})")).status ==
                task_status::in_progress));
    BOOST_TEST(call(post, path + "/status", R"({"status":"done"})").status == 409);
    BOOST_TEST(call(post, path + "/status", R"({"status":"nowhere"})").status == 422);
    BOOST_TEST(read<task_document>(call(patch, path, R"({"title":"Mean"})")).title == "Mean");
    BOOST_TEST(call(del, path).status == 204);
    BOOST_TEST(call(get, path).status == 404);
    BOOST_TEST(count("/tasks") == 0u);
}

BOOST_AUTO_TEST_CASE(messages_are_answered_and_listed_in_order) {
    const auto task = read<task_document>(call(post, "/tasks", R"({"title":"Sum"})"));
    const auto path = "/tasks/" + to_string(task.id) + "/messages";
    const auto made = call(post, path, R"({"content":"first"})");
    BOOST_TEST(made.status == 201);
    BOOST_TEST(read<message_document>(made).author == "key/tester");
    call(post, path, R"({"content":"second"})");
    const auto page = json::document::parse(call(get, path).body);
    BOOST_TEST(page->root().pointer("/items/0/content")->as_string().value() == "first");
    BOOST_TEST(page->root().pointer("/items/1/content")->as_string().value() == "second");
    BOOST_TEST(call(get, "/tasks/" + to_string(make_uuid()) + "/messages").status == 404);
}

BOOST_AUTO_TEST_CASE(file_is_written_read_and_deleted) {
    const auto project = read<project_document>(call(post, "/projects", R"({"name":"calculator"})"));
    const auto path = "/projects/" + to_string(project.id) + "/files";
    const auto made = call(post, path, R"({"path":"src/main.py","content":"print(1)\n","executable":true})");
    BOOST_TEST(made.status == 201);
    BOOST_TEST(read<file_document>(made).executable);
    const auto shown = call(get, path + "/src/main.py");
    BOOST_TEST(shown.body == "print(1)\n");
    BOOST_TEST(shown.content_type == "text/plain; charset=utf-8");
    const auto tag = header_of(shown, "ETag");
    BOOST_TEST(tag == header_of(made, "ETag"));
    BOOST_TEST(call(get, path + "/src/main.py", "", {{"if-none-match", tag}}).status == 304);
    const auto binary =
        read<file_document>(call(put, path + "/src/main.py", std::string("\0\1", 2), {{"if-match", tag}}));
    BOOST_TEST(binary.bytes == 2u);
    BOOST_TEST(binary.executable); // not given: as it was
    BOOST_TEST(call(put, path + "/src/main.py", "late", {{"if-match", tag}}).status == 412);
    BOOST_TEST(!read<file_document>(call(put, path + "/src/main.py?executable=false", "x")).executable);
    BOOST_TEST(count(path) == 1u);
    BOOST_TEST(call(del, path + "/src/main.py").status == 204);
    BOOST_TEST(call(get, path + "/src/main.py").status == 404);
    BOOST_TEST(call(del, path + "/src/main.py").status == 404);
    BOOST_TEST(count(path) == 0u);
}

BOOST_AUTO_TEST_CASE(large_file_is_given_in_pieces) {
    const auto project = read<project_document>(call(post, "/projects", R"({"name":"calculator"})"));
    const auto path = "/projects/" + to_string(project.id) + "/files/large";
    std::string content;
    for (int i = 0; i < 500'000; ++i) {
        content += std::to_string(i);
    }
    BOOST_TEST(read<file_document>(call(put, path, content)).bytes == content.size());
    const auto given = [&](const net::response& r) {
        BOOST_REQUIRE(r.source.has_value());
        std::string all;
        while (all.size() < *r.source->bytes) {
            all += r.source->next().value();
        }
        return all;
    };
    const auto shown = call(get, path);
    BOOST_TEST(shown.body.empty());
    BOOST_TEST((given(shown) == content));
    const auto part = call(get, path, "", {{"range", "bytes=1000000-1999999"}});
    BOOST_TEST(part.status == 206);
    BOOST_TEST((given(part) == content.substr(1'000'000, 1'000'000)));
}

BOOST_AUTO_TEST_CASE(file_outside_the_project_or_of_no_project_is_refused) {
    const auto project = read<project_document>(call(post, "/projects", R"({"name":"calculator"})"));
    const auto path = "/projects/" + to_string(project.id) + "/files";
    BOOST_TEST(call(put, path + "/../secret", "x").status == explain(code::path_outside_project).http_status);
    BOOST_TEST(call(post, path, R"({"path":"/etc/passwd","content":""})").status ==
               explain(code::path_outside_project).http_status);
    BOOST_TEST(call(get, path + "/none").status == 404);
    BOOST_TEST(call(put, "/projects/" + to_string(make_uuid()) + "/files/a", "x").status == 404);
}

BOOST_AUTO_TEST_CASE(only_an_administrator_opens_a_folder_that_is_there) {
    const auto project_in = [](const std::filesystem::path& folder) {
        return R"({"name":"calculator","folder":)" + json::quoted(folder.string()) + "}";
    };
    const troupe::test::temporary_directory folder;
    const auto here = project_in(folder.path);
    admin = false;
    BOOST_TEST(call(post, "/projects", here).status == 403);
    admin = true;
    BOOST_TEST(call(post, "/projects", here).status == 201);
    BOOST_TEST(call(post, "/projects", project_in("/no/such/folder")).status == 422);
    // The node's own data lies in there.
    BOOST_TEST(call(post, "/projects", project_in(std::filesystem::temp_directory_path())).status == 422);
}

BOOST_AUTO_TEST_CASE(approval_is_decided_through_its_route) {
    const entity_address address{organization, "approval", make_uuid()};
    const auto run = make_uuid();
    const open_approval open{run, "00001.001", wait_reason::question, "Which?", "ask_human", {}};
    BOOST_REQUIRE(decide(command(address, "open_approval", to_json(open))));
    BOOST_TEST(count("/approvals?status=pending") == 1u);
    BOOST_TEST(count("/approvals?run_id=" + to_string(run)) == 1u);
    const auto path = "/approvals/" + to_string(address.id) + "/decide";
    BOOST_TEST(call(post, path, R"({"decision":"approve"})").status == 422);
    BOOST_TEST((read<approval_document>(call(post, path, R"({"decision":"answer","answer":"blue"})")).status ==
                approval_status::answered));
    BOOST_TEST(call(post, path, R"({"decision":"answer","answer":"red"})").status == 409);
    BOOST_TEST(count("/approvals?status=pending") == 0u);
    BOOST_TEST(take_outside().at(0).type == "resolve_approval");
}

BOOST_AUTO_TEST_SUITE_END()
