#include "actors/goal/plan.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

using namespace troupe;
using namespace troupe::actors;

namespace {

std::vector<std::string> ids(const std::vector<planned_task>& tasks) {
    std::vector<std::string> out;
    for (const auto& t : tasks) {
        out.push_back(t.id);
    }
    return out;
}

using texts = std::vector<std::string>;

planned_task task(std::string id, texts depends_on = {}) {
    planned_task out;
    out.title = "Task " + id;
    out.id = std::move(id);
    out.depends_on = std::move(depends_on);
    return out;
}

std::string refused(std::string_view roadmap) {
    const auto read = read_roadmap(roadmap);
    BOOST_TEST_REQUIRE(!read);
    BOOST_TEST((read.error().code == code::invalid_request));
    std::string all;
    for (const auto& e : read.error().errors) {
        all += e.message + "\n";
    }
    return all;
}

constexpr std::string_view good = R"(# Dates

Words about the whole.

## Phase 1: Reading

- [x] Choose the formats
- [ ] Parse dates
  All formats of RFC 3339.
  - Capability: code, parsing
  - Priority: High
  - Estimate: 2d
  - Depends on: Choose the formats
  - Acceptance:
    - Leap seconds, too, are read
    - What is wrong names its place
  Not the week numbers.

Some words between.

## Phase 2

* [ ] Show dates
  - depends on: 1.2
  - deliverables: a page, with examples
)";

} // namespace

BOOST_AUTO_TEST_SUITE(goal_roadmaps)

BOOST_AUTO_TEST_CASE(tasks_have_what_stands_below_them) {
    const auto tasks = read_roadmap(good);
    BOOST_TEST_REQUIRE(tasks.has_value());
    BOOST_TEST(ids(*tasks) == (texts{"1.2", "2.1"}));
    const auto& parse = tasks->front();
    BOOST_TEST(parse.title == "Parse dates");
    BOOST_TEST(parse.phase == "Phase 1: Reading");
    BOOST_TEST(parse.description == "All formats of RFC 3339.\nNot the week numbers.");
    BOOST_TEST(parse.capabilities == (texts{"code", "parsing"}));
    BOOST_TEST((parse.priority == task_priority::high));
    BOOST_TEST(parse.estimate == "2d");
    BOOST_TEST(parse.depends_on.empty()); // that is done
    BOOST_TEST(parse.acceptance == (texts{"Leap seconds, too, are read", "What is wrong names its place"}));
    BOOST_TEST(tasks->back().depends_on == texts{"1.2"});
    BOOST_TEST(tasks->back().deliverables == texts{"a page, with examples"});
}

BOOST_AUTO_TEST_CASE(what_is_wrong_names_its_line) {
    BOOST_TEST(refused("- [ ] A\n  - Priority: huge\n") ==
               "line 2: the priority 'huge' is none of low, medium, high, urgent\n");
    BOOST_TEST(refused("- [ ] A\n  - Depends on: B\n") ==
               "line 1: 'A' waits for 'B', which is no task of the roadmap\n");
    BOOST_TEST(refused("- [?] A\n").starts_with("line 1: the box holds '?'"));
    BOOST_TEST(refused("- [ ]\n- [ ] B").starts_with("line 1: a title has"));
    BOOST_TEST(refused("# Nothing\n- a list\n").starts_with("has no"));
    BOOST_TEST(refused("- [x] All is done").starts_with("has no"));
    BOOST_TEST(refused("- [ ] A\n  - Depends on: B\n- [ ] B\n  - Depends on: A\n").find("circle") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(any_bytes_are_read_or_refused) {
    std::mt19937 random(7);
    const texts pieces{"## ",         "- [ ] ",        "- [x] ",     "- ", "  ", "\t",
                       "Depends on:", "1.1",           ",",          "\n", "\n", "a",
                       "\xff",        "Capability: x", "Acceptance:"};
    for (int n = 0; n < 2000; ++n) {
        std::string text;
        for (int i = 0; i < 60; ++i) {
            text += pieces[random() % pieces.size()];
        }
        if (const auto read = read_roadmap(text)) {
            BOOST_TEST(!read->empty());
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(goal_plans)

BOOST_AUTO_TEST_CASE(each_stands_behind_those_that_it_waits_for) {
    const auto plan = ordered_plan({task("c", {"b"}), task("a"), task("b", {"a"})});
    BOOST_TEST_REQUIRE(plan.has_value());
    BOOST_TEST(ids(*plan) == (texts{"a", "b", "c"}));
}

BOOST_AUTO_TEST_CASE(plans_that_cannot_be_done_are_refused) {
    BOOST_TEST(!ordered_plan({}));
    BOOST_TEST(!ordered_plan({task("a"), task("a")}));
    BOOST_TEST(ordered_plan({task("a", {"z"})}).error().errors.front().pointer == "/tasks/0/depends_on");
    BOOST_TEST(!ordered_plan({task("a", {"b"}), task("b", {"a"})}));
    BOOST_TEST(!ordered_plan({task("a", {"a"})}));
    BOOST_TEST(!ordered_plan(std::vector(planned_tasks_max + 1, task("a"))));
}

BOOST_AUTO_TEST_CASE(templates_are_plans) {
    for (const auto from : {goal_template::feature, goal_template::bugfix, goal_template::research}) {
        const auto plan = ordered_plan(plan_of(from, "Dates"));
        BOOST_TEST_REQUIRE(plan.has_value());
        BOOST_TEST(plan->front().depends_on.empty());
        BOOST_TEST(plan->back().depends_on.size() == 1U);
    }
}

BOOST_AUTO_TEST_SUITE_END()
