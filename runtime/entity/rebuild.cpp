#include "runtime/entity/rebuild.hpp"

#include "runtime/entity/derive.hpp"
#include "storage/base.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/poison.hpp"
#include "storage/views.hpp"

#include <map>
#include <set>

namespace troupe::runtime {

namespace {

using rows = std::map<std::string, std::string>;

/// The view rows of one entity, from where its history begins to its end.
expected<void> replay(const storage::store& s, const entity_kind& kind, const entity_address& a, std::uint32_t shard,
                      rows& into) {
    const auto instance = kind.make();
    derived_rows before;
    std::uint64_t version = 0;
    const auto base = storage::read_base(s, a);
    auto items = base ? storage::read_base_items(s, a) : expected<rows>(base.error());
    if (!items) {
        return items.error();
    }
    if (*base) {
        version = (*base)->version;
        auto restored = restore_snapshot(*instance, (*base)->state_version, (*base)->state);
        if (!restored) {
            return restored.error();
        }
        before.set_aside = std::move(*restored);
    }
    auto read = storage::read_history(s, a, version, [&](storage::record&& r) {
        version = r.entity_seq;
        note_set_aside(r, before.set_aside);
        if (r.type == poisoned_event) {
            into.insert(storage::poison_row(shard, r));
        }
        return instance->replay(r);
    });
    if (!read) {
        return read;
    }
    const auto item_rows = storage::keys::entity_rows(shard, storage::keys::table::item, a);
    for (auto& [key, document] : *items) {
        into.insert_or_assign(item_rows + key, std::move(document));
    }
    // Nothing was there before, so there is nothing to delete but items that a later event removed.
    auto changes = derive(*instance, shard, a, version, before);
    for (auto& [key, value] : changes.puts) {
        into.insert_or_assign(key, std::move(value));
    }
    for (const auto& key : changes.deletes) {
        into.erase(key);
    }
    return {};
}

void compare(const storage::store& s, std::uint32_t shard, rows expected_rows, const std::set<std::string>& left_alone,
             rebuild_result& result, storage::view_rows& mend) {
    result.rows += expected_rows.size();
    storage::each_view_row(s, shard, [&](std::string_view key, std::string_view value) {
        const auto found = expected_rows.find(std::string(key));
        if (found == expected_rows.end()) {
            const auto owner = storage::owner_of_view_row(key);
            if (!owner || !left_alone.contains(*owner)) {
                ++result.extra;
                mend.deletes.emplace_back(key);
            }
            return;
        }
        if (found->second != value) {
            ++result.different;
            mend.puts.emplace_back(found->first, std::move(found->second));
        }
        expected_rows.erase(found);
    });
    result.missing += expected_rows.size();
    for (auto& [key, value] : expected_rows) {
        mend.puts.emplace_back(key, std::move(value));
    }
}

} // namespace

expected<rebuild_result> rebuild_views(storage::store& s, const kind_registry& kinds, bool write,
                                       const std::function<void(std::uint64_t)>& progress) {
    rebuild_result result;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        rows expected_rows;
        std::set<std::string> left_alone;
        auto visited = storage::each_entity(s, shard, [&](const entity_address& a) {
            const auto kind = kinds.find(a.kind);
            const auto replayed = kind == kinds.end()
                                      ? expected<void>(problem{code::quarantined, "its kind is not known here"})
                                      : replay(s, kind->second, a, shard, expected_rows);
            if (!replayed) {
                result.quarantined.push_back(to_string(a) + ": " + replayed.error().detail);
                left_alone.insert(storage::owner_text(a));
            }
            if (++result.entities % 10'000 == 0) {
                progress(result.entities);
            }
            return true;
        });
        if (!visited) {
            return visited.error();
        }
        storage::view_rows mend;
        compare(s, shard, std::move(expected_rows), left_alone, result, mend);
        if (write) {
            if (auto written = storage::write_view_rows(s, mend); !written) {
                return written.error();
            }
        }
    }
    return result;
}

} // namespace troupe::runtime
