#include "actors/task/working_text.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace troupe;
using namespace troupe::actors;
using enum troupe::task_status;

namespace {

using sides = std::map<std::string, working_task>;

working_task task(std::string key, task_status status, std::string agent = "", std::string title = "t") {
    return {std::move(key), status, std::move(agent), std::move(title), 1};
}

sides by_key(const std::vector<working_task>& tasks) {
    sides out;
    for (const auto& t : tasks) {
        out.emplace(t.key, t);
    }
    return out;
}

const std::string head = "# Mission Control - Working State\nLast Updated: 2026-02-02T10:30:00Z\n\n## Active Agents\n"
                         "- nonsense\n\n## Current Tasks\n";

std::vector<working_task> read(const std::string& tasks) {
    const auto parsed = parse_working(head + tasks);
    BOOST_REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().detail));
    return parsed->tasks;
}

problem unreadable(const std::string& text) {
    const auto parsed = parse_working(text);
    BOOST_REQUIRE_MESSAGE(!parsed, text);
    return parsed.error();
}

} // namespace

BOOST_AUTO_TEST_SUITE(working_text_suite)

BOOST_AUTO_TEST_CASE(the_format_is_the_one_that_is_known) {
    working_state s;
    s.updated = *parse_timestamp("2026-02-02T10:30:00Z");
    s.agents = {{"agent:sales:main", "IDLE", "Awaiting new leads"}};
    s.tasks = {task("TASK-001", inbox, "", "Research"), task("TASK-003", assigned, "agent:technical:main", "Implement"),
               task("TASK-007", done, "", "Schema created"), task("TASK-009", failed, "", "Lost")};
    s.recent = {"10:30 - it happened"};
    BOOST_TEST(render(s) == "# Mission Control - Working State\n"
                            "Last Updated: 2026-02-02T10:30:00.000Z\n\n"
                            "## Active Agents\n"
                            "- agent:sales:main [IDLE] - Awaiting new leads\n\n"
                            "## Current Tasks\n\n"
                            "### INBOX\n"
                            "- [TASK-001] Research\n"
                            "### ASSIGNED\n"
                            "- [TASK-003] @agent:technical:main - Implement\n"
                            "### IN_PROGRESS\n"
                            "### REVIEW\n"
                            "### DONE\n"
                            "- [TASK-007] Schema created ✅\n"
                            "### FAILED\n"
                            "- [TASK-009] Lost\n\n"
                            "## Recent Activity\n"
                            "- 10:30 - it happened\n");
}

BOOST_AUTO_TEST_CASE(what_is_rendered_and_read_back_is_no_change) {
    std::mt19937 random(11);
    const auto pick = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    const std::vector<std::string> pieces{"a",  " ",  "@",    "\\", "[",    "]",   " - ",    "✅", "\n",
                                          "\t", "##", "<!--", "- ", "TASK", "###", "\u00e4", "`", "\r"};
    const std::vector<task_status> statuses{inbox, assigned, in_progress, review, done, blocked, cancelled, failed};
    for (int round = 0; round < 2000; ++round) {
        working_state s;
        for (std::size_t n = 0; n < 1 + pick(5); ++n) {
            std::string title = "x";
            for (std::size_t i = 0; i < pick(6); ++i) {
                title.insert(pick(2) == 0 ? 0 : title.size(), pieces[pick(pieces.size())]);
            }
            const auto status = statuses[pick(statuses.size())];
            s.tasks.push_back(task("TASK-00" + std::to_string(n + 1), status, pick(2) == 0 ? "" : "agent:a:b",
                                   working_title(title, status)));
        }
        const auto parsed = parse_working(render(s));
        BOOST_REQUIRE_MESSAGE(parsed, render(s) << (parsed ? "" : parsed.error().detail));
        const auto state = by_key(s.tasks);
        const auto changes = merge_working(parsed->tasks, state, state);
        BOOST_REQUIRE_MESSAGE(changes, render(s) << (changes ? "" : changes.error().detail));
        BOOST_REQUIRE_MESSAGE(changes->empty(), render(s));
    }
}

BOOST_AUTO_TEST_CASE(titles_that_a_line_cannot_show_leave_the_text_as_it_is) {
    const std::vector<std::string> titles{"",
                                          "   ",
                                          "\x01",
                                          "✅",
                                          " ✅ ✅",
                                          "@" + std::string(299, 'a'),
                                          std::string(400, 'a'),
                                          std::string(299, 'a') + "ä",
                                          std::string(299, 'a') + " ✅"};
    for (const auto& title : titles) {
        for (const auto status : {inbox, done}) {
            working_state s;
            s.tasks = {task("TASK-001", status, "", working_title(title, status))};
            const auto parsed = parse_working(render(s));
            BOOST_REQUIRE_MESSAGE(parsed, render(s) << (parsed ? "" : parsed.error().detail));
            BOOST_TEST(merge_working(parsed->tasks, by_key(s.tasks), by_key(s.tasks))->empty(), title);
        }
    }
    BOOST_TEST(working_title("", inbox) == "(no title)");
    BOOST_TEST(!parse_working(head + "### INBOX\n- [TASK-001]\n").has_value()); // nobody takes a title away
}

BOOST_AUTO_TEST_CASE(a_text_has_no_more_than_so_many_tasks) {
    std::string lines = "### INBOX\n";
    for (int i = 0; i < 500; ++i) {
        lines += "- a\n";
    }
    BOOST_TEST(merge_working(read(lines), {}, {})->size() == 500U);
    const auto more = merge_working(read(lines + "- b\n"), {}, {});
    BOOST_REQUIRE(!more);
    BOOST_TEST(more.error().detail.find("at most 500") != std::string::npos);
    for (int i = 0; i < 4501; ++i) {
        lines += "- a\n";
    }
    BOOST_TEST(unreadable(head + lines).detail.find("at most 5000") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(lines_that_cannot_be_read_are_named) {
    const auto pointer_of = [](const std::string& tasks) {
        const auto p = unreadable(head + tasks);
        return p.errors.at(0).pointer;
    };
    BOOST_TEST(pointer_of("### NOWHERE\n- [TASK-001] x\n") == "/lines/8");
    BOOST_TEST(pointer_of("- [TASK-001] x\n") == "/lines/8");
    BOOST_TEST(pointer_of("### INBOX\n- [TASK-] x\n") == "/lines/9");
    BOOST_TEST(pointer_of("### INBOX\n- [TASK-001 x\n") == "/lines/9");
    BOOST_TEST(pointer_of("### INBOX\n- [TASK-001] \n") == "/lines/9");
    BOOST_TEST(pointer_of("### INBOX\n- [TASK-001] @x\n") == "/lines/9");
    BOOST_TEST(pointer_of("### INBOX\n- [TASK-001] x\n- [TASK-1] y\n") == "/lines/10");
    BOOST_TEST(pointer_of("### INBOX\nwhat\n") == "/lines/9");
    BOOST_TEST(pointer_of("### INBOX\n- " + std::string(400, 'x') + "\n") == "/lines/9");
    BOOST_TEST((unreadable("").code == code::invalid_request));
    unreadable("## Current Tasks\n");
    unreadable("Last Updated: yesterday\n## Current Tasks\n");
    unreadable("Last Updated: 2026-02-02T10:30:00Z\n");
    unreadable(std::string("\0\xff\xfe", 3));
    BOOST_TEST(unreadable(head + "### INBOX\n" +
                          [] {
                              std::string out;
                              for (int i = 0; i < 1000; ++i) {
                                  out += "x\n";
                              }
                              return out;
                          }())
                   .errors.size() == 20u);
}

BOOST_AUTO_TEST_CASE(small_differences_of_writing_are_none) {
    const auto tasks =
        read("### in_progress\r\n* [task-1]  @agent:a:b -  x  \r\n\n<!-- a word -->\n### DONE\n- [TASK-002] y ✅ ✅\n");
    BOOST_TEST_REQUIRE(tasks.size() == 2u);
    BOOST_TEST(tasks[0].key == "TASK-001");
    BOOST_TEST((tasks[0].status == in_progress));
    BOOST_TEST(tasks[0].agent == "agent:a:b");
    BOOST_TEST(tasks[0].title == "x");
    BOOST_TEST(tasks[1].title == "y");
}

BOOST_AUTO_TEST_CASE(members_are_merged_one_by_one) {
    const auto base = by_key({task("TASK-001", in_progress, "a", "old")});
    const auto mine = std::vector{task("TASK-001", in_progress, "a", "new")};
    const auto now = by_key({task("TASK-001", review, "a", "old")});
    const auto changes = merge_working(mine, base, now);
    BOOST_TEST_REQUIRE(!!changes);
    BOOST_TEST_REQUIRE(changes->size() == 1u);
    BOOST_TEST(changes->front().title.value() == "new");
    BOOST_TEST(!changes->front().status);
    BOOST_TEST(!changes->front().agent);
    BOOST_TEST(merge_working(mine, base, by_key(mine))->empty()); // both did the same
}

BOOST_AUTO_TEST_CASE(both_sides_of_a_conflict_are_shown) {
    const auto base = by_key({task("TASK-001", in_progress)});
    const auto now = by_key({task("TASK-001", review)});
    const auto refused = merge_working({task("TASK-001", blocked)}, base, now);
    BOOST_TEST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code == code::conflict));
    BOOST_TEST(refused.error().errors.at(0).message ==
               "TASK-001, the column: yours BLOCKED, now REVIEW, before IN_PROGRESS");
    const auto gone = merge_working({task("TASK-001", blocked)}, base, {});
    BOOST_TEST((gone.error().code == code::conflict));
}

BOOST_AUTO_TEST_CASE(what_the_text_cannot_say_is_refused) {
    const auto board = by_key({task("TASK-001", inbox), task("TASK-002", in_progress, "a")});
    const auto refuses = [&](std::vector<working_task> edited) {
        const auto merged = merge_working(edited, board, board);
        BOOST_TEST_REQUIRE(!merged);
        BOOST_TEST((merged.error().code == code::invalid_request));
    };
    refuses({task("TASK-001", inbox)}); // a line is missing
    refuses({task("TASK-001", inbox), task("TASK-002", in_progress, "a"), task("TASK-009", inbox)}); // nobody knows it
    refuses({task("TASK-001", inbox), task("TASK-002", in_progress)}); // from its agent, but where to
    refuses({task("TASK-001", in_progress, "b"), task("TASK-002", in_progress, "a")});
    refuses({task("TASK-001", inbox), task("TASK-002", in_progress, "a"), task("", done)});
    refuses({task("TASK-001", inbox), task("TASK-002", in_progress, "a"), task("", assigned)});
    refuses({task("TASK-001", inbox), task("TASK-002", in_progress, "a"), task("", inbox, "a")});
    const auto fine =
        merge_working({task("TASK-001", assigned, "a"), task("TASK-002", inbox), task("", inbox)}, board, board);
    BOOST_TEST_REQUIRE(!!fine);
    BOOST_TEST(fine->size() == 3u);
    BOOST_TEST(fine->at(0).agent.value() == "a");
    BOOST_TEST((fine->at(1).status == inbox));
    BOOST_TEST(!fine->at(1).agent);
}

BOOST_AUTO_TEST_SUITE_END()
