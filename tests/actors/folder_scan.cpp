#include "actors/project/folder_scan.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/limits.hpp"
#include "tests/actors/unprivileged.hpp"

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
        return scan_file(project, path, index, [this](const auto& name, int fd) -> expected<std::string> {
            seen += *read_whole(fd, limits::file_bytes_max, name);
            return std::string();
        });
    }
    folder_scan scan_all() {
        auto out = scan_folder(project, index, [](const auto&, int) { return expected<std::string>(std::string()); });
        BOOST_REQUIRE(out);
        return std::move(*out);
    }
    void write(const std::string& path, const std::string& content = "x") const {
        fs::create_directories((project / path).parent_path());
        std::ofstream(project / path) << content;
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

BOOST_AUTO_TEST_CASE(all_files_are_found_but_not_those_of_git_and_of_a_node) {
    place p;
    for (const auto* path : {"top", "a/b/c", ".git/config", "a/.git", ".troupe/key", ".gitignore"}) {
        p.write(path);
    }
    const auto scan = p.scan_all();
    std::string found;
    for (const auto& [path, file] : scan.files) {
        found += path + ' ';
    }
    BOOST_TEST(found == ".gitignore a/b/c top ");
    BOOST_TEST(scan.unsaved.empty());
}

BOOST_AUTO_TEST_CASE(folder_that_cannot_be_read_keeps_what_the_index_has_of_it) {
    const test::unprivileged modes_hold;
    for (const auto mode : {fs::perms::none, fs::perms::owner_read, fs::perms::owner_exec}) { // 000, 400, 100
        place p;
        p.write("src/a");
        p.write("src/deep/b");
        p.write("top");
        for (const auto* path : {"src/a", "src/deep/b", "src.c", "top"}) {
            p.index.files[path] = {};
        }
        fs::permissions(p.project / "src", mode);
        const auto scan = p.scan_all();
        fs::permissions(p.project / "src", fs::perms::owner_all);
        BOOST_TEST(scan.files.size() == 1u);
        BOOST_TEST(scan.skipped.contains("src/a"));
        BOOST_TEST(scan.skipped.contains("src/deep/b"));
        BOOST_TEST(!scan.skipped.contains("src.c")); // that one is gone
        BOOST_TEST(!scan.unsaved.empty());
        BOOST_TEST(scan.unsaved.begin()->second.why.detail.find("Permission denied") != std::string::npos);
        BOOST_TEST(p.scan_all().files.size() == 3u);
    }
}

BOOST_AUTO_TEST_CASE(file_that_cannot_be_saved_is_named_with_the_reason) {
    const test::unprivileged modes_hold;
    place p;
    p.write("secret");
    fs::permissions(p.project / "secret", fs::perms::none);
    p.write("large");
    fs::resize_file(p.project / "large", limits::file_bytes_max + 1);
    p.write("fits");
    fs::resize_file(p.project / "fits", limits::file_bytes_max);
    p.write("odd\xff/name");
    std::string deep = std::string(200, 'd');
    for (int i = 0; i < 5; ++i) {
        deep += '/' + std::string(200, 'd');
    }
    p.write(deep + "/file");
    p.index.files["large"] = {};
    const auto scan = p.scan_all();
    BOOST_TEST(scan.files.size() == 1u);
    BOOST_TEST(scan.unsaved.size() == 4u);
    BOOST_TEST((scan.unsaved.at("large").why.code == code::payload_too_large));
    BOOST_TEST((scan.unsaved.at("secret").why.code == code::storage_failed));
    BOOST_TEST((scan.unsaved.at("odd\xef\xbf\xbd").why.code == code::invalid_request));
    BOOST_TEST((scan.unsaved.at(deep).why.code == code::invalid_request));
    BOOST_TEST(scan.skipped.size() == 1u);
    BOOST_TEST(scan.skipped.contains("large"));
}

BOOST_AUTO_TEST_SUITE_END()
