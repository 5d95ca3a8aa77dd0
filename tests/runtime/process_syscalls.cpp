// The filter of system calls, as a program inside of the sandbox meets it (tests/escape/attempts.cpp).
#include "tests/runtime/process_attempts.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::test;

BOOST_AUTO_TEST_SUITE(process_syscalls)

BOOST_AUTO_TEST_CASE(calls_that_no_command_needs_are_refused_before_their_arguments_are_looked_at) {
    for (const auto& [call, came] : attempt("refused-calls")) {
        BOOST_TEST(came == "EPERM", call << ": " << came);
    }
    for (const auto& [call, came] : attempt("missing-calls")) {
        BOOST_TEST(came == "ENOSYS", call << ": " << came);
    }
}

BOOST_AUTO_TEST_CASE(namespaces_are_refused_and_other_uses_of_the_same_calls_are_not) {
    auto came = attempt("namespaces");
    BOOST_TEST(came.extract("unshare-files").mapped() == "done");
    BOOST_TEST(came.size() == 15u);
    for (const auto& [kind, error] : came) {
        BOOST_TEST(error == "EPERM", kind << ": " << error);
    }
}

BOOST_AUTO_TEST_CASE(sockets_are_local_or_of_the_internet) {
    auto came = attempt("sockets");
    check(came, {{"1", "done"}, {"2", "done"}, {"16", "done"}, {"pair-unix", "done"}});
    check(came, {{"netlink-audit", "EPROTONOSUPPORT"}, {"pair-rds", "EAFNOSUPPORT"}});
    for (const char* other :
         {"3", "4", "17", "21", "30", "38", "40", "44", "45", "47"}) { // packet, TIPC, ALG, vsock, …
        check(came, {{other, "EAFNOSUPPORT"}});
    }
}

BOOST_AUTO_TEST_CASE(a_debugger_may_turn_off_random_addresses_and_nothing_else) {
    check(attempt("personalities"), {{"linux", "done"},
                                     {"no-randomize", "done"},
                                     {"question", "done"},
                                     {"executable", "EPERM"},
                                     {"both", "EPERM"},
                                     {"highest", "EPERM"},
                                     {"all-but-one", "EPERM"}});
}

BOOST_AUTO_TEST_CASE(nothing_is_typed_into_a_terminal) {
    check(attempt("terminal"),
          {{"TIOCSTI", "EPERM"}, {"TIOCSTI-high", "EPERM"}, {"TIOCLINUX", "EPERM"}, {"TIOCGWINSZ", "done"}});
}

BOOST_AUTO_TEST_CASE(calls_of_another_architecture_end_the_program) {
    const auto came = attempt("architectures");
    check(came, {{"native", "done"}});
#if defined(__x86_64__)
    check(came, {{"i386", "SIGSYS"}, {"x32", "SIGSYS"}});
#endif
}

BOOST_AUTO_TEST_CASE(the_first_process_of_the_sandbox_has_the_filter_too) {
    const workplace w; // Else a command could trace it, and make its calls.
    BOOST_TEST(w.open()->run("key", w.shell("grep ^Seccomp: /proc/1/status"), {}, {}).value().out == "Seccomp:\t2\n");
}

BOOST_AUTO_TEST_CASE(without_a_sandbox_there_is_no_filter_and_rights_can_be_gained) {
    const workplace w;
    const std::string state = "sed -n 's/^\\(NoNewPrivs\\|Seccomp\\):[^0-9]*//p' /proc/self/status | tr '\\n' ' '";
    BOOST_TEST(w.open()->run("key", w.shell(state), {}, {}).value().out == "1 2 ");
    const auto ours = [] {
        std::ifstream status("/proc/self/status");
        std::string all;
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("NoNewPrivs:") || line.starts_with("Seccomp:")) {
                all += line.substr(line.find_last_of("\t ") + 1) + " ";
            }
        }
        return all;
    }();
    BOOST_TEST(w.open(sandbox_mode::none)->run("other", w.shell(state), {}, {}).value().out == ours);
}

BOOST_AUTO_TEST_SUITE_END()
