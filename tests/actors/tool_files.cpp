#include "actors/tool/project_folder.hpp"
#include "tests/actors/tool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

std::string edit(std::string_view path, std::string_view old_text, std::string_view new_text) {
    return with_path(path, "\"old_text\":" + json::quoted(old_text) + ",\"new_text\":" + json::quoted(new_text));
}
std::string write(std::string_view path, std::string_view content) {
    return with_path(path, "\"content\":" + json::quoted(content));
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(tool_files)

BOOST_AUTO_TEST_CASE(read_file_returns_the_text) {
    const tool_place p;
    p.write("a.txt", "one\ntwo\nthree");
    const auto r = p.perform("read_file", with_path("a.txt"));
    BOOST_TEST(!r.is_error);
    BOOST_TEST(r.content == "one\ntwo\nthree");
    BOOST_TEST(details_of(r).root().int_or("lines") == 3);
}

BOOST_AUTO_TEST_CASE(read_file_returns_a_range_and_says_how_to_go_on) {
    const tool_place p;
    p.write("a.txt", "one\ntwo\nthree\nfour\n");
    const auto r = p.perform("read_file", with_path("a.txt", R"("start_line":2,"line_count":2)"));
    BOOST_TEST(r.content.starts_with("two\nthree\n"));
    BOOST_TEST(contains(r.content, "start_line=4"));
    BOOST_TEST(p.perform("read_file", with_path("a.txt", R"("start_line":4)")).content == "four\n");
    const auto beyond = p.perform("read_file", with_path("a.txt", R"("start_line":5)"));
    BOOST_TEST(beyond.is_error);
    BOOST_TEST(contains(beyond.content, "only 4 lines"));
}

BOOST_AUTO_TEST_CASE(a_long_file_is_cut_at_a_line_and_read_on_from_there) {
    const tool_place p;
    std::string all;
    for (int i = 0; i < 4000; ++i) {
        all += "this is line " + std::to_string(i) + "\n";
    }
    p.write("long.txt", all);
    std::string read;
    for (std::size_t line = 1; line <= 4000;) {
        auto text = p.perform("read_file", with_path("long.txt", "\"start_line\":" + std::to_string(line))).content;
        BOOST_REQUIRE(text.size() <= tool_content_bytes_max);
        text.resize(std::min(text.size(), text.find("\n[…")));
        line += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
        read += text;
    }
    BOOST_TEST(read == all);
}

BOOST_AUTO_TEST_CASE(a_line_that_does_not_fit_is_shown_in_part_and_said_so) {
    const tool_place p;
    p.write("wide.txt", std::string(100'000, 'x') + "\nnext\n");
    const auto r = p.perform("read_file", with_path("wide.txt"));
    BOOST_TEST(r.content.size() <= tool_content_bytes_max);
    BOOST_TEST(contains(r.content, "rest of line 1 left out"));
}

BOOST_AUTO_TEST_CASE(missing_binary_and_huge_files_and_folders_are_refused_with_words) {
    const tool_place p;
    BOOST_TEST(contains(p.perform("read_file", with_path("none")).content, "does not exist"));
    p.write("binary", std::string("a\0b", 3));
    const auto binary = p.perform("read_file", with_path("binary"));
    BOOST_TEST(binary.is_error);
    BOOST_TEST(contains(binary.content, "binary file of 3 bytes"));
    p.write("huge", "");
    fs::resize_file(p.project / "huge", 1ULL << 33);
    const auto huge = p.perform("read_file", with_path("huge"));
    BOOST_TEST(huge.is_error);
    BOOST_TEST(contains(huge.content, "8589934592 bytes"));
    fs::create_directory(p.project / "folder");
    BOOST_TEST(contains(p.perform("read_file", with_path("folder")).content, "is a folder"));
    ::mkfifo((p.project / "pipe").c_str(), 0600);
    BOOST_TEST(contains(p.perform("read_file", with_path("pipe")).content, "special file"));
    BOOST_TEST(contains(p.perform("write_file", write("pipe", "x")).content, "special file"));
}

BOOST_AUTO_TEST_CASE(write_file_makes_folders_and_tells_what_changed) {
    const tool_place p;
    const auto made = p.perform("write_file", write("a/b/c.txt", "new\n"));
    BOOST_TEST(!made.is_error, made.content);
    BOOST_TEST(p.read("a/b/c.txt") == "new\n");
    const auto first = details_of(made);
    BOOST_TEST(first.root().find("created")->as_bool().value());
    BOOST_TEST(!first.root().find("sha256_before"));

    const auto second = details_of(p.perform("write_file", write("a/b/c.txt", "newer\n")));
    BOOST_TEST(!second.root().find("created")->as_bool().value());
    BOOST_TEST(second.root().text_or("sha256_before") == first.root().text_or("sha256_after"));
    BOOST_TEST(contains(second.root().text_or("diff"), "-new\n+newer\n"));
    BOOST_TEST(p.read("a/b/c.txt") == "newer\n");
    BOOST_TEST(std::distance(fs::directory_iterator(p.project / "a/b"), {}) == 1); // No temporary file stays.
}

BOOST_AUTO_TEST_CASE(write_file_replaces_nothing_that_another_run_changed_meanwhile) {
    tool_place p;
    p.write("a.txt", "theirs\n");
    p.where.changed_elsewhere = [](const std::string& path) {
        return path == "a.txt" ? expected<std::string>("run/other") : expected<std::string>("");
    };
    const auto refused = p.perform("write_file", write("a.txt", "mine\n"));
    BOOST_TEST(refused.is_error);
    BOOST_TEST(contains(refused.content, "was changed by run/other"), refused.content);
    BOOST_TEST(contains(p.perform("read_file", with_path("a.txt")).content, "theirs"));
    BOOST_TEST(!p.perform("write_file", write("a.txt", "theirs\n")).is_error); // the same again
    BOOST_TEST(!p.perform("write_file", write("b.txt", "mine\n")).is_error);
    BOOST_TEST(!p.perform("edit_file", with_path("a.txt", R"("old_text":"theirs","new_text":"both")")).is_error);
}

BOOST_AUTO_TEST_CASE(write_file_sets_and_keeps_the_executable_bit) {
    const tool_place p;
    BOOST_TEST(!p.perform("write_file", with_path("run", R"("content":"x","executable":true)")).is_error);
    const auto mode = [&] { return static_cast<unsigned>(fs::status(p.project / "run").permissions()); };
    BOOST_TEST(mode() == 0755u);
    BOOST_TEST(!p.perform("write_file", write("run", "y")).is_error);
    BOOST_TEST(mode() == 0755u);
    BOOST_TEST(!p.perform("edit_file", edit("run", "y", "z")).is_error);
    BOOST_TEST(mode() == 0755u);
}

BOOST_AUTO_TEST_CASE(write_file_refuses_what_is_no_file) {
    const tool_place p;
    fs::create_directory(p.project / "folder");
    p.write("file", "kept");
    fs::create_symlink("file", p.project / "link");
    BOOST_TEST(p.perform("write_file", write("folder", "x")).is_error);
    BOOST_TEST(p.perform("write_file", write("link", "x")).is_error);
    BOOST_TEST(p.perform("write_file", write("file/below", "x")).is_error);
    BOOST_TEST(p.perform("write_file", write(".", "x")).is_error);
    BOOST_TEST(p.read("file") == "kept");
    BOOST_TEST(fs::is_symlink(p.project / "link"));
}

BOOST_AUTO_TEST_CASE(edit_file_replaces_the_only_match_and_shows_the_change) {
    const tool_place p;
    p.write("a.txt", "one\ntwo\nthree\n");
    const auto r = p.perform("edit_file", edit("a.txt", "two", "2"));
    BOOST_TEST(!r.is_error, r.content);
    BOOST_TEST(p.read("a.txt") == "one\n2\nthree\n");
    const auto diff = details_of(r).root().text_or("diff");
    BOOST_TEST(contains(diff, "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"));
}

BOOST_AUTO_TEST_CASE(edit_file_tells_the_line_of_the_change) {
    const tool_place p;
    p.write("short.txt", "1\n2\n3\n"); // short and long strings keep their text in different places
    p.write("long.txt", std::string(500, '\n') + "here\n");
    BOOST_TEST(p.perform("edit_file", edit("short.txt", "3", "three")).content == "edited short.txt at line 3");
    BOOST_TEST(p.perform("edit_file", edit("long.txt", "here", "there")).content == "edited long.txt at line 501");
}

BOOST_AUTO_TEST_CASE(edit_file_refuses_no_match_and_many_matches) {
    const tool_place p;
    p.write("a.txt", "x\ny\nx\n\nx x\n");
    const auto many = p.perform("edit_file", edit("a.txt", "x", "z"));
    BOOST_TEST(many.is_error);
    BOOST_TEST(contains(many.content, "occurs 4 times"));
    BOOST_TEST(contains(many.content, "lines 1, 3, 5, 5"));
    const auto none = p.perform("edit_file", edit("a.txt", "q", "z"));
    BOOST_TEST(none.is_error);
    BOOST_TEST(contains(none.content, "does not occur"));
    BOOST_TEST(p.perform("edit_file", edit("a.txt", "y", "y")).is_error);
    BOOST_TEST(p.perform("edit_file", edit("none.txt", "y", "z")).is_error);
    BOOST_TEST(p.read("a.txt") == "x\ny\nx\n\nx x\n");
}

BOOST_AUTO_TEST_CASE(matches_that_overlap_are_many) {
    const tool_place p;
    p.write("a.txt", "aaa");
    BOOST_TEST(contains(p.perform("edit_file", edit("a.txt", "aa", "b")).content, "occurs 2 times"));
}

BOOST_AUTO_TEST_CASE(repeated_edit_changes_nothing) {
    tool_place p;
    // The second inserts: the old text is still there afterwards, and must not be replaced once more.
    for (const auto& [old_text, new_text] : {std::pair("two", "2"), std::pair("two", "two\ntwo and a half")}) {
        p.where.repeat = false;
        p.write("a.txt", "one\ntwo\nthree\n");
        BOOST_TEST(!p.perform("edit_file", edit("a.txt", old_text, new_text)).is_error);
        const auto once = p.read("a.txt");
        p.where.repeat = true;
        const auto again = p.perform("edit_file", edit("a.txt", old_text, new_text));
        BOOST_TEST(!again.is_error, again.content);
        BOOST_TEST(p.read("a.txt") == once);
    }
}

BOOST_AUTO_TEST_CASE(a_repeat_of_an_edit_that_never_happened_is_performed) {
    tool_place p;
    p.where.repeat = true;
    p.write("a.txt", "one\ntwo\n");
    BOOST_TEST(!p.perform("edit_file", edit("a.txt", "two", "2")).is_error);
    BOOST_TEST(p.read("a.txt") == "one\n2\n");
    p.where.repeat = false;
    BOOST_TEST(p.perform("edit_file", edit("a.txt", "two", "2")).is_error); // Not after a crash: the model is told.
}

BOOST_AUTO_TEST_CASE(no_tool_leaves_the_project) {
    const tool_place p;
    std::ofstream(p.root / "secret") << "secret\n";
    fs::create_symlink("../secret", p.project / "relative");
    fs::create_symlink(p.root / "secret", p.project / "absolute");
    fs::create_directory_symlink("..", p.project / "up");
    fs::create_symlink("/proc/self/root", p.project / "magic");
    for (const char* away :
         {"../secret", "/etc/passwd", "a/../../secret", "relative", "absolute", "up/secret", "magic/etc/passwd"}) {
        for (const auto& r :
             {p.perform("read_file", with_path(away)), p.perform("edit_file", edit(away, "secret", "x")),
              p.perform("search_files", with_path(away, R"("pattern":"secret")"))}) {
            BOOST_TEST(r.is_error, away);
            BOOST_TEST(details_of(r).root().text_or("code") == "path_outside_project", away << ": " << r.content);
        }
        BOOST_TEST(p.perform("write_file", write(away, "x")).is_error, away);
    }
    for (const char* away : {"..", "/", "up"}) {
        BOOST_TEST(p.perform("list_files", with_path(away)).is_error, away);
        BOOST_TEST(p.perform("write_file", write(std::string(away) + "/made", "x")).is_error, away);
    }
    std::ifstream secret(p.root / "secret");
    BOOST_TEST(std::string(std::istreambuf_iterator<char>(secret), {}) == "secret\n");
    BOOST_TEST(!fs::exists(p.root / "made"));
}

BOOST_AUTO_TEST_CASE(data_of_git_can_be_read_but_not_written) {
    const tool_place p;
    fs::create_directories(p.project / "sub/.git/hooks");
    p.write("sub/.git/config", "kept");
    p.write("sub/link.txt", "");
    fs::create_directory_symlink("sub/.git", p.project / "link");
    BOOST_TEST(p.perform("read_file", with_path("sub/.git/config")).content == "kept");
    for (const char* path : {".git", ".git/hooks/pre-commit", "sub/.git/hooks/pre-commit", "sub/.git/config",
                             "link/hooks/pre-commit", "link/config"}) {
        const auto written = p.perform("write_file", write(path, "x"));
        BOOST_TEST(written.is_error, path);
        BOOST_TEST(contains(written.content, "git's own data"), path << ": " << written.content);
        BOOST_TEST(p.perform("edit_file", edit(path, "kept", "x")).is_error, path);
    }
    BOOST_TEST(p.read("sub/.git/config") == "kept");
    BOOST_TEST(!fs::exists(p.project / ".git"));
    BOOST_TEST(fs::is_empty(p.project / "sub/.git/hooks"));
    BOOST_TEST(!p.perform("write_file", write(".gitignore", "x")).is_error);
}

BOOST_AUTO_TEST_CASE(links_that_stay_inside_are_followed) {
    const tool_place p;
    p.write("real.txt", "text");
    fs::create_symlink("real.txt", p.project / "link.txt");
    BOOST_TEST(p.perform("read_file", with_path("link.txt")).content == "text");
    BOOST_TEST(p.perform("read_file", with_path("./x/.././real.txt")).is_error); // ".." is never needed.
    BOOST_TEST(p.perform("read_file", with_path(".//real.txt")).content == "text");
}

BOOST_AUTO_TEST_CASE(names_that_no_file_can_have_are_refused) {
    const tool_place p;
    BOOST_TEST(p.perform("read_file", R"({"path":"a\u0000b"})").is_error);
    BOOST_TEST(contains(p.perform("write_file", write(std::string(300, 'n'), "x")).content, "longer than 255"));
    BOOST_TEST(p.perform("read_file", with_path(std::string(5000, 'n'))).is_error);
    BOOST_TEST(!p.perform("write_file", write(std::string(255, 'n'), "x")).is_error);
}

BOOST_AUTO_TEST_CASE(the_way_without_openat2_stays_inside_too) {
    const tool_place p;
    p.write("in", "");
    std::ofstream(p.root / "secret") << "secret";
    fs::create_symlink("../secret", p.project / "out");
    fs::create_symlink("in", p.project / "link");
    BOOST_TEST(!!unique_fd(actors::detail::open_checked(p.project, "in", O_RDONLY)));
    BOOST_TEST(!!unique_fd(actors::detail::open_checked(p.project, "link", O_RDONLY)));
    BOOST_TEST(actors::detail::open_checked(p.project, "out", O_RDONLY) == -1);
    BOOST_TEST(errno == EXDEV);
    BOOST_TEST(actors::detail::open_checked(p.project, "none", O_RDONLY) == -1);
    BOOST_TEST(errno == ENOENT);
}

BOOST_AUTO_TEST_SUITE_END()
