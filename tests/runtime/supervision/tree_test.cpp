#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime;

namespace {

/// A tree at a time that the test sets.
struct fixture {
    std::int64_t now_ms = 1000;
    supervision_tree tree{[this] { return timestamp{now_ms}; }};

    /// The value at a JSON pointer of the shown tree, as JSON; "-" when there is none.
    [[nodiscard]] std::string at(std::string_view pointer, std::string_view path = "/", std::size_t depth = 9,
                                 std::size_t limit = 100) const {
        const auto shown = tree.to_json(path, depth, limit);
        if (!shown) {
            return "-";
        }
        const auto parsed = json::document::parse(*shown);
        BOOST_REQUIRE_MESSAGE(parsed.has_value(), *shown);
        const auto found = pointer.empty() ? std::optional(parsed->root()) : parsed->root().pointer(pointer);
        return found ? found->dump() : "-";
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(supervision_tree_registry, fixture)

BOOST_AUTO_TEST_CASE(entries_are_shown_under_their_parents) {
    const auto node = tree.add("/nodes/n1", "supervisor");
    const auto task = tree.add("/nodes/n1/shards/17/tasks/t1", "task");
    const auto agent = node.add("shards/17/agents/scout", "agent");
    BOOST_TEST(task.path() == "/nodes/n1/shards/17/tasks/t1");
    BOOST_TEST(agent.path() == "/nodes/n1/shards/17/agents/scout");
    BOOST_TEST(at("/children/0/children/0/path") == "\"/nodes/n1\"");
    BOOST_TEST(at("/children/0/children/0/status") == "\"running\"");
    BOOST_TEST(at("/children/0/kind") == "\"group\"");
    BOOST_TEST(at("/children/0/children/0/name", "/nodes/n1/shards/17") == "\"scout\"");
    BOOST_TEST(at("/children_count", "/nodes/n1/shards/17/") == "2");
    BOOST_TEST(tree.size() == 3);
}

BOOST_AUTO_TEST_CASE(an_entry_goes_with_its_handle_and_takes_empty_groups_along) {
    auto task = tree.add("/nodes/n1/shards/17/tasks/t1", "task");
    {
        const auto other = tree.add("/nodes/n1/shards/17/tasks/t2", "task");
        BOOST_TEST(at("/children_count", "/nodes/n1/shards/17/tasks") == "2");
    }
    BOOST_TEST(at("/children_count", "/nodes/n1/shards/17/tasks") == "1");
    auto moved = std::move(task);
    BOOST_TEST(tree.size() == 1);
    moved = {};
    BOOST_TEST(at("", "/nodes/n1") == "-");
    BOOST_TEST(at("/children_count") == "0");
    BOOST_TEST(tree.size() == 0);
}

BOOST_AUTO_TEST_CASE(a_parent_that_goes_leaves_its_children_visible) {
    auto node = tree.add("/n1", "supervisor");
    const auto child = node.add("a", "worker");
    node = {};
    BOOST_TEST(at("/kind", "/n1") == "\"group\"");
    BOOST_TEST(at("/kind", "/n1/a") == "\"worker\"");
    const auto again = tree.add("/n1", "supervisor");
    BOOST_TEST(at("/kind", "/n1") == "\"supervisor\"");
    BOOST_TEST(at("/children_count", "/n1") == "1");
}

BOOST_AUTO_TEST_CASE(figures_are_read_where_they_are_counted) {
    auto a = tree.add("/a", "shard");
    const auto figures = std::make_shared<actor_figures>();
    a.show(figures);
    BOOST_TEST(at("/mailbox_depth", "/a") == "0");
    BOOST_TEST(at("/memory_bytes", "/a") == "null"); // nobody knows
    figures->waiting = 3;
    figures->memory_bytes = 4096;
    figures->messages = 12;
    BOOST_TEST(at("/mailbox_depth", "/a") == "3");
    BOOST_TEST(at("/memory_bytes", "/a") == "4096");
    BOOST_TEST(at("/messages", "/a") == "12");
    figures->waiting = -1; // lost count
    BOOST_TEST(at("/mailbox_depth", "/a") == "null");
    const auto successor = tree.add("/a", "shard");
    BOOST_TEST(at("/messages", "/a") == "null");
    BOOST_TEST(figures.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(who_is_stuck_is_shown_as_stalled_until_it_goes_on) {
    auto a = tree.add("/n1/a", "shard");
    int told = 0;
    tree.set_stalled("/n1/a", true);
    tree.set_stalled("/n1/nobody", true);
    BOOST_TEST(at("/status", "/n1/a") == "\"stalled\"");
    tree.listen([&](const supervision_change& c) {
        ++told;
        BOOST_TEST((c.status == node_status::running));
    });
    tree.set_stalled("/n1/a", false);
    tree.set_stalled("/n1/a", false);
    BOOST_TEST(told == 1);
    BOOST_TEST(at("/status", "/n1/a") == "\"running\"");
    tree.listen({});
    tree.set_stalled("/n1/a", true);
    a.failed("it broke"); // what is known better goes first
    BOOST_TEST(at("/status", "/n1/a") == "\"failed\"");
}

BOOST_AUTO_TEST_CASE(the_busiest_come_first_and_the_idle_not_at_all) {
    const auto busy = [&](const std::string& path, std::int64_t waiting, std::int64_t messages) {
        auto e = tree.add(path, "shard");
        auto figures = std::make_shared<actor_figures>();
        figures->waiting = waiting;
        figures->messages = messages;
        e.show(figures);
        return e;
    };
    const auto a = busy("/a", 0, 100);
    const auto b = busy("/b", 2, 5);
    const auto c = busy("/c", 0, 200);
    const auto d = busy("/d", 0, 0);
    const auto unknown = tree.add("/e", "worker");
    const auto names = [&](std::size_t limit) {
        std::string out;
        json::document::parse(tree.busiest(limit))->root().each_element([&](json::value item) {
            out += item.text_or("path");
        });
        return out;
    };
    BOOST_TEST(names(10) == "/b/c/a");
    BOOST_TEST(names(2) == "/b/c");
    BOOST_TEST(names(0) == "");
}

BOOST_AUTO_TEST_CASE(what_still_runs_is_named_from_its_end) {
    const auto node = tree.add("/n1", "supervisor");
    auto a = tree.add("/n1/a", "shard");
    auto b = tree.add("/n1/b", "shard");
    b.set_status(node_status::stopped);
    tree.set_stalled("/n1/a", true);
    BOOST_TEST(tree.running(10) == (std::vector<std::string>{"/n1/a (stalled)"}), boost::test_tools::per_element());
    BOOST_TEST(tree.running(0).empty());
}

BOOST_AUTO_TEST_CASE(a_successor_is_not_harmed_by_the_late_end_of_its_predecessor) {
    auto first = tree.add("/n1/a", "worker");
    first.failed("old");
    const auto second = tree.add("/n1/a", "worker");
    first.failed("too late");
    BOOST_TEST(tree.size() == 1);
    first = {};
    BOOST_TEST(at("/status", "/n1/a") == "\"running\"");
    BOOST_TEST(at("/last_failure", "/n1/a") == "-");
    BOOST_TEST(tree.size() == 1);
}

BOOST_AUTO_TEST_CASE(what_happens_to_an_entry_is_shown) {
    auto a = tree.add("/a", "agent");
    BOOST_TEST(at("/mailbox_depth", "/a") == "null"); // nobody told yet
    BOOST_TEST(at("/messages", "/a") == "null");
    BOOST_TEST(at("/memory_bytes", "/a") == "null");
    BOOST_TEST(at("/policy", "/a") == "-");
    a.set_policy("permanent");
    BOOST_TEST(at("/policy", "/a") == "\"permanent\"");
    a.set_mailbox_depth(7);
    a.set_memory_bytes(4096);
    a.count_messages();
    a.count_messages(2);
    now_ms = 3000;
    BOOST_TEST(at("/mailbox_depth", "/a") == "7");
    BOOST_TEST(at("/memory_bytes", "/a") == "4096");
    BOOST_TEST(at("/messages", "/a") == "3");
    BOOST_TEST(at("/uptime_ms", "/a") == "2000");
    a.failed("it broke");
    BOOST_TEST(at("/status", "/a") == "\"failed\"");
    a.set_status(node_status::restarting);
    BOOST_TEST(at("/status", "/a") == "\"restarting\"");
    a.restarted();
    BOOST_TEST(at("/status", "/a") == "\"running\"");
    BOOST_TEST(at("/restarts", "/a") == "1");
    BOOST_TEST(at("/last_failure", "/a") == "\"it broke\"");
    BOOST_TEST(at("/uptime_ms", "/a") == "0");
}

BOOST_AUTO_TEST_CASE(depth_and_limit_cut_and_say_how_many_there_are) {
    std::vector<supervision_tree::entry> entries;
    for (int i = 0; i < 30; ++i) {
        entries.push_back(tree.add("/n1/tasks/t" + std::to_string(100 + i), "task"));
    }
    BOOST_TEST(at("/children", "/n1", 0) == "-");
    BOOST_TEST(at("/children_count", "/n1", 0) == "1");
    BOOST_TEST(at("/truncated", "/n1", 0) == "true");
    BOOST_TEST(at("/children/0/children", "/n1", 1) == "-");
    BOOST_TEST(at("/children/0/children_count", "/n1", 1) == "30");
    BOOST_TEST(at("/children/0/children/9/name", "/n1", 2, 10) == "\"t109\"");
    BOOST_TEST(at("/children/0/children/10", "/n1", 2, 10) == "-");
    BOOST_TEST(at("/children/0/truncated", "/n1", 2, 10) == "true");
    BOOST_TEST(at("/children/0/truncated", "/n1", 2, 30) == "false");
}

BOOST_AUTO_TEST_CASE(what_failed_or_has_something_below_is_not_cut_and_numbers_are_in_order) {
    std::vector<supervision_tree::entry> entries;
    for (int i = 0; i < 30; ++i) {
        entries.push_back(tree.add("/shards/" + std::to_string(i), "shard"));
    }
    const auto task = tree.add("/shards/29/tasks/t1", "task");
    entries[20].failed("it broke");
    const std::vector<std::string> wanted{"\"0\"", "\"1\"", "\"20\"", "\"29\"", "-"};
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        BOOST_TEST(at("/children/" + std::to_string(i) + "/name", "/shards", 1, 4) == wanted[i]);
    }
    BOOST_TEST(at("/children/9/name", "/shards", 1) == "\"9\"");
    BOOST_TEST(at("/children/10/name", "/shards", 1) == "\"10\"");
}

BOOST_AUTO_TEST_CASE(an_answer_is_bounded_whatever_is_asked) {
    std::vector<supervision_tree::entry> entries;
    for (int i = 0; i < 12'000; ++i) {
        entries.push_back(tree.add("/t/" + std::to_string(i), "task"));
    }
    const auto shown = tree.to_json("/", 9, 1'000'000);
    std::size_t nodes = 0;
    for (auto found = shown->find("\"path\""); found != std::string::npos; found = shown->find("\"path\"", found + 1)) {
        ++nodes;
    }
    BOOST_TEST(nodes == 10'001);
    BOOST_TEST(at("/children/0/children_count", "/", 1) == "12000");
}

BOOST_AUTO_TEST_CASE(unknown_paths_are_nothing) {
    BOOST_TEST(!tree.to_json("/nowhere").has_value());
    BOOST_TEST(tree.to_json("/").has_value());
}

BOOST_AUTO_TEST_CASE(listeners_hear_of_supervisors_and_failures_only) {
    std::vector<supervision_change> heard;
    tree.listen([&](const supervision_change& c) { heard.push_back(c); });
    auto supervisor = tree.add("/n1", "supervisor");
    BOOST_TEST(heard.size() == 1);
    auto entity = tree.add("/n1/tasks/t1", "task");
    entity.set_status(node_status::stopped);
    BOOST_TEST(heard.size() == 1);
    entity.failed("boom");
    BOOST_REQUIRE(heard.size() == 2);
    BOOST_TEST(heard[1].path == "/n1/tasks/t1");
    BOOST_TEST(heard[1].last_failure == "boom");
    BOOST_TEST((heard[1].status == node_status::failed));
    entity.restarted();
    BOOST_TEST(heard.size() == 3);
    entity = {};
    BOOST_TEST(heard.size() == 3);
    supervisor = {};
    BOOST_REQUIRE(heard.size() == 4);
    BOOST_TEST(heard[3].removed);
    BOOST_TEST(json::document::parse(to_json(heard[1])).has_value());
}

BOOST_AUTO_TEST_CASE(many_threads_leave_nothing_behind) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([this, t] {
            for (int i = 0; i < 2000; ++i) {
                // Shared groups come and go under the others' feet.
                auto e = tree.add("/n1/shards/" + std::to_string(i % 3) + "/" + std::to_string(t), "task");
                e.count_messages();
                if (i % 100 == 0) {
                    (void)tree.to_json();
                }
            }
        });
    }
    for (auto& t : threads) {
        t.join();
    }
    BOOST_TEST(tree.size() == 0);
    BOOST_TEST(at("/children_count") == "0");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(dead_letter_box)

BOOST_AUTO_TEST_CASE(the_newest_are_kept_and_all_are_counted) {
    dead_letters letters(3, [] { return timestamp{5}; });
    for (int i = 0; i < 5; ++i) {
        letters.record("unhandled", "/a", "m" + std::to_string(i), "no handler");
    }
    letters.record("dropped", "/b", "e", std::string(10'000, 'x'));
    const auto list = letters.list();
    BOOST_REQUIRE(list.size() == 3);
    BOOST_TEST(list[0].to == "/b");
    BOOST_TEST(list[0].reason.size() == 500);
    BOOST_TEST(list[1].type == "m4");
    BOOST_TEST(letters.list(1).size() == 1);
    BOOST_TEST(letters.counts().at("unhandled") == 5);
    BOOST_TEST(letters.counts().at("dropped") == 1);
    BOOST_TEST(json::document::parse(to_json(list[0])).has_value());
}

BOOST_AUTO_TEST_CASE(letters_are_listed_in_pages_and_the_forgotten_are_counted) {
    dead_letters letters(3, [] { return timestamp{5}; });
    for (int i = 1; i <= 6; ++i) {
        letters.record("unhandled", "/a", "m" + std::to_string(i), "no handler");
    }
    const auto types = [&](std::size_t limit, std::uint64_t before) {
        std::string out;
        for (const auto& l : letters.list(limit, before)) {
            out += l.type + "/" + std::to_string(l.number) + " ";
        }
        return out;
    };
    BOOST_TEST(types(2, 0) == "m6/6 m5/5 ");
    BOOST_TEST(types(2, 5) == "m4/4 ");
    BOOST_TEST(types(2, 4) == "");
    BOOST_TEST(types(2, 1) == "");
    BOOST_TEST(types(9, 100) == "m6/6 m5/5 m4/4 ");
    BOOST_TEST(letters.forgotten() == 3);
    BOOST_TEST(letters.count("unhandled") == 6);
    BOOST_TEST(letters.count("dropped") == 0);
}

BOOST_AUTO_TEST_CASE(kinds_without_end_do_not_grow_memory) {
    dead_letters letters;
    for (int i = 0; i < 1000; ++i) {
        letters.record("kind" + std::to_string(i), "/a", "m", "r");
    }
    BOOST_TEST(letters.counts().size() == dead_letters::kinds_max + 1);
    BOOST_TEST(letters.counts().at("other") == 1000 - dead_letters::kinds_max);
}

BOOST_AUTO_TEST_SUITE_END()
