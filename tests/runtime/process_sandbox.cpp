#include "tests/runtime/process_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <sys/un.h>

#include <thread>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::test;

namespace {

expected<command_result> run(const workplace& w, const command_spec& spec,
                             sandbox_mode mode = sandbox_mode::bubblewrap) {
    return w.open(mode)->run("key", spec, {}, {});
}

/// Runs `line`, orders its end once it has made the file "begun", and returns what came.
expected<command_result> run_and_stop(const workplace& w, const std::string& line, sandbox_mode mode) {
    std::stop_source stop;
    const std::jthread watcher([&] {
        eventually([&] { return w.has("begun"); });
        stop.request_stop();
    });
    return w.open(mode)->run("key", w.shell(line), stop.get_token(), {});
}

/// A process that left its parent, its session and its process group, and holds a lock as long as it lives.
const std::string runaway =
    "(setsid setsid sh -c 'flock held sh -c \"touch begun; exec sleep 1000\"' </dev/null >/dev/null 2>&1 &); ";

} // namespace

BOOST_AUTO_TEST_SUITE(process_sandbox)

BOOST_AUTO_TEST_CASE(bubblewrap_works_on_this_machine) {
    const workplace w;
    const auto probed = w.open()->probe();
    BOOST_TEST(!!probed, (probed ? "" : probed.error().detail));
}

BOOST_AUTO_TEST_CASE(both_streams_and_the_exit_code_come_back) {
    const workplace w;
    const auto r = run(w, w.shell("echo out; echo err >&2; exit 7"));
    BOOST_REQUIRE(r);
    BOOST_TEST(r->exit_code == 7);
    BOOST_TEST(r->out == "out\n");
    BOOST_TEST(r->err == "err\n");
    BOOST_TEST(r->out_bytes == 4u);
    BOOST_TEST(!r->timed_out);
    BOOST_TEST(!r->cancelled);
}

BOOST_AUTO_TEST_CASE(a_signal_is_128_and_its_number) {
    const workplace w;
    BOOST_TEST(run(w, w.shell("kill -TERM $$")).value().exit_code == 143);
    BOOST_TEST(w.open(sandbox_mode::none)->run("other", w.shell("kill -TERM $$"), {}, {}).value().exit_code == 143);
}

BOOST_AUTO_TEST_CASE(a_missing_program_is_127_as_in_a_shell) {
    const workplace w;
    auto spec = w.shell("");
    spec.argv = {"no-such-program"};
    const auto r = run(w, spec);
    BOOST_REQUIRE(r);
    BOOST_TEST(r->exit_code == 127);
    BOOST_TEST(r->err.find("no-such-program") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(output_comes_live_and_marked_by_stream) {
    const workplace w;
    std::string out, err;
    // The command goes on only after its output was seen.
    const auto seen = [&](bool is_stderr, std::string_view text) {
        (is_stderr ? err : out) += text;
        if (out == "one\n" && err == "two\n") {
            w.write("go", "");
        }
    };
    const auto r =
        w.open()->run("key", w.shell("echo one; echo two >&2; until [ -e go ]; do sleep 0.01; done"), {}, seen);
    BOOST_REQUIRE(r);
    BOOST_TEST(r->exit_code == 0);
    BOOST_TEST(!r->timed_out);
}

BOOST_AUTO_TEST_CASE(only_the_project_is_writable) {
    const workplace w;
    const auto r = run(w, w.shell("for f in /x /etc/x /usr/x /project/x; do touch $f 2>/dev/null && echo $f; done"));
    BOOST_REQUIRE(r);
    BOOST_TEST(r->out == "/project/x\n");
    BOOST_TEST(w.has("x"));
}

BOOST_AUTO_TEST_CASE(files_outside_the_project_are_not_there) {
    const workplace w;
    std::ofstream(w.root / "secret") << "secret";
    const auto r =
        run(w, w.shell("cat " + (w.root / "secret").string() + "; cat ../secret; ls /root /home /etc/shadow"));
    BOOST_REQUIRE(r);
    BOOST_TEST(r->out.find("secret") == std::string::npos);
    BOOST_TEST(r->exit_code != 0);
}

BOOST_AUTO_TEST_CASE(there_is_no_network_unless_granted) {
    const workplace w;
    const std::string interfaces = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | sort | tr '\\n' ' '";
    const auto confined = run(w, w.shell(interfaces));
    BOOST_REQUIRE(confined);
    BOOST_TEST(confined->out == "lo ");
    const auto net = [](const std::string& mode) { return fs::read_symlink("/proc/self/ns/" + mode).string() + "\n"; };
    auto spec = w.shell("readlink /proc/self/ns/net");
    BOOST_TEST(w.open()->run("refused", spec, {}, {}).value().out != net("net"));
    spec.network = true;
    BOOST_TEST(w.open()->run("granted", spec, {}, {}).value().out == net("net"));
}

BOOST_AUTO_TEST_CASE(localhost_has_an_address_and_no_name_of_the_machine_comes_in) {
    const workplace w;
    // Not `ahosts`: where lo is all there is, machines differ in whether it counts as an address (AI_ADDRCONFIG).
    BOOST_TEST(run(w, w.shell("cat /etc/hosts; getent hosts localhost | cut -d ' ' -f 1")).value().out ==
               "127.0.0.1 localhost troupe\n127.0.0.1\n");
}

BOOST_AUTO_TEST_CASE(the_environment_is_small_and_holds_what_was_given) {
    const workplace w;
    ::setenv("TROUPE_TEST_SECRET", "leak", 1);
    auto spec = w.shell("env | cut -d= -f1 | sort | tr '\\n' ' '; echo $GIVEN");
    spec.environment = {{"GIVEN", "value"}};
    const auto r = run(w, spec);
    BOOST_REQUIRE(r);
    BOOST_TEST(r->out == "GIVEN HOME LANG PATH PWD value\n");
}

BOOST_AUTO_TEST_CASE(working_directory_is_inside_the_project) {
    const workplace w;
    fs::create_directories(w.project / "a/b");
    auto spec = w.shell("pwd");
    spec.working_directory = "a/b";
    BOOST_TEST(run(w, spec).value().out == "/project/a/b\n");
}

BOOST_AUTO_TEST_CASE(working_directory_that_leaves_the_project_is_refused) {
    const workplace w;
    fs::create_directory_symlink("/usr", w.project / "link");
    for (const char* away : {"..", "/usr", "link", "link/bin"}) {
        auto spec = w.shell("pwd");
        spec.working_directory = away;
        const auto r = run(w, spec);
        BOOST_REQUIRE_MESSAGE(!r, away);
        BOOST_TEST((r.error().code == code::path_outside_project), away);
    }
    auto spec = w.shell("pwd");
    spec.working_directory = "missing";
    BOOST_TEST((run(w, spec).error().code == code::not_found));
    BOOST_TEST((w.open()->state_of("key").value() == attempt_state::never_started));
}

BOOST_AUTO_TEST_CASE(time_limit_ends_the_tree) {
    for (const auto mode : {sandbox_mode::bubblewrap, sandbox_mode::none}) {
        const workplace w;
        auto spec = w.shell(runaway + "sleep 1000");
        spec.limits.time_ms = 1'000;
        const auto r = run(w, spec, mode);
        BOOST_REQUIRE(r);
        BOOST_TEST(r->timed_out);
        BOOST_TEST(r->exit_code == 137);
        BOOST_TEST(!w.is_held("held"));
    }
}

BOOST_AUTO_TEST_CASE(stop_ends_a_grandchild_that_left_its_session) {
    for (const auto mode : {sandbox_mode::bubblewrap, sandbox_mode::none}) {
        const workplace w;
        const auto r = run_and_stop(w, runaway + "sleep 1000", mode);
        BOOST_REQUIRE(r);
        BOOST_TEST(r->cancelled);
        BOOST_TEST(!r->timed_out);
        BOOST_TEST(w.has("begun"));
        BOOST_TEST(!w.is_held("held"));
    }
}

BOOST_AUTO_TEST_CASE(what_a_command_leaves_in_the_background_ends_with_it) {
    for (const auto mode : {sandbox_mode::bubblewrap, sandbox_mode::none}) {
        const workplace w;
        const auto r = run(w, w.shell(runaway + "until [ -e begun ]; do sleep 0.01; done"), mode);
        BOOST_REQUIRE(r);
        BOOST_TEST(r->exit_code == 0);
        BOOST_TEST(!w.is_held("held"));
    }
}

BOOST_AUTO_TEST_CASE(a_stop_before_the_start_starts_nothing) {
    const workplace w;
    std::stop_source stop;
    stop.request_stop();
    const auto r = w.open()->run("key", w.shell("touch ran"), stop.get_token(), {});
    BOOST_REQUIRE(!r);
    BOOST_TEST((r.error().code == code::cancelled));
    BOOST_TEST(!w.has("ran"));
    BOOST_TEST((w.open()->state_of("key").value() == attempt_state::never_started));
}

BOOST_AUTO_TEST_CASE(output_over_its_limit_keeps_both_ends_and_the_count) {
    const workplace w;
    auto spec = w.shell("printf first; head -c 3000000 /dev/zero | tr '\\0' x; printf last");
    spec.limits.output_bytes = 1000;
    const auto r = run(w, spec);
    BOOST_REQUIRE(r);
    BOOST_TEST(r->exit_code == 0);
    BOOST_TEST(r->out_bytes == 3'000'009u);
    BOOST_TEST(r->out.starts_with("first"));
    BOOST_TEST(r->out.ends_with("last"));
    BOOST_TEST(r->out.find("[… 2999009 bytes left out …]") != std::string::npos);
    BOOST_TEST(r->out.size() < 1100u);
}

BOOST_AUTO_TEST_CASE(a_listener_that_does_not_read_does_not_hold_the_command) {
    const workplace w;
    bool waited = false;
    const auto slow = [&](bool, std::string_view) {
        if (!waited) {
            waited = true;
            BOOST_TEST(eventually([&] { return w.has("wrote-all"); }));
        }
    };
    const auto r = w.open()->run("key", w.shell("head -c 20000000 /dev/zero; touch wrote-all"), {}, slow);
    BOOST_REQUIRE(r);
    BOOST_TEST(r->out_bytes == 20'000'000u);
}

BOOST_AUTO_TEST_CASE(endless_output_does_not_outrun_the_time_limit) {
    const workplace w;
    auto spec = w.shell("yes");
    spec.limits.time_ms = 300;
    BOOST_TEST(run(w, spec).value().timed_out);
}

BOOST_AUTO_TEST_CASE(memory_and_file_sizes_are_bounded) {
    const workplace w;
    auto spec = w.shell("head -c 2000000 /dev/zero > big; echo $?");
    spec.limits.file_bytes = 1'000'000;
    run(w, spec).value();
    BOOST_TEST(fs::file_size(w.project / "big") == 1'000'000u);

    spec = w.shell("head -c 200M /dev/zero | tail -c 200M | wc -c");
    spec.limits.memory_bytes = 64 << 20;
    const auto over = w.open()->run("memory", spec, {}, {}).value();
    BOOST_TEST(over.out != "209715200\n");
    BOOST_TEST(over.over_limit.find("more than 64 MiB of memory") != std::string::npos, over.over_limit);
    spec.limits.memory_bytes = 1 << 30;
    BOOST_TEST(w.open()->run("enough", spec, {}, {}).value().out == "209715200\n");
}

BOOST_AUTO_TEST_CASE(without_a_sandbox_the_project_is_still_the_working_directory) {
    const workplace w;
    const auto r = run(w, w.shell("pwd; touch here"), sandbox_mode::none);
    BOOST_REQUIRE(r);
    BOOST_TEST(r->out == fs::canonical(w.project).string() + "\n");
    BOOST_TEST(w.has("here"));
}

BOOST_AUTO_TEST_CASE(a_sandbox_that_is_not_there_is_named_and_leaves_the_key_unused) {
    const workplace w;
    const auto gone = make_sandbox(sandbox_mode::bubblewrap, w.state, w.root / "no-runner");
    const auto r = gone->run("key", w.shell("true"), {}, {});
    BOOST_REQUIRE(!r);
    BOOST_TEST((r.error().code == code::sandbox_unavailable));
    BOOST_TEST(r.error().detail.find("no-runner") != std::string::npos);
    BOOST_TEST((gone->state_of("key").value() == attempt_state::never_started));
}

BOOST_AUTO_TEST_SUITE_END()
