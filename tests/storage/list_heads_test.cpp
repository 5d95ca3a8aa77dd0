#include "storage/list_heads.hpp"
#include "storage/rocks.hpp"
#include "tests/storage/library_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(list_heads_kept)

BOOST_AUTO_TEST_CASE(a_list_is_found_as_it_was_kept_last) {
    list_heads heads(2);
    BOOST_TEST(!heads.find("tasks"));
    heads.keep("tasks", {{0, "a"}, {0, ""}});
    heads.keep("tasks", {{0, "b"}, {0, "c"}});
    heads.keep("runs", {{0, ""}, {0, ""}});
    const auto found = heads.find("tasks");
    BOOST_REQUIRE(found);
    BOOST_TEST((*found)[0].first == "b");
    BOOST_TEST((*found)[1].first == "c");
}

BOOST_AUTO_TEST_CASE(a_touch_is_seen_in_its_shard_alone) {
    list_heads heads(3);
    const auto before = heads.version(1);
    heads.touch(1);
    BOOST_TEST(heads.version(1) > before);
    BOOST_TEST(heads.version(0) == before);
    heads.touch();
    BOOST_TEST(heads.version(0) > before);
    BOOST_TEST(heads.version(2) > before);
}

BOOST_AUTO_TEST_CASE(what_was_not_read_for_longest_goes_when_it_is_too_much) {
    list_heads heads(1);
    const std::string long_one(list_heads::bytes_max / 4, 'x');
    heads.keep("a", {{0, long_one}});
    heads.keep("b", {{0, long_one}});
    heads.keep("c", {{0, long_one}});
    BOOST_TEST(!!heads.find("a"));
    heads.keep("d", {{0, long_one}});
    BOOST_TEST(!heads.find("b"));
    BOOST_TEST(!!heads.find("a"));
    BOOST_TEST(!!heads.find("c"));
    BOOST_TEST(!!heads.find("d"));
    heads.keep("a", {{0, "short"}}); // what it took is given back
    heads.keep("e", {{0, long_one}});
    BOOST_TEST(!!heads.find("c"));
    BOOST_TEST(!!heads.find("d"));
}

BOOST_AUTO_TEST_CASE(first_pages_follow_each_change) {
    temporary_directory directory;
    library books(directory.path);
    std::vector<library::entry> there;
    std::mt19937 random(7); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same run each time
    for (std::size_t step = 0; step < 300; ++step) {
        if (there.size() > 12 && random() % 2 == 0) {
            const auto gone = there.begin() + static_cast<std::ptrdiff_t>(random() % there.size());
            books.remove(*gone);
            there.erase(gone);
        } else {
            there.push_back({{organization_of(1), "task", make_uuid()}, padded(random() % 50), {""}});
            books.add({there.back()});
        }
        for (const bool descending : {false, true}) {
            auto wanted = in_order(there, descending);
            const auto page = books.list(query_for(organization_of(1), descending));
            wanted.resize(std::min<std::size_t>(wanted.size(), 7));
            std::vector<uuid> shown;
            for (const auto& item : page.items) {
                shown.push_back(item.id);
            }
            BOOST_TEST((shown == wanted), "step " << step << (descending ? ", descending" : ", ascending"));
            BOOST_TEST(page.next_cursor.has_value() == (there.size() > 7));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_head_of_the_past_is_not_shown) {
    temporary_directory directory;
    library books(directory.path);
    const auto entries = many(20, organization_of(1));
    books.add(entries);
    const auto query = query_for(organization_of(1), false);
    const auto before = books.list(query);
    auto& heads = *books.store->db().heads;
    const auto list = keys::index_prefix(0, query.organization, query.kind, "") + "+";
    auto places = *heads.find(list);
    places[0].first = "000000" + std::string(17, '\0'); // as if it had gone while the list was read
    heads.keep(list, places);
    const auto after = books.list(query);
    BOOST_TEST((std::ranges::equal(before.items, after.items, {}, &stored_document::id, &stored_document::id)));
}

BOOST_AUTO_TEST_SUITE_END()
