#include "actors/tool/policies.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

tool_verdict judged(const tool_policies& rules, std::string_view tool, const std::string& arguments) {
    const auto* info = find_tool(tool);
    BOOST_REQUIRE_MESSAGE(info, tool);
    return judge_call(rules, *info, arguments);
}
std::string command(std::string_view line) { return "{\"command\":" + json::quoted(line) + "}"; }
std::string path(std::string_view p) { return "{\"path\":" + json::quoted(p) + "}"; }
bool allows(std::string_view rule, std::string_view tool, const std::string& arguments) {
    const auto v = judged({{"*", tool_policy::deny}, {std::string(rule), tool_policy::allow}}, tool, arguments);
    return v.policy == tool_policy::allow;
}
bool denies(std::string_view rule, std::string_view tool, const std::string& arguments) {
    return judged({{std::string(rule), tool_policy::deny}}, tool, arguments).policy == tool_policy::deny;
}

constexpr auto allow = tool_policy::allow;
constexpr auto ask = tool_policy::ask;
constexpr auto deny = tool_policy::deny;

} // namespace

BOOST_AUTO_TEST_SUITE(tool_policies_rules)

BOOST_AUTO_TEST_CASE(the_most_specific_rule_decides_and_says_its_name) {
    const tool_policies rules = {{"*", ask},
                                 {"execute", deny},
                                 {"run_command", ask},
                                 {"run_command(git *)", allow},
                                 {"run_command(git push*)", deny}};
    const auto rule_of = [&](std::string_view line) { return judged(rules, "run_command", command(line)).rule; };
    BOOST_TEST(rule_of("make") == "run_command");
    BOOST_TEST(rule_of("git status") == "run_command(git *)");
    BOOST_TEST(rule_of("git push --force") == "run_command(git push*)");
    BOOST_TEST(judged(rules, "read_file", path("a")).rule == "*");
    BOOST_TEST((judged({}, "read_file", path("a")).policy == allow));
    BOOST_TEST(judged({}, "read_file", path("a")).rule.empty());
}

BOOST_AUTO_TEST_CASE(rules_about_commands_are_about_processes_too) {
    BOOST_TEST(denies("run_command", "process_start", command("make")));
    BOOST_TEST(denies("run_command(make *)", "process_start", command("make run")));
    BOOST_TEST(allows("run_command(make *)", "process_start", command("make run")));
    BOOST_TEST(!allows("run_command(make *)", "process_start", command("make run; rm x")));
    BOOST_TEST(denies("run_command", "process_input", R"({"name":"sh","text":"rm x\n"})"));
    BOOST_TEST(!denies("process_start", "run_command", command("make")));
    BOOST_TEST(!denies("run_command", "process_output", R"({"name":"sh"})"));
}

BOOST_AUTO_TEST_CASE(of_two_that_are_alike_deny_comes_before_ask_before_allow) {
    // as many literal characters, of the same tool
    BOOST_TEST(
        (judged({{"run_command(make *)", allow}, {"run_command(* test)", deny}}, "run_command", command("make test"))
             .policy == deny));
    BOOST_TEST(
        (judged({{"run_command(make *)", allow}, {"run_command(* test)", ask}}, "run_command", command("make test"))
             .policy == ask));
}

BOOST_AUTO_TEST_CASE(a_pattern_that_allows_lets_no_other_command_in) {
    for (const char* line : {"git", "git status", "git log -n 3", "git diff -- 'a b'"}) {
        BOOST_TEST(allows("run_command(git *)", "run_command", command(line)), line);
    }
    for (const char* line : {"git status; rm -rf .", "git status\nrm x", "git log | sh", "git log > ../x",
                             "git $(rm x)", "git `rm x`", "git status & rm x", "git log && rm x", "gitx status",
                             "agit status", "git log < /etc/passwd", "git a\\\nrm"}) {
        BOOST_TEST(!allows("run_command(git *)", "run_command", command(line)), line);
    }
    BOOST_TEST(
        allows("run_command(make && make test)", "run_command", command("make && make test"))); // as it is written
}

BOOST_AUTO_TEST_CASE(a_pattern_that_denies_finds_its_command_anywhere) {
    for (const char* line : {"rm -rf x", "make; rm x", "make && rm x", "echo $(rm x)", "(rm x)", "A=1 rm x",
                             "true|rm x", "make\nrm x", "  rm x"}) {
        BOOST_TEST(denies("run_command(rm *)", "run_command", command(line)), line);
    }
    for (const char* line : {"make", "echo rm-all", "format x"}) {
        BOOST_TEST(!denies("run_command(rm *)", "run_command", command(line)), line);
    }
}

BOOST_AUTO_TEST_CASE(paths_are_globs_and_their_writing_does_not_matter) {
    const std::string more = R"(,"content":"x"})";
    const auto write = [&](std::string_view p) { return "{\"path\":" + json::quoted(p) + more; };
    BOOST_TEST(allows("write(src/**)", "write_file", write("src/a/b.cpp")));
    BOOST_TEST(allows("write(src/**)", "write_file", write("./src//a.cpp")));
    BOOST_TEST(!allows("write(src/**)", "write_file", write("docs/a.md")));
    BOOST_TEST(!allows("write(src/**)", "write_file", write("src/../docs/a.md")));
    BOOST_TEST(denies("write_file(*.key)", "write_file", write("deep/down/my.key")));
    BOOST_TEST(!denies("write_file(*.key)", "edit_file", write("my.key")));
}

BOOST_AUTO_TEST_CASE(a_call_of_several_paths_needs_all_allowed_and_none_denied) {
    const std::string out = R"({"from":"src/a.cpp","to":"docs/a.cpp"})";
    const std::string within = R"({"from":"src/a","to":"src/b"})";
    BOOST_TEST(!allows("write(src/**)", "move_file", out));
    BOOST_TEST(allows("write(src/**)", "move_file", within));
    BOOST_TEST(denies("write(docs/**)", "move_file", out));
    const std::string patch =
        "{\"patch\":" +
        json::quoted("--- a/src/a\n+++ b/src/a\n@@ -1 +1 @@\n-x\n+y\n--- a/lib/b\n+++ b/lib/b\n@@ -1 +1 @@\n-x\n+y\n") +
        "}";
    BOOST_TEST(denies("write(lib/**)", "apply_patch", patch));
    BOOST_TEST(!allows("write(src/**)", "apply_patch", patch));
    BOOST_TEST(allows("write({src,lib}/**)", "apply_patch", patch));
}

BOOST_AUTO_TEST_CASE(what_a_folder_holds_is_denied_with_it) {
    BOOST_TEST(denies("write(src/secret/**)", "delete_file", R"({"path":"src","recursive":true})"));
    BOOST_TEST(denies("search_files(secret/**)", "search_files", R"({"pattern":"x"})"));
    BOOST_TEST(denies("search_files(*.key)", "search_files", R"({"pattern":"x","path":"src"})"));
    BOOST_TEST(!denies("write(src/secret/**)", "delete_file", R"({"path":"docs","recursive":true})"));
    BOOST_TEST(!allows("write(src/*)", "delete_file", R"({"path":"src/a","recursive":true})"));
    BOOST_TEST(!allows("write(src/**)", "delete_file", R"({"path":"","recursive":true})"));
}

BOOST_AUTO_TEST_CASE(a_member_may_be_named_where_the_tool_has_it) {
    const std::string arguments = R"({"command":"ls","working_directory":"deep/down"})";
    BOOST_TEST(denies("run_command(working_directory=deep/**)", "run_command", arguments));
    BOOST_TEST(!denies("run_command(working_directory=other/**)", "run_command", arguments));
    BOOST_TEST(allows("run_command(command=ls*)", "run_command", arguments));
    BOOST_TEST(allows("run_command(CC=gcc make)", "run_command", command("CC=gcc make"))); // no member
    BOOST_TEST(allows("ask_human(question=Which *)", "ask_human", R"({"question":"Which one?"})"));
}

BOOST_AUTO_TEST_CASE(a_tool_is_offered_as_long_as_some_call_may_go_ahead) {
    const auto& shell = *find_tool("run_command");
    BOOST_TEST(is_ruled_out({{"execute", deny}}, shell));
    BOOST_TEST(is_ruled_out({{"*", deny}}, shell));
    BOOST_TEST(!is_ruled_out({{"execute", deny}, {"run_command(git *)", allow}}, shell));
    BOOST_TEST(is_ruled_out({{"run_command", deny}, {"execute(git *)", allow}}, shell)); // the nearer one decides
    BOOST_TEST(!is_ruled_out({{"run_command(git *)", deny}}, shell));
    BOOST_TEST(!is_ruled_out({{"execute", deny}, {"run_command", ask}}, shell));
}

BOOST_AUTO_TEST_CASE(of_two_places_the_nearer_rule_stays_and_denials_always) {
    tool_policies rules = {{"execute", allow}, {"write", deny}, {"web", allow}};
    add_policies(rules, {{"execute", ask}, {"write", allow}, {"read", allow}, {"web", deny}});
    BOOST_TEST((rules == tool_policies{{"execute", allow}, {"write", deny}, {"read", allow}, {"web", deny}}));
}

BOOST_AUTO_TEST_CASE(rules_about_nothing_are_refused) {
    BOOST_TEST(!!check_policies({{"*", ask}, {"run_command(git *)", allow}, {"write(src/**)", deny}}));
    for (const char* name :
         {"run_comand", "run_command(", "run_command()", "run_command(git", "(git *)", "", "writes(a)"}) {
        const auto wrong = check_policies({{name, deny}});
        BOOST_REQUIRE_MESSAGE(!wrong, name);
        BOOST_TEST(wrong.error().errors.size() == 1u, name);
        BOOST_TEST(wrong.error().errors.front().pointer == std::string("/tools/") + name);
    }
    const auto path = check_policies({{"wirte(src/**)", deny}});
    BOOST_TEST(path.error().errors.front().pointer == "/tools/wirte(src~1**)");
}

BOOST_AUTO_TEST_CASE(hostile_arguments_are_judged_quickly) {
    const std::string stars(1000, '*');
    BOOST_TEST(!allows("run_command(" + stars + "x)", "run_command", command(std::string(90'000, 'a'))));
    BOOST_TEST(!allows("run_command(a*a*a*a*a*a*b)", "run_command", command(std::string(90'000, 'a'))));
    BOOST_TEST(!allows("run_command(git *)", "run_command", "{not json"));
    BOOST_TEST(!allows("run_command(git *)", "run_command", R"({"command":["git"," x"]})"));
}

BOOST_AUTO_TEST_SUITE_END()
