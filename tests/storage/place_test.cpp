#include "storage/place.hpp"

#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

using namespace troupe;
using namespace troupe::test;

namespace {

/// Until the clock by which files are made has ticked: a copy of this very moment cannot be told from its original.
void wait_for_a_tick(const std::filesystem::path& folder) {
    const auto made = [&](const char* name) {
        const auto file = folder / name;
        std::filesystem::remove(file);
        std::ofstream(file) << '.';
        const auto at = std::filesystem::last_write_time(file);
        std::filesystem::remove(file);
        return at;
    };
    for (const auto first = made("tick"); made("tick") == first;) {
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(places)

BOOST_AUTO_TEST_CASE(a_directory_may_be_moved_and_a_copy_of_it_is_noticed) {
    temporary_directory directory;
    const auto first = directory.path / "first";
    const auto moved = directory.path / "moved";
    const auto copy = directory.path / "copy";
    std::filesystem::create_directory(first);
    BOOST_TEST(storage::check_place(first).has_value()); // of before there was such a file
    BOOST_REQUIRE(storage::mark_place(first));
    BOOST_REQUIRE(storage::mark_place(first));
    BOOST_TEST(storage::check_place(first).has_value());
    std::filesystem::rename(first, moved);
    BOOST_TEST(storage::check_place(moved).has_value());
    wait_for_a_tick(directory.path);
    std::filesystem::copy(moved, copy, std::filesystem::copy_options::recursive);
    const auto refused = storage::check_place(copy);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::data_dir_unusable));
    BOOST_TEST(storage::check_place(moved).has_value());
    BOOST_REQUIRE(storage::mark_place(copy)); // adopted
    BOOST_TEST(storage::check_place(copy).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_system_that_tells_nothing_or_numbers_files_anew_is_no_copy) {
    temporary_directory directory;
    const auto file = directory.path / "place.json";
    BOOST_REQUIRE(storage::mark_place(directory.path));
    std::string text;
    std::getline(std::ifstream(file), text);
    BOOST_REQUIRE(text.ends_with('}'));
    text.back() = ','; // as an earlier version wrote it, and with the number that the file had before a remount
    std::ofstream(file) << text << R"("file":1})";
    BOOST_TEST(storage::check_place(directory.path).has_value());
    std::ofstream(file, std::ios::trunc).close(); // made where no time of making is told
    BOOST_TEST(storage::check_place(directory.path).has_value());
}

BOOST_AUTO_TEST_CASE(a_torn_mark_refuses_nothing_and_is_made_anew) {
    temporary_directory directory;
    std::ofstream(directory.path / "place.json") << "{\"made_s\":";
    BOOST_TEST(storage::check_place(directory.path).has_value());
    BOOST_REQUIRE(storage::mark_place(directory.path));
    const auto copy = directory.path / "copy";
    std::filesystem::create_directory(copy);
    wait_for_a_tick(directory.path);
    std::filesystem::copy_file(directory.path / "place.json", copy / "place.json");
    BOOST_TEST(storage::check_place(copy).has_error());
}

BOOST_AUTO_TEST_SUITE_END()
