#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/unified_diff.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>

using namespace troupe;
namespace fs = std::filesystem;

namespace {

struct folder {
    fs::path path = fs::temp_directory_path() / ("troupe-files-" + to_string(make_uuid()));
    folder() { fs::create_directories(path); }
    ~folder() { fs::remove_all(path); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(base_files)

BOOST_AUTO_TEST_CASE(a_replaced_file_has_its_content_and_mode_and_no_neighbour) {
    const folder f;
    BOOST_TEST(!!replace_file(f.path / "a", "one", 0600));
    BOOST_TEST(!!replace_file(f.path / "a", "two", 0640));
    BOOST_TEST(read_whole_file(f.path / "a", 100).value() == "two");
    BOOST_TEST(static_cast<unsigned>(fs::status(f.path / "a").permissions()) == 0640u);
    BOOST_TEST(std::distance(fs::directory_iterator(f.path), {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_replaced_stays_and_leaves_no_neighbour) {
    const folder f;
    fs::create_directory(f.path / "a");
    BOOST_TEST((replace_file(f.path / "a", "one").error().code == code::storage_failed));
    BOOST_TEST((replace_file(f.path / "none/a", "one").error().code == code::not_found));
    BOOST_TEST(std::distance(fs::directory_iterator(f.path), {}) == 1);
}

BOOST_AUTO_TEST_CASE(leftovers_of_a_killed_process_are_removed_and_nothing_else) {
    const folder f;
    const auto left = ".troupe-" + to_string(make_uuid());
    fs::create_directories(f.path / "a/.git");
    for (const auto& name : {"a/" + left, left, "a/.git/" + left, std::string(".troupe-notes"), std::string("b")}) {
        BOOST_TEST(!!replace_file(f.path / name, "x"));
    }
    BOOST_TEST(!!remove_leftovers(f.path));
    BOOST_TEST(!fs::exists(f.path / left));
    BOOST_TEST(!fs::exists(f.path / "a" / left));
    BOOST_TEST(fs::exists(f.path / "a/.git" / left));
    BOOST_TEST(fs::exists(f.path / ".troupe-notes"));
    BOOST_TEST(fs::exists(f.path / "b"));
    BOOST_TEST((remove_leftovers(f.path / "none").error().code == code::not_found));
}

BOOST_AUTO_TEST_CASE(reading_is_bounded) {
    const folder f;
    replace_file(f.path / "a", "12345").value();
    BOOST_TEST(read_whole_file(f.path / "a", 5).value() == "12345");
    BOOST_TEST((read_whole_file(f.path / "a", 4).error().code == code::payload_too_large));
    BOOST_TEST((read_whole_file(f.path / "b", 4).error().code == code::not_found));
}

BOOST_AUTO_TEST_CASE(a_diff_shows_the_change_with_its_lines) {
    const auto diff = unified_diff("dir/a.txt", "1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\nfive\n6\n");
    BOOST_TEST(diff.find("--- a/dir/a.txt\n+++ b/dir/a.txt\n@@ -2,5 +2,5 @@") != std::string::npos, diff);
    BOOST_TEST(diff.find("\n-5\n+five\n") != std::string::npos, diff);
    BOOST_TEST(unified_diff("a", "same", "same").empty());
    BOOST_TEST(unified_diff("a", "", "x\n").find("+x\n") != std::string::npos);
    BOOST_TEST(unified_diff("a", std::string("a\0", 2), "b").find("Binary files") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_diff_tells_made_and_deleted_files_from_empty_ones) {
    const auto starts = [](const std::string& diff, std::string_view with) {
        BOOST_TEST(diff.starts_with(with), diff);
    };
    const std::string a = "diff --git a/a b/a\n";
    starts(unified_diff("a", {}, "x\n"),
           a + "new file mode 100644\nindex 0000000..587be6b\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n");
    starts(unified_diff("a", "x\n", {}),
           a + "deleted file mode 100644\nindex 587be6b..0000000\n--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n");
    starts(unified_diff("a", {}, ""), a + "new file mode 100644\n");
    starts(unified_diff("a", "", {}), a + "deleted file mode 100644\n");
    starts(unified_diff("a", "", "x\n"), a + "index e69de29..587be6b 100644\n--- a/a\n+++ b/a\n");
    BOOST_TEST(unified_diff("a", {}, {}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
