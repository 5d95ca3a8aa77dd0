#include "schemas/base/durable_file.hpp"
#include "schemas/base/guarded_file.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

using namespace troupe;
namespace fs = std::filesystem;

namespace {

struct folder {
    test::temporary_directory directory;
    fs::path file = directory.path / "note.md";

    [[nodiscard]] std::string text() const { return read_whole_file(file, 1000).value(); }
    [[nodiscard]] std::size_t names() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory.path), {}));
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(guarded_file, folder)

BOOST_AUTO_TEST_CASE(a_file_that_nobody_touched_is_replaced_and_known_again) {
    BOOST_TEST(!mark_of(file).has_value());
    const auto first = replace_unless_changed(file, "one", std::nullopt).value();
    BOOST_TEST((first && first == mark_of(file)));
    const auto second = replace_unless_changed(file, "two", first).value();
    BOOST_TEST((second && second == mark_of(file) && second != first));
    BOOST_TEST(text() == "two");
    BOOST_TEST(names() == 1);
}

BOOST_AUTO_TEST_CASE(what_somebody_wrote_stays) {
    const auto first = replace_unless_changed(file, "one", std::nullopt).value();
    BOOST_TEST(replace_file(file, "an edit").has_value());
    BOOST_TEST(!replace_unless_changed(file, "two", first).value().has_value());
    BOOST_TEST(!replace_unless_changed(file, "two", std::nullopt).value().has_value()); // it was new to them
    BOOST_TEST(text() == "an edit");
    fs::remove(file);
    BOOST_TEST(!replace_unless_changed(file, "two", first).value().has_value());
    BOOST_TEST(names() == 0);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_a_problem) {
    const auto done = replace_unless_changed(directory.path / "no" / "note.md", "one", std::nullopt);
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST(done.error().detail.find("note.md") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_edit_is_lost_between_a_look_and_a_step) {
    constexpr int edits = 200;
    std::atomic<int> taken = 0; // the newest edit that was read
    auto known = replace_unless_changed(file, "begin", std::nullopt).value();
    std::thread editor([&] {
        for (int i = 1; i <= edits; ++i) {
            if (!replace_file(file, std::to_string(i))) {
                return;
            }
            while (taken < i) {
                std::this_thread::yield();
            }
        }
    });
    while (taken < edits) {
        if (const auto now = mark_of(file); now != known) {
            taken = std::stoi(text());
            known = now;
        }
        if (const auto shown = replace_unless_changed(file, "shown", known).value()) {
            known = shown;
        }
    }
    editor.join();
    BOOST_TEST(taken == edits);
}

BOOST_AUTO_TEST_SUITE_END()
