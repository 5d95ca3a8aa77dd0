#include "tests/actors/tool_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

std::string search(std::string_view pattern, const std::string& more = {}) {
    return "{\"pattern\":" + json::quoted(pattern) + (more.empty() ? "" : "," + more) + "}";
}
std::string command(std::string_view line, const std::string& more = {}) {
    return "{\"command\":" + json::quoted(line) + (more.empty() ? "" : "," + more) + "}";
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(tool_search_and_commands)

BOOST_AUTO_TEST_CASE(list_files_is_sorted_with_sizes_and_without_git) {
    const tool_place p;
    fs::create_directories(p.project / "src/deep");
    fs::create_directories(p.project / ".git/objects");
    p.write("b.txt", "12345");
    p.write("src/a.cpp", "");
    p.write("src/deep/x", "1");
    p.write(".git/config", "");
    fs::create_symlink("b.txt", p.project / "link");
    BOOST_TEST(p.perform("list_files", "{}").content ==
               "b.txt (5 bytes)\nlink -> b.txt\nsrc/\nsrc/a.cpp (0 bytes)\nsrc/deep/\nsrc/deep/x (1 bytes)\n");
    BOOST_TEST(p.perform("list_files", R"({"depth":1})").content == "b.txt (5 bytes)\nlink -> b.txt\nsrc/\n");
    BOOST_TEST(p.perform("list_files", with_path("src", R"("depth":1)")).content == "src/a.cpp (0 bytes)\nsrc/deep/\n");
}

BOOST_AUTO_TEST_CASE(list_files_refuses_what_is_no_folder_and_bounds_its_answer) {
    const tool_place p;
    BOOST_TEST(p.perform("list_files", "{}").content == "(empty)\n");
    p.write("file", "");
    BOOST_TEST(p.perform("list_files", with_path("file")).is_error);
    BOOST_TEST(p.perform("list_files", with_path("none")).is_error);
    for (int i = 0; i < 1500; ++i) {
        p.write("f" + std::to_string(i), "");
    }
    const auto r = p.perform("list_files", "{}");
    BOOST_TEST(contains(r.content, "[… 501 more left out"));
    BOOST_TEST(r.content.size() <= tool_content_bytes_max);
}

BOOST_AUTO_TEST_CASE(search_finds_lines_by_expression_and_by_text) {
    const tool_place p;
    fs::create_directories(p.project / "src");
    p.write("a.txt", "one\nf(x)\nfoo\n");
    p.write("src/b.cpp", "foo bar\n");
    BOOST_TEST(p.perform("search_files", search("^fo+")).content == "a.txt:3: foo\nsrc/b.cpp:1: foo bar\n");
    BOOST_TEST(p.perform("search_files", search("f(x)", R"("literal":true)")).content == "a.txt:2: f(x)\n");
    BOOST_TEST(p.perform("search_files", search("foo", R"("path":"src")")).content == "src/b.cpp:1: foo bar\n");
    BOOST_TEST(p.perform("search_files", search("foo", R"("path":"a.txt")")).content == "a.txt:3: foo\n");
    BOOST_TEST(contains(p.perform("search_files", search("absent")).content, "no match in 2 files"));
}

BOOST_AUTO_TEST_CASE(search_takes_globs_of_names_and_of_paths) {
    const tool_place p;
    fs::create_directories(p.project / "src/in");
    for (const char* name : {"a.cpp", "a.txt", "src/b.cpp", "src/in/c.cpp"}) {
        p.write(name, "x\n");
    }
    BOOST_TEST(p.perform("search_files", search("x", R"("glob":"*.cpp")")).content ==
               "a.cpp:1: x\nsrc/b.cpp:1: x\nsrc/in/c.cpp:1: x\n");
    BOOST_TEST(p.perform("search_files", search("x", R"("glob":"src/*.cpp")")).content == "src/b.cpp:1: x\n");
    BOOST_TEST(p.perform("search_files", search("x", R"("glob":"src/**/*.cpp")")).content ==
               "src/b.cpp:1: x\nsrc/in/c.cpp:1: x\n");
    BOOST_TEST(p.perform("search_files", search("x", R"("glob":"**/*.txt")")).content == "a.txt:1: x\n");
}

BOOST_AUTO_TEST_CASE(a_bad_expression_is_named_with_its_place) {
    const tool_place p;
    for (const char* bad : {"(", "[z-a]", "(a)\\1"}) {
        const auto r = p.perform("search_files", search(bad));
        BOOST_TEST(r.is_error, bad);
        BOOST_TEST(contains(r.content, "/pattern"), bad);
    }
}

BOOST_AUTO_TEST_CASE(an_expression_that_explodes_elsewhere_ends_here) {
    const tool_place p;
    p.write("a.txt", std::string(60, 'a') + "\n");
    BOOST_TEST(contains(p.perform("search_files", search("^(a+)+b$")).content, "no match"));
}

BOOST_AUTO_TEST_CASE(search_skips_binaries_survives_long_lines_and_bounds_its_answer) {
    const tool_place p;
    p.write("binary", std::string("needle\0", 7));
    p.write("long", std::string(1'000'000, 'x') + "needle\nneedle\n");
    const auto r = p.perform("search_files", search("x*needle|needle"));
    BOOST_TEST(contains(r.content, "long:2: needle\n"));
    BOOST_TEST(contains(r.content, "1 binary"));
    std::string many;
    for (int i = 0; i < 1000; ++i) {
        many += "match\n";
    }
    p.write("many", many);
    const auto bounded = p.perform("search_files", search("match"));
    BOOST_TEST(contains(bounded.content, "many:200: match\n[… there are more matches"));
    BOOST_TEST(details_of(bounded).root().int_or("matches") == 200);
}

BOOST_AUTO_TEST_CASE(a_command_returns_its_code_and_both_streams) {
    const tool_place p;
    const auto r = p.perform("run_command", command("echo out; echo err >&2; pwd > where; exit 3"));
    BOOST_TEST(!r.is_error, r.content); // A failing command is a result.
    BOOST_TEST(r.content == "exit code: 3\nstdout (4 bytes):\nout\nstderr (4 bytes):\nerr\n");
    const auto details = details_of(r);
    BOOST_TEST(details.root().int_or("exit_code") == 3);
    BOOST_TEST(details.root().int_or("out_bytes") == 4);
    BOOST_TEST(p.read("where") == "/project\n");
}

BOOST_AUTO_TEST_CASE(a_command_stays_in_its_sandbox_and_project) {
    tool_place p;
    std::ofstream(p.root / "secret") << "secret";
    BOOST_TEST(!contains(p.perform("run_command", command("cat " + (p.root / "secret").string())).content, "secret ("));
    p.where.key = "other";
    const auto r = p.perform("run_command", command("pwd", R"("working_directory":"../..")"));
    BOOST_TEST(r.is_error);
    BOOST_TEST(details_of(r).root().text_or("code") == "path_outside_project");
}

BOOST_AUTO_TEST_CASE(long_output_keeps_both_ends) {
    const tool_place p;
    const auto r = p.perform("run_command", command("echo first; seq 100000; echo last; echo problem >&2"));
    BOOST_TEST(r.content.size() <= tool_content_bytes_max);
    BOOST_TEST(contains(r.content, "first\n1\n2\n"));
    BOOST_TEST(contains(r.content, "100000\nlast\n"));
    BOOST_TEST(contains(r.content, "bytes left out"));
    BOOST_TEST(contains(r.content, "problem\n"));
}

BOOST_AUTO_TEST_CASE(output_that_is_no_text_becomes_valid_utf8) {
    const tool_place p;
    const auto r = p.perform("run_command", command("printf 'a\\377b'"));
    BOOST_TEST(contains(r.content, "a\xEF\xBF\xBD"
                                   "b"));
}

BOOST_AUTO_TEST_CASE(a_time_limit_of_the_model_ends_the_command) {
    const tool_place p;
    const auto r = p.perform("run_command", command("sleep 1000", R"("time_limit_ms":300)"));
    BOOST_TEST(contains(r.content, "over its time limit"));
    BOOST_TEST(details_of(r).root().find("timed_out").value().as_bool().value());
}

BOOST_AUTO_TEST_CASE(a_command_without_a_sandbox_is_an_error_that_says_so) {
    tool_place p;
    p.where.commands = nullptr;
    const auto r = p.perform("run_command", command("touch ran"));
    BOOST_TEST(r.is_error);
    BOOST_TEST(contains(r.content, "not available"));
    BOOST_TEST(!p.has("ran"));
}

BOOST_AUTO_TEST_CASE(a_command_of_which_nobody_knows_is_unknown) {
    const tool_place p;
    fs::create_directories(p.folder_of("key"));
    std::ofstream(p.folder_of("key") / "started");
    const auto r = p.perform("run_command", command("touch ran"));
    BOOST_TEST(r.is_error);
    BOOST_TEST(r.unknown);
    BOOST_TEST(!p.has("ran"));
}

BOOST_AUTO_TEST_SUITE_END()
