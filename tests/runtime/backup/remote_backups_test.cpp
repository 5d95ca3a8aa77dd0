#include "runtime/backup/remote_backups.hpp"

#include "schemas/base/durable_file.hpp"
#include "storage/backup.hpp"
#include "storage/store.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

using namespace troupe;
using namespace troupe::test;

namespace {

namespace fs = std::filesystem;

/// Objects in memory; fails from the `fails_after`-th change on.
class memory_objects : public runtime::object_store {
public:
    std::map<std::string, std::string, std::less<>> objects;
    int changes = 0;
    int fails_after = 1 << 30;

    void cancel() override {}
    [[nodiscard]] std::string place() const override { return "s3://test"; }
    expected<void> put_file(std::string_view key, const fs::path& file, std::string_view) override {
        auto content = read_whole_file(file, 1 << 30);
        return content ? put(key, *content) : expected<void>(content.error());
    }
    expected<void> put(std::string_view key, std::string_view content) override {
        if (++changes > fails_after) {
            return problem{code::connection_failed, "gone"};
        }
        objects.insert_or_assign(std::string(key), std::string(content));
        return {};
    }
    expected<std::string> get(std::string_view key, std::size_t) override {
        const auto found = objects.find(key);
        return found == objects.end() ? expected<std::string>(problem{code::not_found, "none"})
                                      : expected<std::string>(found->second);
    }
    expected<void> get_file(std::string_view key, const fs::path& file) override {
        auto content = get(key, 0);
        return content ? replace_file(file, *content) : expected<void>(content.error());
    }
    expected<std::vector<std::string>> list(std::string_view prefix) override {
        std::vector<std::string> out;
        for (const auto& [key, value] : objects) {
            if (key.starts_with(prefix)) {
                out.push_back(key);
            }
        }
        return out;
    }
    expected<void> remove(std::string_view key) override {
        objects.erase(std::string(key));
        return {};
    }
    std::size_t count(std::string_view prefix) { return list(prefix)->size(); }
};

struct backups {
    temporary_directory directory;
    std::unique_ptr<storage::store> store;
    memory_objects remote;

    backups() {
        storage::store_options options;
        options.directory = directory.path / "data";
        options.shards = 1;
        store = std::move(*storage::store::open(options));
    }
    backup_manifest make(backup_maker by = backup_maker::person) {
        return storage::create_backup(*store, directory.path / "backups", by).value();
    }
    uuid replica() { return store->who().replica; }
};

void ignore(std::string_view) {}

} // namespace

BOOST_AUTO_TEST_SUITE(remote_backups)

BOOST_FIXTURE_TEST_CASE(fetched_copy_is_the_backup, backups) {
    const auto made = make();
    BOOST_REQUIRE(runtime::copy_backup(remote, made));
    const auto to = directory.path / "fetched";
    const auto fetched = runtime::fetch_copy(remote, made.id, to, ignore);
    BOOST_REQUIRE(fetched);
    BOOST_TEST(fetched->directory == to.string());
    BOOST_TEST(storage::verify_backup(to, [](std::uint64_t) {}).has_value());
    BOOST_TEST((runtime::fetch_copy(remote, made.id, to, ignore).error().code == code::conflict));
    BOOST_TEST((runtime::fetch_copy(remote, "other", directory.path / "x", ignore).error().code == code::not_found));
}

BOOST_FIXTURE_TEST_CASE(files_that_are_there_are_not_sent_again, backups) {
    BOOST_REQUIRE(runtime::copy_backup(remote, make()));
    const auto before = remote.changes;
    const auto second = make();
    BOOST_REQUIRE(runtime::copy_backup(remote, second));
    BOOST_TEST(remote.changes - before < static_cast<int>(second.files.size()) + 1);
}

BOOST_FIXTURE_TEST_CASE(copy_that_broke_off_is_none_and_goes_on, backups) {
    const auto made = make();
    remote.fails_after = 2;
    BOOST_TEST((runtime::copy_backup(remote, made).error().code == code::connection_failed));
    BOOST_TEST(runtime::list_copies(remote)->empty());
    remote.fails_after = 1 << 30;
    const auto before = remote.changes;
    BOOST_REQUIRE(runtime::copy_backup(remote, made));
    BOOST_TEST(remote.changes - before == static_cast<int>(remote.count("")) - 2);
    BOOST_TEST(runtime::list_copies(remote)->size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(removed_copy_takes_its_own_files_only, backups) {
    const auto first = make();
    BOOST_REQUIRE(runtime::copy_backup(remote, first));
    const auto alone = remote.count("files/");
    const auto second = make();
    BOOST_REQUIRE(runtime::copy_backup(remote, second));
    remote.objects["files/" + to_string(make_uuid()) + "/0"] = "of another node";
    BOOST_REQUIRE(runtime::remove_copy(remote, replica(), second.id));
    BOOST_TEST(remote.count("files/") == alone + 1);
    BOOST_TEST(runtime::fetch_copy(remote, first.id, directory.path / "fetched", ignore).has_value());
    BOOST_REQUIRE(runtime::remove_copy(remote, replica(), first.id));
    BOOST_REQUIRE(runtime::remove_copy(remote, replica(), first.id));
    BOOST_TEST(remote.count("") == 1U);
}

BOOST_FIXTURE_TEST_CASE(retention_keeps_what_people_made_and_the_newest, backups) {
    std::vector<std::string> ids;
    for (const auto by : {backup_maker::schedule, backup_maker::person, backup_maker::schedule}) {
        const auto made = make(by);
        ids.push_back(made.id);
        BOOST_REQUIRE(runtime::copy_backup(remote, made));
    }
    BOOST_REQUIRE(runtime::retain_copies(remote, replica(), 1));
    const auto left = runtime::list_copies(remote, replica());
    BOOST_TEST(left->size() == 2U);
    BOOST_TEST((std::ranges::find(*left, ids[0], &backup_manifest::id) == left->end()));
}

BOOST_FIXTURE_TEST_CASE(damaged_copy_is_named_and_leaves_no_folder, backups) {
    const auto made = make();
    BOOST_REQUIRE(runtime::copy_backup(remote, made));
    for (auto& [key, value] : remote.objects) {
        if (key.starts_with("files/") && !value.empty()) {
            value[0] = static_cast<char>(value[0] ^ 1);
        }
    }
    const auto to = directory.path / "fetched";
    BOOST_TEST((runtime::fetch_copy(remote, made.id, to, ignore).error().code == code::journal_damaged));
    BOOST_TEST(!fs::exists(to));
}

BOOST_FIXTURE_TEST_CASE(manifest_that_leads_elsewhere_is_refused, backups) {
    auto made = make();
    made.files.front().path = "../../outside";
    remote.objects["manifests/" + to_string(replica()) + "/" + made.id + ".json"] = to_json(made);
    BOOST_TEST(
        (runtime::fetch_copy(remote, made.id, directory.path / "x", ignore).error().code == code::journal_damaged));
}

BOOST_AUTO_TEST_SUITE_END()
