#include "actors/common/activity_text.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

const uuid some = *parse_uuid("01000000-0000-7000-8000-000000000001");

std::string name(std::string_view kind, std::string_view id) {
    return id.empty() ? "" : kind == "task" ? "TASK-001 sums" : kind == "agent" ? "scout" : kind == "user" ? "ada" : "";
}

activity_document told(std::string kind, std::string type, std::string principal, std::string payload) {
    return activity_of(
        {{some, std::move(kind), some}, 7, {1'000}, std::move(type), std::move(principal), std::move(payload)}, name);
}

const std::string ada = "user/" + to_string(some);
const std::string scout = "agent/" + to_string(some);

} // namespace

BOOST_AUTO_TEST_SUITE(activity_text_suite)

BOOST_AUTO_TEST_CASE(events_are_sentences) {
    BOOST_TEST(told("task", "task_moved", ada, R"({"from":"inbox","to":"done"})").text ==
               "ada moved TASK-001 sums from inbox to done");
    BOOST_TEST(told("task", "task_assigned", ada, R"({"agent_id":")" + to_string(some) + R"("})").text ==
               "ada gave TASK-001 sums to scout");
    BOOST_TEST(told("task", "work_started", scout, "{}").text == "scout began to work on TASK-001 sums");
    BOOST_TEST(told("task", "message_added", "key/admin", R"({"content":"two\nlines"})").text ==
               "key/admin wrote on TASK-001 sums: two lines");
    BOOST_TEST(told("run", "run_failed", "node", R"({"error":"budget"})").text == "run 01000000 failed: budget");
    BOOST_TEST(told("run", "never_heard_of", "node", "{}").text == "The node: never heard of of run 01000000");
    BOOST_TEST(told("task", "task_moved", ada, "").text == "ada moved TASK-001 sums from  to "); // its history was cut
    BOOST_TEST(told("task", "message_added", ada, R"({"content":")" + std::string(1000, 'x') + R"("})").text.size() <
               250u);
    BOOST_TEST(told("task", "task_moved", ada, "no JSON").text == "ada moved TASK-001 sums from  to ");
}

BOOST_AUTO_TEST_CASE(who_and_how_bad) {
    BOOST_TEST((told("task", "task_moved", ada, "{}").type == activity_type::user_action));
    BOOST_TEST((told("task", "work_started", scout, "{}").type == activity_type::agent_execution));
    BOOST_TEST((told("project", "file_saved", "node", "{}").type == activity_type::system_event));
    BOOST_TEST((told("task", "work_finished", scout, R"({"status":"failed"})").severity == activity_severity::error));
    BOOST_TEST((told("task", "work_finished", scout, R"({"status":"review"})").severity == activity_severity::info));
    BOOST_TEST((told("task", "task_returned", scout, "{}").severity == activity_severity::warning));
    const auto moved = told("task", "task_moved", ada, "{}");
    BOOST_TEST(moved.id == "task/" + to_string(some) + "/7");
    BOOST_TEST((moved.task_id == some));
    BOOST_TEST(!moved.agent_id);
}

BOOST_AUTO_TEST_CASE(the_machinery_is_nobodys_activity) {
    BOOST_TEST(is_activity("task", "task_moved"));
    for (const auto& [kind, type] : {std::pair("name", "name_reserved"), std::pair("task", "debt_cleared"),
                                     std::pair("inbox", "notified"), std::pair("task", "$poisoned")}) {
        BOOST_TEST(!is_activity(kind, type));
    }
}

BOOST_AUTO_TEST_SUITE_END()
