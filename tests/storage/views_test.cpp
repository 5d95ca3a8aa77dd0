#include "storage/views.hpp"

#include "storage/bytes.hpp"
#include "storage/items.hpp"
#include "storage/keys.hpp"
#include "storage/tables.hpp"
#include "tests/storage/library_fixture.hpp"
#include "tests/storage/sealed_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(views)

BOOST_AUTO_TEST_CASE(a_document_is_read_with_its_version_until_it_is_removed) {
    temporary_directory directory;
    library books(directory.path);
    const library::entry e{{organization_of(1), "task", make_uuid()}, "1", {""}};
    BOOST_TEST(!read_document(*books.store, e.address)->has_value());
    books.add({e});
    books.add({e});
    const auto document = read_document(*books.store, e.address);
    BOOST_REQUIRE(document.has_value() && document->has_value());
    BOOST_TEST(((*document)->id == e.address.id));
    BOOST_TEST((*document)->version == 2u);
    BOOST_TEST((*document)->json == R"({"sort":"1"})");
    auto foreign = e.address;
    foreign.organization = organization_of(2);
    BOOST_TEST(!read_document(*books.store, foreign)->has_value());
    books.remove(e);
    BOOST_TEST(!read_document(*books.store, e.address)->has_value());
}

BOOST_AUTO_TEST_CASE(a_damaged_document_is_said_and_not_skipped) {
    temporary_directory directory;
    library books(directory.path);
    const library::entry e{{organization_of(1), "task", make_uuid()}, "1", {""}};
    books.add({e});
    books.put(e.address, {{keys::entity(books.store->shard_of(e.address), keys::table::document, e.address), "\x7f"}});
    const auto document = read_document(*books.store, e.address);
    BOOST_REQUIRE(document.has_error());
    BOOST_TEST((document.error().code == code::journal_damaged));
    BOOST_TEST(read_list(*books.store, query_for(organization_of(1), true)).has_error());
}

BOOST_AUTO_TEST_CASE(a_list_merges_all_shards_in_order_in_both_directions) {
    temporary_directory directory;
    library books(directory.path);
    const auto entries = many(1000, organization_of(1));
    books.add(entries);
    books.add(many(50, organization_of(2)));
    for (const bool descending : {false, true}) {
        const auto expected_ids = in_order(entries, descending);
        for (const std::size_t limit : {7u, 1000u, 2000u}) {
            BOOST_TEST((page_through(books, query_for(organization_of(1), descending, limit)) == expected_ids),
                       "limit " << limit << (descending ? ", descending" : ", ascending"));
        }
    }
    BOOST_TEST(page_through(books, query_for(organization_of(2), true)).size() == 50u);
    BOOST_TEST(page_through(books, query_for(organization_of(3), true)).empty());
}

BOOST_AUTO_TEST_CASE(an_exact_last_page_has_no_cursor) {
    temporary_directory directory;
    library books(directory.path);
    books.add(many(14, organization_of(1)));
    auto query = query_for(organization_of(1), true);
    query.cursor = books.list(query).next_cursor.value();
    const auto last = books.list(query);
    BOOST_TEST(last.items.size() == 7u);
    BOOST_TEST(!last.next_cursor.has_value());
}

BOOST_AUTO_TEST_CASE(what_stays_is_seen_once_while_others_come_and_go) {
    temporary_directory directory;
    library books(directory.path);
    const auto stays = many(300, organization_of(1));
    const auto goes = many(100, organization_of(1));
    books.add(stays);
    books.add(goes);
    for (const bool descending : {false, true}) {
        std::set<uuid> staying;
        for (const auto& e : stays) {
            staying.insert(e.address.id);
        }
        auto leaving = goes;
        std::vector<library::entry> added;
        const auto seen = page_through(books, query_for(organization_of(1), descending), [&](std::size_t page) {
            if (!leaving.empty()) { // also what the cursor points to
                books.remove(leaving.back());
                leaving.pop_back();
            }
            if (added.size() < 200) {
                added.push_back({{organization_of(1), "task", make_uuid()}, padded(page * 37 % 110), {""}});
                books.add({added.back()});
            }
        });
        std::map<uuid, int> times;
        for (const auto& id : seen) {
            ++times[id];
        }
        for (const auto& [id, count] : times) {
            BOOST_TEST(count == 1);
        }
        BOOST_TEST(std::all_of(staying.begin(), staying.end(), [&](const auto& id) { return times.contains(id); }));
        for (const auto& e : added) {
            books.remove(e);
        }
        for (std::size_t i = leaving.size(); i < goes.size(); ++i) {
            books.add({goes[i]});
        }
    }
}

BOOST_AUTO_TEST_CASE(the_document_under_the_cursor_may_go) {
    temporary_directory directory;
    library books(directory.path);
    const auto entries = many(30, organization_of(1));
    books.add(entries);
    for (const bool descending : {false, true}) {
        auto order = in_order(entries, descending);
        auto query = query_for(organization_of(1), descending, 10);
        query.cursor = books.list(query).next_cursor.value();
        const auto at_cursor =
            *std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.address.id == order[9]; });
        books.remove(at_cursor);
        order.erase(order.begin(), order.begin() + 10);
        BOOST_TEST((page_through(books, query) == order));
        books.add({at_cursor});
    }
}

BOOST_AUTO_TEST_CASE(filters_list_only_their_own) {
    temporary_directory directory;
    library books(directory.path);
    auto entries = many(60, organization_of(1));
    std::vector<library::entry> open;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        entries[i].filters.push_back(i % 3 == 0 ? "status=open" : "status=open_again");
        if (i % 3 == 0) {
            open.push_back(entries[i]);
        }
    }
    books.add(entries);
    auto query = query_for(organization_of(1), false);
    query.filter = "status=open";
    BOOST_TEST((page_through(books, query) == in_order(open, false)));
    query.descending = true;
    BOOST_TEST((page_through(books, query) == in_order(open, true)));
    query.filter = "status=ope";
    BOOST_TEST(page_through(books, query).empty());
    query.filter = "status=open";
    query.kind = "tas";
    BOOST_TEST(page_through(books, query).empty());
}

BOOST_AUTO_TEST_CASE(keep_skips_documents_without_short_pages) {
    temporary_directory directory;
    library books(directory.path);
    const auto entries = many(90, organization_of(1));
    books.add(entries);
    auto query = query_for(organization_of(1), false);
    query.keep = [](const stored_document& d) { return d.json.find("5\"}") != std::string::npos; };
    std::vector<library::entry> kept;
    std::copy_if(entries.begin(), entries.end(), std::back_inserter(kept),
                 [](const auto& e) { return e.sort.back() == '5'; });
    BOOST_TEST(books.list(query).items.size() == 7u);
    BOOST_TEST((page_through(books, query) == in_order(kept, false)));
    query.keep = [](const stored_document&) { return false; };
    BOOST_TEST(page_through(books, query).empty());
}

BOOST_AUTO_TEST_CASE(a_page_looks_at_a_bounded_number_of_documents_and_goes_on) {
    temporary_directory directory;
    library books(directory.path);
    const auto entries = many(scanned_max + 10, organization_of(1));
    books.add(entries);
    auto query = query_for(organization_of(1), false);
    const auto last = in_order(entries, false).back();
    std::size_t looked_at = 0;
    query.keep = [&](const stored_document& d) { return ++looked_at, d.id == last; };
    const auto first = books.list(query);
    BOOST_TEST(first.items.empty());
    BOOST_TEST(looked_at == scanned_max);
    BOOST_REQUIRE(first.next_cursor.has_value());
    query.cursor = *first.next_cursor;
    const auto second = books.list(query);
    BOOST_REQUIRE(second.items.size() == 1u);
    BOOST_TEST((second.items[0].id == last));
    BOOST_TEST(!second.next_cursor.has_value());
}

BOOST_AUTO_TEST_CASE(sort_values_of_different_lengths_keep_their_order) {
    temporary_directory directory;
    library books(directory.path);
    std::vector<library::entry> entries;
    for (const auto* sort : {"a", "ab", "abc", "b"}) {
        for (const std::uint8_t first : {0x00, 0x62, 0xff}) { // ids that would sort among the letters
            uuid id = make_uuid();
            id.bytes[0] = first;
            entries.push_back({{organization_of(1), "task", id}, sort, {""}});
        }
    }
    books.add(entries);
    for (const bool descending : {false, true}) {
        BOOST_TEST(
            (page_through(books, query_for(organization_of(1), descending, 5)) == in_order(entries, descending)));
    }
}

BOOST_AUTO_TEST_CASE(a_bad_cursor_is_refused) {
    temporary_directory directory;
    library books(directory.path);
    const auto entries = many(20, organization_of(1));
    books.add(entries);
    auto query = query_for(organization_of(1), true);
    const auto good = books.list(query).next_cursor.value();
    for (const auto& bad : {std::string("x"), std::string("!!!"), std::string(40, '?'), encode_cursor("short"),
                            encode_cursor(""), "_" + good.substr(1), good.substr(0, 10), std::string("\0", 1)}) {
        query.cursor = bad;
        const auto refused = read_list(*books.store, query);
        BOOST_REQUIRE(refused.has_error());
        BOOST_TEST((refused.error().code == code::invalid_request));
        BOOST_REQUIRE(refused.error().errors.size() == 1u);
        BOOST_TEST(refused.error().errors[0].pointer == "cursor");
    }
    for (auto other : {query_for(organization_of(1), false), query_for(organization_of(1), true)}) {
        other.kept = other.descending ? "status=open\n" : "";
        other.cursor = good; // of a list in another order, or with other conditions
        BOOST_TEST(read_list(*books.store, other).has_error());
    }
    item_query items{entries[0].address, "steps", false, 5, good};
    const auto refused = read_items(*books.store, items);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(cursor_text_comes_back_for_any_bytes) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        const auto text = encode_cursor(bytes);
        BOOST_TEST(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
                   std::string::npos);
        BOOST_TEST((decode_cursor(text) == std::optional(bytes)));
        bytes += static_cast<char>(i * 89);
    }
    BOOST_TEST(!decode_cursor("").has_value());
}

BOOST_AUTO_TEST_CASE(items_page_both_ways_and_stay_within_their_collection) {
    temporary_directory directory;
    library books(directory.path);
    const auto a = books.address_in(1);
    const auto neighbour = books.address_in(1);
    std::vector<std::pair<std::string, std::string>> rows;
    std::vector<std::string> all;
    for (std::size_t i = 0; i < 100; ++i) {
        std::string key;
        put_big_endian(key, static_cast<std::uint64_t>(i)); // binary, with zero bytes
        all.push_back("{\"n\":" + std::to_string(i) + "}");
        rows.emplace_back(keys::item(1, a, "steps", key), all.back());
        rows.emplace_back(keys::item(1, a, "step", key), "\"other collection\"");
        rows.emplace_back(keys::item(1, neighbour, "steps", key), "\"other entity\"");
    }
    books.put(a, std::move(rows));
    for (const bool descending : {false, true}) {
        for (const std::size_t limit : {1u, 7u, 50u, 100u, 1000u}) {
            item_query query{a, "steps", descending, limit, ""};
            std::vector<std::string> seen;
            for (bool more = true; more;) {
                const auto page = read_items(*books.store, query);
                BOOST_REQUIRE(page.has_value());
                BOOST_TEST(page->items.size() <= limit);
                seen.insert(seen.end(), page->items.begin(), page->items.end());
                more = page->next_cursor.has_value();
                query.cursor = page->next_cursor.value_or("");
                BOOST_REQUIRE(seen.size() <= all.size());
            }
            auto wanted = all;
            if (descending) {
                std::reverse(wanted.begin(), wanted.end());
            }
            BOOST_TEST((seen == wanted), "limit " << limit);
        }
    }
    BOOST_TEST(read_items(*books.store, {a, "ste", false, 10, ""})->items.empty());
    BOOST_TEST(read_items(*books.store, {a, "ste", true, 10, ""})->items.empty());
}

BOOST_AUTO_TEST_CASE(an_item_that_goes_or_comes_moves_no_page) {
    temporary_directory directory;
    library books(directory.path);
    const auto a = books.address_in(2);
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto* key : {"b", "d", "f", "h"}) {
        rows.emplace_back(keys::item(2, a, "steps", key), std::string("\"") + key + "\"");
    }
    books.put(a, std::move(rows));
    for (const bool descending : {false, true}) {
        item_query query{a, "steps", descending, 2, ""};
        query.cursor = read_items(*books.store, query)->next_cursor.value();
        const std::string at_cursor = descending ? "f" : "d";
        auto gone = books.prepare(a, 0);
        gone.derived.deletes.push_back(keys::item(2, a, "steps", at_cursor));
        gone.derived.puts.emplace_back(keys::item(2, a, "steps", descending ? "g" : "c"), "\"late\"");
        BOOST_REQUIRE(books.commit(std::move(gone)).has_value());
        const auto page = read_items(*books.store, query);
        const auto wanted =
            descending ? std::vector<std::string>{"\"d\"", "\"c\""} : std::vector<std::string>{"\"f\"", "\"h\""};
        BOOST_TEST(page->items[0] == wanted[0]);
        if (!descending) {
            BOOST_TEST((page->items == wanted));
        }
        books.put(a, {{keys::item(2, a, "steps", at_cursor), "\"" + at_cursor + "\""}});
    }
}

BOOST_AUTO_TEST_CASE(private_items_page_by_their_keys_in_whatever_order_their_rows_stand) {
    sealed_journal j;
    const entity_address a{one_organization, "counter", make_uuid()};
    const auto shard = j.store().shard_of(a);
    const auto names = index_names::for_writing(j.store(), a.organization).value();
    auto change = j.change(a, "some");
    std::vector<std::string> all;
    for (int i = 100; i < 130; ++i) {
        all.push_back("src/" + std::to_string(i));
        change.derived.puts.push_back(item_row(names, shard, a, "@files", all.back(), '"' + all.back() + '"'));
    }
    change.derived.puts.push_back(item_row(names, shard, a, "@file", "src/100", "\"other\""));
    j.commit(std::move(change));
    for (const bool descending : {false, true}) {
        for (const std::size_t limit : {1u, 7u, 30u, 100u}) {
            item_query query{a, "@files", descending, limit, ""};
            std::vector<std::string> seen;
            for (bool more = true; more;) {
                const auto page = read_items(j.store(), query).value();
                BOOST_TEST(page.items.size() <= limit);
                for (const auto& item : page.items) {
                    seen.push_back(item.substr(1, item.size() - 2));
                }
                more = page.next_cursor.has_value();
                query.cursor = page.next_cursor.value_or("");
                BOOST_REQUIRE(seen.size() <= all.size());
            }
            auto wanted = all;
            if (descending) {
                std::ranges::reverse(wanted);
            }
            BOOST_TEST((seen == wanted), "limit " << limit);
        }
    }
    auto gone = j.journal->prepare(a, 1);
    gone.derived.deletes.push_back(item_row(names, shard, a, "@files", "src/101", "").first);
    j.commit(std::move(gone));
    BOOST_TEST(!read_item(j.store(), a, "@files", "src/101").value());
    BOOST_TEST(read_items(j.store(), {a, "@files", false, 100, {}})->items.size() == 29u);
}

BOOST_AUTO_TEST_CASE(one_item_is_read_by_its_key) {
    temporary_directory directory;
    library books(directory.path);
    const auto a = books.address_in(0);
    books.put(a, {{keys::item(0, a, "steps", "1"), "{}"}});
    BOOST_TEST(read_item(*books.store, a, "steps", "1")->value() == "{}");
    BOOST_TEST(!read_item(*books.store, a, "steps", "11")->has_value());
    BOOST_TEST(!read_item(*books.store, a, "messages", "1")->has_value());
}

BOOST_AUTO_TEST_CASE(due_timers_come_oldest_first_and_the_next_is_named) {
    temporary_directory directory;
    library books(directory.path);
    const auto a = books.address_in(3);
    const auto b = books.address_in(3);
    books.put(a, {{keys::timer(3, {3000}, a, "c"), encode_timer_row("three", R"({"n":3})")},
                  {keys::timer(3, {1000}, a, "a"), encode_timer_row("one", "{}")},
                  {keys::timer(3, {5000}, a, "e"), encode_timer_row("five", "{}")},
                  {keys::timer(3, {2000}, b, ""), encode_timer_row("two", "")}});
    std::optional<timestamp> next;
    BOOST_TEST(read_timers(*books.store, 3, {999}, 10, next).empty());
    BOOST_TEST(next.value().ms == 1000);
    auto due = read_timers(*books.store, 3, {3000}, 10, next);
    BOOST_REQUIRE(due.size() == 3u);
    BOOST_TEST(next.value().ms == 5000);
    BOOST_TEST(due[0].type == "one");
    BOOST_TEST(due[1].type == "two");
    BOOST_TEST((due[1].entity == b));
    BOOST_TEST(due[1].key.empty());
    BOOST_TEST(due[1].payload.empty());
    BOOST_TEST(due[2].type == "three");
    BOOST_TEST((due[2].entity == a));
    BOOST_TEST(due[2].key == "c");
    BOOST_TEST(due[2].due.ms == 3000);
    BOOST_TEST(due[2].payload == R"({"n":3})");
    BOOST_TEST((due[2].row == keys::timer(3, {3000}, a, "c")));
    BOOST_TEST(read_timers(*books.store, 3, {9000}, 2, next).size() == 2u);
    BOOST_TEST(next.value().ms == 3000); // due, but over the limit
    BOOST_TEST(read_timers(*books.store, 3, {9000}, 10, next).size() == 4u);
    BOOST_TEST(!next.has_value());
    BOOST_TEST(read_timers(*books.store, 2, {9000}, 10, next).empty());
    BOOST_TEST(!next.has_value());
}

BOOST_AUTO_TEST_CASE(entities_that_owe_are_found_in_their_shard) {
    temporary_directory directory;
    library books(directory.path);
    const auto a = books.address_in(1);
    const auto b = books.address_in(2);
    for (const auto& x : {a, b}) {
        books.put(x, {{keys::entity(books.store->shard_of(x), keys::table::owed, x), ""}});
    }
    BOOST_TEST((read_owed(*books.store, 1) == std::vector{a}));
    BOOST_TEST((read_owed(*books.store, 2) == std::vector{b}));
    BOOST_TEST(read_owed(*books.store, 0).empty());
}

BOOST_AUTO_TEST_CASE(each_entity_visits_all_of_a_shard_until_told_to_stop) {
    temporary_directory directory;
    library books(directory.path);
    std::set<entity_address> wanted;
    for (int i = 0; i < 20; ++i) {
        const auto a = books.address_in(i % 2);
        books.write(a);
        if (i % 2 == 1) {
            wanted.insert(a);
        }
    }
    std::set<entity_address> seen;
    BOOST_TEST(
        each_entity(*books.store, 1, [&](const entity_address& a) { return seen.insert(a).second; }).has_value());
    BOOST_TEST((seen == wanted));
    int visits = 0;
    BOOST_TEST(each_entity(*books.store, 1, [&](const entity_address&) { return ++visits < 3; }).has_value());
    BOOST_TEST(visits == 3);
}

BOOST_AUTO_TEST_SUITE_END()
