#include "actors/tool/patch.hpp"

#include "schemas/base/ids.hpp"
#include "schemas/base/unified_diff.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

using namespace troupe;
using namespace troupe::actors;

namespace {

namespace fs = std::filesystem;

file_patch one(std::string_view text) {
    auto files = parse_patch(text);
    BOOST_REQUIRE_MESSAGE(files, (files ? "" : files.error().detail));
    BOOST_REQUIRE(files->size() == 1u);
    return files->front();
}
std::string why_unread(std::string_view text) {
    const auto files = parse_patch(text);
    BOOST_REQUIRE(!files);
    BOOST_TEST((files.error().code == code::tool_arguments_invalid));
    return files.error().detail;
}
std::string applied(std::string_view patch, std::string_view content) {
    const auto done = apply_hunks(one(patch), content);
    return done ? done->content : "refused: " + done.error().detail;
}
bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Programs of this machine, held against ours.
struct workbench {
    fs::path root = fs::temp_directory_path() / ("troupe-patch-" + to_string(make_uuid()));
    workbench() { fs::create_directories(root); }
    ~workbench() {
        std::error_code ignored;
        fs::remove_all(root, ignored);
    }
    void write(const char* name, std::string_view text) const { std::ofstream(root / name) << text; }
    [[nodiscard]] std::string read(const char* name) const {
        std::ifstream file(root / name);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] int run(const std::string& line) const {
        return std::system(("cd '" + root.string() + "' && " + line).c_str());
    }
};

/// Few different lines, so that much looks alike.
std::string random_text(std::mt19937& random, std::size_t lines_max) {
    static const char* const lines[] = {"", "a", "b", "{", "}", "-- a", "++ b", "@@ -1 +1 @@", " ", "long line"};
    std::string text;
    for (auto n = random() % (lines_max + 1); n > 0; --n) {
        text += lines[random() % std::size(lines)];
        text += n == 1 && random() % 3 == 0 ? "" : "\n";
    }
    return text;
}

std::string changed_text(std::mt19937& random, const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
        switch (random() % 8) {
        case 0: // the line goes
            break;
        case 1:
            out += random_text(random, 3);
            [[fallthrough]];
        default:
            out += text.substr(at, end - at);
        }
        at = end;
    }
    return random() % 6 == 0 ? random_text(random, 5) : out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tool_patch_text)

BOOST_AUTO_TEST_CASE(a_patch_of_git_is_read_with_all_that_happens_to_files) {
    const auto files = parse_patch("From 0123 Mon Sep 17\nSubject: words\n---\n a | 2 +-\n\n"
                                   "diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n@@ -1 +1 @@ main\n-x\n+y\n"
                                   "diff --git a/new.sh b/new.sh\nnew file mode 100755\nindex 0..1\n--- /dev/null\n"
                                   "+++ b/new.sh\n@@ -0,0 +1 @@\n+echo\n"
                                   "diff --git a/empty b/empty\nnew file mode 100644\nindex 0..e69de29\n"
                                   "diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n"
                                   "@@ -1 +0,0 @@\n-x\n"
                                   "diff --git a/old name b/new name\nsimilarity index 100%\nrename from old name\n"
                                   "rename to new name\n"
                                   "diff --git a/run b/run\nold mode 100644\nnew mode 100755\n"
                                   "diff --git \"a/\\303\\244\" \"b/\\303\\244\"\n--- \"a/\\303\\244\"\n"
                                   "+++ \"b/\\303\\244\"\n@@ -1 +1 @@\n-x\n+y\n-- \n2.39.5\n");
    BOOST_REQUIRE_MESSAGE(files, (files ? "" : files.error().detail));
    std::string all;
    for (const auto& f : *files) {
        all += f.old_path + ">" + f.new_path + ":" + std::to_string(f.hunks.size());
        all += !f.executable ? "\n" : *f.executable ? " x\n" : " -\n";
    }
    BOOST_TEST(all == "a>a:1\n>new.sh:1 x\n>empty:0 -\ngone>:1\nold name>new name:0\nrun>run:0 x\nä>ä:1\n");
}

BOOST_AUTO_TEST_CASE(a_patch_of_diff_changes_the_file_of_the_second_name) {
    const auto p = one("--- dir/x.orig\t2026-01-01 00:00:00\n+++ dir/x\t2026-01-01 00:00:00\n@@ -1 +1 @@\n-x\n+y\n");
    BOOST_TEST(p.old_path == "dir/x");
    BOOST_TEST(p.new_path == "dir/x");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_named_with_its_line) {
    const std::string head = "--- a/x\n+++ b/x\n";
    BOOST_TEST(contains(why_unread("just words"), "names no file"));
    BOOST_TEST(contains(why_unread("@@ -1 +1 @@\n-x\n+y\n"), "line 1 of the patch: a hunk comes before"));
    BOOST_TEST(contains(why_unread(head + "@@ ten @@\n"), "line 3 of the patch"));
    BOOST_TEST(contains(why_unread(head), "there is no change of x"));
    BOOST_TEST(contains(why_unread(head + "@@ -0,0 +0,0 @@\n"), "the hunk is empty"));
    BOOST_TEST(contains(why_unread("diff --git a/x b/x\nBinary files a/x and b/x differ\n"), "binary"));
    BOOST_TEST(contains(why_unread("diff --git a/x b/x\nnew file mode 120000\n"), "symbolic links"));
    BOOST_TEST(contains(why_unread("diff --git a/x b/y\ncopy from x\ncopy to y\n"), "copies"));
    BOOST_TEST(contains(why_unread("diff --git a/x b/y\nold mode 100644\nnew mode 100755\n"), "name is missing"));
    BOOST_TEST(contains(why_unread("--- /dev/null\n+++ /dev/null\n"), "both names"));
    std::string many = head;
    for (std::size_t i = 0; i <= patch_hunks_max; ++i) {
        many += "@@ -1 +1 @@\n-x\n+y\n";
    }
    BOOST_TEST(contains(why_unread(many), "more than 1000 hunks"));
}

BOOST_AUTO_TEST_CASE(a_hunk_that_was_miscounted_is_told_its_numbers) {
    const std::string head = "--- a/x\n+++ b/x\n";
    for (const char* said : {"@@ -1,3 +1,2 @@", "@@ -1,2 +1,4 @@", "@@ -1,1 +1,1 @@"}) {
        const auto why = why_unread(head + said + "\n a\n-b\n+c\n+d\n");
        BOOST_TEST(contains(why, "write '@@ -1,2 +1,3 @@'"), why);
    }
}

BOOST_AUTO_TEST_CASE(a_hunk_fits_at_its_line_or_where_it_fits_alone) {
    const std::string patch = "--- a/x\n+++ b/x\n@@ -2,3 +2,3 @@\n b\n-c\n+C\n d\n";
    BOOST_TEST(applied(patch, "a\nb\nc\nd\n") == "a\nb\nC\nd\n");
    BOOST_TEST(applied(patch, "0\n0\na\nb\nc\nd\n") == "0\n0\na\nb\nC\nd\n");
    const auto off = apply_hunks(one(patch), "0\n0\na\nb\nc\nd\n");
    BOOST_TEST(off->offsets.front() == 2);
    BOOST_TEST(off->lines.front() == 4u);
    BOOST_TEST(applied(patch, "a\nb\nc\nd\nb\nc\nd\n") == "a\nb\nC\nd\nb\nc\nd\n"); // at its line: no doubt
    BOOST_TEST(contains(applied(patch, "b\nc\nd\n0\nb\nc\nd\n"), "at 2 other places (lines 1, 5)"));
}

BOOST_AUTO_TEST_CASE(later_hunks_are_looked_for_where_the_one_before_was) {
    const std::string patch = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n@@ -5,2 +5,2 @@\n x\n-y\n+Y\n";
    // The second fits twice; the first says by how much all is off.
    BOOST_TEST(applied(patch, "0\na\nb\n1\n2\nx\ny\nx\ny\n") == "0\na\nB\n1\n2\nx\nY\nx\ny\n");
    BOOST_TEST(contains(applied(patch, "x\ny\na\nb\n"), "hunk 2")); // never before the one before it
}

BOOST_AUTO_TEST_CASE(each_hunk_that_does_not_fit_is_told_with_the_first_line_that_differs) {
    const std::string patch = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n@@ -4,2 +4,2 @@\n d\n-e\n+E\n";
    const auto why = applied(patch, "a\nbb\nc\nd\n");
    BOOST_TEST(contains(why,
                        "x: hunk 1 (@@ -1,2 +1,2 @@, line 3 of the patch) does not fit: line 2 is \"bb\\n\", where "
                        "the patch has \"b\\n\""),
               why);
    BOOST_TEST(contains(why, "hunk 2"), why);
    BOOST_TEST(contains(why, "the file ends after line 4, where the patch has \"e\\n\""), why);
    BOOST_TEST(contains(applied(patch, "a\r\nb\r\nc\r\nd\r\ne\r\n"), "CR LF"));
    BOOST_TEST(contains(applied(patch, "a\nb"), "No newline at end of file"));
}

BOOST_AUTO_TEST_CASE(ends_without_line_feed_are_kept_and_changed) {
    const std::string names = "--- a/x\n+++ b/x\n";
    BOOST_TEST(applied(names + "@@ -1,2 +1,2 @@\n-a\n+A\n b\n\\ No newline at end of file\n", "a\nb") == "A\nb");
    BOOST_TEST(applied(names + "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n", "a") == "a\n");
    BOOST_TEST(applied(names + "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n", "a\n") == "a");
    BOOST_TEST(applied(names + "@@ -1 +1 @@\n-a\n+b", "a\n") == "b\n"); // the patch itself may end without one
}

BOOST_AUTO_TEST_CASE(a_context_line_that_lost_its_blank_is_an_empty_line) {
    BOOST_TEST(applied("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n\n-b\n+B\n", "a\n\nb\n") == "a\n\nB\n");
}

BOOST_AUTO_TEST_CASE(whatever_diff_writes_is_applied_and_undone) {
    const workbench place;
    std::mt19937 random(42);
    for (int round = 0; round < 60; ++round) {
        const auto before = random_text(random, 40), after = changed_text(random, before);
        if (before == after) {
            continue;
        }
        place.write("before", before);
        place.write("after", after);
        const auto context = std::to_string(random() % 4);
        BOOST_REQUIRE(place.run("diff -a -U" + context + " before after >patch; [ $? -eq 1 ]") == 0);
        const auto p = one(place.read("patch"));
        const auto done = apply_hunks(p, before);
        BOOST_REQUIRE_MESSAGE(done, round << ": " << (done ? "" : done.error().detail) << "\n" << place.read("patch"));
        BOOST_TEST(done->content == after);
        const auto back = apply_hunks(reversed(p), after);
        BOOST_REQUIRE(back);
        BOOST_TEST(back->content == before);
    }
}

BOOST_AUTO_TEST_CASE(whatever_git_writes_is_applied) {
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        const auto before = random_text(random, 40), after = changed_text(random, before);
        if (before != after) {
            const auto text = unified_diff("x", before, after);
            const auto done = apply_hunks(one(text), before);
            BOOST_REQUIRE_MESSAGE(done, round << ": " << text);
            BOOST_TEST(done->content == after);
        }
    }
}

BOOST_AUTO_TEST_CASE(off_its_lines_a_patch_does_what_the_program_patch_does_or_refuses) {
    const workbench place;
    if (place.run("command -v patch >which") != 0) {
        BOOST_TEST_MESSAGE("there is no program patch here");
        return;
    }
    std::mt19937 random(11);
    int compared = 0;
    for (int round = 0; round < 60; ++round) {
        const auto before = random_text(random, 30), after = changed_text(random, before);
        if (before == after || before.empty()) {
            continue;
        }
        const auto moved = random_text(random, 4) + "\nfirst\n" + before; // everything is further down
        place.write("before", before);
        place.write("after", after);
        place.write("moved", moved);
        BOOST_REQUIRE(place.run("diff -a -u before after >patch; [ $? -eq 1 ]") == 0);
        const bool theirs = place.run("patch -s -F0 -r- moved patch >said 2>&1") == 0;
        const auto ours = apply_hunks(one(place.read("patch")), moved);
        if (theirs && ours) {
            BOOST_TEST(ours->content == place.read("moved"), place.read("patch") << "\non:\n" << moved);
            ++compared;
        }
    }
    BOOST_TEST(compared > 5);
}

BOOST_AUTO_TEST_SUITE_END()
