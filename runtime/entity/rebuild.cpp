#include "runtime/entity/rebuild.hpp"

#include "runtime/entity/derive.hpp"
#include "runtime/entity/load.hpp"
#include "storage/base.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/poison.hpp"
#include "storage/sealing.hpp"
#include "storage/upgrade.hpp"
#include "storage/usage.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace troupe::runtime {

namespace {

using rows = std::map<std::string, std::string>;

/// A row that has to be there, and what seals it.
struct made_row {
    std::string value;
    storage::shared_key key;

    /// As it is written.
    [[nodiscard]] std::pair<std::string, std::string> sealed(const std::string& place) const {
        std::vector<std::pair<std::string, std::string>> one{{place, value}};
        storage::seal_rows(key.get(), one);
        return std::move(one.front());
    }
};
using made_rows = std::map<std::string, made_row>;

/// The view rows of one entity, from where its history begins to its end.
expected<void> replay(const storage::store& s, const entity_kind& kind, const entity_address& a, std::uint32_t shard,
                      made_rows& made) {
    const auto instance = kind.make();
    rows into;
    derived_rows before;
    auto names = storage::index_names::for_writing(s, a.organization);
    if (!names) {
        return names.error();
    }
    before.names = std::move(*names);
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
        auto kept = storage::poison_rows_until(s, a, version);
        if (!kept) {
            return kept.error();
        }
        into.insert(kept->begin(), kept->end()); // of events that were cut
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
    const auto sealing = storage::sealing_key(s, instance->subject(), a.organization);
    if (!sealing) {
        return sealing.error();
    }
    for (auto& [key, value] : into) {
        made.insert_or_assign(key, made_row{std::move(value), *sealing});
    }
    return {};
}

void compare(const storage::store& s, std::uint32_t shard, made_rows expected_rows,
             const std::set<std::string>& left_alone, rebuild_result& result, storage::view_rows& mend) {
    result.rows += expected_rows.size();
    storage::each_view_row(s, shard, [&](std::string_view key, std::string_view value, bool sealed) {
        const auto found = expected_rows.find(std::string(key));
        if (found == expected_rows.end()) {
            const auto owner = storage::owner_of_view_row(key);
            if (!owner || !left_alone.contains(*owner)) {
                ++result.extra;
                mend.deletes.emplace_back(key);
            }
            return;
        }
        const bool has_to_be_sealed = found->second.key && storage::holds_contents(key);
        if (found->second.value != value || sealed != has_to_be_sealed) {
            ++result.different;
            mend.puts.push_back(found->second.sealed(found->first));
        }
        expected_rows.erase(found);
    });
    result.missing += expected_rows.size();
    for (const auto& [key, row] : expected_rows) {
        mend.puts.push_back(row.sealed(key));
    }
}

} // namespace

namespace {

namespace keys = storage::keys;

constexpr std::size_t rows_written_at_once = 10'000;

expected<void> complete_shard(const storage::store& s, const std::vector<const entity_kind*>& kinds,
                              std::uint32_t shard, storage::view_rows& add) {
    expected<void> replayed;
    const auto visited = storage::each_entity(s, shard, [&](const entity_address& a) {
        const auto kind = std::ranges::find(kinds, a.kind, &entity_kind::name);
        made_rows found;
        if (kind != kinds.end()) {
            replayed = replay(s, **kind, a, shard, found);
        }
        const auto prefix = keys::shard_table(shard, keys::table::reference);
        for (auto row = found.lower_bound(prefix); row != found.end() && row->first.starts_with(prefix); ++row) {
            add.puts.emplace_back(row->first, "");
        }
        return replayed.has_value();
    });
    if (!visited || !replayed) {
        return visited ? replayed : visited;
    }
    for (const auto* kind : kinds) {
        add.puts.emplace_back(keys::reference_kind(shard, kind->name), "");
    }
    return {};
}

} // namespace

expected<void> complete_references(storage::store& s, const kind_registry& kinds) {
    storage::view_rows add;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        std::vector<const entity_kind*> missing;
        for (const auto& [name, kind] : kinds) {
            const auto kept = kind.names_blobs ? storage::keeps_references(s, shard, name) : expected<bool>(true);
            if (!kept) {
                return kept.error();
            }
            if (!*kept) {
                missing.push_back(&kind);
            }
        }
        auto done = missing.empty() ? expected<void>() : complete_shard(s, missing, shard, add);
        if (done && add.puts.size() >= rows_written_at_once) {
            done = storage::write_view_rows(s, std::exchange(add, {}));
        }
        if (!done) {
            return done;
        }
    }
    return add.puts.empty() ? expected<void>() : storage::write_view_rows(s, add);
}

expected<std::vector<std::string>> complete_holdings(storage::store& s, const kind_registry& kinds) {
    std::vector<std::string> uncounted;
    storage::view_rows add;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        std::set<std::string> missing;
        for (const auto& [name, kind] : kinds) {
            const auto counted = kind.has_holds ? storage::counts_holdings(s, shard, name) : expected<bool>(true);
            if (!counted) {
                return counted.error();
            }
            if (!*counted) {
                missing.insert(name);
                add.puts.emplace_back(keys::usage_kind(shard, name), "");
            }
        }
        if (missing.empty()) {
            continue;
        }
        std::map<uuid, std::vector<usage_amount>> held;
        const auto visited = storage::each_entity(s, shard, [&](const entity_address& a) {
            if (!missing.contains(a.kind)) {
                return true;
            }
            const auto instance = kinds.find(a.kind)->second.make();
            const auto version = storage::read_version(s, a);
            const auto loaded =
                version ? load_entity(s, a, *version, *instance) : expected<loaded_entity>(version.error());
            if (loaded) {
                std::ranges::move(instance->holds(), std::back_inserter(held[a.organization]));
            } else {
                uncounted.push_back(to_string(a) + ": " + loaded.error().detail);
            }
            return true;
        });
        auto counted = visited ? storage::add_holdings(s, shard, held, add.puts) : visited;
        if (counted && add.puts.size() >= rows_written_at_once) {
            counted = storage::write_view_rows(s, std::exchange(add, {}));
        }
        if (!counted) {
            return counted.error();
        }
    }
    const auto written = add.puts.empty() ? expected<void>() : storage::write_view_rows(s, add);
    return written ? expected<std::vector<std::string>>(std::move(uncounted)) : written.error();
}

expected<rebuild_result> rebuild_views(storage::store& s, const kind_registry& kinds, bool write,
                                       const std::function<void(std::uint64_t)>& progress) {
    if (s.who().format < storage::directory_format && !write) {
        return problem{code::data_dir_unusable,
                       "the views are of an older version; start a node on them once, or make them again with "
                       "`troupe views rebuild`"};
    }
    if (auto brought_up = write ? storage::upgrade(s) : expected<void>(); !brought_up) {
        return brought_up.error();
    }
    rebuild_result result;
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        made_rows expected_rows;
        std::set<std::string> left_alone;
        auto visited = storage::each_entity(s, shard, [&](const entity_address& a) {
            const auto kind = kinds.find(a.kind);
            const auto replayed = kind == kinds.end()
                                      ? expected<void>(problem{code::quarantined, "its kind is not known here"})
                                      : replay(s, kind->second, a, shard, expected_rows);
            if (!replayed && replayed.error().code != code::erased) {
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
