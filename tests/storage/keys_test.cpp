#include "storage/keys.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;

namespace {

uuid id_of(std::uint8_t first, std::uint8_t last = 0) {
    uuid id;
    id.bytes.front() = first;
    id.bytes.back() = last;
    return id;
}

constexpr std::array<std::uint64_t, 9> ascending{
    0, 1, 127, 128, 255, 256, 65'536, 1ULL << 40, std::numeric_limits<std::uint64_t>::max()};

constexpr std::array all_tables{keys::table::applied, keys::table::epochs, keys::table::history,  keys::table::snapshot,
                                keys::table::command, keys::table::item,   keys::table::document, keys::table::index,
                                keys::table::timer,   keys::table::owed};

/// Addresses that are near each other in every way: kinds that begin alike, ids of 0 and 255, two organizations.
std::vector<entity_address> neighbours() {
    std::vector<entity_address> out;
    for (const auto organization : {id_of(1), id_of(1, 255), id_of(255, 255)}) {
        for (const auto id : {uuid{}, id_of(0, 1), id_of(255, 255)}) {
            for (const auto* kind : {"run", "run_step", "runs", "t"}) {
                out.push_back({organization, kind, id});
            }
        }
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(storage_keys)

// In double parentheses: Boost.Test itself would compare texts by signed characters.
BOOST_AUTO_TEST_CASE(keys_order_as_their_numbers_do) {
    const entity_address a{id_of(1), "run", id_of(2)};
    for (std::size_t i = 1; i < ascending.size(); ++i) {
        BOOST_TEST((keys::log(1, ascending[i - 1]) < keys::log(1, ascending[i])));
        BOOST_TEST((keys::numbered(1, keys::table::history, a, ascending[i - 1]) <
                    keys::numbered(1, keys::table::history, a, ascending[i])));
    }
    BOOST_TEST((keys::log(1, ascending.back()) < keys::log(2, 0)));
    BOOST_TEST((keys::log(255, ascending.back()) < keys::log(256, 0)));
    BOOST_TEST((keys::timer(1, {1000}, {id_of(9), "z", id_of(9)}, "z") <
                keys::timer(1, {1001}, {id_of(0), "a", id_of(0)}, "")));
    BOOST_TEST((keys::blob_piece(id_of(1), std::string(32, 'x'), 255) <
                keys::blob_piece(id_of(1), std::string(32, 'x'), 256)));
}

BOOST_AUTO_TEST_CASE(index_keys_order_by_sort_then_id) {
    const auto key = [](std::string sort, std::uint8_t id) {
        return keys::index(1, {id_of(1), "run", id_of(id)}, "status=open", sort);
    };
    BOOST_TEST((key("00000001", 255) < key("00000002", 0)));
    BOOST_TEST((key("00000001", 1) < key("00000001", 2)));
}

BOOST_AUTO_TEST_CASE(the_rows_of_one_entity_are_never_under_the_prefix_of_another) {
    const auto all = neighbours();
    for (const auto table : {keys::table::history, keys::table::snapshot, keys::table::command, keys::table::item}) {
        for (const auto& a : all) {
            const auto prefix = keys::entity_rows(1, table, a);
            for (const auto& b : all) {
                for (const auto& key : {keys::numbered(1, table, b, 0), keys::numbered(1, table, b, ascending.back()),
                                        keys::entity_rows(1, table, b) + "id"}) {
                    BOOST_TEST(key.starts_with(prefix) == (a == b));
                }
                BOOST_TEST(!keys::numbered(2, table, b, 1).starts_with(prefix));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(one_collection_or_filter_is_never_under_the_prefix_of_another) {
    const auto all = neighbours();
    for (const auto& a : all) {
        for (const auto& b : all) {
            for (const std::string one : {"", "step", "steps"}) {
                for (const std::string other : {"", "step", "steps"}) {
                    BOOST_TEST(keys::item(1, b, other, "key").starts_with(keys::collection(1, a, one)) ==
                               (a == b && one == other));
                    const bool same_list = a.organization == b.organization && a.kind == b.kind && one == other;
                    BOOST_TEST(keys::index(1, b, other, "sort")
                                   .starts_with(keys::index_prefix(1, a.organization, a.kind, one)) == same_list);
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(tables_and_shards_are_apart) {
    for (const auto one : all_tables) {
        for (const auto other : all_tables) {
            for (const std::uint32_t shard : {0u, 1u, 255u, 256u, 4095u}) {
                BOOST_TEST(keys::entity(shard, other, neighbours().front()).starts_with(keys::shard_table(1, one)) ==
                           (one == other && shard == 1));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(per_entity_keys_have_the_entity_in_the_bloom_prefix) {
    const entity_address a{id_of(1), "run", id_of(2)};
    const entity_address other{id_of(1), "run", id_of(3)};
    const auto prefix = [](const std::string& key) { return key.substr(0, keys::entity_prefix_bytes); };
    BOOST_TEST(prefix(keys::entity(1, keys::table::document, a)) ==
               prefix(keys::entity_rows(1, keys::table::document, a)));
    BOOST_TEST(keys::entity(1, keys::table::document, a).size() == keys::entity_prefix_bytes + a.kind.size());
    BOOST_TEST(prefix(keys::entity(1, keys::table::document, a)) !=
               prefix(keys::entity(1, keys::table::document, other)));
}

BOOST_AUTO_TEST_CASE(blobs_of_organizations_and_hashes_are_apart) {
    const std::string one(32, '\0');
    const std::string other(32, '\xff');
    BOOST_TEST(keys::blob_piece(id_of(1), one, 5).starts_with(keys::blob_prefix(id_of(1), one)));
    BOOST_TEST(!keys::blob_piece(id_of(2), one, 5).starts_with(keys::blob_prefix(id_of(1), one)));
    BOOST_TEST(!keys::blob_piece(id_of(1), other, 5).starts_with(keys::blob_prefix(id_of(1), one)));
}

BOOST_AUTO_TEST_CASE(after_prefix_is_the_smallest_key_behind_all_with_the_prefix) {
    BOOST_TEST(keys::after_prefix("a") == "b");
    BOOST_TEST(keys::after_prefix(std::string("a\0", 2)) == std::string("a\1", 2));
    BOOST_TEST(keys::after_prefix("a\xff") == "b");
    BOOST_TEST(keys::after_prefix("a\xff\xff") == "b");
    BOOST_TEST(keys::after_prefix("\xff\xff").empty()); // there is none
    BOOST_TEST(keys::after_prefix("").empty());
    BOOST_TEST((std::string("a\xff\xff\xff\xff") < keys::after_prefix("a")));
}

BOOST_AUTO_TEST_SUITE_END()
