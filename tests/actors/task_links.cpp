#include "actors/message/message_model.hpp"
#include "actors/message/message_routes.hpp"
#include "actors/notification/inbox_model.hpp"
#include "actors/notification/notification_routes.hpp"
#include "actors/task/board_model.hpp"
#include "actors/task/task_model.hpp"
#include "actors/task/task_moves.hpp"
#include "actors/task/task_routes.hpp"
#include "storage/views.hpp"
#include "tests/actors/mini_node.hpp"
#include "tests/actors/notification_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>

// Tasks that hang together: parts, dependencies, places on the board, messages and who is told.
using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using enum troupe::net::verb;

namespace {

using texts = std::vector<std::string>;

struct board : mini_node {
    board() {
        host<task_model>();
        host<board_model>();
        host<message_model>();
        host<inbox_model>();
        serve(task_routes(services));
        serve(message_routes(services));
        serve(notification_routes(services, *desk));
    }

    plain_desk desk{*services.store};

    template <class Document>
    Document read(const net::response& r) {
        BOOST_REQUIRE_MESSAGE(r.status < 300, r.status << " " << r.body);
        auto decoded = from_json<Document>(r.body, strictness::input);
        BOOST_REQUIRE_MESSAGE(decoded, r.body);
        return std::move(*decoded);
    }
    task_document make(const std::string& more = "") {
        auto out = read<task_document>(call(post, "/tasks", R"({"title":"t")" + more + "}"));
        settle();
        return out;
    }
    task_document at(const std::string& id) { return read<task_document>(call(get, "/tasks/" + id)); }
    task_document at(const task_document& t) { return at(to_string(t.id)); }
    net::response change(net::verb verb, const task_document& t, const std::string& rest, const std::string& body) {
        auto out = call(verb, "/tasks/" + to_string(t.id) + rest, body);
        settle();
        return out;
    }
    void move(const task_document& t, const std::string& status) {
        const auto r = change(post, t, "/status", R"({"status":")" + status + R"("})");
        BOOST_REQUIRE_MESSAGE(r.status == 200, r.body);
    }
    void finish(const task_document& t) {
        for (const auto* s : {"in_progress", "review", "done"}) {
            move(t, s);
        }
    }
    std::vector<std::string> keys_in(const std::string& status) {
        const auto shown = read<board_document>(call(get, "/board"));
        std::vector<std::string> out;
        for (const auto& column : shown.columns) {
            for (const auto& task : column.tasks) {
                if (detail::enum_name(column.status) == status) {
                    out.push_back(task.key.value());
                }
            }
        }
        return out;
    }
    std::string list(std::initializer_list<task_document> tasks) {
        std::string out;
        for (const auto& t : tasks) {
            out += (out.empty() ? "\"" : ",\"") + to_string(t.id) + "\"";
        }
        return "[" + out + "]";
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(task_links, board)

BOOST_AUTO_TEST_CASE(tasks_are_numbered_and_found_by_their_key) {
    const auto first = make();
    const auto second = make();
    BOOST_TEST(first.key.value() == "TASK-001");
    BOOST_TEST(second.key.value() == "TASK-002");
    BOOST_TEST((at("TASK-002").id == second.id));
    BOOST_TEST(call(get, "/tasks/TASK-003").status == 404);
}

BOOST_AUTO_TEST_CASE(a_repeated_creation_has_the_number_of_the_first) {
    const std::map<std::string, std::string> once{{"idempotency-key", "k"}};
    const auto first = read<task_document>(call(post, "/tasks", R"({"title":"t"})", once));
    const auto again = read<task_document>(call(post, "/tasks", R"({"title":"t"})", once));
    BOOST_TEST((first.id == again.id));
    BOOST_TEST(again.key.value() == "TASK-001");
    BOOST_TEST(make().key.value() == "TASK-002");
}

BOOST_AUTO_TEST_CASE(a_parent_counts_its_parts) {
    const auto whole = make();
    const auto part = make(R"(,"parent_id":")" + to_string(whole.id) + R"(")");
    const auto other = make(R"(,"parent_id":")" + to_string(whole.id) + R"(")");
    BOOST_TEST(at(whole).subtasks->total == 2u);
    finish(part);
    move(other, "cancelled");
    BOOST_TEST(at(whole).subtasks->done == 1u);
    BOOST_TEST(at(whole).subtasks->cancelled == 1u);
    move(part, "inbox");
    BOOST_TEST(at(whole).subtasks->done == 0u);
    const std::string none = R"({"parent_id":"00000000-0000-0000-0000-000000000000"})";
    BOOST_TEST(change(put, other, "", none).status == 200);
    BOOST_TEST(at(whole).subtasks->total == 1u);
    BOOST_TEST(change(del, part, "", "").status == 204);
    BOOST_TEST(!at(whole).subtasks);
    BOOST_TEST(call(get, "/tasks?parent_id=" + to_string(whole.id)).body.find("TASK") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_task_waits_until_all_that_it_depends_on_is_done) {
    const auto a = make();
    const auto b = make();
    const auto last = make(R"(,"depends_on":)" + list({a, b, a}));
    BOOST_TEST(at(last).depends_on->size() == 2u);
    BOOST_TEST(at(last).waiting_for->size() == 2u);
    finish(a);
    BOOST_TEST(at(last).waiting_for->size() == 1u);
    BOOST_TEST(change(del, b, "", "").status == 204); // nobody waits for what is gone
    BOOST_TEST(!at(last).waiting_for);
    BOOST_TEST(at(last).depends_on->size() == 1u);
    move(a, "inbox");
    BOOST_TEST(at(last).waiting_for->size() == 1u);
    BOOST_TEST(change(put, last, "", R"({"depends_on":[]})").status == 200);
    BOOST_TEST(!at(last).waiting_for);
}

BOOST_AUTO_TEST_CASE(circles_are_refused_with_the_way) {
    const auto a = make();
    const auto b = make(R"(,"depends_on":)" + list({a}) + R"(,"parent_id":")" + to_string(a.id) + R"(")");
    const auto c = make(R"(,"depends_on":)" + list({b}) + R"(,"parent_id":")" + to_string(b.id) + R"(")");
    auto refused = change(put, a, "", R"({"depends_on":)" + list({c}) + "}");
    BOOST_TEST(refused.status == 409);
    BOOST_TEST(refused.body.find("TASK-001 waits for TASK-003, that for TASK-002, that for TASK-001") !=
                   std::string::npos,
               refused.body);
    refused = change(put, a, "", R"({"parent_id":")" + to_string(c.id) + R"("})");
    BOOST_TEST(refused.status == 409);
    BOOST_TEST(refused.body.find("TASK-003 is a part of TASK-002 is a part of TASK-001") != std::string::npos,
               refused.body);
    BOOST_TEST(change(put, a, "", R"({"depends_on":)" + list({a}) + "}").status != 200);
    BOOST_TEST(change(put, a, "", R"({"depends_on":["01000000-0000-7000-8000-0000000000ff"]})").status == 422);
    BOOST_TEST(!at(a).depends_on);
}

BOOST_AUTO_TEST_CASE(a_long_circle_is_said_in_short) {
    const auto first = make();
    auto last = first;
    for (int i = 0; i < 60; ++i) {
        last = make(R"(,"depends_on":)" + list({last}));
    }
    const auto refused = change(put, first, "", R"({"depends_on":)" + list({last}) + "}");
    BOOST_TEST(refused.status == 409);
    BOOST_TEST(refused.body.find("TASK-001 waits for TASK-061, that for TASK-060") != std::string::npos, refused.body);
    BOOST_TEST(refused.body.find("TASK-012, that for …, that for TASK-001.") != std::string::npos, refused.body);
}

BOOST_AUTO_TEST_CASE(tasks_are_put_between_others) {
    const auto a = make();
    const auto b = make();
    const auto c = make();
    const auto place = [&](const task_document& t, const std::string& where, const task_document& other) {
        const auto r =
            change(post, t, "/status", R"({"status":"inbox",")" + where + R"(":")" + to_string(other.id) + R"("})");
        BOOST_TEST(r.status == 200, r.body);
    };
    BOOST_TEST(keys_in("inbox") == (texts{"TASK-001", "TASK-002", "TASK-003"}), boost::test_tools::per_element());
    place(c, "before", a);
    BOOST_TEST(keys_in("inbox") == (texts{"TASK-003", "TASK-001", "TASK-002"}), boost::test_tools::per_element());
    place(c, "after", a);
    BOOST_TEST(keys_in("inbox") == (texts{"TASK-001", "TASK-003", "TASK-002"}), boost::test_tools::per_element());
    place(a, "after", b);
    BOOST_TEST(keys_in("inbox") == (texts{"TASK-003", "TASK-002", "TASK-001"}), boost::test_tools::per_element());
    for (int i = 0; i < 100; ++i) { // always the last between the other two
        place(at(keys_in("inbox").back()), "after", at(keys_in("inbox").front()));
    }
    BOOST_TEST(keys_in("inbox").size() == 3u);
    move(a, "in_progress");
    const auto wrong = change(post, b, "/status", R"({"status":"inbox","after":")" + to_string(a.id) + R"("})");
    BOOST_TEST(wrong.status == 409);
}

BOOST_AUTO_TEST_CASE(cancelled_tasks_are_tried_once_more) {
    const auto t = make();
    BOOST_TEST(change(post, t, "/retry", "").status == 409);
    BOOST_TEST(change(post, t, "/cancel", "").status == 200);
    BOOST_TEST((at(t).status == task_status::cancelled));
    BOOST_TEST(change(post, t, "/retry", "").status == 200);
    BOOST_TEST((at(t).status == task_status::inbox));
}

BOOST_AUTO_TEST_CASE(any_sequence_of_commands_leaves_the_board_consistent) {
    std::mt19937 random(20261123);
    const auto pick = [&](std::size_t below) {
        return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
    };
    const texts statuses{"inbox", "in_progress", "review", "done", "blocked", "cancelled", "failed"};
    std::vector<task_document> tasks;
    for (int step = 0; step < 1500; ++step) {
        if (tasks.size() < 8) {
            tasks.push_back(read<task_document>(call(post, "/tasks", R"({"title":"t"})")));
            continue;
        }
        const auto at_index = pick(tasks.size());
        const auto& task = tasks[at_index];
        const auto& other = tasks[pick(tasks.size())];
        const auto path = "/tasks/" + to_string(task.id);
        switch (pick(7)) {
        case 0:
            call(put, path, R"({"parent_id":")" + to_string(pick(3) == 0 ? uuid{} : other.id) + R"("})");
            break;
        case 1:
            call(put, path,
                 R"({"depends_on":)" + (pick(3) == 0 ? "[]" : list({other, tasks[pick(tasks.size())]})) + "}");
            break;
        case 2:
            if (pick(4) == 0) {
                call(del, path);
                tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(at_index));
            }
            break;
        case 3:
            if (pick(2) == 0) {
                settle(); // else what they tell each other crosses
            }
            break;
        default:
            call(post, path + "/status", R"({"status":")" + statuses[pick(statuses.size())] + R"("})");
        }
    }
    settle();
    std::map<std::string, task_document> all;
    for (const auto& t : tasks) {
        all.emplace(to_string(t.id), at(t));
    }
    for (const auto& [id, t] : all) {
        subtask_counts parts;
        for (const auto& [_, other] : all) {
            if (other.parent_id == t.id) {
                ++parts.total;
                parts.done += other.status == task_status::done ? 1 : 0;
                parts.failed += other.status == task_status::failed ? 1 : 0;
                parts.cancelled += other.status == task_status::cancelled ? 1 : 0;
            }
        }
        BOOST_TEST(to_json(t.subtasks.value_or(subtask_counts{})) == to_json(parts));
        std::vector<uuid> waiting;
        for (const auto& dependency : t.depends_on.value_or(std::vector<uuid>())) {
            const auto found = all.find(to_string(dependency));
            BOOST_TEST_REQUIRE((found != all.end()));
            if (found->second.status != task_status::done) {
                waiting.push_back(dependency);
            }
        }
        auto shown = t.waiting_for.value_or(std::vector<uuid>());
        std::ranges::sort(shown);
        std::ranges::sort(waiting);
        BOOST_TEST((shown == waiting));
    }
}

BOOST_AUTO_TEST_CASE(messages_are_found_by_their_id_and_change_without_losing_what_was_said) {
    const auto t = make();
    const auto said = read<message_document>(change(post, t, "/messages", R"({"content":"one"})"));
    const auto reply = read<message_document>(
        change(post, t, "/messages", R"({"content":"two","reply_to":")" + to_string(said.id) + R"("})"));
    const auto path = "/messages/" + to_string(said.id);
    BOOST_TEST(read<message_document>(call(get, path)).content == "one");
    BOOST_TEST(call(get, path + "/replies").body.find(to_string(reply.id)) != std::string::npos);
    BOOST_TEST(call(post, path + "/reactions", R"({"reaction":"+1"})").status == 200);
    principal = "user/01000000-0000-7000-8000-000000000009";
    BOOST_TEST(call(post, path + "/reactions", R"({"reaction":"+1"})").status == 200);
    BOOST_TEST(call(put, path, R"({"content":"other"})").status == 403);
    BOOST_TEST(call(del, path).status == 403);
    principal = "key/tester";
    BOOST_TEST(call(put, path, R"({"content":"uno"})").status == 200);
    settle();
    const auto listed = call(get, "/tasks/" + to_string(t.id) + "/messages").body;
    BOOST_TEST(listed.find("uno") != std::string::npos);
    BOOST_TEST(listed.find("\"one\"") == std::string::npos);
    BOOST_TEST(read<message_document>(call(get, path)).reactions->at("+1").size() == 2u);
    BOOST_TEST(call(post, path + "/reactions", R"({"reaction":"+1","remove":true})").status == 200);
    BOOST_TEST(read<message_document>(call(get, path)).reactions->at("+1").size() == 1u);
    BOOST_TEST(call(del, path).status == 204);
    BOOST_TEST(read<message_document>(call(get, path)).deleted.value());
    BOOST_TEST(read<message_document>(call(get, path)).content.empty());
    BOOST_TEST(call(put, path, R"({"content":"back"})").status == 409);
    BOOST_TEST(call(get, "/messages/" + to_string(t.id)).status == 404);
    const auto other = make();
    BOOST_TEST(
        change(post, other, "/messages", R"({"content":"x","reply_to":")" + to_string(said.id) + R"("})").status ==
        422);
}

BOOST_AUTO_TEST_CASE(owners_are_told_and_read_it) {
    const auto t = make();
    principal = "user/01000000-0000-7000-8000-000000000009";
    for (int i = 0; i < 3; ++i) {
        change(post, t, "/messages", R"({"content":"Why?","type":"question"})");
    }
    BOOST_TEST(read<inbox_document>(call(get, "/notifications/summary")).unread == 0u); // not whoever asked
    principal = "key/tester";
    BOOST_TEST(read<inbox_document>(call(get, "/notifications/summary")).unread == 3u);
    auto page = json::document::parse(call(get, "/notifications?unread=true").body);
    const auto id = page->root().find("items")->at(0)->text_or("id");
    BOOST_TEST(read<inbox_document>(call(put, "/notifications/" + std::string(id) + "/read")).unread == 2u);
    BOOST_TEST(read<inbox_document>(call(put, "/notifications/" + std::string(id) + "/read")).unread == 2u);
    BOOST_TEST(call(put, "/notifications/" + to_string(t.id) + "/read").status == 404);
    BOOST_TEST(call(get, "/notifications").body.find("\"read\":true") != std::string::npos);
    BOOST_TEST(read<inbox_document>(call(post, "/notifications/mark-all-read")).unread == 0u);
    call(put, "/notifications/preferences", R"({"muted":["question"]})");
    principal = "user/01000000-0000-7000-8000-000000000009";
    change(post, t, "/messages", R"({"content":"Well?","type":"question"})");
    principal = "key/tester";
    BOOST_TEST(read<inbox_document>(call(get, "/notifications/summary")).total == 3u);
    principal = "run/x";
    BOOST_TEST(call(get, "/notifications").status == 403);
}

BOOST_AUTO_TEST_SUITE_END()
