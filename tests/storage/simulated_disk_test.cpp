#include "tests/storage/simulated_disk.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(simulated_disks)

BOOST_AUTO_TEST_CASE(what_was_synced_lasts_and_what_was_not_is_a_prefix) {
    bool torn = false;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        simulated_disk disk(seed, "/root");
        simulated_disk::file_ptr file;
        disk.create("/root/a", file);
        disk.append("/root/a", file, "synced");
        disk.sync("/root/a", file);
        disk.sync_folder("/root");
        disk.append("/root/a", file, "not yet");
        disk.restart();
        const auto left = disk.find("/root/a");
        BOOST_REQUIRE(left);
        BOOST_TEST(std::string("syncednot yet").starts_with(left->data));
        BOOST_TEST(left->data.size() >= 6u);
        torn = torn || (left->data.size() > 6 && left->data.size() < 13);
    }
    BOOST_TEST(torn);
}

BOOST_AUTO_TEST_CASE(a_name_lasts_after_its_folder_was_synced_only) {
    int lost = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        simulated_disk disk(seed, "/root");
        simulated_disk::file_ptr file;
        disk.create("/root/a", file);
        disk.sync("/root/a", file);
        disk.sync_folder("/root");
        disk.rename("/root/a", "/root/b");
        disk.create("/root/c", file);
        disk.restart();
        BOOST_TEST((disk.find("/root/a") != nullptr) != (disk.find("/root/b") != nullptr)); // a rename is one step
        BOOST_TEST((disk.find("/root/b") || !disk.find("/root/c")));                        // in order
        lost += disk.find("/root/b") ? 0 : 1;
    }
    BOOST_TEST(lost > 0);
    BOOST_TEST(lost < 50);
}

BOOST_AUTO_TEST_CASE(after_a_cut_nothing_reaches_the_disk) {
    simulated_disk disk(1, "/root");
    simulated_disk::file_ptr file;
    disk.create("/root/a", file);
    disk.sync_folder("/root");
    disk.cut(disk_end::power);
    disk.append("/root/a", file, "lost");
    BOOST_TEST((disk.sync("/root/a", file) == disk_result::ok));
    disk.restart();
    BOOST_TEST(disk.find("/root/a")->data.empty());
}

BOOST_AUTO_TEST_CASE(an_armed_operation_fails_once) {
    simulated_disk disk(1, "/root");
    simulated_disk::file_ptr file;
    disk.create("/root/a", file);
    disk.sync_folder("/root");
    disk.append("/root/a", file, "x");
    disk.fail_after(disk_operation::sync, 2);
    BOOST_TEST((disk.sync("/root/a", file) == disk_result::ok));
    disk.append("/root/a", file, "y");
    BOOST_TEST((disk.sync("/root/a", file) == disk_result::failed));
    BOOST_TEST((disk.sync("/root/a", file) == disk_result::ok)); // and what the failed one lost is lost
    disk.restart();
    BOOST_TEST(disk.find("/root/a")->data == "x");
}

BOOST_AUTO_TEST_CASE(a_full_disk_says_so) {
    simulated_disk disk(1, "/root");
    simulated_disk::file_ptr file;
    disk.create("/root/a", file);
    disk.set_capacity(4);
    BOOST_TEST((disk.append("/root/a", file, "abc") == disk_result::ok));
    BOOST_TEST((disk.append("/root/a", file, "def") == disk_result::full));
    BOOST_TEST(disk.free_bytes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
