#include "tests/actors/tool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <cstdlib>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A project with a repository of one commit: a.txt and sub/b.txt.
struct git_place : tool_place {
    git_place() {
        fs::create_directories(project / "sub");
        write("a.txt", "one\n");
        write("sub/b.txt", "b\n");
        where.key = "0199-run/3/1/1";
        git("init -q -b main && git add -A");
        git("commit -q -m first");
    }
    void git(const std::string& line) const {
        const auto all = "cd '" + project.string() + "' && export HOME=/nonexistent && git -c user.name=Ada " +
                         "-c user.email=ada@example.org " + line + " >/dev/null 2>&1";
        BOOST_REQUIRE_MESSAGE(std::system(all.c_str()) == 0, line);
    }
    [[nodiscard]] std::string said(const std::string& line) const {
        git(line + " >said.tmp && mv said.tmp ../said");
        std::ifstream file(root / "said");
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] std::string done(std::string_view tool, std::string_view arguments = "{}") const {
        const auto r = perform(tool, arguments);
        BOOST_TEST(!r.is_error, tool << ": " << r.content);
        return r.content;
    }
    [[nodiscard]] std::string refused(std::string_view tool, std::string_view arguments = "{}") const {
        const auto r = perform(tool, arguments);
        BOOST_TEST(r.is_error, tool << ": " << r.content);
        return r.content;
    }
};

std::string commit(std::string_view message, const std::string& more = {}) {
    return "{\"message\":" + json::quoted(message) + more + "}";
}

} // namespace

BOOST_AUTO_TEST_SUITE(tool_git)

BOOST_AUTO_TEST_CASE(status_and_diff_tell_what_is_changed) {
    const git_place p;
    BOOST_TEST(p.done("git_status").starts_with("branch main, at "));
    BOOST_TEST(contains(p.done("git_status"), "Ada: first\nnothing is changed\n"));
    p.write("a.txt", "two\n");
    p.write("new.txt", "n\n");
    fs::remove(p.project / "sub/b.txt");
    ::mkfifo((p.project / "pipe").c_str(), 0600);
    BOOST_TEST(contains(p.done("git_status"), "\n M a.txt\n?? new.txt\n D sub/b.txt\n"));
    BOOST_TEST(contains(p.done("git_diff"), "-one\n+two\n"));
    BOOST_TEST(contains(p.done("git_diff"), "--- a/sub/b.txt\n+++ /dev/null\n"));
    BOOST_TEST(!contains(p.done("git_diff", R"({"paths":["./sub"]})"), "a.txt"));
    BOOST_TEST(contains(p.done("git_diff", R"({"staged":true})"), "no difference"));
    BOOST_TEST(contains(p.refused("git_diff", R"({"from":"nowhere"})"), "no revision 'nowhere'"));
    p.write("a.txt", std::string(100'000, 'x') + "\n");
    BOOST_TEST(p.done("git_diff").size() <= tool_content_bytes_max);
}

BOOST_AUTO_TEST_CASE(history_is_shown_with_changes_and_files_of_before) {
    const git_place p;
    p.write("a.txt", "two\n");
    BOOST_TEST(contains(p.done("git_commit", commit("second")), "second (1 files)"));
    const auto log = p.done("git_log");
    BOOST_TEST(contains(log, "Troupe agent: second\n"));
    BOOST_TEST(contains(log, "Ada: first\n"));
    BOOST_TEST(p.done("git_log", R"({"path":"sub"})").find("second") == std::string::npos);
    BOOST_TEST(p.done("git_log", R"({"count":1})").find("first") == std::string::npos);
    BOOST_TEST(contains(p.done("git_show"), "second\n\nTroupe-Call: 0199-run/3/1/1\n"));
    BOOST_TEST(contains(p.done("git_show"), "-one\n+two\n"));
    BOOST_TEST(p.done("git_show", R"({"revision":"HEAD~1","path":"a.txt"})") == "one\n");
    BOOST_TEST(contains(p.refused("git_show", R"({"path":"none"})"), "no file none"));
    BOOST_TEST(contains(p.done("git_diff", R"({"from":"HEAD~1","to":"HEAD"})"), "+two"));
    p.write("binary", std::string("a\0b", 3));
    BOOST_TEST(!p.perform("git_commit", commit("third")).is_error);
    BOOST_TEST(contains(p.refused("git_show", R"({"path":"binary"})"), "binary file of 3 bytes"));
}

BOOST_AUTO_TEST_CASE(a_commit_takes_all_or_the_paths_that_are_named) {
    git_place p;
    p.write("a.txt", "two\n");
    p.write("new.txt", "n\n");
    fs::remove(p.project / "sub/b.txt");
    BOOST_TEST(contains(p.done("git_commit", commit("only sub", R"(,"paths":["sub","none"])")), "(1 files)"));
    BOOST_TEST(contains(p.done("git_status"), "\n M a.txt\n?? new.txt\n"));
    BOOST_TEST(p.said("show --name-status --format=%ae") == "run.0199-run@troupe.invalid\n\nD\tsub/b.txt\n");
    p.where.key = "0199-run/4/1/1";
    const auto r = p.done("git_commit", commit("the rest"));
    BOOST_TEST(contains(r, ".git stays in this folder"));
    BOOST_TEST(contains(p.done("git_status"), "nothing is changed"));
    BOOST_TEST(p.said("show --name-status --format=%s") == "the rest\n\nM\ta.txt\nA\tnew.txt\n");
    BOOST_TEST(contains(p.refused("git_commit", commit("nothing")), "nothing to commit"));
    p.git("fsck --strict");
}

BOOST_AUTO_TEST_CASE(a_repeated_commit_is_made_once) {
    git_place p;
    p.write("a.txt", "two\n");
    p.where.repeat = true; // the node stopped before it was made
    BOOST_TEST(!contains(p.done("git_commit", commit("second")), "before the repeat"));
    BOOST_TEST(contains(p.done("git_commit", commit("second")), "before the repeat"));
    BOOST_TEST(p.said("rev-list --count HEAD") == "2\n");
    BOOST_TEST(contains(p.done("git_branch", R"({"name":"x"})"), "made the branch x"));
    BOOST_TEST(contains(p.done("git_branch", R"({"name":"x"})"), "made the branch x"));
    BOOST_TEST(contains(p.done("git_checkout", R"({"revision":"x"})"), "checked out x"));
    BOOST_TEST(contains(p.done("git_checkout", R"({"revision":"x"})"), "checked out x"));
    p.git("checkout -q main");
    BOOST_TEST(contains(p.done("git_branch", R"({"name":"x","remove":true})"), "removed x"));
    BOOST_TEST(contains(p.done("git_branch", R"({"name":"x","remove":true})"), "before the repeat"));
}

BOOST_AUTO_TEST_CASE(the_first_commit_needs_none_before_it) {
    git_place p;
    fs::remove_all(p.project / ".git");
    p.git("init -q -b main");
    BOOST_TEST(contains(p.done("git_status"), "no commit yet\n?? a.txt\n"));
    BOOST_TEST(contains(p.refused("git_log"), "no commit yet"));
    BOOST_TEST(contains(p.done("git_commit", commit("first")), "(2 files)"));
    BOOST_TEST(contains(p.done("git_log"), "Troupe agent: first"));
}

BOOST_AUTO_TEST_CASE(a_checkout_keeps_uncommitted_work_unless_told) {
    const git_place p;
    BOOST_TEST(contains(p.done("git_checkout", R"({"revision":"work","create":true})"), "checked out work"));
    p.write("a.txt", "work\n");
    p.write("made.txt", "work\n");
    BOOST_TEST(!p.perform("git_commit", commit("work")).is_error);
    BOOST_TEST(contains(p.done("git_branch"), "* work"));
    (void)p.done("git_checkout", R"({"revision":"main"})");
    BOOST_TEST(p.read("a.txt") == "one\n");
    BOOST_TEST(!p.has("made.txt"));

    p.write("a.txt", "mine\n");
    p.write("made.txt", "mine\n");
    const auto why = p.refused("git_checkout", R"({"revision":"work"})");
    BOOST_TEST(contains(why, "a.txt"), why);
    BOOST_TEST(contains(why, "made.txt"), why);
    BOOST_TEST(p.read("a.txt") == "mine\n");
    BOOST_TEST(p.read("made.txt") == "mine\n");
    BOOST_TEST(contains(p.done("git_status"), "branch main"));
    (void)p.done("git_checkout", R"({"revision":"work","discard":true})");
    BOOST_TEST(p.read("a.txt") == "work\n");
    BOOST_TEST(p.read("made.txt") == "work\n");

    p.write("sub/b.txt", "mine\n"); // stands in nobody's way
    (void)p.done("git_checkout", R"({"revision":"main"})");
    BOOST_TEST(p.read("sub/b.txt") == "mine\n");
    BOOST_TEST(contains(p.done("git_checkout", R"({"revision":"work~1"})"), "on no branch"));
    BOOST_TEST(contains(p.refused("git_checkout", R"({"revision":"nowhere"})"), "no revision"));
}

BOOST_AUTO_TEST_CASE(branches_with_commits_of_their_own_are_not_lost) {
    const git_place p;
    (void)p.done("git_checkout", R"({"revision":"work","create":true})");
    p.write("a.txt", "work\n");
    (void)p.done("git_commit", commit("work"));
    (void)p.done("git_checkout", R"({"revision":"main"})");
    BOOST_TEST(contains(p.refused("git_branch", R"({"name":"work","remove":true})"), "set force"));
    BOOST_TEST(contains(p.done("git_branch", R"({"name":"work","remove":true,"force":true})"), "removed work"));
    BOOST_TEST(contains(p.refused("git_branch", R"({"name":"a..b"})"), "cannot be the name"));
    BOOST_TEST(contains(p.refused("git_branch", R"({"name":"main"})"), "exists already"));
    BOOST_TEST(p.refused("git_branch", R"({"name":"main","remove":true,"force":true})").size() > 0);
}

BOOST_AUTO_TEST_CASE(no_repository_but_that_of_the_project_is_used) {
    const git_place p;
    const auto why = [&] { return p.refused("git_status"); };
    const auto config = [&](const std::string& text) {
        std::ofstream(p.project / ".git/config", std::ios::app) << text;
        const auto said = why();
        p.write(".git/config", "[core]\n\trepositoryformatversion = 0\n");
        return said;
    };
    BOOST_TEST(contains(config("[include]\n\tpath = /etc/passwd\n"), "includes other files"));
    BOOST_TEST(contains(config("[includeIf \"gitdir:/\"]\n\tpath = /etc/passwd\n"), "includes other files"));
    BOOST_TEST(contains(config("[core]\n\tworktree = /\n"), "names another folder"));
    fs::create_directories(p.project / ".git/objects/info");
    p.write(".git/objects/info/alternates", "/elsewhere\n");
    BOOST_TEST(contains(why(), "alternates"));
    fs::remove(p.project / ".git/objects/info/alternates");
    p.write(".git/commondir", "/elsewhere\n");
    BOOST_TEST(contains(why(), "commondir"));
    fs::remove(p.project / ".git/commondir");
    ::mkfifo((p.project / ".git/refs/heads/pipe").c_str(), 0600);
    BOOST_TEST(contains(why(), "special file"));
    fs::remove(p.project / ".git/refs/heads/pipe");
    fs::create_directory_symlink("/", p.project / ".git/refs/out");
    BOOST_TEST(contains(why(), "is a link"));
    fs::remove(p.project / ".git/refs/out");
    (void)p.done("git_status");

    fs::rename(p.project / ".git", p.root / "elsewhere");
    BOOST_TEST(contains(why(), "no git repository"));
    p.git("-C .. init -q"); // above the project: not searched for
    BOOST_TEST(contains(why(), "no git repository"));
    fs::create_directory_symlink("../elsewhere", p.project / ".git");
    BOOST_TEST(contains(why(), "no folder"));
    fs::remove(p.project / ".git");
    p.write(".git", "gitdir: ../elsewhere\n");
    BOOST_TEST(contains(why(), "is a file"));
    fs::remove(p.project / ".git");
    p.git("init -q --bare .git && true");
    BOOST_TEST(contains(why(), "no working files"));
}

BOOST_AUTO_TEST_CASE(neither_hooks_nor_filters_nor_settings_of_others_are_used) {
    const git_place p;
    const auto trap = (p.root / "trapped").string();
    fs::create_directories(p.project / ".git/hooks");
    for (const char* hook : {"pre-commit", "post-commit", "post-checkout", "commit-msg"}) {
        p.write(std::string(".git/hooks/") + hook, "#!/bin/sh\ntouch " + trap + "\n");
        fs::permissions(p.project / ".git/hooks" / hook, fs::perms::owner_all);
    }
    std::ofstream(p.project / ".git/config", std::ios::app)
        << "[filter \"trap\"]\n\tclean = touch " << trap << "\n\tsmudge = touch " << trap << "\n\trequired = true\n"
        << "[core]\n\tfsmonitor = touch " << trap << "\n\tautocrlf = true\n[diff \"trap\"]\n\tcommand = touch " << trap
        << "\n[gpg]\n\tprogram = " << trap << "\n[user]\n\tname = Someone\n[commit]\n\tgpgsign = true\n";
    p.write(".gitattributes", "* filter=trap diff=trap\n");
    p.write("a.txt", "two\n");
    (void)p.done("git_status");
    (void)p.done("git_diff");
    (void)p.done("git_commit", commit("second"));
    (void)p.done("git_checkout", R"({"revision":"HEAD~1"})");
    BOOST_TEST(p.read("a.txt") == "one\n");
    BOOST_TEST(!fs::exists(trap));
    BOOST_TEST(!contains(p.done("git_log", R"({"revision":"main"})"), "Someone"));
}

BOOST_AUTO_TEST_CASE(links_and_large_files_of_the_project_are_committed_as_what_they_are_or_not) {
    const git_place p;
    std::ofstream(p.root / "secret") << "secret";
    fs::create_symlink("../secret", p.project / "link");
    (void)p.done("git_commit", commit("a link"));
    BOOST_TEST(p.done("git_show", R"({"path":"link"})") == "../secret");
    p.write("huge", "");
    fs::resize_file(p.project / "huge", 5ULL << 30);
    BOOST_TEST(contains(p.refused("git_commit", commit("huge")), "huge has 5368709120 bytes"));
    p.write(".gitignore", "huge\n");
    BOOST_TEST(contains(p.done("git_commit", commit("ignored")), "(1 files)"));
    p.git("init -q inner"); // a repository in the repository is none of ours
    p.write("inner/x", "x");
    BOOST_TEST(contains(p.refused("git_commit", commit("inner")), "nothing to commit"));
}

BOOST_AUTO_TEST_SUITE_END()
