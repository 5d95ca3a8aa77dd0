#include "runtime/entity/load.hpp"

#include "storage/base.hpp"
#include "storage/log_reader.hpp"

#include <limits>
#include <utility>

namespace troupe::runtime {

namespace {

/// Two snapshots are kept of an entity.
constexpr std::size_t snapshots_kept = 2;

/// The newest state that is kept; leaves the instance fresh when there is none.
expected<void> restore_newest(const storage::store& s, const entity_address& a, std::uint64_t version,
                              entity_instance& into, loaded_entity& out) {
    for (const auto& snapshot : storage::read_snapshots(s, a, snapshots_kept)) {
        out.snapshots.push_back(snapshot.version);
        if (out.from == 0 && snapshot.version <= version) {
            if (auto restored = restore_snapshot(into, snapshot.state_version, snapshot.state)) {
                out.from = snapshot.version;
                out.from_bytes = snapshot.state.size();
                out.set_aside = std::move(*restored);
            }
        }
    }
    const auto base = storage::read_base(s, a);
    if (!base) { // a good snapshot is enough
        out.base = std::numeric_limits<std::uint64_t>::max();
        return out.from > 0 ? expected<void>() : expected<void>(base.error());
    }
    out.base = *base ? (*base)->version : 0;
    if (out.from < out.base) {
        auto restored = restore_snapshot(into, (*base)->state_version, (*base)->state);
        if (!restored) {
            return restored.error();
        }
        out.from = out.base;
        out.from_bytes = (*base)->state.size();
        out.set_aside = std::move(*restored);
    }
    return {};
}

} // namespace

expected<loaded_entity> load_entity(const storage::store& s, const entity_address& a, std::uint64_t version,
                                    entity_instance& into) {
    loaded_entity out;
    if (version == 0) { // a new one, most likely: three scans that find nothing would be a third of its first command
        const auto base = storage::read_base(s, a);
        if (base && !*base) {
            return out;
        }
    }
    if (auto restored = restore_newest(s, a, version, into, out); !restored) {
        return restored.error();
    }
    out.version = out.from;
    auto read = storage::read_history(s, a, out.from, [&](storage::record&& r) {
        out.version = r.entity_seq;
        ++out.tail_events;
        out.tail_bytes += r.payload.size();
        note_set_aside(r, out.set_aside);
        return into.replay(r);
    });
    if (!read) {
        return read.error();
    }
    if (out.version != version) {
        return problem{code::journal_damaged,
                       "its history ends at event " + std::to_string(out.version) + " of " + std::to_string(version)};
    }
    into.take_items(); // those of replayed events are in the tables already
    return out;
}

} // namespace troupe::runtime
