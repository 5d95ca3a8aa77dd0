#include "actors/project/folder_scan.hpp"

#include "schemas/base/ids.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <fstream>

using namespace troupe;
using namespace troupe::actors;

namespace {

namespace fs = std::filesystem;

/// A project, and beside it a file that is none of its business.
struct place {
    fs::path root = fs::temp_directory_path() / ("troupe-scan-" + to_string(make_uuid()));
    fs::path project = root / "project";
    folder_index index;
    std::string seen;

    place() {
        fs::create_directories(project);
        std::ofstream(root / "admin.key") << "secret";
    }
    ~place() { fs::remove_all(root); }
    place(const place&) = delete;

    expected<std::optional<scanned_file>> scan(const std::string& path) {
        return scan_file(project, path, index, [this](const auto&, const std::string& content) {
            seen += content;
            return expected<void>();
        });
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(folder_scans)

BOOST_AUTO_TEST_CASE(plain_file_is_seen_with_its_content_and_mode) {
    place p;
    fs::create_directory(p.project / "src");
    std::ofstream(p.project / "src" / "a.txt") << "text";
    fs::permissions(p.project / "src" / "a.txt", fs::perms::owner_all);
    const auto found = p.scan("src/a.txt");
    BOOST_REQUIRE(found && *found);
    BOOST_TEST(p.seen == "text");
    BOOST_TEST((*found)->bytes == 4u);
    BOOST_TEST((*found)->executable);
}

BOOST_AUTO_TEST_CASE(folder_that_became_a_link_shows_nothing_of_what_is_outside) {
    place p;
    fs::create_directory_symlink(p.root, p.project / "src");
    const auto found = p.scan("src/admin.key");
    BOOST_REQUIRE(found);
    BOOST_TEST(!*found);
    BOOST_TEST(p.seen.empty());
}

BOOST_AUTO_TEST_CASE(links_and_pipes_are_no_plain_files) {
    place p;
    fs::create_symlink(p.root / "admin.key", p.project / "link");
    BOOST_REQUIRE(::mkfifo((p.project / "pipe").c_str(), 0600) == 0);
    for (const char* name : {"link", "pipe"}) {
        const auto found = p.scan(name);
        BOOST_REQUIRE(found);
        BOOST_TEST(!*found);
    }
    BOOST_TEST(p.seen.empty());
}

BOOST_AUTO_TEST_SUITE_END()
