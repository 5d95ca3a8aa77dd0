#include "runtime/entity/offline.hpp"

#include "runtime/entity/load.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace troupe::runtime {

reply decide_offline(const storage::store& s, storage::committer& committer, const entity_kind& kind,
                     const command& c) {
    const auto shard = s.shard_of(c.to);
    const auto active = committer.activate(c.to);
    if (!active) {
        return active.error();
    }
    const auto instance = kind.make();
    auto loaded = load_entity(s, c.to, active->version, *instance);
    if (!loaded) {
        return loaded.error();
    }
    auto names = storage::index_names::for_writing(s, c.to.organization);
    if (!names) {
        return names.error();
    }
    auto before =
        rows_of(*instance, {c.to.id, active->version}, std::move(loaded->set_aside), std::move(*names), nullptr);
    const timestamp now{std::max(system_now().ms, storage::last_time(s, shard).ms)}; // a log's time never goes back
    auto decided = instance->handle(c, {c.to, active->version, now, c.principal, make_uuid});
    if (!decided) {
        return decided.error();
    }
    std::vector<storage::append> batch(1);
    auto& a = batch.front();
    a.entity = c.to;
    a.activation = active->id;
    a.expected_version = active->version;
    for (auto& e : decided->events) {
        storage::record r;
        r.entity = c.to;
        r.entity_seq = active->version + a.records.size() + 1;
        r.command_id = c.id;
        r.index_in_batch = static_cast<std::uint32_t>(a.records.size());
        r.batch_size = static_cast<std::uint32_t>(decided->events.size());
        r.type = std::move(e.type);
        r.version = e.version;
        r.time = now;
        r.principal = c.principal;
        r.payload = std::move(e.payload);
        a.records.push_back(std::move(r));
    }
    const auto version = active->version + a.records.size();
    if (!a.records.empty()) {
        a.derived = derive(*instance, shard, c.to, version, before);
        a.used = std::move(decided->used);
        a.subject = instance->subject();
        if (loaded->base > 0) {
            if (auto kept = storage::keep_base_items(s, a.derived); !kept) {
                return kept.error();
            }
        }
        std::vector<expected<storage::appended>> results;
        if (auto committed = committer.commit(batch, results); !committed) {
            return committed.error();
        }
        if (!results.front()) {
            return results.front().error();
        }
    }
    committer.release(c.to, active->id);
    return outcome{version, false, std::move(decided->answer)};
}

} // namespace troupe::runtime
