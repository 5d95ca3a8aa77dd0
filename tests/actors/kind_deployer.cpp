#include "actors/kinds/deployer/deploy_journal.hpp"
#include "actors/kinds/deployer/deploy_plan.hpp"
#include "actors/kinds/kind.hpp"
#include "schemas/base/durable_file.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using runtime::deploy_target;

namespace {

deploy_target process_target() {
    deploy_target t;
    t.name = "shop";
    t.folder = "/srv/shop";
    t.build = "make";
    t.test = "make check";
    t.command = {"serve"};
    t.ports = {8001, 8002};
    t.health = "/health";
    t.change = {"divide"};
    return t;
}

std::vector<planned_step> plan(deploy_strategy strategy, const deploy_target& t = process_target()) {
    return plan_steps(t, strategy, 10).value();
}

std::string names(const std::vector<planned_step>& steps) {
    std::string out;
    for (const auto& s : steps) {
        out += fmt::format("{}{}{}", out.empty() ? "" : " ", troupe::detail::enum_name(s.step),
                           s.percent ? std::to_string(s.percent) : "");
    }
    return out;
}

/// All steps that are done when the one of that number fails.
std::string when_fails(deploy_strategy strategy, std::size_t failing) {
    deployment d(plan(strategy));
    std::vector<planned_step> undone;
    while (const auto step = d.next()) {
        if (d.is_undoing()) {
            undone.push_back(*step);
        }
        d.told(d.number() != failing, "no");
    }
    BOOST_TEST(!d.succeeded());
    return names(undone);
}

std::string wrong(const std::string& list) {
    const auto read = runtime::parse_deploy_targets(list);
    std::string out;
    for (const auto& e : read ? std::vector<field_error>() : read.error().errors) {
        out += e.pointer + " ";
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(kind_deployer)

BOOST_AUTO_TEST_CASE(each_strategy_has_its_steps) {
    BOOST_TEST(names(plan(deploy_strategy::all_at_once)) == "build test release change100 check watch retire");
    BOOST_TEST(names(plan(deploy_strategy::blue_green)) == "build test release prepare check change100 watch retire");
    BOOST_TEST(names(plan(deploy_strategy::canary)) ==
               "build test release prepare check change10 watch change100 watch retire");
    auto plain = process_target();
    plain.build = plain.test = "";
    BOOST_TEST(names(plan(deploy_strategy::all_at_once, plain)) == "release change100 check watch retire");
}

BOOST_AUTO_TEST_CASE(a_target_that_cannot_do_it_says_why) {
    auto t = process_target();
    t.ports = {8001};
    BOOST_TEST(plan_steps(t, deploy_strategy::blue_green, 10).error().detail.find("one port") != std::string::npos);
    t = process_target();
    t.change.clear();
    BOOST_TEST(plan_steps(t, deploy_strategy::canary, 10).error().detail.find("`change`") != std::string::npos);
    BOOST_TEST(!plan_steps(process_target(), deploy_strategy::canary, 100));
    t.command.clear();
    BOOST_TEST(plan_steps(t, deploy_strategy::blue_green, 10).error().detail.find("`prepare`") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(whatever_fails_what_was_begun_is_undone_in_reverse) {
    using enum deploy_strategy;
    for (const auto strategy : {all_at_once, blue_green, canary}) {
        BOOST_TEST(when_fails(strategy, 0) == ""); // build
        BOOST_TEST(when_fails(strategy, 1) == ""); // test
        BOOST_TEST(when_fails(strategy, 2) == "discard");
    }
    for (std::size_t at : {3, 4, 5}) { // change, check, watch
        BOOST_TEST(when_fails(all_at_once, at) == "change_back discard");
    }
    for (std::size_t at : {3, 4}) { // prepare, check
        BOOST_TEST(when_fails(blue_green, at) == "withdraw discard");
        BOOST_TEST(when_fails(canary, at) == "withdraw discard");
    }
    for (std::size_t at : {5, 6}) { // change, watch
        BOOST_TEST(when_fails(blue_green, at) == "change_back withdraw discard");
    }
    for (std::size_t at : {5, 6, 7, 8}) { // both changes, both watches
        BOOST_TEST(when_fails(canary, at) == "change_back withdraw discard");
    }
}

BOOST_AUTO_TEST_CASE(success_undoes_nothing_and_the_end_of_the_old_one_is_no_failure) {
    deployment d(plan(deploy_strategy::blue_green));
    while (const auto step = d.next()) {
        d.told(step->step != deploy_step::retire, "it hangs");
    }
    BOOST_TEST(d.succeeded());
    BOOST_TEST(d.percent() == 100);
    BOOST_REQUIRE(d.left().size() == 1U);
    BOOST_TEST(d.left().front() == "retire: it hangs");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_undone_is_said_and_the_rest_is_undone_all_the_same) {
    deployment d(plan(deploy_strategy::blue_green));
    std::string done;
    while (const auto step = d.next()) {
        done += d.is_undoing() ? names({*step}) + " " : "";
        d.told(step->step != deploy_step::watch && step->step != deploy_step::change_back, "no");
    }
    BOOST_TEST(done == "change_back withdraw discard ");
    BOOST_TEST(!d.succeeded());
    BOOST_TEST(d.why() == "watch: no");
    BOOST_TEST(d.left().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_journal_tells_where_it_was_and_only_one_has_it) {
    const test::temporary_directory folder;
    auto t = process_target();
    t.folder = folder.path.string();
    {
        auto journal = deploy_journal::open(t).value();
        BOOST_TEST(!journal.read().value());
        BOOST_TEST((deploy_journal::open(t).error().code == code::conflict));
        BOOST_TEST(!!journal.begin({"run/1/1/1", deploy_strategy::canary, 10, 4}));
        for (std::size_t i = 0; i < 3; ++i) {
            BOOST_TEST(!!journal.step_begun(i, {deploy_step::build, 0}));
            BOOST_TEST(!!journal.step_ended(i, true, ""));
        }
        BOOST_TEST(!!journal.step_begun(3, {deploy_step::prepare, 0}));
    }
    const auto file = folder.path / "journal";
    auto text = read_whole_file(file, 1 << 20).value();
    BOOST_TEST(!!write_file(file, text + "{\"ended\":3,\"succ", kept::with_fsync));
    auto journal = deploy_journal::open(t).value();
    auto found = journal.read().value();
    BOOST_REQUIRE(found);
    BOOST_TEST(found->header.release == 4U);
    BOOST_TEST(found->begun);
    BOOST_TEST((found->progress.next()->step == deploy_step::prepare));
    BOOST_TEST(!!journal.step_ended(3, false, "no port")); // not behind the torn line
    found = journal.read().value();
    BOOST_REQUIRE(found);
    BOOST_TEST(found->progress.is_undoing());
    BOOST_TEST((found->progress.next()->step == deploy_step::withdraw));
    BOOST_TEST(!read_journal("{\"begun\":1}\n", t));
    BOOST_TEST(!read_journal("no json\n", t));
    BOOST_TEST(!read_journal("", t).value());
}

BOOST_AUTO_TEST_CASE(targets_of_the_configuration_are_checked_with_their_places) {
    BOOST_TEST(wrong("") == "");
    BOOST_TEST(wrong(R"([{"name":"a","folder":"/a","health":"/h","command":["x"],"ports":["80",81],"watch_ms":5}])") ==
               "");
    BOOST_TEST(wrong(R"([{"name":"a","folder":"/a","health":"http://h/","change":["x"],"roll_back":["y"]}])") == "");
    BOOST_TEST(wrong(R"([{"name":"A","folder":"ab","health":"h","command":["x"]}])") ==
               "/0/name /0/folder /0/ports /0/health ");
    BOOST_TEST(wrong(R"([{"name":"a","folder":"/a","health":"/h"}])") == "/0/change /0/roll_back /0/health ");
    BOOST_TEST(wrong(R"([{"name":"a","folder":"/a","health":"/h","command":["x"],"ports":[0],"retire":["r"]}])") ==
               "/0/ports /0/retire ");
}

BOOST_AUTO_TEST_CASE(parameters_name_their_place) {
    BOOST_TEST(!!check_parameters("deployer", R"({"target":"shop","strategy":"canary","percent":20,"dry_run":true})"));
    const auto place = [](std::string_view json) {
        return check_parameters("deployer", json).error().errors.front().pointer;
    };
    BOOST_TEST(place(R"({"strategy":"big_bang"})") == "/parameters/strategy");
    BOOST_TEST(place(R"({"percent":0})") == "/parameters/percent");
}

BOOST_AUTO_TEST_SUITE_END()
