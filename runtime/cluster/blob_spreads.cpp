#include "runtime/cluster/blob_spreads.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

void tell(std::vector<blob_spreads::done>& waiters, const expected<void>& what) {
    for (auto& then : std::exchange(waiters, {})) {
        then(what);
    }
}

} // namespace

problem blob_spreads::too_few(const one& o) const {
    const auto& members = ports_.members();
    std::string detail = "the content is on " + std::to_string(o.have.size() + 1) + " of " +
                         std::to_string(members.count) +
                         " nodes, less than a majority: too few are up, or they cannot "
                         "keep it";
    if (!o.refused.empty()) {
        detail += " (" + o.refused.begin()->second + ")";
    }
    return {code::unavailable, detail + "; send it again in a moment", {}, 1};
}

void blob_spreads::begin(const storage::blob_id& id, done then, std::int64_t now_ms) {
    if (all_.size() >= spreads_max && !all_.contains(id)) {
        if (then) {
            then(problem{code::unavailable, "too many contents are on their way to other nodes; try again", {}, 1});
        }
        return;
    }
    auto& what = *all_.try_emplace(id).first;
    if (what.second.waiters.empty()) {
        what.second = {}; // what others said of an earlier time does not count
        what.second.progress_ms = now_ms;
        offer(what, now_ms);
    }
    if (then) {
        what.second.waiters.push_back(std::move(then));
    }
    if (settle(what.second)) {
        all_.erase(id);
    }
}

void blob_spreads::offer(all::value_type& what, std::int64_t now_ms) const {
    what.second.offered_ms = now_ms;
    for (const auto& peer : ports_.members().up) {
        if (!what.second.have.contains(peer)) {
            ports_.offer(peer, what.first);
        }
    }
}

void blob_spreads::on_stored(const uuid& from, const storage::blob_id& id, std::int64_t now_ms) {
    const auto found = all_.find(id);
    if (found == all_.end()) {
        return;
    }
    auto& o = found->second;
    o.have.insert(from);
    o.refused.erase(from);
    o.progress_ms = now_ms;
    if (settle(o)) {
        all_.erase(found);
    }
}

void blob_spreads::on_refused(const uuid& from, const storage::blob_id& id, std::string why) {
    const auto found = all_.find(id);
    if (found != all_.end()) {
        found->second.refused[from] = std::move(why);
        settle(found->second);
    }
}

void blob_spreads::on_want(const storage::blob_id& id, std::int64_t now_ms) {
    if (const auto found = all_.find(id); found != all_.end()) {
        found->second.progress_ms = now_ms;
    }
}

void blob_spreads::on_up(const uuid& peer) {
    for (const auto& [id, o] : all_) {
        if (!o.have.contains(peer)) {
            ports_.offer(peer, id);
        }
    }
}

void blob_spreads::go_on(std::int64_t now_ms) {
    for (auto at = all_.begin(); at != all_.end();) {
        auto& o = at->second;
        if (now_ms - o.progress_ms >= wait_max_ms) {
            tell(o.waiters, too_few(o));
        }
        if (settle(o, now_ms - o.progress_ms >= others_wait_ms) || now_ms - o.progress_ms >= keep_ms) {
            at = all_.erase(at);
            continue;
        }
        if (now_ms - o.offered_ms >= again_ms) {
            offer(*at, now_ms);
        }
        ++at;
    }
}

bool blob_spreads::settle(one& o, bool late) const {
    const auto& members = ports_.members();
    const bool said =
        std::ranges::all_of(members.up, [&](const uuid& m) { return o.have.contains(m) || o.refused.contains(m); });
    if (members.is_majority(o.have.size() + 1)) {
        if (said || late) {
            tell(o.waiters, {});
        }
    } else if (members.count > 0 && !members.is_majority(members.count - o.refused.size())) {
        tell(o.waiters, too_few(o)); // whoever else there is
    }
    return members.count > 0 && o.have.size() + 1 >= members.count;
}

} // namespace troupe::runtime::cluster
