#include "runtime/cluster/cluster_host.hpp"

#include "schemas/base/log.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <optional>

namespace troupe::runtime::cluster {

namespace {

/// Longer than a fail-over takes.
constexpr std::int64_t wait_max_ms = 10'000;
/// From the moment at which something may be shown until it is.
constexpr std::int64_t show_margin_ms = 50;
/// With the rest of an envelope it fits into a frame.
constexpr std::size_t answer_bytes_max = frame_bytes_max - 4096;

} // namespace

cluster_host::cluster_host(coordinator& coordinator, links& links, host_ports ports)
    : coordinator_(coordinator),
      links_(links),
      ports_(std::move(ports)),
      owned_(ports_.store->who().shards),
      leaders_(std::make_shared<const shard_leaders>(ports_.store->who().shards)),
      forwarder_({.self = ports_.self,
                  .owner_of = [this](std::uint32_t shard) -> std::optional<uuid> {
                      const auto leader = (*leaders())[shard];
                      const bool mine = leader == ports_.self;
                      const bool known = mine ? serves(shard) : !leader.is_nil();
                      return known ? std::optional(leader) : std::nullopt;
                  },
                  .send = [this](const uuid& to, const envelope& what) { return say(to, what); },
                  .take = ports_.take,
                  .version_of =
                      [this](const entity_address& a) {
                          const auto version = storage::read_version(*ports_.store, a);
                          return version ? *version : 0; // all of the history is looked through
                      }},
                 wait_max_ms),
      read_index_({.shards = ports_.store->who().shards,
                   .leaders = [this] { return leaders(); },
                   .serves = [this](std::uint32_t shard) { return serves(shard); },
                   .applied = [this](std::uint32_t shard) { return ports_.store->applied(shard); },
                   .send = [this](const uuid& to, const envelope& what) { return say(to, what); }},
                  wait_max_ms) {}

void cluster_host::start() {
    running_ = true;
    links_.start(*this);
    coordinator_.start(*this);
}

void cluster_host::stop() {
    if (running_.exchange(false)) {
        coordinator_.stop();
        links_.stop();
    }
}

void cluster_host::forward(held_ptr held) {
    const auto shard = ports_.store->shard_of(held->command.to);
    forwarder_.forward(std::move(held), shard, ports_.monotonic());
}

void cluster_host::wait_to_read(read_index::done then) { read_index_.wait(std::move(then), ports_.monotonic()); }

bool cluster_host::serves(std::uint32_t shard) const {
    return owned_[shard] && ports_.serves_until_ms() > ports_.monotonic() + show_margin_ms;
}

std::shared_ptr<const shard_leaders> cluster_host::leaders() const {
    const std::lock_guard lock(mutex_);
    return leaders_;
}

// ---- the committer's thread

void cluster_host::on_ownership(std::uint32_t shard, bool owned) {
    owned_[shard] = owned;
    go_on();
}

void cluster_host::on_applied() { read_index_.go_on(ports_.monotonic()); }

void cluster_host::on_tick() {
    std::vector<std::pair<uuid, answer_envelope>> again;
    {
        const std::lock_guard lock(mutex_);
        again.swap(unsaid_);
    }
    for (auto& [to, what] : again) {
        answer(to, std::move(what));
    }
    go_on();
}

void cluster_host::go_on() {
    const auto now = ports_.monotonic();
    forwarder_.go_on(now);
    read_index_.go_on(now);
}

void cluster_host::note(const cluster_core& core) {
    auto now = std::make_shared<shard_leaders>(owned_.size());
    for (std::uint32_t shard = 0; shard < owned_.size(); ++shard) {
        const auto& leader = core.shard(shard).leader;
        const auto node = std::ranges::find(core.nodes(), leader, &cluster_node::replica);
        (*now)[shard] = node != core.nodes().end() && node->alive ? leader : uuid{};
    }
    {
        const std::lock_guard lock(mutex_);
        if (*leaders_ == *now) {
            return;
        }
        leaders_ = std::move(now);
    }
    go_on();
    if (ports_.moved) {
        ports_.moved();
    }
}

// ---- links

bool cluster_host::send(const uuid& to, std::string frame) {
    return links_.send(to, lane::journal, std::make_shared<const std::string>(std::move(frame)));
}

bool cluster_host::say(const uuid& to, const envelope& what) {
    return links_.send(to, lane::commands, std::make_shared<const std::string>(encode(what, ports_.monotonic())));
}

void cluster_host::set_peers(std::vector<peer_place> peers) { links_.set_peers(std::move(peers)); }

void cluster_host::on_up(const node_card& peer) {
    {
        const std::lock_guard lock(mutex_);
        up_.insert(peer.replica);
    }
    ports_.drive([id = peer.replica](driver& d) { d.on_peer_back(id); });
    go_on();
}

void cluster_host::on_down(const uuid& peer, const std::string&) { // the links have logged why
    {
        const std::lock_guard lock(mutex_);
        up_.erase(peer);
        std::erase_if(unsaid_, [&](const auto& one) { return one.first == peer; });
    }
    forwarder_.on_peer_down(peer, ports_.monotonic());
}

void cluster_host::on_frame(const uuid& from, lane on, std::string_view bytes) {
    if (on != lane::commands) {
        ports_.drive([from, frame = std::string(bytes)](driver& d) { d.on_frame(from, frame); });
        return;
    }
    auto what = decode_envelope(bytes, ports_.monotonic());
    if (what) {
        take_envelope(from, std::move(*what));
    } else {
        log_for("cluster").error("{} sent {}", to_string(from), what.error().detail);
    }
}

void cluster_host::take_envelope(const uuid& from, envelope what) {
    if (auto* command = std::get_if<command_envelope>(&what)) {
        take_command(from, std::move(*command));
    } else if (auto* answer = std::get_if<answer_envelope>(&what)) {
        forwarder_.on_answer(from, std::move(*answer), ports_.monotonic());
    } else if (const auto* question = std::get_if<index_question>(&what)) {
        static_cast<void>(say(from, read_index_.answer_to(*question))); // else it is asked again
    } else if (const auto* indexes = std::get_if<index_answer>(&what)) {
        read_index_.on_answer(*indexes, ports_.monotonic());
    }
}

void cluster_host::take_command(const uuid& from, command_envelope what) {
    if (!serves(ports_.store->shard_of(what.what.to))) {
        answer(from, {what.number, true, outcome{}});
        return;
    }
    auto held = std::make_shared<held_command>();
    held->bytes = what.what.payload.size();
    held->command = std::move(what.what);
    held->decided_after = what.decided_after;
    held->port = [this, from, number = what.number](reply r) { answer(from, {number, false, std::move(r)}); };
    ports_.take(std::move(held));
}

/// Whoever waits for it must not wait for ever. One that is gone asks the next owner.
void cluster_host::answer(const uuid& to, answer_envelope what) {
    if (what.answer && what.answer->document.size() > answer_bytes_max) {
        what.answer = problem{code::payload_too_large,
                              "the command is done, and its answer is too big to go from node to node: read it"};
    }
    if (!say(to, what)) {
        const std::lock_guard lock(mutex_);
        if (up_.contains(to)) { // the way is full
            unsaid_.emplace_back(to, std::move(what));
        }
    }
}

// ---- the coordinator

void cluster_host::on_map(std::vector<entry> all, std::uint64_t revision) {
    ports_.drive([this, all = std::move(all), revision](driver& d) {
        d.on_map(all, revision);
        note(d.core());
    });
}

void cluster_host::on_changes(std::vector<change> changes, std::uint64_t revision) {
    ports_.drive([this, changes = std::move(changes), revision](driver& d) {
        d.on_changes(changes, revision);
        note(d.core());
    });
}

void cluster_host::on_lease(lease now) {
    ports_.drive([now](driver& d) { d.on_lease(now); });
}

void cluster_host::on_reachable(bool reachable, const std::string& why) {
    ports_.drive([reachable, why](driver& d) { d.on_reachable(reachable, why); });
}

void cluster_host::commit(std::uint64_t id, transaction what) {
    coordinator_.commit(std::move(what), [this, id](expected<transaction_result> result) {
        ports_.drive([this, id, result = std::move(result)](driver& d) {
            d.on_committed(id, result);
            note(d.core());
        });
    });
}

} // namespace troupe::runtime::cluster
