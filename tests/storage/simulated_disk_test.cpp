#include "tests/storage/simulated_disk.hpp"

#include "storage/committer.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "tests/storage/simulated_env.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

using namespace troupe;
using namespace troupe::test;

namespace {

/// A store on a simulated disk, opened as often as one likes.
struct simulated_machine {
    explicit simulated_machine(std::uint64_t seed) : disk(seed, directory.path.string()), env(disk, now_ms) {
        storage::identity who; // written here, because the real one is synced, which takes a while
        who.replica = make_uuid();
        who.shards = 2;
        std::ofstream(directory.path / "identity.json") << to_json(who);
    }

    expected<void> start() {
        storage::store_options options;
        options.directory = directory.path;
        options.cache_bytes = 1 << 20;
        options.write_buffer_bytes = 2 << 20;
        options.env = env.env();
        auto opened = storage::store::open(options);
        if (!opened) {
            return opened.error();
        }
        store = std::move(*opened);
        auto made = storage::committer::open(*store, free_bytes_min);
        if (!made) {
            return made.error();
        }
        committer = std::move(*made);
        auto activated = committer->activate(entity);
        if (!activated) {
            return activated.error();
        }
        activation = *activated;
        return {};
    }
    void stop() {
        committer.reset();
        store.reset();
    }
    void run_jobs() {
        while (env.jobs() > 0) {
            env.run_job(0);
        }
    }
    void flush() const {
        rocksdb::FlushOptions options;
        options.wait = false;
        options.allow_write_stall = true;
        (void)store->db().db->Flush(options, {store->db().log, store->db().derived});
    }
    expected<void> append(std::string payload) {
        storage::append a;
        a.entity = entity;
        a.activation = activation.id;
        a.expected_version = activation.version;
        storage::record r;
        r.entity = entity;
        r.entity_seq = activation.version + 1;
        r.type = "happened";
        r.batch_size = 1;
        r.time = {now_ms};
        r.payload = std::move(payload);
        a.records.push_back(std::move(r));
        std::vector<expected<storage::appended>> results;
        auto written = committer->commit({&a, 1}, results);
        if (written && !results.front()) {
            return results.front().error();
        }
        activation.version += written ? 1 : 0;
        return written;
    }

    temporary_directory directory;
    std::atomic<std::int64_t> now_ms{1'700'000'000'000};
    std::uint64_t free_bytes_min = 0;
    simulated_disk disk;
    simulated_env env;
    entity_address entity{system_organization, "thing", uuid()};
    std::unique_ptr<storage::store> store;
    std::unique_ptr<storage::committer> committer;
    storage::activation activation;
};

} // namespace

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

BOOST_AUTO_TEST_CASE(the_journal_keeps_what_it_committed_through_a_power_cut_at_any_operation) {
    for (std::uint64_t at = 1; at < 160; ++at) {
        simulated_machine machine(at);
        machine.disk.cut_after(at, disk_end::power);
        std::uint64_t committed = 0;
        BOOST_REQUIRE(machine.start());
        for (int i = 0; i < 12; ++i) {
            BOOST_REQUIRE(machine.append("{\"number\":" + std::to_string(i) + "}"));
            committed += machine.disk.is_cut() ? 0 : 1;
            if (i % 4 == 3) {
                machine.flush();
                machine.run_jobs();
            }
        }
        machine.stop();
        machine.disk.restart();
        const auto again = machine.start();
        BOOST_REQUIRE_MESSAGE(again, "cut at operation " << at << ": " << (again ? "" : again.error().detail));
        BOOST_TEST(machine.activation.version >= committed);
        BOOST_TEST(!storage::verify_journal(*machine.store, [](std::uint64_t) {}).first_bad);
    }
}

BOOST_AUTO_TEST_CASE(the_journal_keeps_what_it_committed_whichever_operation_of_the_disk_fails) {
    std::uint64_t faults = 0;
    for (std::size_t kind = 0; kind < disk_operations; ++kind) {
        for (std::uint64_t at = 1;; ++at) {
            simulated_machine machine(at);
            machine.disk.fail_after(static_cast<disk_operation>(kind), at);
            std::uint64_t committed = 0;
            const auto live = [&]() -> expected<void> {
                if (auto started = machine.start(); !started) {
                    return started;
                }
                for (int i = 0; i < 12; ++i) {
                    if (auto written = machine.append("{\"number\":" + std::to_string(i) + "}"); !written) {
                        return written; // the process ends here: nobody knows what is on disk
                    }
                    ++committed;
                    if (i % 4 == 3) {
                        machine.flush();
                        machine.run_jobs();
                    }
                }
                return {};
            };
            const auto lived = live();
            machine.stop();
            const auto where = "operation " + std::to_string(at) + " of kind " + std::to_string(kind);
            BOOST_TEST((lived || machine.disk.failures() > 0), where << ": " << (lived ? "" : lived.error().detail));
            machine.disk.cut(at % 2 == 0 ? disk_end::process : disk_end::power);
            machine.disk.restart();
            if (machine.disk.failures() == 0) {
                BOOST_TEST(committed == 12u);
                break; // there is no such operation any more
            }
            ++faults;
            const auto again = machine.start();
            BOOST_REQUIRE_MESSAGE(again, where << ": " << (again ? "" : again.error().detail));
            BOOST_TEST(machine.activation.version >= committed, where);
            BOOST_TEST(!storage::verify_journal(*machine.store, [](std::uint64_t) {}).first_bad, where);
            BOOST_TEST(machine.append("{}").has_value(), where);
        }
    }
    BOOST_TEST(faults > 100u);
}

BOOST_AUTO_TEST_CASE(a_disk_that_has_space_again_takes_writes_as_before) {
    simulated_machine machine(1);
    machine.free_bytes_min = 1 << 20;
    BOOST_REQUIRE(machine.start());
    use_virtual_time(&machine.now_ms); // no time passes: what the committer knows of the space is old
    machine.disk.set_capacity(machine.disk.used_bytes());
    const auto refused = machine.append("{}");
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::storage_full));
    machine.disk.set_capacity(1 << 30);
    const auto written = machine.append("{}");
    use_virtual_time(nullptr);
    BOOST_REQUIRE(written);
    BOOST_TEST(machine.committer->activate(machine.entity)->version == 1u);
}

BOOST_AUTO_TEST_CASE(a_flipped_bit_is_noticed_or_changes_nothing) {
    for (std::uint64_t seed = 1; seed <= 600; ++seed) {
        simulated_machine machine(seed);
        seeded_random random(seed);
        BOOST_REQUIRE(machine.start());
        const auto count = 1 + random.below(12);
        for (std::uint64_t i = 0; i < count; ++i) {
            BOOST_REQUIRE(machine.append("{\"number\":" + std::to_string(i) + "}"));
            if (random.chance(15)) {
                machine.flush();
                machine.run_jobs();
            }
        }
        machine.stop();
        machine.disk.restart();
        const auto* const endings = std::array{".log", ".sst", "", ""}[random.below(4)];
        const auto where = machine.disk.flip_bit(endings);
        if (!where || !machine.start()) {
            continue;
        }
        if (storage::verify_journal(*machine.store, [](std::uint64_t) {}).first_bad) {
            continue;
        }
        std::uint64_t number = 0;
        const auto read = storage::read_history(*machine.store, machine.entity, 0, [&](storage::record&& r) {
            BOOST_TEST(r.payload == "{\"number\":" + std::to_string(number++) + "}", *where);
            return expected<void>();
        });
        BOOST_TEST((!read || number == count),
                   *where << ": " << number << " of " << count << " are left, and nobody says so");
    }
}

BOOST_AUTO_TEST_SUITE_END()
