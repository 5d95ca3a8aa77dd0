#include "actors/tool/glob.hpp"
#include "tests/actors/tool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

std::string edits(std::string_view path, const std::vector<std::pair<std::string, std::string>>& all) {
    std::string list;
    for (const auto& [old_text, new_text] : all) {
        list += (list.empty() ? "" : ",") + ("{\"old_text\":" + json::quoted(old_text)) +
                ",\"new_text\":" + json::quoted(new_text) + "}";
    }
    return with_path(path, "\"edits\":[" + list + "]");
}
std::string patch(std::string_view text) { return "{\"patch\":" + json::quoted(text) + "}"; }
std::string move(std::string_view from, std::string_view to, bool overwrite = false) {
    return "{\"from\":" + json::quoted(from) + ",\"to\":" + json::quoted(to) +
           (overwrite ? ",\"overwrite\":true}" : "}");
}
std::string glob(std::string_view pattern, const std::string& more = {}) {
    return "{\"glob\":" + json::quoted(pattern) + (more.empty() ? "" : "," + more) + "}";
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Changes one file, makes one, deletes one, renames one.
const std::string all_kinds = "--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
                              "--- /dev/null\n+++ b/new/made.txt\n@@ -0,0 +1 @@\n+made\n"
                              "--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
                              "diff --git a/old.txt b/renamed.txt\nrename from old.txt\nrename to renamed.txt\n"
                              "--- a/old.txt\n+++ b/renamed.txt\n@@ -1 +1 @@\n-old\n+renamed\n";

struct patch_place : tool_place {
    patch_place() {
        write("a.txt", "one\ntwo\nthree\n");
        write("gone.txt", "gone\n");
        write("old.txt", "old\n");
    }
    [[nodiscard]] std::string all() const {
        std::string out;
        for (const char* name : {"a.txt", "new/made.txt", "gone.txt", "old.txt", "renamed.txt"}) {
            out += has(name) ? read(name) : "-\n";
        }
        return out;
    }
};
const std::string before = "one\ntwo\nthree\n-\ngone\nold\n-\n";
const std::string after = "one\n2\nthree\nmade\n-\n-\nrenamed\n";

} // namespace

BOOST_AUTO_TEST_SUITE(tool_changes)

BOOST_AUTO_TEST_CASE(replace_all_replaces_every_match_and_needs_one) {
    const tool_place p;
    p.write("a.txt", "x\ny x\n");
    const auto all = [](std::string_view old_text, std::string_view new_text) {
        return with_path("a.txt", "\"old_text\":" + json::quoted(old_text) + ",\"new_text\":" + json::quoted(new_text) +
                                      ",\"replace_all\":true");
    };
    BOOST_TEST(p.perform("edit_file", all("x", "xx")).content == "edited a.txt at lines 1, 2");
    BOOST_TEST(p.read("a.txt") == "xx\ny xx\n");
    BOOST_TEST(p.perform("edit_file", all("z", "q")).is_error);
    BOOST_TEST(!p.perform("edit_file", all("xx", "")).is_error);
    BOOST_TEST(p.read("a.txt") == "\ny \n");
}

BOOST_AUTO_TEST_CASE(several_edits_of_a_file_are_made_in_order_all_or_none) {
    const tool_place p;
    p.write("a.txt", "one\ntwo\n");
    const auto r = p.perform("multi_edit_file", edits("a.txt", {{"one", "1"}, {"1\ntwo", "1\n2"}}));
    BOOST_TEST(!r.is_error, r.content);
    BOOST_TEST(p.read("a.txt") == "1\n2\n");
    BOOST_TEST(contains(details_of(r).root().text_or("diff"), "-one\n-two\n+1\n+2\n"));
    const auto half = p.perform("multi_edit_file", edits("a.txt", {{"1", "one"}, {"3", "three"}}));
    BOOST_TEST(half.is_error);
    BOOST_TEST(contains(half.content, "edit 2 of 2: old_text does not occur"));
    BOOST_TEST(contains(half.content, "Nothing was changed."));
    BOOST_TEST(p.read("a.txt") == "1\n2\n");
    BOOST_TEST(p.perform("multi_edit_file", edits("a.txt", {})).is_error);
    BOOST_TEST(p.perform("multi_edit_file", edits("../a.txt", {{"1", "2"}})).is_error);
}

BOOST_AUTO_TEST_CASE(repeated_edits_change_nothing_and_lost_ones_are_made) {
    tool_place p;
    for (const auto& arguments :
         {edits("a.txt", {{"one", "one\none and a half"}, {"two", "2"}}),
          edits("a.txt", {{"two", "three\nfour"}, {"three\nfour", "3"}}),
          with_path("a.txt", R"("edits":[{"old_text":"o","new_text":"oo","replace_all":true}])")}) {
        p.write("a.txt", "one\ntwo\n");
        p.where.repeat = true; // as after a crash before the write
        BOOST_TEST(!p.perform("multi_edit_file", arguments).is_error, arguments);
        const auto once = p.read("a.txt");
        BOOST_TEST(once != "one\ntwo\n");
        BOOST_TEST(contains(p.perform("multi_edit_file", arguments).content, "before the repeat"), arguments);
        BOOST_TEST(p.read("a.txt") == once);
    }
}

BOOST_AUTO_TEST_CASE(a_patch_changes_makes_deletes_and_renames) {
    const patch_place p;
    const auto r = p.perform("apply_patch", patch(all_kinds));
    BOOST_TEST(r.content == "changed a.txt at line 1\ncreated new/made.txt\ndeleted gone.txt\n"
                            "renamed old.txt to renamed.txt at line 1\n");
    BOOST_TEST(p.all() == after);
    const auto details = details_of(r);
    BOOST_TEST(details.root().int_or("files_changed") == 5);
    BOOST_TEST(contains(details.root().text_or("diff"), "-two\n+2\n"));
    BOOST_TEST(!details.root().pointer("/files/0/sha256_before")->dump().empty());
    BOOST_TEST(details.root().pointer("/files/2/deleted")->as_bool().value());
}

BOOST_AUTO_TEST_CASE(one_hunk_that_does_not_fit_keeps_all_files_as_they_were) {
    const patch_place p;
    p.write("gone.txt", "other\n");
    const auto r = p.perform("apply_patch", patch(all_kinds));
    BOOST_TEST(r.is_error);
    BOOST_TEST(contains(r.content, "nothing was changed"));
    BOOST_TEST(contains(r.content, "gone.txt: hunk 1 (@@ -1,1 +0,0 @@, line 14 of the patch) does not fit: line 1 is "
                                   "\"other\\n\", where the patch has \"gone\\n\""),
               r.content);
    BOOST_TEST(p.all() == "one\ntwo\nthree\n-\nother\nold\n-\n");
    BOOST_TEST(!p.has("new"));
}

BOOST_AUTO_TEST_CASE(a_repeated_patch_finishes_what_the_first_one_began) {
    // However much of it was done when the node stopped.
    for (int done = 0; done <= 5; ++done) {
        patch_place p;
        p.where.repeat = true;
        if (done > 0) {
            p.write("a.txt", "one\n2\nthree\n");
        }
        if (done > 1) {
            fs::create_directory(p.project / "new");
            p.write("new/made.txt", "made\n");
        }
        if (done > 2) {
            fs::remove(p.project / "gone.txt");
        }
        if (done > 3) {
            p.write("renamed.txt", "renamed\n");
        }
        if (done > 4) {
            fs::remove(p.project / "old.txt");
        }
        const auto r = p.perform("apply_patch", patch(all_kinds));
        BOOST_TEST(!r.is_error, done << ": " << r.content);
        BOOST_TEST(p.all() == after, done);
    }
    const patch_place p; // without a crash none of this is taken for done
    BOOST_TEST(!p.perform("apply_patch", patch(all_kinds)).is_error);
    BOOST_TEST(p.perform("apply_patch", patch(all_kinds)).is_error);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_puts_the_others_back) {
    const patch_place p;
    // The second file is to be made below the first, which is one.
    const auto r = p.perform("apply_patch", patch("--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
                                                  "--- /dev/null\n+++ b/a.txt/x\n@@ -0,0 +1 @@\n+x\n"));
    BOOST_TEST(r.is_error);
    BOOST_TEST(contains(r.content, "nothing was changed"), r.content);
    BOOST_TEST(p.all() == before);
}

BOOST_AUTO_TEST_CASE(patches_of_what_is_not_there_or_no_file_are_refused) {
    const patch_place p;
    std::ofstream(p.root / "secret") << "two\n";
    fs::create_symlink("../secret", p.project / "out");
    fs::create_symlink("a.txt", p.project / "link");
    fs::create_directory(p.project / "folder");
    fs::create_directories(p.project / ".git");
    p.write(".git/config", "two\n");
    ::mkfifo((p.project / "pipe").c_str(), 0600);
    const auto change = [&](const std::string& name) {
        const auto r =
            p.perform("apply_patch", patch("--- a/" + name + "\n+++ b/" + name + "\n@@ -1 +1 @@\n-two\n+2\n"));
        BOOST_TEST(r.is_error, name);
        return r.content;
    };
    BOOST_TEST(contains(change("none.txt"), "none.txt does not exist"));
    BOOST_TEST(contains(change("out"), "leads outside"));
    BOOST_TEST(contains(change("../secret"), "leads outside"));
    BOOST_TEST(contains(change("/etc/passwd"), "leads outside"));
    BOOST_TEST(contains(change("link"), "symbolic link"));
    BOOST_TEST(contains(change("folder"), "is a folder"));
    BOOST_TEST(contains(change("pipe"), "special file"));
    BOOST_TEST(contains(change(".git/config"), "git's own data"));
    fs::resize_file(p.project / "old.txt", 1ULL << 33);
    BOOST_TEST(contains(change("old.txt"), "8589934592 bytes"));
    BOOST_TEST(contains(p.perform("apply_patch", patch("--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+x\n")).content,
                        "a.txt exists already"));
    BOOST_TEST(contains(p.perform("apply_patch", patch("--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
                                                       "--- a/./gone.txt\n+++ b/./gone.txt\n@@ -1 +1 @@\n-gone\n+x\n"))
                            .content,
                        "stands twice"));
    BOOST_TEST(p.perform("apply_patch", patch("words")).is_error);
}

BOOST_AUTO_TEST_CASE(files_and_folders_are_moved) {
    const tool_place p;
    p.write("a.txt", "a");
    BOOST_TEST(p.perform("move_file", move("a.txt", "new/b.txt")).content == "moved a.txt to new/b.txt");
    BOOST_TEST(p.read("new/b.txt") == "a");
    BOOST_TEST(!p.has("a.txt"));
    BOOST_TEST(p.perform("move_file", move("new", "newer")).content == "moved the folder new to newer");
    BOOST_TEST(p.read("newer/b.txt") == "a");

    p.write("c.txt", "c");
    BOOST_TEST(contains(p.perform("move_file", move("c.txt", "newer/b.txt")).content, "set overwrite"));
    BOOST_TEST(contains(p.perform("move_file", move("c.txt", "newer", true)).content, "is a folder that exists"));
    BOOST_TEST(p.perform("move_file", move("newer", "c.txt", true)).is_error);
    BOOST_TEST(contains(p.perform("move_file", move("newer", "newer/in/itself")).content, "into itself"));
    BOOST_TEST(!p.perform("move_file", move("c.txt", "newer/b.txt", true)).is_error);
    BOOST_TEST(p.read("newer/b.txt") == "c");
}

BOOST_AUTO_TEST_CASE(nothing_is_moved_or_deleted_outside_the_project_or_in_git) {
    const tool_place p;
    std::ofstream(p.root / "secret") << "secret";
    fs::create_directories(p.project / "sub/.git");
    p.write("sub/.git/config", "");
    p.write("a.txt", "");
    fs::create_directory_symlink("..", p.project / "up");
    for (const auto& arguments : {move("../secret", "b"), move("up/secret", "b"), move("a.txt", "../b"),
                                  move("a.txt", "up/b"), move("a.txt", "sub/.git/b"), move("sub/.git/config", "b"),
                                  move("sub/.git", "b"), move("none", "b"), move(".", "b")}) {
        BOOST_TEST(p.perform("move_file", arguments).is_error, arguments);
    }
    for (const char* path : {"../secret", "up/secret", "sub/.git", "sub/.git/config", "sub", ".", "", "none"}) {
        BOOST_TEST(p.perform("delete_file", with_path(path, R"("recursive":true)")).is_error, path);
    }
    BOOST_TEST(p.has("sub/.git/config"));
    BOOST_TEST(fs::exists(p.root / "secret"));
    BOOST_TEST(!p.perform("delete_file", with_path("up")).is_error); // the link itself
    BOOST_TEST(fs::exists(p.root / "secret"));
}

BOOST_AUTO_TEST_CASE(a_folder_is_deleted_only_when_that_is_said) {
    const tool_place p;
    std::ofstream(p.root / "kept") << "kept";
    fs::create_directories(p.project / "folder/in");
    p.write("folder/in/a", "a");
    fs::create_symlink("../../kept", p.project / "folder/link");
    ::mkfifo((p.project / "folder/pipe").c_str(), 0600);
    BOOST_TEST(contains(p.perform("delete_file", with_path("folder")).content, "set recursive"));
    BOOST_TEST(p.has("folder/in/a"));
    const auto r = p.perform("delete_file", with_path("folder", R"("recursive":true)"));
    BOOST_TEST(r.content == "deleted the folder folder with 4 files and folders in it");
    BOOST_TEST(!p.has("folder"));
    BOOST_TEST(fs::exists(p.root / "kept"));
    p.write("text", "a\n");
    BOOST_TEST(contains(details_of(p.perform("delete_file", with_path("text"))).root().text_or("diff"), "-a\n"));
}

BOOST_AUTO_TEST_CASE(repeated_moves_and_deletions_are_done) {
    tool_place p;
    p.write("a.txt", "a");
    BOOST_TEST(!p.perform("move_file", move("a.txt", "b.txt")).is_error);
    BOOST_TEST(p.perform("move_file", move("a.txt", "b.txt")).is_error);
    p.where.repeat = true;
    BOOST_TEST(contains(p.perform("move_file", move("a.txt", "b.txt")).content, "before the repeat"));
    BOOST_TEST(!p.perform("delete_file", with_path("b.txt")).is_error);
    BOOST_TEST(contains(p.perform("delete_file", with_path("b.txt")).content, "before the repeat"));
    p.where.repeat = false;
    BOOST_TEST(p.perform("delete_file", with_path("b.txt")).is_error);
}

BOOST_AUTO_TEST_CASE(globs_span_folders_and_know_braces) {
    for (const auto& [pattern, path, fit] : std::initializer_list<std::tuple<const char*, const char*, bool>>{
             {"*.cpp", "a.cpp", true},
             {"*.cpp", "src/a.cpp", true},
             {"src/*.cpp", "src/a.cpp", true},
             {"src/*.cpp", "src/in/a.cpp", false},
             {"src/**/*.cpp", "src/a.cpp", true},
             {"src/**/*.cpp", "src/in/deep/a.cpp", true},
             {"src/**/*.cpp", "other/a.cpp", false},
             {"**/in/**", "src/in/deep/a.cpp", true},
             {"**/in/**", "src/a.cpp", false},
             {"./src/a.?pp", "src/a.cpp", true},
             {"*.{cpp,hpp}", "a.hpp", true},
             {"{src,tests}/{a,b}.cpp", "tests/b.cpp", true},
             {"{src,tests}/{a,b}.cpp", "tests/c.cpp", false},
             {"[a-c].cpp", "b.cpp", true},
             {"{open", "{open", true},
             {"", "anything/at/all", true},
         }) {
        BOOST_TEST(path_glob(pattern).fits(path) == fit, pattern << " " << path);
    }
    std::string deep = "x", many = "**/a";
    for (int i = 0; i < 30; ++i) { // neither may take exponential time
        deep += "/a";
        many += "/**/a";
    }
    BOOST_TEST(!path_glob(many).fits(deep));
    BOOST_TEST(path_glob("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}").fits("aaaaaaaaaa"));
}

BOOST_AUTO_TEST_CASE(files_are_found_by_path_and_by_age) {
    const tool_place p;
    fs::create_directories(p.project / "src/in");
    fs::create_directories(p.project / ".git");
    for (const char* name : {"b.cpp", "src/a.cpp", "src/in/c.cpp", ".git/d.cpp", "src/e.txt"}) {
        p.write(name, "");
    }
    fs::create_symlink("b.cpp", p.project / "f.cpp");
    BOOST_TEST(p.perform("find_files", glob("*.cpp")).content ==
               "b.cpp (0 bytes)\nsrc/a.cpp (0 bytes)\nsrc/in/c.cpp (0 bytes)\n");
    BOOST_TEST(p.perform("find_files", glob("*.cpp", R"("path":"src")")).content ==
               "src/a.cpp (0 bytes)\nsrc/in/c.cpp (0 bytes)\n");
    BOOST_TEST(p.perform("find_files", glob("in/*.cpp", R"("path":"./src/")")).content == "src/in/c.cpp (0 bytes)\n");
    BOOST_TEST(contains(p.perform("find_files", glob("*.rs")).content, "no file fits *.rs"));
    const auto bounded = p.perform("find_files", glob("*.cpp", R"("limit":1)"));
    BOOST_TEST(contains(bounded.content, "[… 2 more left out"));

    const auto now = fs::file_time_type::clock::now();
    fs::last_write_time(p.project / "src/a.cpp", now - std::chrono::hours(2));
    fs::last_write_time(p.project / "b.cpp", now - std::chrono::hours(3));
    fs::last_write_time(p.project / "src/in/c.cpp", now - std::chrono::hours(1));
    const auto newest = p.perform("find_files", glob("*.cpp", R"("newest_first":true)")).content;
    BOOST_TEST(newest.starts_with("src/in/c.cpp (0 bytes, changed 20"), newest);
    BOOST_TEST(newest.find("src/a.cpp") < newest.find("\nb.cpp"));
    BOOST_TEST(p.perform("find_files", glob("*", R"("path":"..")")).is_error);
    BOOST_TEST(p.perform("find_files", glob("*", R"("path":"b.cpp")")).is_error);
}

BOOST_AUTO_TEST_SUITE_END()
