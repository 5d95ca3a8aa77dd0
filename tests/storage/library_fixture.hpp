#pragma once

#include "storage/keys.hpp"
#include "storage/tables.hpp"
#include "storage/views.hpp"
#include "tests/storage/journal_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace troupe::test {

using namespace storage;

inline uuid organization_of(std::uint8_t n) {
    uuid id;
    id.bytes[0] = n;
    return id;
}

/// Documents under index keys, written through the committer as the host does.
class library : public journal_fixture {
public:
    explicit library(const std::filesystem::path& directory) : journal_fixture(directory) {}

    struct entry {
        entity_address address;
        std::string sort;
        std::vector<std::string> filters{""};
    };

    /// One write for all of them.
    void add(const std::vector<entry>& entries) {
        std::vector<append> batch;
        for (const auto& e : entries) {
            auto a = prepare(e.address);
            const auto shard = store->shard_of(e.address);
            document_row row{a.expected_version + 1, R"({"sort":")" + e.sort + "\"}", {}};
            for (const auto& filter : e.filters) {
                row.keys.emplace_back(filter, e.sort);
                a.derived.puts.emplace_back(keys::index(shard, e.address, filter, e.sort), "");
            }
            a.derived.puts.emplace_back(keys::entity(shard, keys::table::document, e.address),
                                        encode_document_row(row));
            batch.push_back(std::move(a));
        }
        for (const auto& result : commit(batch)) {
            BOOST_REQUIRE(result.has_value());
        }
    }

    void remove(const entry& e) {
        auto a = prepare(e.address);
        const auto shard = store->shard_of(e.address);
        for (const auto& filter : e.filters) {
            a.derived.deletes.push_back(keys::index(shard, e.address, filter, e.sort));
        }
        a.derived.deletes.push_back(keys::entity(shard, keys::table::document, e.address));
        BOOST_REQUIRE(commit(std::move(a)).has_value());
    }

    [[nodiscard]] list_page list(const list_query& query) const {
        auto page = read_list(*store, query);
        BOOST_REQUIRE_MESSAGE(page.has_value(), (page ? "" : page.error().detail));
        return std::move(*page);
    }

    void put(const entity_address& a, std::vector<std::pair<std::string, std::string>> rows) {
        auto one = prepare(a, 0);
        one.derived.puts = std::move(rows);
        BOOST_REQUIRE(commit(std::move(one)).has_value());
    }
};

inline list_query query_for(const uuid& organization, bool descending, std::size_t limit = 7) {
    list_query query;
    query.organization = organization;
    query.kind = "task";
    query.descending = descending;
    query.limit = limit;
    return query;
}

inline std::string padded(std::size_t n) {
    auto text = std::to_string(n);
    return std::string(6 - text.size(), '0') + text;
}

/// `count` entries in all shards; some share their sort value.
inline std::vector<library::entry> many(std::size_t count, const uuid& organization, std::size_t from = 0) {
    std::vector<library::entry> out;
    for (std::size_t i = 0; i < count; ++i) {
        out.push_back({{organization, "task", make_uuid()}, padded(from + i / 3), {""}});
    }
    return out;
}

/// The ids in the order of (sort, id).
inline std::vector<uuid> in_order(std::vector<library::entry> entries, bool descending) {
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::tie(a.sort, a.address.id) < std::tie(b.sort, b.address.id);
    });
    std::vector<uuid> out;
    for (const auto& e : entries) {
        out.push_back(e.address.id);
    }
    if (descending) {
        std::reverse(out.begin(), out.end());
    }
    return out;
}

/// All pages; `between` runs after each.
inline std::vector<uuid> page_through(const library& books, list_query query,
                                      const std::function<void(std::size_t page)>& between = {}) {
    std::vector<uuid> out;
    for (std::size_t number = 1;; ++number) {
        const auto page = books.list(query);
        BOOST_TEST(page.items.size() <= query.limit);
        for (const auto& d : page.items) {
            out.push_back(d.id);
        }
        if (!page.next_cursor) {
            return out;
        }
        BOOST_REQUIRE(number < 10'000u);
        query.cursor = *page.next_cursor;
        if (between) {
            between(number);
        }
    }
}

} // namespace troupe::test
