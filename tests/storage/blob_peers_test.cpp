// What puts, reads and names of blobs ask of other nodes. With real ones: tests/runtime/cluster/blob_exchange_test.cpp.

#include "storage/blob_peers.hpp"

#include "storage/blob_collector.hpp"
#include "storage/blob_copies.hpp"
#include "storage/blobs.hpp"
#include "tests/storage/journal_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

namespace {

const uuid mine = system_organization;

/// Other nodes that note what they are asked, and another store as the one that they all have.
struct noting_peers final : blob_peers {
    expected<void> spread(const blob_id& id) override {
        BOOST_TEST(head_of_blob(*here, id).value().has_value()); // only what is stored is offered
        spreads.push_back(id);
        return answer;
    }
    void offer(const blob_id& id) override { offers.push_back(id); }
    expected<void> fetch(const blob_id& id) override {
        fetches.push_back(id);
        return answer ? copy(id) : answer;
    }
    problem begin_fetch(const blob_id& id) override {
        begun.push_back(id);
        return answer ? problem{code::unavailable, "soon"} : answer.error();
    }
    [[nodiscard]] expected<void> copy(const blob_id& id) const {
        const auto head = head_of_blob(*there, id).value();
        if (!head) {
            return problem{code::not_found, "nobody has it"};
        }
        auto copy = blob_copy::begin(*here, id, *head).value();
        while (!copy->has_all()) {
            BOOST_REQUIRE(copy->add(kept_piece(*there, id, copy->next()).value()).has_value());
        }
        return copy->finish();
    }

    store* here = nullptr;
    store* there = nullptr;
    expected<void> answer;
    std::vector<blob_id> spreads, offers, fetches, begun;
};

struct two_stores {
    two_stores() {
        peers.here = here.store.get();
        peers.there = there.store.get();
        attach_blob_peers(*here.store, peers);
    }
    store& s() { return *here.store; }

    temporary_directory directory, other_directory;
    journal_fixture here{directory.path};
    journal_fixture there{other_directory.path};
    noting_peers peers;
};

blob_id id_of(const std::string& name) { return {mine, *blob_hash_of(name)}; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(blobs_at_other_nodes, two_stores)

BOOST_AUTO_TEST_CASE(a_put_ends_when_the_others_have_it_also_one_of_what_is_known) {
    const auto name = put_blob(s(), mine, "content").value();
    BOOST_TEST((peers.spreads == std::vector{id_of(name)}));
    peers.answer = problem{code::unavailable, "too few"};
    BOOST_TEST((put_blob(s(), mine, "content").error().code == code::unavailable));
    blob_writer writer(s(), mine);
    BOOST_TEST(writer.append("content").has_value());
    BOOST_TEST((writer.finish().error().code == code::unavailable));
    BOOST_TEST(peers.spreads.size() == 3u);
    BOOST_TEST(peers.fetches.empty());
}

BOOST_AUTO_TEST_CASE(a_read_of_what_is_not_here_fetches_it_once) {
    const std::string bytes(2 * blob_piece_bytes + 3, 'x');
    const auto name = put_blob(*there.store, mine, bytes).value();
    BOOST_TEST((get_blob(s(), mine, name, bytes.size()).value() == bytes));
    BOOST_TEST(blob_size(s(), mine, name).value().value() == bytes.size());
    BOOST_TEST(peers.fetches.size() == 1u);
    const auto piece = put_blob(*there.store, mine, "piece").value();
    BOOST_TEST(read_blob_piece(s(), mine, piece, 2).value() == "ece");
    const auto size = put_blob(*there.store, mine, "size").value();
    BOOST_TEST(blob_size(s(), mine, size).value().value() == 4u);
    BOOST_TEST(peers.fetches.size() == 3u);
}

BOOST_AUTO_TEST_CASE(what_nobody_has_is_not_there_and_what_cannot_be_asked_is_unavailable) {
    const std::string unknown(64, '7');
    BOOST_TEST(!blob_size(s(), mine, unknown).value().has_value());
    BOOST_TEST((get_blob(s(), mine, unknown, 9).error().code == code::not_found));
    peers.answer = problem{code::unavailable, "too few"};
    BOOST_TEST((blob_size(s(), mine, unknown).error().code == code::unavailable));
    BOOST_TEST((get_blob(s(), mine, unknown, 9).error().code == code::unavailable));
    BOOST_TEST((read_blob_piece(s(), mine, unknown, 0).error().code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(a_name_of_what_is_not_here_begins_to_fetch_it) {
    const auto there_only = put_blob(*there.store, mine, "content").value();
    BOOST_TEST((name_blobs(s(), mine, std::vector{id_of(there_only).hash}).error().code == code::unavailable));
    BOOST_TEST((peers.begun == std::vector{id_of(there_only)}));
    BOOST_TEST(peers.fetches.empty());
    peers.answer = problem{code::not_found, "nobody"};
    const auto gone = name_blobs(s(), mine, std::vector{id_of(there_only).hash});
    BOOST_TEST((gone.error().code == code::not_found));
    BOOST_TEST(gone.error().detail.find("send it again") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_name_of_what_nothing_named_for_a_while_is_told_to_the_others) {
    const auto name = put_blob(s(), mine, "content").value();
    BOOST_TEST(name_blobs(s(), mine, std::vector{id_of(name).hash}).has_value());
    BOOST_TEST(peers.offers.empty());
    blob_collector collector(s(), {.grace_ms = 1000});
    BOOST_REQUIRE(collector.step({5000}).has_value());
    BOOST_TEST(name_blobs(s(), mine, std::vector{id_of(name).hash}).has_value());
    BOOST_TEST((peers.offers == std::vector{id_of(name)}));
}

BOOST_AUTO_TEST_CASE(a_copy_is_not_seen_before_its_end_nor_with_other_bytes) {
    const std::string bytes(blob_piece_bytes + 3, 'x');
    const auto id = id_of(put_blob(*there.store, mine, bytes).value());
    auto copy = blob_copy::begin(s(), id, {bytes.size(), false}).value();
    BOOST_TEST((copy->add("xxx").error().code == code::journal_damaged)); // the first piece is longer
    BOOST_TEST((copy->add(bytes).error().code == code::journal_damaged)); // and not so long
    BOOST_TEST(copy->add(kept_piece(*there.store, id, 1).value()).has_value());
    BOOST_TEST(!head_of_blob(s(), id).value().has_value());
    BOOST_TEST(copy->add("xxy").has_value());
    BOOST_TEST(copy->has_all());
    BOOST_TEST((copy->add("").error().code == code::journal_damaged));
    BOOST_TEST((copy->finish().error().code == code::journal_damaged));
    BOOST_TEST(!head_of_blob(s(), id).value().has_value());
    BOOST_TEST(peers.copy(id).has_value());
    BOOST_TEST(verify_blob(s(), mine, id.hash).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
