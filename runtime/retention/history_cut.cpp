#include "runtime/retention/history_cut.hpp"

#include "runtime/entity/derive.hpp"
#include "storage/base.hpp"
#include "storage/items.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/tables.hpp"

#include <utility>
#include <vector>

namespace troupe::runtime {

namespace {

namespace keys = storage::keys;

/// Two snapshots are kept of an entity.
constexpr std::size_t snapshots_kept = 2;

/// Repeats of these may come at any time: who sends them may still owe them.
bool is_effect(const storage::record& r) { return r.command_id.starts_with("effect/"); }

/// Replays whole commands and collects what their end changes.
class cutter {
public:
    cutter(const storage::store& s, const entity_kind& kind, const entity_address& a, timestamp repeats_since,
           const feature_set* on)
        : store_(s),
          kind_(kind),
          self_(a),
          shard_(s.shard_of(a)),
          repeats_since_(repeats_since),
          features_(on),
          instance_(kind.make()) {}

    expected<history_cut> run(std::uint64_t version, timestamp until) {
        auto names = storage::index_names::for_writing(store_, self_.organization);
        if (!names) {
            return names.error();
        }
        names_ = std::move(*names);
        const auto base = storage::read_base(store_, self_);
        if (!base) {
            return base.error();
        }
        if (*base) {
            auto restored = restore_snapshot(*instance_, (*base)->state_version, (*base)->state);
            if (!restored) {
                return restored.error();
            }
            set_aside_ = std::move(*restored);
            out_.base = before_ = (*base)->version;
        }
        const problem enough{code::cancelled, {}}; // ends the reading
        std::vector<storage::record> command;
        std::size_t bytes = 0;
        auto read = storage::read_history(
            store_, self_, out_.base,
            [&](storage::record&& r) -> expected<void> {
                if (r.time > until) {
                    return enough;
                }
                if (command.empty() && (out_.events >= cut_events_max || bytes >= cut_bytes_max)) {
                    out_.more = true;
                    return enough;
                }
                bytes += r.payload.size();
                const bool last = r.index_in_batch + 1 == r.batch_size;
                command.push_back(std::move(r));
                return last ? take(std::exchange(command, {})) : expected<void>();
            },
            version - 1); // so that the newest command is never whole in here
        if (!read && read.error().code != enough.code) {
            return read.error();
        }
        return out_.events > 0 ? finish() : expected<history_cut>(std::move(out_));
    }

private:
    expected<void> take(std::vector<storage::record> command) {
        for (const auto& r : command) {
            if (auto replayed = instance_->replay(r); !replayed) {
                return replayed;
            }
            note_set_aside(r, set_aside_);
            if (r.entity_seq > 1) { // the row of the base stays
                out_.changes.deletes.push_back(keys::numbered(shard_, keys::table::history, self_, r.entity_seq - 1));
            }
        }
        for (const auto& i : instance_->take_items()) {
            auto [key, value] = storage::item_row(names_, shard_, self_, i.collection, i.key, i.document);
            items_.insert_or_assign(std::move(key), std::move(value));
        }
        out_.base = command.back().entity_seq;
        out_.events += command.size();
        seq_ = command.back().seq;
        time_ = command.back().time;
        return keep_answer(command);
    }

    /// The row of de-duplication lives without the events: dropped when nobody may repeat the command any more.
    expected<void> keep_answer(const std::vector<storage::record>& command) {
        const auto& first = command.front();
        if (first.command_id.empty()) {
            return {};
        }
        auto row = storage::read_command(store_, self_, first.command_id);
        if (!row || !*row || (*row)->first_version != first.entity_seq) { // an id may come anew after the window
            return row ? expected<void>() : expected<void>(row.error());
        }
        auto key = keys::command(shard_, self_, first.command_id);
        const bool repeated_soon = first.time > repeats_since_;
        if (!repeated_soon && !is_effect(first)) {
            out_.changes.deletes.push_back(std::move(key));
            return {};
        }
        const view_context ctx{self_.id, out_.base};
        if (first.type.starts_with('$')) {
            (*row)->answer = storage::repeat_answer::poison;
        } else {
            auto answer = instance_->answer(command, ctx);
            if (!answer) {
                return answer.error();
            }
            // Late repeats of effects are rare, and documents are large: those get the present one.
            const bool is_document = !repeated_soon && *answer == instance_->view(ctx).document;
            (*row)->answer = is_document ? storage::repeat_answer::document : storage::repeat_answer::kept;
            (*row)->kept = is_document ? std::string() : std::move(*answer);
        }
        out_.changes.puts.emplace_back(std::move(key), storage::encode_command_row(**row));
        return {};
    }

    expected<history_cut> finish() {
        auto state = snapshot_of(*instance_, set_aside_, features_);
        const storage::history_base base{{out_.base, seq_, time_}, state.version, std::move(state.payload)};
        if (auto restored = restore_snapshot(*kind_.make(), base.state_version, base.state); !restored) {
            return restored.error(); // a state that cannot be read back is no base
        }
        storage::put_base(store_, self_, base, before_, out_.changes);
        if (auto moved = storage::move_base_items(store_, items_, out_.changes); !moved) {
            return moved.error();
        }
        return std::move(out_);
    }

    const storage::store& store_;
    const entity_kind& kind_;
    const entity_address& self_;
    std::uint32_t shard_;
    timestamp repeats_since_;
    const feature_set* features_;
    std::unique_ptr<entity_instance> instance_;
    set_aside_effects set_aside_;
    storage::index_names names_;
    storage::item_documents items_;
    std::uint64_t before_ = 0; ///< The base until now.
    std::uint64_t seq_ = 0;
    timestamp time_;
    history_cut out_;
};

} // namespace

expected<history_cut> make_cut(const storage::store& s, const entity_kind& kind, const entity_address& a,
                               std::uint64_t version, timestamp until, timestamp repeats_since, const feature_set* on) {
    if (version == 0) {
        return history_cut{};
    }
    try {
        return cutter(s, kind, a, repeats_since, on).run(version, until);
    } catch (const std::exception& defect) { // of the model: it would throw for ever, which is no reason to end
        return problem{code::internal, defect.what()};
    }
}

bool has_good_snapshot(const storage::store& s, const entity_address& a, std::uint64_t version,
                       entity_instance& probe) {
    const auto newest = storage::read_snapshots(s, a, 1);
    return !newest.empty() && newest.front().version >= version &&
           restore_snapshot(probe, newest.front().state_version, newest.front().state);
}

expected<std::uint64_t> restore_before(const storage::store& s, const entity_address& a, std::uint64_t event,
                                       entity_instance& into) {
    const auto base = storage::read_base(s, a);
    if (!base) {
        return base.error();
    }
    const auto begin = *base ? (*base)->version : 0; // events up to here are gone
    for (const auto& snapshot : storage::read_snapshots(s, a, snapshots_kept)) {
        if (snapshot.version < event && snapshot.version >= begin &&
            restore_snapshot(into, snapshot.state_version, snapshot.state)) {
            return snapshot.version;
        }
    }
    if (begin >= event) {
        return problem{code::not_found, "the history of " + to_string(a) + " begins after event " +
                                            std::to_string(begin) + ": what was before is not kept"};
    }
    if (begin == 0) {
        return begin;
    }
    auto restored = restore_snapshot(into, (*base)->state_version, (*base)->state);
    return restored ? expected<std::uint64_t>(begin) : expected<std::uint64_t>(restored.error());
}

} // namespace troupe::runtime
