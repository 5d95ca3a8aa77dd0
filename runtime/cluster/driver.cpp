#include "runtime/cluster/driver.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

/// Every so many ticks shards where nothing goes on are looked at, too.
constexpr std::uint64_t ticks_of_all = 10;

bool holds_nothing(const storage::shard_logs& logs, std::uint32_t shards) {
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
        if (logs.last_seq(shard) != 0) {
            return false;
        }
    }
    return true;
}

cluster_settings completed(cluster_settings settings, const storage::shard_logs& logs) {
    settings.is_new = holds_nothing(logs, settings.self.shards);
    return settings;
}

/// Another one in each life of a node.
std::uint64_t number_of(const uuid& incarnation) {
    std::uint64_t out = 0;
    std::memcpy(&out, incarnation.bytes.data(), sizeof out);
    return out >> 1; // so that it can be counted on
}

} // namespace

driver::driver(cluster_settings settings, storage::committer& committer, driver_port& port,
               const checkpoint_settings& checkpoints)
    : committer_(committer),
      port_(port),
      core_(completed(settings, committer.logs())),
      checkpoints_(checkpoints, number_of(settings.self.incarnation), committer.logs(),
                   [&port](const uuid& to, std::string frame) { return port.send_checkpoint(to, std::move(frame)); }) {}

void driver::drive(const std::function<void(cluster_core::actions& out)>& input) {
    cluster_core::actions out;
    input(out);
    for (auto& action : out) {
        std::visit([this](auto& a) { act(a); }, action);
    }
}

// ---- inputs

void driver::on_map(std::vector<entry> all, std::uint64_t revision) {
    drive([&](auto& out) { core_.on_map(all, revision, out); });
}

void driver::on_changes(std::vector<change> changes, std::uint64_t revision) {
    drive([&](auto& out) { core_.on_changes(changes, revision, out); });
}

void driver::on_lease(lease now) {
    drive([&](auto& out) { core_.on_lease(now, out); });
}

void driver::on_reachable(bool reachable, const std::string& why) { note(coordinator_reached{reachable, why}); }

void driver::on_committed(std::uint64_t id, const expected<transaction_result>& result) {
    drive([&](auto& out) { core_.on_committed(id, result, out); });
}

void driver::on_frame(const uuid& from, std::string_view bytes) { committer_.logs().on_frame(from, bytes); }
void driver::on_peer_back(const uuid& peer) {
    committer_.logs().on_peer_back(peer);
    checkpoints_.on_peer_back(peer);
    core_.on_peer(peer, true);
}

void driver::on_peer_gone(const uuid& peer) {
    committer_.logs().on_peer_gone(peer);
    core_.on_peer(peer, false);
}

void driver::tick(std::int64_t now_ms) {
    committer_.tick(++ticks_ % ticks_of_all == 0);
    checkpoints_.tick();
    drive([&](auto& out) {
        core_.tick(
            now_ms, [this](std::uint32_t shard) { return view_of(shard); }, out);
    });
}

log_view driver::view_of(std::uint32_t shard) const {
    const auto& self = committer_.logs().of(shard);
    return {committer_.owns(shard) && committer_.logs().takes(shard), self.is_candidate(), self.core().commit(),
            [&self](const uuid& id) { return self.core().durable_at(id); }};
}

std::uint64_t driver::lag_entries() const {
    std::uint64_t out = 0;
    for (std::uint32_t shard = 0; shard < core_.shards(); ++shard) {
        if (!committer_.owns(shard)) {
            continue;
        }
        const auto& log = committer_.logs().of(shard).core();
        for (const auto& node : core_.nodes()) {
            const auto there = node.alive ? log.durable_at(node.replica) : std::nullopt;
            if (there && *there < log.durable()) {
                out = std::max(out, log.durable() - *there);
            }
        }
    }
    return out;
}

std::vector<driver_event> driver::after_write() {
    for (const auto& event : committer_.take_events()) {
        std::visit([this](const auto& e) { note(e); }, event);
    }
    checkpoints_.after_write();
    for (auto& ended : checkpoints_.take_ended()) {
        if (!ended.why) {
            ++(ended.received ? checkpoints_received_ : checkpoints_sent_);
        }
        if (ended.received && !ended.why) {
            port_.on_installed(ended.shard);
        }
        heard_.emplace_back(std::move(ended));
    }
    return std::exchange(heard_, {});
}

void driver::note(const storage::register_wanted& wanted) {
    drive([&](auto& out) { core_.on_register_wanted(wanted.shard, wanted.next, wanted.over, out); });
}

// ---- what the core wants

void driver::act(commit_wanted& a) { port_.commit(a.id, std::move(a.what)); }
void driver::act(peers_changed& a) { port_.set_peers(std::move(a.peers)); }
void driver::act(const register_changed& a) { committer_.logs().on_register(a.shard, a.set); }

void driver::act(const register_answered& a) {
    if (a.applied) {
        committer_.logs().on_register_written(a.shard, a.epoch, *a.applied);
    } else {
        committer_.logs().on_register_unknown(a.shard, a.epoch);
    }
}

void driver::act(const turned_away& a) { note(a); }

// A step that cannot be taken any more comes to nothing: the next tick sees what is so now.

void driver::act(const create_shard& a) { static_cast<void>(committer_.logs().create(a.shard)); }

void driver::act(const take_step& a) {
    std::visit([&](const auto& step) { take(a.shard, step); }, a.step);
}

void driver::take(std::uint32_t shard, const campaign_step&) { static_cast<void>(committer_.logs().campaign(shard)); }

void driver::take(std::uint32_t shard, const change_step& step) {
    static_cast<void>(committer_.logs().change(shard, step.voters, step.learners));
}

void driver::take(std::uint32_t shard, const hand_over_step& step) { committer_.hand_over(shard, step.to); }

} // namespace troupe::runtime::cluster
