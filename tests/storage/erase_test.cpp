#include "storage/erase.hpp"

#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/items.hpp"
#include "storage/trim.hpp"
#include "tests/storage/sealed_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <map>
#include <string>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

constexpr timestamp far_ahead{std::numeric_limits<std::int64_t>::max()};

using row_map = std::map<std::string, std::string>;

bool names(const std::string& key, const entity_address& a) {
    const std::string id(reinterpret_cast<const char*>(a.id.bytes.data()), a.id.bytes.size());
    return key.find(id) != std::string::npos;
}

/// Rows but those that name one of the entities; and but those of logs, which a restart changes.
row_map without(row_map rows, const std::vector<entity_address>& all) {
    std::erase_if(rows, [&](const auto& row) {
        const auto table = static_cast<keys::table>(row.first[2]);
        return table == keys::table::applied || table == keys::table::epochs ||
               std::ranges::any_of(all, [&](const auto& a) { return names(row.first, a); });
    });
    return rows;
}

bool any_names(const row_map& rows, const entity_address& a) {
    return std::ranges::any_of(rows, [&](const auto& row) { return names(row.first, a); });
}

removed_rows remove(const sealed_journal& j) {
    const auto removed = remove_erased(j.store(), [] {});
    BOOST_REQUIRE_MESSAGE(removed.has_value(), (removed ? "" : removed.error().detail));
    return *removed;
}

void write_audit(store& s) {
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        BOOST_REQUIRE(write_audit_lines(s, shard, 10'000).has_value());
    }
}

void check_good(const store& s) {
    const auto found = verify_journal(s, [](std::uint64_t) {});
    BOOST_TEST(!found.first_bad, (found.first_bad ? found.first_bad->detail : ""));
    BOOST_TEST(found.blobs_damaged == 0u);
    const auto audit = verify_audit(s, std::nullopt, {}, [](std::uint64_t) {});
    BOOST_TEST(audit.bad_count == 0u, (audit.bad.empty() ? "" : audit.bad.front()));
}

} // namespace

BOOST_AUTO_TEST_SUITE(erasing)

BOOST_AUTO_TEST_CASE(all_rows_of_an_erased_organization_go_and_nothing_of_others) {
    sealed_journal j;
    std::vector<entity_address> gone;
    for (int i = 0; i < 20; ++i) { // in every shard
        gone.push_back(j.write(one_organization, "gone " + std::to_string(i)));
        j.write(other_organization, "stays " + std::to_string(i));
        j.write(system_organization, "person " + std::to_string(i), make_uuid());
    }
    // A history that begins at a base.
    auto cut = j.journal->prepare(gone.front(), 0);
    history_base base;
    base.version = 1;
    base.seq = 1;
    base.state = "{}";
    put_base(j.store(), gone.front(), base, 0, cut.derived);
    BOOST_REQUIRE(move_base_items(j.store(),
                                  {{keys::item(j.store().shard_of(gone.front()), gone.front(), "things", "one"), "x"}},
                                  cut.derived)
                      .has_value());
    j.commit(std::move(cut));
    const auto big = std::string(blob_piece_bytes + 5, 'b');
    for (const auto& organization : {one_organization, other_organization}) {
        BOOST_REQUIRE(put_blob(j.store(), organization, big).has_value());
        BOOST_REQUIRE(put_blob(j.store(), organization, "small").has_value());
    }
    write_audit(j.store());
    const auto others = without(j.rows(), gone);
    const auto log = j.rows(j.store().db().log);
    const auto blobs = j.rows(j.store().db().blobs);

    BOOST_TEST(remove(j).entities == 0u); // nothing is erased yet
    BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
    const auto removed = remove(j);
    BOOST_TEST(removed.entities == gone.size());
    BOOST_TEST(removed.blobs == 2u);
    BOOST_TEST(removed.rows > gone.size() * 10);
    for (const auto& a : gone) {
        BOOST_TEST(!any_names(j.rows(), a));
        BOOST_TEST(read_version(j.store(), a).value() == 0u);
    }
    BOOST_TEST((without(j.rows(), {}) == others));
    BOOST_TEST((j.rows(j.store().db().log) == log)); // the chain of the audit log is over it
    auto left = blobs;
    std::erase_if(left, [&](const auto& row) {
        const auto& bytes = one_organization.bytes;
        return row.first.starts_with(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    });
    BOOST_TEST((j.rows(j.store().db().blobs) == left));
    BOOST_TEST(left.size() < blobs.size());

    const auto before = j.rows();
    const auto again = remove(j); // a repeat
    BOOST_TEST(again.entities == 0u);
    BOOST_TEST(again.rows == 0u);
    BOOST_TEST(again.blobs == 0u);
    BOOST_TEST((j.rows() == before));
    check_good(j.store());
    j.open(true);
    BOOST_TEST(j.list(one_organization).items.empty());
    BOOST_TEST(j.list(other_organization).items.size() == 20u);
    check_good(j.store());
}

BOOST_AUTO_TEST_CASE(what_a_person_had_in_system_goes_and_all_others_there_stay) {
    sealed_journal j;
    const auto person = make_uuid();
    std::vector<entity_address> gone;
    for (int i = 0; i < 12; ++i) {
        gone.push_back(j.write(system_organization, "gone " + std::to_string(i), person));
        j.write(system_organization, "other person " + std::to_string(i), make_uuid());
        j.write(system_organization, "of the node " + std::to_string(i));
        j.write(one_organization, "work " + std::to_string(i));
    }
    BOOST_REQUIRE(put_blob(j.store(), system_organization, "of the node").has_value());
    write_audit(j.store());
    const auto others = without(j.rows(), gone);
    const auto blobs = j.rows(j.store().db().blobs);
    BOOST_REQUIRE(j.keys_of().destroy(person, {9}).has_value());
    const auto removed = remove(j);
    BOOST_TEST(removed.entities == gone.size());
    BOOST_TEST(removed.blobs == 0u);
    BOOST_TEST((without(j.rows(), {}) == others));
    BOOST_TEST((j.rows(j.store().db().blobs) == blobs));
    BOOST_TEST(j.list(system_organization).items.size() == 24u);
    BOOST_TEST(remove(j).rows == 0u);
    check_good(j.store());
}

BOOST_AUTO_TEST_CASE(an_entity_of_another_kind_under_the_same_id_stays) {
    sealed_journal j;
    entity_address person{system_organization, "user", make_uuid()};
    entity_address erasure{system_organization, "erasure", person.id};
    while (j.store().shard_of(person) != j.store().shard_of(erasure)) { // whose rows stand among its own
        person.id = erasure.id = make_uuid();
    }
    j.commit(j.change(erasure, "the node's"));
    const auto before = without(j.rows(), {});
    j.commit(j.change(person, "the person's", person.id));
    BOOST_REQUIRE(j.keys_of().destroy(person.id, {9}).has_value());
    BOOST_TEST(remove(j).entities == 1u);
    BOOST_TEST((without(j.rows(), {}) == before));
    BOOST_TEST(j.list(system_organization, {}, "erasure").items.size() == 1u);
    BOOST_TEST(read_owed(j.store(), j.store().shard_of(erasure)).size() == 1u);
}

BOOST_AUTO_TEST_CASE(keys_of_private_items_are_in_no_table_and_no_wal_and_go_with_the_key) {
    sealed_journal j;
    const entity_address a{one_organization, "counter", make_uuid()};
    auto change = j.change(a, "gone");
    change.derived.puts.push_back(item_row(index_names::for_writing(j.store(), a.organization).value(),
                                           j.store().shard_of(a), a, "@files", "distinctive-path", "x"));
    j.commit(std::move(change));
    BOOST_TEST(read_item(j.store(), a, "@files", "distinctive-path").value().value() == "x");
    BOOST_TEST(!j.on_disk("distinctive-path"));
    j.open(true);
    BOOST_TEST(!j.on_disk("distinctive-path"));
    BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
    BOOST_TEST(!read_item(j.store(), a, "@files", "distinctive-path").value());
    BOOST_TEST(read_items(j.store(), {a, "@files", false, 10, {}})->items.empty());
    remove(j);
    BOOST_TEST(!any_names(j.rows(), a));
    check_good(j.store());
}

BOOST_AUTO_TEST_CASE(a_removal_that_was_ended_early_is_finished_by_the_next) {
    sealed_journal j;
    std::vector<entity_address> gone;
    for (int i = 0; i < 12; ++i) {
        gone.push_back(j.write(one_organization, "gone"));
        j.write(other_organization, "stays");
    }
    write_audit(j.store());
    const auto others = without(j.rows(), gone);
    BOOST_REQUIRE(owe_removal(store::keys_folder(j.directory.path)).has_value());
    BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
    int steps = 0;
    std::stop_source stop;
    const auto ended = remove_erased(
        j.store(),
        [&] {
            if (++steps > 2) {
                stop.request_stop();
            }
        },
        stop.get_token());
    BOOST_REQUIRE(ended.has_error());
    BOOST_TEST((ended.error().code == code::cancelled));
    BOOST_TEST((without(j.rows(), {}) != others));
    j.open(true);
    BOOST_TEST(owes_removal(j.store()));
    remove(j);
    BOOST_TEST((without(j.rows(), {}) == others));
    BOOST_REQUIRE(settle_removal(j.store()).has_value());
    BOOST_TEST(!owes_removal(j.store()));
    BOOST_TEST(settle_removal(j.store()).has_value()); // a repeat
}

BOOST_AUTO_TEST_CASE(a_data_directory_without_keys_owes_nothing) {
    sealed_journal j(false);
    BOOST_REQUIRE(owe_removal(store::keys_folder(j.directory.path)).has_value());
    BOOST_TEST(!owes_removal(j.store()));
    j.write(one_organization, "plain");
    const auto before = j.rows();
    BOOST_TEST(remove(j).rows == 0u);
    BOOST_TEST((j.rows() == before));
}

BOOST_AUTO_TEST_CASE(the_log_is_trimmed_past_what_was_erased) {
    for (const bool removed : {false, true}) {
        sealed_journal j;
        for (int i = 0; i < 8; ++i) {
            j.write(one_organization, "gone");
            j.write(other_organization, "stays");
        }
        write_audit(j.store());
        BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
        if (removed) {
            remove(j);
        }
        for (std::uint32_t shard = 0; shard < j.store().who().shards; ++shard) {
            const auto point = find_trim(j.store(), shard, far_ahead, 1000);
            BOOST_REQUIRE_MESSAGE(point.has_value(), (point ? "" : point.error().detail));
            if (j.store().applied(shard) > 0) {
                BOOST_TEST(point->to.at.seq == j.store().applied(shard));
                BOOST_REQUIRE(j.journal->committer->trim(shard, point->to).has_value());
            }
        }
        remove(j);
        check_good(j.store());
        BOOST_TEST(j.list(other_organization).items.size() == 8u);
    }
}

BOOST_AUTO_TEST_CASE(a_lost_history_of_somebody_else_still_stops_the_trim) {
    sealed_journal j;
    j.write(one_organization, "gone");
    const auto a = j.write(other_organization, "stays");
    write_audit(j.store());
    BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
    const auto shard = j.store().shard_of(a);
    BOOST_REQUIRE(
        j.store().db().db->Delete({}, j.store().db().derived, keys::numbered(shard, keys::table::history, a, 1)).ok());
    const auto point = find_trim(j.store(), shard, far_ahead, 1000);
    BOOST_TEST((point.has_error() && point.error().code == code::journal_damaged));
}

BOOST_AUTO_TEST_SUITE_END()
