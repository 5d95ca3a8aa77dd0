#include "storage/sealing.hpp"

#include "storage/audit.hpp"
#include "storage/base.hpp"
#include "storage/blob_rows.hpp"
#include "tests/storage/sealed_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

std::vector<record> log_of(const store& s) {
    std::vector<record> out;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        BOOST_REQUIRE(read_log(s, shard, 0, [&](record&& r) {
                          if (r.entity_seq > 0) {
                              out.push_back(std::move(r));
                          }
                          return true;
                      }).has_value());
    }
    return out;
}

expected<std::vector<record>> history_of(const store& s, const entity_address& a) {
    std::vector<record> out;
    auto read = read_history(s, a, 0, [&](record&& r) -> expected<void> {
        out.push_back(std::move(r));
        return {};
    });
    return read ? expected<std::vector<record>>(std::move(out)) : read.error();
}

due_timer timer_of(const store& s, const entity_address& a) {
    std::optional<timestamp> next;
    for (auto& t : read_timers(s, s.shard_of(a), {10'000}, 100, next)) {
        if (t.entity == a) {
            return t;
        }
    }
    BOOST_FAIL("there is no timer");
    return {};
}

/// All that `sealed_journal::change` wrote is read as it was.
void check_readable(const sealed_journal& j, const entity_address& a, const std::string& text) {
    const auto& s = j.store();
    BOOST_TEST(read_document(s, a).value()->json == said(text + " document"));
    const auto by_name = j.list(a.organization, "name=" + text + " filter");
    BOOST_REQUIRE(by_name.items.size() == 1u);
    BOOST_TEST(by_name.items.front().json == said(text + " document"));
    BOOST_TEST(read_items(s, {a, "things", false, 50, {}}).value().items ==
               (std::vector<std::string>{said(text + " item"), said(text + " other item")}));
    BOOST_TEST(read_items(s, {a, "things", true, 1, {}}).value().items ==
               (std::vector<std::string>{said(text + " other item")}));
    BOOST_TEST(read_item(s, a, "things", "one").value().value() == said(text + " item"));
    BOOST_TEST(timer_of(s, a).type == "wake");
    BOOST_TEST(timer_of(s, a).payload == said(text + " timer"));
    BOOST_TEST(read_timers_of(s, a, 5).front().payload == said(text + " timer"));
    BOOST_TEST(read_poison_of(s, a, 5).value().front().cause == text + " poison");
    const auto poison = read_poison(s, {.organization = a.organization}).value().items;
    BOOST_TEST(std::ranges::any_of(poison, [&](const auto& p) { return p.id == a.id && p.cause == text + " poison"; }));
    BOOST_TEST(poison_rows_until(s, a, 100).value().back().second.find(text + " poison") != std::string::npos);
    BOOST_TEST(read_snapshots(s, a, 1).front().state == said(text + " snapshot"));
    BOOST_TEST(read_command(s, a, "kept").value()->kept == said(text + " answer"));
    const auto events = history_of(s, a).value();
    BOOST_REQUIRE(!events.empty());
    BOOST_TEST(events.back().payload == said(text + " payload"));
    BOOST_TEST((events.back().client == sealed_journal::client_of(text)));
    bool in_log = false;
    for (auto& r : log_of(s)) {
        if (r.entity == a && r.entity_seq == events.back().entity_seq) {
            in_log = true;
            BOOST_REQUIRE(open_record(s, r).has_value());
            BOOST_TEST((r == events.back()));
        }
    }
    BOOST_TEST(in_log);
}

void check_whole(const store& s) {
    const auto found = verify_journal(s, [](std::uint64_t) {});
    BOOST_TEST(!found.first_bad, (found.first_bad ? found.first_bad->detail : ""));
    BOOST_TEST(found.snapshots_damaged == 0u);
}

void write_audit(store& s) {
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        BOOST_REQUIRE(write_audit_lines(s, shard, 10'000).has_value());
    }
}

std::vector<audit_line> audit_of(const store& s, const uuid& organization) {
    audit_query query;
    query.organization = organization;
    return read_audit(s, query).value().lines;
}

void check_audit(const store& s) {
    const auto found = verify_audit(s, std::nullopt, {}, [](std::uint64_t) {});
    BOOST_TEST(found.bad_count == 0u, (found.bad.empty() ? "" : found.bad.front()));
    BOOST_TEST(found.compared == found.lines);
}

} // namespace

BOOST_AUTO_TEST_SUITE(sealing)

BOOST_AUTO_TEST_CASE(nothing_that_is_said_stands_in_any_file_of_the_database) {
    const std::string text = "distinctive-text-of-the-test";
    for (const bool with_keys : {true, false}) {
        sealed_journal j(with_keys);
        const auto a = j.write(one_organization, text);
        BOOST_REQUIRE(put_blob(j.store(), one_organization, text + " blob").has_value());
        write_audit(j.store());
        BOOST_TEST(j.on_disk(text) == !with_keys); // without keys: the search finds what is there
        j.open(with_keys);                         // what lay in the WAL lies in tables now
        BOOST_TEST(j.on_disk(text) == !with_keys);
        check_readable(j, a, text);
        check_whole(j.store());
    }
}

BOOST_AUTO_TEST_CASE(every_reader_gives_back_what_was_written_also_after_a_restart) {
    sealed_journal j;
    const auto person = make_uuid();
    const auto a = j.write(one_organization, "first");
    const auto b = j.write(other_organization, "second");
    const auto c = j.write(system_organization, "third", person);
    for (const bool restarted : {false, true}) {
        if (restarted) {
            j.open(true);
        }
        check_readable(j, a, "first");
        check_readable(j, b, "second");
        check_readable(j, c, "third");
        check_whole(j.store());
    }
    BOOST_TEST((j.keys_of().existing(person).value() != nullptr));
    BOOST_TEST(log_of(j.store()).size() == 3u);
    for (const auto& r : log_of(j.store())) {
        const auto key = j.keys_of().existing(r.entity == c ? person : r.entity.organization).value();
        BOOST_TEST(r.key_id == key->number);
        BOOST_TEST(is_sealed(r.payload));
    }
}

BOOST_AUTO_TEST_CASE(the_same_filter_is_another_name_in_another_organization) {
    sealed_journal j;
    const auto one = index_names::for_writing(j.store(), one_organization).value();
    const auto other = index_names::for_writing(j.store(), other_organization).value();
    BOOST_TEST(one("name=x") == index_names::for_reading(j.store(), one_organization)("name=x"));
    BOOST_TEST(one("name=x") != one("name=y"));
    BOOST_TEST(one("name=x") != other("name=x"));
    BOOST_TEST(one("").empty()); // the list of all
    BOOST_TEST(index_names()("name=x") == "name=x");
}

BOOST_AUTO_TEST_CASE(a_base_and_its_items_are_sealed_and_read_as_they_were) {
    const std::string text = "distinctive-base";
    sealed_journal j;
    const auto a = j.write(one_organization, "history");
    const auto shard = j.store().shard_of(a);
    const auto one = keys::item(shard, a, "things", "one");
    auto cut = j.journal->prepare(a, 0);
    history_base base;
    base.version = 1;
    base.seq = 2;
    base.time = {7};
    base.state = said(text + " state");
    put_base(j.store(), a, base, 0, cut.derived);
    BOOST_REQUIRE(move_base_items(
                      j.store(),
                      {{one, said("history item")}, {keys::item(shard, a, "things", "old"), said(text + " old item")}},
                      cut.derived)
                      .has_value());
    j.commit(std::move(cut));
    const auto check = [&] {
        BOOST_TEST(read_base_mark(j.store(), a)->version == 1u);
        BOOST_TEST(read_base(j.store(), a).value()->state == said(text + " state"));
        const auto items = read_base_items(j.store(), a).value();
        BOOST_TEST(items.at(std::string("things\0old", 10)) == said(text + " old item"));
        BOOST_TEST(items.at(std::string("things\0one", 10)) == said("history item"));
    };
    check();
    auto changed = j.journal->prepare(a, 1); // the value that the base shares with the views is put aside
    changed.derived.puts.emplace_back(one, said("changed item"));
    BOOST_REQUIRE(keep_base_items(j.store(), changed.derived).has_value());
    j.commit(std::move(changed));
    check();
    BOOST_TEST(!j.on_disk(text));
    j.open(true);
    check();
    BOOST_TEST(!j.on_disk(text));
    check_whole(j.store());
}

BOOST_AUTO_TEST_CASE(blobs_of_no_one_and_several_pieces_are_sealed_and_come_back) {
    sealed_journal j;
    auto& s = j.store();
    std::string several;
    for (int i = 0; several.size() < 2 * blob_piece_bytes + 17; ++i) {
        several += "distinctive-blob " + std::to_string(i) + "\n";
    }
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& bytes : {std::string(), std::string("distinctive-blob"), several}) {
        const auto name = put_blob(s, one_organization, bytes);
        BOOST_REQUIRE(name.has_value());
        all.emplace_back(*name, bytes);
    }
    {
        blob_writer writer(s, other_organization);
        BOOST_REQUIRE(writer.append(several).has_value());
        BOOST_TEST(writer.finish().value() == all.back().first);
    }
    for (const auto& [key, value] : j.rows(s.db().blobs)) {
        BOOST_TEST((value.size() < 10 || is_sealed(value)));
    }
    j.open(true);
    BOOST_TEST(!j.on_disk("distinctive-blob"));
    for (const auto& [name, bytes] : all) {
        BOOST_TEST(blob_size(j.store(), one_organization, name)->value() == bytes.size());
        BOOST_TEST((get_blob(j.store(), one_organization, name, bytes.size()).value() == bytes));
        BOOST_TEST(verify_blob(j.store(), one_organization, *blob_hash_of(name)).has_value());
    }
    const auto& [name, bytes] = all.back();
    BOOST_TEST((get_blob(j.store(), other_organization, name, bytes.size()).value() == bytes));
    const auto middle = blob_piece_bytes + 11;
    BOOST_TEST((read_blob_piece(j.store(), one_organization, name, middle, 50).value() == bytes.substr(middle, 50)));
    check_whole(j.store());
}

BOOST_AUTO_TEST_CASE(a_sealed_value_under_another_key_or_with_a_changed_byte_is_damage) {
    sealed_journal j;
    const auto a = j.write(one_organization, "first");
    const auto b = j.write(one_organization, "second");
    const auto key_of = [&](const entity_address& e) {
        return keys::entity(j.store().shard_of(e), keys::table::document, e);
    };
    const auto good = j.row(key_of(a));
    j.put(key_of(a), j.row(key_of(b)));
    BOOST_TEST((read_document(j.store(), a).error().code == code::journal_damaged));
    for (std::size_t at = 1; at < good.size(); ++at) {
        auto bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        j.put(key_of(a), bad);
        const auto read = read_document(j.store(), a);
        BOOST_TEST_CONTEXT("byte " << at) {
            BOOST_REQUIRE(read.has_error());
            // Another number is that of a key that is not there.
            BOOST_TEST(
                (read.error().code == code::journal_damaged || (at == 1 && read.error().code == code::secrets_locked)));
        }
    }
    for (std::size_t length = 1; length < good.size(); ++length) {
        j.put(key_of(a), good.substr(0, length));
        BOOST_REQUIRE((read_document(j.store(), a).error().code == code::journal_damaged));
    }
    j.put(key_of(a), good);
    check_readable(j, a, "first");
}

BOOST_AUTO_TEST_CASE(a_payload_in_the_place_of_another_is_damage) {
    sealed_journal j;
    const auto a = j.write(one_organization, "first");
    const auto b = j.write(one_organization, "second");
    auto records = log_of(j.store());
    BOOST_REQUIRE(records.size() == 2u);
    std::swap(records[0].payload, records[1].payload);
    for (auto& r : records) {
        const auto opened = open_record(j.store(), r);
        BOOST_REQUIRE(opened.has_error());
        BOOST_TEST((opened.error().code == code::journal_damaged));
        BOOST_TEST(opened.error().detail.find(to_string(r.entity)) != std::string::npos, opened.error().detail);
    }
    const auto snapshot = [&](const entity_address& e) {
        return keys::numbered(j.store().shard_of(e), keys::table::snapshot, e, 1);
    };
    j.put(snapshot(a), j.row(snapshot(b)));
    BOOST_TEST(read_snapshots(j.store(), a, 2).empty()); // as good as none: the history is the truth
    BOOST_TEST(verify_journal(j.store(), [](std::uint64_t) {}).snapshots_damaged == 1u);
}

BOOST_AUTO_TEST_CASE(what_an_older_version_kept_plain_is_read_beside_what_is_sealed) {
    sealed_journal j(false);
    const auto old = j.write(one_organization, "old");
    const auto name = put_blob(j.store(), one_organization, "old blob").value();
    write_audit(j.store());
    j.open(true);
    const auto fresh = j.write(other_organization, "fresh");
    check_readable(j, fresh, "fresh");
    BOOST_TEST(read_document(j.store(), old).value()->json == said("old document"));
    BOOST_TEST(read_items(j.store(), {old, "things", false, 50, {}}).value().items.size() == 2u);
    BOOST_TEST(timer_of(j.store(), old).payload == said("old timer"));
    BOOST_TEST(read_snapshots(j.store(), old, 1).front().state == said("old snapshot"));
    BOOST_TEST(read_command(j.store(), old, "kept").value()->kept == said("old answer"));
    BOOST_TEST(history_of(j.store(), old).value().front().payload == said("old payload"));
    BOOST_TEST(get_blob(j.store(), one_organization, name, 100).value() == "old blob");
    BOOST_TEST(audit_of(j.store(), one_organization).front().client.address == "old address");
    write_audit(j.store());
    check_audit(j.store());
    check_whole(j.store());
}

BOOST_AUTO_TEST_CASE(without_keys_sealed_contents_are_locked_and_no_damage) {
    sealed_journal j;
    const auto a = j.write(one_organization, "sealed");
    const auto name = put_blob(j.store(), one_organization, "sealed blob").value();
    write_audit(j.store());
    j.open(false);
    const auto& s = j.store();
    const auto locked = [](const auto& result) {
        return result.has_error() && result.error().code == code::secrets_locked;
    };
    BOOST_TEST(locked(read_document(s, a)));
    BOOST_TEST(locked(read_items(s, {a, "things", false, 50, {}})));
    BOOST_TEST(locked(read_item(s, a, "things", "one")));
    BOOST_TEST(locked(read_poison(s, {.organization = one_organization})));
    BOOST_TEST(locked(read_command(s, a, "kept")));
    BOOST_TEST(locked(history_of(s, a)));
    BOOST_TEST(locked(get_blob(s, one_organization, name, 100)));
    BOOST_TEST(read_snapshots(s, a, 1).empty());
    BOOST_TEST(audit_of(s, one_organization).front().client.address.empty());
    check_whole(s);
    check_audit(s);
}

BOOST_AUTO_TEST_CASE(what_was_erased_is_not_there_for_any_reader) {
    sealed_journal j;
    const auto a = j.write(one_organization, "gone");
    const auto b = j.write(other_organization, "stays");
    const auto name = put_blob(j.store(), one_organization, "gone blob").value();
    BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
    for (const bool restarted : {false, true}) {
        if (restarted) {
            j.open(true);
        }
        const auto& s = j.store();
        BOOST_TEST(!read_document(s, a).value().has_value());
        BOOST_TEST(j.list(one_organization).items.empty());
        BOOST_TEST(j.list(one_organization, "name=gone filter").items.empty());
        BOOST_TEST(read_items(s, {a, "things", false, 50, {}}).value().items.empty());
        BOOST_TEST(!read_item(s, a, "things", "one").value().has_value());
        BOOST_TEST(read_poison(s, {.organization = one_organization}).value().items.empty());
        BOOST_TEST(read_poison_of(s, a, 5).value().empty());
        BOOST_TEST(read_snapshots(s, a, 5).empty());
        BOOST_TEST(timer_of(s, a).type.empty());
        BOOST_TEST((history_of(s, a).error().code == code::erased));
        BOOST_TEST((read_command(s, a, "kept").error().code == code::erased));
        BOOST_TEST((get_blob(s, one_organization, name, 100).error().code == code::erased));
        BOOST_TEST((index_names::for_writing(s, one_organization).error().code == code::erased));
        BOOST_TEST((put_blob(j.store(), one_organization, "more").error().code == code::erased));
        for (auto& r : log_of(s)) {
            const auto opened = open_record(s, r);
            BOOST_TEST(opened.has_value() == (r.entity == b));
        }
        check_readable(j, b, "stays");
        check_whole(s);
    }
}

BOOST_AUTO_TEST_CASE(an_append_of_the_erased_is_refused_and_others_of_its_batch_are_written) {
    sealed_journal j;
    const auto person = make_uuid();
    const auto a = j.write(one_organization, "gone");
    const auto b = j.write(other_organization, "stays");
    const auto c = j.write(system_organization, "person", person);
    BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
    BOOST_REQUIRE(j.keys_of().destroy(person, {9}).has_value());
    std::vector<append> batch;
    batch.push_back(j.change(a, "late"));
    batch.push_back(j.change(b, "stays longer"));
    batch.push_back(j.change(c, "late person", person));
    const auto results = j.journal->commit(batch);
    BOOST_TEST((results[0].error().code == code::erased));
    BOOST_TEST(results[1].has_value());
    BOOST_TEST((results[2].error().code == code::erased));
    BOOST_TEST(read_version(j.store(), a).value() == 1u);
    BOOST_TEST(read_version(j.store(), c).value() == 1u);
    check_readable(j, b, "stays longer");
    check_whole(j.store());
    const auto fresh = j.write(one_organization, "by another", make_uuid()); // another's, among the erased
    BOOST_TEST(history_of(j.store(), fresh).value().front().payload == said("by another payload"));
}

BOOST_AUTO_TEST_CASE(an_erased_persons_client_is_empty_where_the_organizations_payload_stays) {
    sealed_journal j;
    const auto person = make_uuid();
    const entity_address a{one_organization, "counter", make_uuid()};
    auto change = j.change(a, "work");
    change.records.front().principal = "user/" + to_string(person);
    j.commit(std::move(change));
    const auto by_key = j.write(one_organization, "robot");
    write_audit(j.store());
    const auto before = history_of(j.store(), a).value().front();
    BOOST_TEST((before.client == sealed_journal::client_of("work")));
    BOOST_REQUIRE(j.keys_of().destroy(person, {9}).has_value());
    const auto after = history_of(j.store(), a).value().front();
    BOOST_TEST((after.client == client_info{}));
    BOOST_TEST(after.payload == before.payload);
    BOOST_TEST(after.principal == before.principal);
    check_readable(j, by_key, "robot");
    const auto lines = audit_of(j.store(), one_organization);
    BOOST_REQUIRE(lines.size() == 2u);
    BOOST_TEST(lines[0].client.address == "robot address");
    BOOST_TEST(lines[1].client.address.empty());
    BOOST_TEST(lines[1].client.program.empty());
    BOOST_TEST(lines[1].principal == "user/" + to_string(person));
    BOOST_TEST(read_audit_details(j.store(), lines[1]).value().value() == said("work payload"));
    check_audit(j.store());
}

BOOST_AUTO_TEST_CASE(lines_of_the_audit_log_stay_and_verify_after_an_erasure) {
    sealed_journal j;
    j.write(one_organization, "gone");
    j.write(other_organization, "stays");
    write_audit(j.store());
    const auto heads = read_audit_heads(j.store(), std::nullopt).value();
    const auto late = j.write(one_organization, "gone without a line yet");
    BOOST_REQUIRE(j.keys_of().destroy(one_organization, {9}).has_value());
    write_audit(j.store());
    for (const bool restarted : {false, true}) {
        if (restarted) {
            j.open(true);
        }
        const auto lines = audit_of(j.store(), one_organization);
        BOOST_REQUIRE(lines.size() == 2u);
        for (const auto& line : lines) {
            BOOST_TEST(line.client.address.empty());
            BOOST_TEST(!read_audit_details(j.store(), line).value().has_value());
        }
        BOOST_TEST((lines[0].entity == late));
        check_audit(j.store());
        const auto found = verify_audit(j.store(), std::nullopt, heads, [](std::uint64_t) {});
        BOOST_TEST(found.anchored == heads.size());
        BOOST_TEST(found.bad_count == 0u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
