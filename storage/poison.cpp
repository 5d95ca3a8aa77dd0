#include "storage/poison.hpp"

#include "schemas/base/json.hpp"
#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/rocks.hpp"
#include "storage/sealing.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <functional>

namespace troupe::storage {

namespace {

constexpr std::string_view cursor_tag = "poison";

poisoned_command document_of(const record& r) {
    poisoned_command out;
    out.at = r.time;
    out.kind = r.entity.kind;
    out.id = r.entity.id;
    out.command_id = r.command_id;
    out.principal = r.principal;
    out.version = r.entity_seq;
    if (const auto payload = json::document::parse(r.payload)) {
        out.command = payload->root().text_or("command");
        out.cause = payload->root().text_or("cause");
        out.effect = payload->root().text_or("effect");
    }
    return out;
}

/// Rows of a shard, the newest first.
prefix_scan scan_of(const store& s, std::uint32_t shard, const uuid& organization) {
    return {*s.db().db, s.db().derived, keys::poison_prefix(shard, organization)};
}

} // namespace

std::pair<std::string, std::string> poison_row(std::uint32_t shard, const record& r) {
    return {keys::poison(shard, r.time, r.entity, r.entity_seq), to_json(document_of(r))};
}

expected<poison_page> read_poison(const store& s, const poison_query& query) {
    std::string after;
    if (!query.cursor.empty()) {
        const auto place = decode_cursor(query.cursor);
        if (!place || !place->starts_with(cursor_tag)) {
            return problem{
                code::invalid_request,
                "the cursor cannot be read; take `next_cursor` of the page before as it is, or start without one",
                {{"cursor", "is not a cursor of this list"}}};
        }
        after = place->substr(cursor_tag.size());
    }
    // One more of each shard than asked for: poison is rare, and so the pages of all shards are merged at once.
    std::vector<std::pair<std::string, std::string>> rows;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        auto scan = scan_of(s, shard, query.organization);
        after.empty() ? scan.seek_last() : scan.seek_before(after);
        if (!after.empty() && scan.valid() && scan.rest() == after) {
            scan.previous();
        }
        for (std::size_t count = 0; scan.valid() && count <= query.limit; scan.previous(), ++count) {
            auto value = open_unless_erased(s, scan.key(), scan.value());
            if (!value) {
                return value.error();
            }
            if (*value) {
                rows.emplace_back(scan.rest(), std::move(**value));
            }
        }
        if (!scan.status().ok()) {
            return to_problem(scan.status(), "cannot read the list of poison");
        }
    }
    std::ranges::sort(rows, std::ranges::greater{}, &std::pair<std::string, std::string>::first);
    poison_page page;
    for (std::size_t i = 0; i < std::min(rows.size(), query.limit); ++i) {
        auto decoded = from_json<poisoned_command>(rows[i].second, strictness::stored);
        if (!decoded) {
            return problem{code::journal_damaged,
                           "a row of the list of poison cannot be read; make it again with `troupe views rebuild`"};
        }
        page.items.push_back(std::move(*decoded));
    }
    if (rows.size() > query.limit && query.limit > 0) {
        page.next_cursor = encode_cursor(std::string(cursor_tag) + rows[query.limit - 1].first);
    }
    return page;
}

expected<std::vector<std::pair<std::string, std::string>>> poison_rows_until(const store& s, const entity_address& a,
                                                                             std::uint64_t version) {
    std::vector<std::pair<std::string, std::string>> out;
    auto scan = scan_of(s, s.shard_of(a), a.organization);
    for (; scan.valid(); scan.next()) {
        const auto rest = scan.rest();
        if (keys::poison_is_of(rest, a) &&
            get_big_endian<std::uint64_t>(rest.substr(rest.size() - sizeof version)) <= version) {
            auto value = open_bytes(s, scan.key(), scan.value());
            if (!value) {
                return value.error();
            }
            out.emplace_back(scan.key(), std::move(*value));
        }
    }
    return scan.status().ok() ? expected<std::vector<std::pair<std::string, std::string>>>(std::move(out))
                              : expected<std::vector<std::pair<std::string, std::string>>>(
                                    to_problem(scan.status(), "cannot read the poison of " + to_string(a)));
}

expected<std::vector<poisoned_command>> read_poison_of(const store& s, const entity_address& a, std::size_t limit) {
    std::vector<poisoned_command> out;
    auto scan = scan_of(s, s.shard_of(a), a.organization);
    std::size_t scanned = 0;
    for (scan.seek_last(); scan.valid() && out.size() < limit && scanned < scanned_max; scan.previous(), ++scanned) {
        if (keys::poison_is_of(scan.rest(), a)) {
            const auto value = open_bytes(s, scan.key(), scan.value());
            auto decoded = value ? from_json<poisoned_command>(*value, strictness::stored) : value.error();
            if (decoded) {
                out.push_back(std::move(*decoded));
            }
        }
    }
    if (!scan.status().ok()) {
        return to_problem(scan.status(), "cannot read the poison of " + to_string(a));
    }
    return out;
}

} // namespace troupe::storage
