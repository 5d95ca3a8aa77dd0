#include "storage/upgrade.hpp"

#include "schemas/base/described.hpp"
#include "schemas/base/durable_file.hpp"
#include "storage/base.hpp"
#include "storage/items.hpp"
#include "tests/storage/sealed_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

const std::string told = "distinctive-name";
const std::string principal = "user/018f3c1e-7d2a-7000-8000-0000000000bb";

/// A directory as format 1 had it: with a project whose two files are named in keys, one of them also in the base of
/// its history, and a command whose id is as its caller chose it.
struct older_directory {
    explicit older_directory(bool with_keys = true) : journal(with_keys), keyed(with_keys) {
        const auto shard = journal.store().shard_of(project);
        const auto view = [&](const std::string& name) { return keys::item(shard, project, "files", name); };
        journal.commit(journal.change(project, "first"));
        auto files = journal.journal->prepare(project, 1);
        files.derived.puts = {{view(told + "/1"), said("one")},
                              {view(told + "/2"), said("two")},
                              {keys::item(shard, project, "things", "1"), said("other")},
                              {keys::command(shard, project, "effect/of the node"), encode_command_row({1, 1, 1, {5}})},
                              {keys::command(shard, project, principal + "/" + told),
                               encode_command_row({7, 1, 1, {5}, repeat_answer::kept, said("answer")})}};
        journal.commit(std::move(files));
        auto cut = journal.journal->prepare(project, 0);
        history_base base;
        base.version = 1;
        base.seq = 1;
        base.state = "{}";
        put_base(journal.store(), project, base, 0, cut.derived);
        BOOST_REQUIRE(move_base_items(journal.store(),
                                      {{view(told + "/1"), said("one")}, {view(told + "/gone"), said("was there")}},
                                      cut.derived)
                          .has_value());
        journal.commit(std::move(cut));
        make_older();
    }

    /// As after a crash before the end of an upgrade, too.
    void make_older() {
        const auto file = journal.directory.path / "identity.json";
        auto who = from_json<identity>(read_whole_file(file, 1 << 16).value(), strictness::stored).value();
        who.format = 1;
        BOOST_REQUIRE(replace_file(file, to_json(who)).has_value());
        journal.open(keyed);
        BOOST_REQUIRE(journal.store().who().format == 1u);
    }

    /// The rows that an upgrade changes; a restart changes others.
    [[nodiscard]] std::map<std::string, std::string> rows() const {
        auto out = journal.rows();
        std::erase_if(out, [](const auto& row) { return std::string("mnc").find(row.first[2]) == std::string::npos; });
        return out;
    }

    void check() const {
        const auto& s = journal.store();
        const auto page = read_items(s, {project, "@files", false, 10, {}}).value();
        BOOST_TEST((page.items == std::vector<std::string>{said("one"), said("two")}));
        BOOST_TEST(read_item(s, project, "@files", told + "/2").value().value() == said("two"));
        BOOST_TEST(read_items(s, {project, "files", false, 10, {}})->items.empty());
        BOOST_TEST(read_item(s, project, "things", "1").value().value() == said("other"));
        std::map<std::string, std::string> base;
        for (const auto& [key, value] : read_base_items(s, project).value()) {
            BOOST_TEST(key.starts_with(std::string("@files\0", 7)));
            const auto item = open_private_item(value).value();
            base.emplace(item.key, item.document);
        }
        BOOST_TEST((base == std::map<std::string, std::string>{{told + "/1", said("one")},
                                                               {told + "/gone", said("was there")}}));
        const auto repeated = read_command(s, project, caller_command_id(project.organization, principal, told));
        BOOST_REQUIRE(repeated.value().has_value());
        BOOST_TEST((*repeated)->kept == said("answer"));
        BOOST_TEST((*repeated)->request_hash == 7u);
        BOOST_TEST(read_command(s, project, "effect/of the node").value().has_value());
    }

    sealed_journal journal;
    bool keyed;
    entity_address project{one_organization, "project", make_uuid()};
};

} // namespace

BOOST_AUTO_TEST_SUITE(upgrades)

BOOST_AUTO_TEST_CASE(what_users_wrote_goes_from_keys_and_is_found_as_before) {
    older_directory d;
    BOOST_TEST(d.journal.on_disk(told));
    BOOST_REQUIRE(upgrade(d.journal.store()).has_value());
    d.check();
    const auto rows = d.rows();
    d.journal.open(true); // RocksDB's list of its files names the first and last key of each until then
    BOOST_TEST(!d.journal.on_disk(told));
    BOOST_TEST(d.journal.store().who().format == directory_format);
    BOOST_REQUIRE(upgrade(d.journal.store()).has_value()); // nothing
    BOOST_TEST((d.rows() == rows));
}

BOOST_AUTO_TEST_CASE(one_that_was_ended_early_is_finished_by_the_next) {
    older_directory d;
    BOOST_REQUIRE(upgrade(d.journal.store()).has_value());
    const auto rows = d.rows();
    d.make_older();
    BOOST_REQUIRE(upgrade(d.journal.store()).has_value());
    BOOST_TEST((d.rows() == rows));
    d.check();
}

BOOST_AUTO_TEST_CASE(a_directory_without_keys_is_brought_up_too) {
    older_directory d(false);
    BOOST_REQUIRE(upgrade(d.journal.store()).has_value());
    d.check();
}

BOOST_AUTO_TEST_CASE(rows_of_what_is_erased_are_dropped) {
    older_directory d;
    BOOST_REQUIRE(d.journal.keys_of().destroy(one_organization, {9}).has_value());
    BOOST_REQUIRE(upgrade(d.journal.store()).has_value());
    d.journal.open(true);
    BOOST_TEST(!d.journal.on_disk(told));
}

BOOST_AUTO_TEST_SUITE_END()
