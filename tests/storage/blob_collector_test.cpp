#include "storage/blob_collector.hpp"

#include "storage/blobs.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/views.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

constexpr std::int64_t grace_ms = 1000;
const uuid mine = system_organization;

/// A journal whose entities name blobs, and a collector whose clock moves by hand.
struct place {
    temporary_directory directory;
    journal_fixture journal{directory.path};
    timestamp now{1'800'000'000'000};
    entity_address owner = journal.address_in(1);
    entity_address other = journal.address_in(2);

    store& s() { return *journal.store; }

    void commit_reference(const entity_address& a, const std::string& blob, bool named) {
        auto append = journal.prepare(a);
        const auto key = keys::reference(s().shard_of(a), as_bytes(*blob_hash_of(blob)), a);
        if (named) {
            BOOST_REQUIRE(name_blobs(s(), a.organization, std::vector{*blob_hash_of(blob)}).has_value());
            append.derived.puts.emplace_back(key, "");
        } else {
            append.derived.deletes.push_back(key);
        }
        BOOST_REQUIRE(journal.commit(std::move(append)).has_value());
    }
    void name(const entity_address& a, const std::string& blob) { commit_reference(a, blob, true); }
    void release(const entity_address& a, const std::string& blob) { commit_reference(a, blob, false); }

    collection pass(std::size_t step_blobs = 256) {
        blob_collector collector(s(), {grace_ms, step_blobs});
        for (;;) {
            const auto over = collector.step(now);
            BOOST_REQUIRE_MESSAGE(over.has_value(), (over ? "" : over.error().detail));
            if (*over) {
                return collector.seen();
            }
        }
    }
    bool is_there(const std::string& blob, const uuid& organization = mine) {
        return blob_size(s(), organization, blob)->has_value();
    }
    std::size_t rows() {
        std::size_t count = 0;
        for (prefix_scan scan(*s().db().db, s().db().blobs, ""); scan.valid(); scan.next()) {
            ++count;
        }
        return count;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(blob_collectors)

BOOST_AUTO_TEST_CASE(what_nothing_names_goes_after_the_grace_and_leaves_nothing) {
    place p;
    const auto blob = put_blob(p.s(), mine, std::string(2 * blob_piece_bytes + 5, 'x')).value();
    BOOST_TEST(p.pass().unnamed == 1u);
    p.now = p.now + grace_ms;
    BOOST_TEST(p.pass().collected == 0u);
    BOOST_TEST(p.is_there(blob));
    p.now = p.now + 1;
    const auto seen = p.pass();
    BOOST_TEST(seen.collected == 1u);
    BOOST_TEST(seen.collected_bytes == 2 * blob_piece_bytes + 5);
    BOOST_TEST(!p.is_there(blob));
    BOOST_TEST(p.rows() == 0u);
}

BOOST_AUTO_TEST_CASE(what_a_state_names_stays_and_its_grace_begins_when_the_last_one_lets_go) {
    place p;
    const auto blob = put_blob(p.s(), mine, "content").value();
    p.name(p.owner, blob);
    p.name(p.other, blob);
    for (int i = 0; i < 3; ++i) {
        p.now = p.now + 10 * grace_ms;
        const auto seen = p.pass();
        BOOST_TEST(seen.blobs == 1u);
        BOOST_TEST(seen.unnamed == 0u);
    }
    p.release(p.owner, blob);
    p.now = p.now + 10 * grace_ms;
    BOOST_TEST(p.pass().unnamed == 0u);
    p.release(p.other, blob);
    p.now = p.now + 10 * grace_ms;
    BOOST_TEST(p.pass().unnamed == 1u);
    BOOST_TEST(p.is_there(blob));
    p.now = p.now + grace_ms + 1;
    BOOST_TEST(p.pass().collected == 1u);
    BOOST_TEST(!p.is_there(blob));
}

BOOST_AUTO_TEST_CASE(a_content_that_is_put_again_counts_as_new) {
    place p;
    const std::string bytes(blob_piece_bytes + 1, 'y');
    const auto blob = put_blob(p.s(), mine, bytes).value();
    p.pass();
    p.now = p.now + 10 * grace_ms;
    BOOST_TEST(put_blob(p.s(), mine, bytes).value() == blob);
    BOOST_TEST(p.pass().collected == 0u);
    p.now = p.now + 10 * grace_ms;
    blob_writer again(p.s(), mine);
    BOOST_REQUIRE(again.append(bytes).has_value());
    BOOST_TEST(again.finish().value() == blob);
    BOOST_TEST(p.pass().collected == 0u);
    BOOST_TEST((get_blob(p.s(), mine, blob, bytes.size()).value() == bytes));
}

BOOST_AUTO_TEST_CASE(a_content_about_to_be_named_is_not_collected_before_the_commit) {
    place p;
    const auto blob = put_blob(p.s(), mine, "content").value();
    p.pass();
    p.now = p.now + 10 * grace_ms;
    BOOST_REQUIRE(name_blobs(p.s(), mine, std::vector{*blob_hash_of(blob)}).has_value());
    BOOST_TEST(p.pass().collected == 0u); // the commit is still under way
    p.name(p.owner, blob);
    BOOST_TEST(p.is_there(blob));
}

BOOST_AUTO_TEST_CASE(what_was_collected_cannot_be_named) {
    place p;
    const auto blob = put_blob(p.s(), mine, "content").value();
    p.pass();
    p.now = p.now + grace_ms + 1;
    p.pass();
    const auto named = name_blobs(p.s(), mine, std::vector{*blob_hash_of(blob)});
    BOOST_REQUIRE(named.has_error());
    BOOST_TEST((named.error().code == code::not_found));
    BOOST_TEST(named.error().detail.find(blob) != std::string::npos);
    BOOST_TEST(put_blob(p.s(), mine, "content").value() == blob); // and comes back with its content
    BOOST_TEST(name_blobs(p.s(), mine, std::vector{*blob_hash_of(blob)}).has_value());
}

BOOST_AUTO_TEST_CASE(an_organization_keeps_nothing_alive_for_another) {
    place p;
    const auto other = make_uuid();
    const auto blob = put_blob(p.s(), mine, "content").value();
    BOOST_TEST(put_blob(p.s(), other, "content").value() == blob);
    p.name(p.owner, blob);
    p.pass();
    p.now = p.now + grace_ms + 1;
    BOOST_TEST(p.pass().collected == 1u);
    BOOST_TEST(p.is_there(blob));
    BOOST_TEST(!p.is_there(blob, other));
}

BOOST_AUTO_TEST_CASE(small_steps_see_every_blob_once) {
    place p;
    std::vector<std::string> all;
    for (int i = 0; i < 7; ++i) {
        all.push_back(put_blob(p.s(), mine, "content " + std::to_string(i)).value());
    }
    for (int i = 0; i < 7; i += 2) {
        p.name(i % 4 == 0 ? p.owner : p.other, all[static_cast<std::size_t>(i)]);
    }
    BOOST_TEST(p.pass(2).blobs == 7u);
    p.now = p.now + grace_ms + 1;
    const auto seen = p.pass(1);
    BOOST_TEST(seen.collected == 3u);
    BOOST_TEST(seen.blobs == 4u);
    for (int i = 0; i < 7; ++i) {
        BOOST_TEST(p.is_there(all[static_cast<std::size_t>(i)]) == (i % 2 == 0));
    }
}

BOOST_AUTO_TEST_CASE(pieces_of_an_upload_that_a_crash_cut_off_go_too) {
    place p;
    const auto whole = put_blob(p.s(), mine, std::string(3 * blob_piece_bytes, 'a')).value();
    p.name(p.owner, whole);
    const auto rows = p.rows();
    const auto hash = sha256("never finished");
    for (std::uint32_t piece = 1; piece <= 3; ++piece) { // as a writer leaves them before the last batch
        BOOST_REQUIRE(
            p.s().db().db->Put({}, p.s().db().blobs, keys::blob_piece(mine, as_bytes(hash), piece), "piece").ok());
    }
    BOOST_TEST(p.pass().blobs == 1u);
    p.now = p.now + grace_ms + 1;
    BOOST_TEST(p.pass().collected == 1u);
    BOOST_TEST(p.rows() == rows);
    BOOST_TEST(p.is_there(whole));
}

BOOST_AUTO_TEST_CASE(a_clock_that_was_ahead_delays_and_does_not_stop) {
    place p;
    const auto blob = put_blob(p.s(), mine, "content").value();
    const auto right = p.now;
    p.now = p.now + 1'000'000 * grace_ms;
    p.pass();
    p.now = right;
    BOOST_TEST(p.pass().collected == 0u);
    p.now = right + grace_ms + 1;
    BOOST_TEST(p.pass().collected == 1u);
    BOOST_TEST(!p.is_there(blob));
}

BOOST_AUTO_TEST_CASE(verification_names_the_damaged_and_the_missing_content) {
    place p;
    const std::string bytes(2 * blob_piece_bytes, 'a');
    const auto good = put_blob(p.s(), mine, "good").value();
    const auto bad = put_blob(p.s(), mine, bytes).value();
    p.name(p.owner, good);
    p.name(p.owner, bad);
    const auto verify = [&] { return verify_journal(p.s(), [](std::uint64_t) {}); };
    auto found = verify();
    BOOST_TEST(found.blobs == 2u);
    BOOST_TEST(found.blob_bytes == bytes.size() + 4);
    BOOST_TEST(found.references == 2u);
    BOOST_TEST(!found.first());

    auto flipped = bytes.substr(0, blob_piece_bytes);
    flipped[12345] ^= 1;
    const auto piece = keys::blob_piece(mine, as_bytes(*blob_hash_of(bad)), 2);
    BOOST_REQUIRE(p.s().db().db->Put({}, p.s().db().blobs, piece, flipped).ok());
    found = verify();
    BOOST_TEST(found.blobs_damaged == 1u);
    BOOST_TEST(found.blobs_missing == 0u);
    BOOST_REQUIRE(found.first_bad_blob.has_value());
    BOOST_TEST(found.first_bad_blob->detail.find(bad) != std::string::npos, found.first_bad_blob->detail);
    BOOST_TEST(!found.first_bad.has_value());

    const auto head = keys::blob_piece(mine, as_bytes(*blob_hash_of(good)), 0);
    BOOST_REQUIRE(p.s().db().db->Delete({}, p.s().db().blobs, head).ok());
    BOOST_REQUIRE(p.s().db().db->Put({}, p.s().db().blobs, piece, bytes.substr(0, blob_piece_bytes)).ok());
    found = verify();
    BOOST_TEST(found.blobs_missing == 1u);
    BOOST_TEST(found.blobs_unfinished == 1u);
    BOOST_TEST(found.blobs_damaged == 0u);
    BOOST_REQUIRE(found.first_bad_blob.has_value());
    BOOST_TEST(found.first_bad_blob->detail.find(good) != std::string::npos, found.first_bad_blob->detail);
    BOOST_TEST(found.first_bad_blob->detail.find(to_string(p.owner)) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
