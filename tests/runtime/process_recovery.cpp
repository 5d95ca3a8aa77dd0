#include "tests/runtime/process_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <thread>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::test;

namespace {

const std::string waiting = "touch begun; until [ -e go ]; do sleep 0.01; done; echo done >> count; echo finished";

/// A node of its own process, which runs the command and never comes to an end by itself.
pid_t start_node(const workplace& w, const std::string& line) {
    const auto node = ::fork();
    if (node == 0) {
        (void)w.open()->run("key", w.shell(line), {}, {});
        ::_exit(0);
    }
    return node;
}

void kill_node(pid_t node) {
    ::kill(node, SIGKILL);
    ::waitpid(node, nullptr, 0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_recovery)

BOOST_AUTO_TEST_CASE(a_key_runs_once_and_returns_what_was_stored) {
    const workplace w;
    const auto spec = w.shell("echo x >> count; echo said; exit 3");
    const auto first = w.open()->run("key", spec, {}, {});
    const auto again = w.open()->run("key", spec, {}, {});
    BOOST_REQUIRE(first);
    BOOST_REQUIRE(again);
    BOOST_TEST(w.read("count") == "x\n");
    BOOST_TEST(again->exit_code == 3);
    BOOST_TEST(again->out == "said\n");
    BOOST_TEST(again->duration_ms == first->duration_ms);
    BOOST_TEST((w.open()->state_of("key").value() == attempt_state::finished));
}

BOOST_AUTO_TEST_CASE(two_callers_with_one_key_run_it_once) {
    const workplace w;
    const auto box = w.open();
    const auto spec = w.shell("echo x >> count; until [ -e go ]; do sleep 0.01; done; echo said");
    std::optional<expected<command_result>> other;
    std::jthread second([&] { other = box->run("key", spec, {}, {}); });
    std::jthread release([&] {
        eventually([&] { return w.has("count"); });
        w.write("go", "");
    });
    const auto first = box->run("key", spec, {}, {});
    second.join();
    BOOST_REQUIRE(first);
    BOOST_REQUIRE(!!*other);
    BOOST_TEST(first->out == "said\n");
    BOOST_TEST((*other)->out == "said\n");
    BOOST_TEST(w.read("count") == "x\n");
}

BOOST_AUTO_TEST_CASE(a_key_that_nobody_ran_was_never_started) {
    const workplace w;
    BOOST_TEST((w.open()->state_of("key").value() == attempt_state::never_started));
    BOOST_TEST((w.open()->result_of("key").error().code == code::not_found));
}

BOOST_AUTO_TEST_CASE(a_runner_that_is_killed_leaves_an_unknown_outcome) {
    const workplace w;
    const std::jthread killer([&] {
        eventually([&] { return w.has("begun"); });
        ::kill(w.runner_of("key"), SIGKILL);
    });
    const auto r = w.open()->run("key", w.shell("flock held sh -c 'touch begun; exec sleep 1000'"), {}, {});
    BOOST_REQUIRE(!r);
    BOOST_TEST((r.error().code == code::unknown_outcome));
    BOOST_TEST((w.open()->state_of("key").value() == attempt_state::unknown));
    BOOST_TEST((w.open()->run("key", w.shell("touch again"), {}, {}).error().code == code::unknown_outcome));
    BOOST_TEST(!w.has("again"));
    BOOST_TEST(eventually([&] { return !w.is_held("held"); })); // The sandbox ends with its runner.
}

BOOST_AUTO_TEST_CASE(control_groups_of_a_killed_runner_are_emptied_and_removed) {
    const workplace w;
    if (!fs::exists("/sys/fs/cgroup/pids") || ::geteuid() != 0) {
        BOOST_TEST_MESSAGE("no control groups may be made here");
        return;
    }
    const std::jthread killer([&] {
        eventually([&] { return w.has("begun"); });
        ::kill(w.runner_of("key"), SIGKILL);
    });
    const auto line = "setsid flock held sh -c 'touch begun; exec sleep 1000' & wait";
    BOOST_TEST((w.open(sandbox_mode::none)->run("key", w.shell(line), {}, {}).error().code == code::unknown_outcome));
    BOOST_TEST(!w.is_held("held"));
    std::ifstream groups(w.folder_of("key") / "groups");
    std::string group;
    BOOST_REQUIRE(std::getline(groups, group));
    BOOST_TEST(!fs::exists(group));
}

BOOST_AUTO_TEST_CASE(a_mark_without_a_result_is_unknown) {
    const workplace w;
    fs::create_directories(w.folder_of("key"));
    std::ofstream(w.folder_of("key") / "started");
    BOOST_TEST((w.open()->state_of("key").value() == attempt_state::unknown));
}

BOOST_AUTO_TEST_CASE(a_damaged_result_is_unknown_and_nothing_runs_again) {
    const workplace w;
    const auto spec = w.shell("echo x >> count");
    w.open()->run("key", spec, {}, {}).value();
    std::ofstream(w.folder_of("key") / "result.json") << "{";
    BOOST_TEST((w.open()->run("key", spec, {}, {}).error().code == code::unknown_outcome));
    BOOST_TEST(w.read("count") == "x\n");
}

BOOST_AUTO_TEST_CASE(a_runner_that_does_not_end_leaves_an_unknown_outcome) {
    const workplace w;
    fs::create_directories(w.folder_of("key"));
    std::ofstream(w.folder_of("key") / "spec.json") << R"({"limits":{"time_ms":-30000}})"; // It should be over now.
    const unique_fd held(::open((w.folder_of("key") / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct flock whole = {};
    whole.l_type = F_WRLCK;
    BOOST_REQUIRE(::fcntl(held.get(), F_OFD_SETLK, &whole) == 0);
    BOOST_TEST((w.open()->run("key", w.shell("touch ran"), {}, {}).error().code == code::unknown_outcome));
    BOOST_TEST(!w.has("ran"));
}

BOOST_AUTO_TEST_CASE(a_result_that_is_written_after_the_death_of_the_node_counts) {
    const workplace w;
    const auto node = start_node(w, waiting);
    BOOST_REQUIRE(eventually([&] { return w.has("begun"); }));
    kill_node(node);
    const std::jthread release([&] { w.write("go", ""); });
    const auto box = w.open(); // The node that was started again.
    BOOST_TEST((box->state_of("key").value() == attempt_state::finished));
    BOOST_TEST(box->result_of("key").value().out == "finished\n");
    BOOST_TEST(box->run("key", w.shell(waiting), {}, {}).value().exit_code == 0);
    BOOST_TEST(w.read("count") == "done\n");
}

BOOST_AUTO_TEST_CASE(a_runner_told_to_end_by_the_system_leaves_a_result) {
    const workplace w;
    const auto node = start_node(w, waiting);
    BOOST_REQUIRE(eventually([&] { return w.has("begun"); }));
    kill_node(node);
    ::kill(w.runner_of("key"), SIGTERM);
    const auto box = w.open();
    BOOST_TEST((box->state_of("key").value() == attempt_state::finished));
    BOOST_TEST(box->result_of("key").value().cancelled);
    BOOST_TEST(!w.has("count"));
}

BOOST_AUTO_TEST_CASE(a_stop_reaches_the_command_of_a_node_that_died) {
    const workplace w;
    const auto node = start_node(w, waiting);
    BOOST_REQUIRE(eventually([&] { return w.has("begun"); }));
    kill_node(node);
    std::stop_source stop;
    stop.request_stop();
    const auto r = w.open()->run("key", w.shell(waiting), stop.get_token(), {});
    BOOST_REQUIRE(r);
    BOOST_TEST(r->cancelled);
    BOOST_TEST(!w.has("count"));
}

BOOST_AUTO_TEST_CASE(a_runner_whose_node_is_gone_starts_nothing) {
    const workplace w;
    w.open()->run("key", w.shell("touch ran"), {}, {}).value();
    fs::remove(w.project / "ran");
    for (const char* left : {"started", "result.json", "out", "err"}) {
        fs::remove(w.folder_of("key") / left); // As it was before the start.
    }
    const auto line = runner_path().string() + " " + w.folder_of("key").string() + " < /dev/null > /dev/null";
    BOOST_TEST(std::system(line.c_str()) != 0);
    BOOST_TEST(!w.has("ran"));
    BOOST_TEST((w.open()->state_of("key").value() == attempt_state::never_started));
}

BOOST_AUTO_TEST_CASE(a_forgotten_key_leaves_no_files) {
    const workplace w;
    const auto box = w.open();
    box->run("key", w.shell("true"), {}, {}).value();
    box->forget("key");
    BOOST_TEST(fs::is_empty(w.state));
    box->forget("key"); // A repeat changes nothing.
}

BOOST_AUTO_TEST_CASE(a_key_that_is_ended_before_it_began_never_begins) {
    const workplace w;
    const auto ended = w.open()->end("key");
    BOOST_REQUIRE(ended);
    BOOST_TEST(ended->cancelled);
    const auto late = w.open()->run("key", w.shell("echo x >> count"), {}, {});
    BOOST_REQUIRE(late);
    BOOST_TEST(late->cancelled);
    BOOST_TEST(!w.has("count"));
    BOOST_TEST(w.open()->end("key").value().cancelled); // asked again
}

BOOST_AUTO_TEST_CASE(a_command_that_is_ended_leaves_what_it_said_and_one_that_had_ended_its_result) {
    const workplace w;
    const auto box = w.open();
    std::optional<expected<command_result>> first;
    {
        const std::jthread runs([&] { first = box->run("key", w.shell("echo said; touch begun; sleep 60"), {}, {}); });
        BOOST_TEST(eventually([&] { return w.has("begun"); }));
        const auto ended = w.open()->end("key");
        BOOST_REQUIRE(ended);
        BOOST_TEST(ended->cancelled);
        BOOST_TEST(ended->out == "said\n");
    }
    BOOST_REQUIRE((first && first->has_value()));
    BOOST_TEST((*first)->cancelled);

    BOOST_REQUIRE(box->run("other", w.shell("exit 4"), {}, {}));
    const auto known = box->end("other");
    BOOST_TEST((known && !known->cancelled && known->exit_code == 4));
}

BOOST_AUTO_TEST_CASE(a_loss_of_power_before_the_mark_leaves_nothing_to_forget) {
    const workplace w;
    const auto commands = w.open();
    BOOST_REQUIRE(commands->run("ended", w.shell("true"), {}, {}));
    for (const auto* name : {"cut", "begun"}) { // a spec whose content is gone, and one whose command had started
        fs::create_directories(w.state / name);
        std::ofstream(w.state / name / "spec.json").flush();
    }
    std::vector<std::string> keys;
    const auto all = [&](std::string_view key) {
        keys.emplace_back(key);
        return expected<bool>(true);
    };
    BOOST_TEST(!!forget_commands(w.state, all));
    BOOST_TEST(keys == std::vector<std::string>{"ended"});
    std::ofstream(w.state / "begun" / "started").flush();
    BOOST_TEST(!forget_commands(w.state, all)); // nobody knows whose it is
}

BOOST_AUTO_TEST_SUITE_END()
