#include "runtime/cluster/command_lane.hpp"

#include "schemas/base/log.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

/// Longer than a fail-over takes.
constexpr std::int64_t wait_max_ms = 10'000;
/// From the moment at which something may be shown until it is.
constexpr std::int64_t show_margin_ms = 50;
/// With the rest of an envelope it fits into a frame.
constexpr std::size_t answer_bytes_max = frame_bytes_max - 4096;

} // namespace

forwarder_ports command_lane::make_forwarder_ports() {
    forwarder_ports out;
    out.self = ports_.self;
    out.owner_of = [this](std::uint32_t shard) -> std::optional<uuid> {
        const auto leader = (*leaders())[shard];
        const bool known = leader == ports_.self ? serves(shard) : !leader.is_nil();
        return known ? std::optional(leader) : std::nullopt;
    };
    out.send = [this](const uuid& to, const envelope& what) {
        const bool said = say(to, what);
        sent_ += said ? 1 : 0;
        return said;
    };
    out.take = ports_.take;
    out.applied = [this](std::uint32_t shard) { return ports_.store->applied(shard); };
    out.version_of = [this](const entity_address& a) -> std::uint64_t {
        const auto version = storage::read_version(*ports_.store, a);
        return version ? *version : 0; // then all of the history is looked through
    };
    return out;
}

read_index_ports command_lane::make_read_ports() {
    read_index_ports out;
    out.shards = ports_.store->who().shards;
    out.leaders = [this] { return leaders(); };
    out.serves = [this](std::uint32_t shard) { return serves(shard); };
    out.applied = [this](std::uint32_t shard) { return ports_.store->applied(shard); };
    out.send = [this](const uuid& to, const envelope& what) { return say(to, what); };
    return out;
}

command_lane::command_lane(links& links, command_ports ports)
    : links_(links),
      ports_(std::move(ports)),
      owned_(ports_.store->who().shards),
      leaders_(std::make_shared<const shard_leaders>(ports_.store->who().shards)),
      forwarder_(make_forwarder_ports(), wait_max_ms),
      read_index_(make_read_ports(), wait_max_ms),
      questions_([this](const uuid& to, const envelope& what) { return say(to, what); }) {}

void command_lane::forward(held_ptr held) {
    if (const auto back = std::exchange(held->send_back, {})) { // else two nodes would take it to the next owner
        held->port = [back, after = held->decided_after.load()](const reply&) { back(after); };
        held->answer(outcome{});
        return;
    }
    const auto shard = ports_.store->shard_of(held->command.to);
    forwarder_.forward(std::move(held), shard, ports_.monotonic());
}

void command_lane::wait_to_read(read_index::done then) { read_index_.wait(std::move(then), ports_.monotonic()); }

void command_lane::ask_node(const uuid& replica, std::string question, std::string parameters, question_done then) {
    questions_.ask(replica, std::move(question), std::move(parameters), std::move(then), ports_.monotonic());
}

void command_lane::answer_with(std::string question, question_handler handler) {
    questions_.answer_with(std::move(question), std::move(handler));
}

bool command_lane::serves(std::uint32_t shard) const {
    return owned_[shard] && ports_.serves_until_ms() > ports_.monotonic() + show_margin_ms;
}

std::shared_ptr<const shard_leaders> command_lane::leaders() const {
    const std::lock_guard lock(mutex_);
    return leaders_;
}

command_lane::counted command_lane::counts() const {
    const std::lock_guard lock(mutex_);
    return {up_.size(), sent_, taken_, read_index_.rounds()};
}

// ---- from the driver

void command_lane::on_ownership(std::uint32_t shard, bool owned) {
    owned_[shard] = owned;
    go_on();
}

void command_lane::note(const cluster_core& core) {
    auto now = std::make_shared<shard_leaders>(owned_.size());
    for (std::uint32_t shard = 0; shard < owned_.size(); ++shard) {
        (*now)[shard] = core.takes_commands(shard) ? core.shard(shard).leader : uuid{};
    }
    {
        const std::lock_guard lock(mutex_);
        if (*leaders_ == *now) {
            return;
        }
        leaders_ = std::move(now);
    }
    go_on();
}

void command_lane::on_applied() {
    const auto now = ports_.monotonic();
    forwarder_.on_applied(now);
    read_index_.go_on(now);
}

/// Whoever is not reached, or has no room, misses it, as a reader does who is too slow.
void command_lane::tell_others(const live_event& e) {
    if (e.data.size() > answer_bytes_max) {
        return;
    }
    std::set<uuid> peers;
    {
        const std::lock_guard lock(mutex_);
        peers = up_;
    }
    const live_envelope what{{{}, e.ts, e.channel, e.kind, e.data, e.organization}};
    const auto frame = std::make_shared<const std::string>(encode(what, ports_.monotonic()));
    for (const auto& to : peers) {
        static_cast<void>(links_.send(to, lane::commands, frame));
    }
}

void command_lane::on_tick() {
    std::vector<std::pair<uuid, answer_envelope>> again;
    {
        const std::lock_guard lock(mutex_);
        again.swap(unsaid_);
    }
    for (auto& [to, what] : again) {
        answer(to, std::move(what));
    }
    questions_.on_tick(ports_.monotonic());
    go_on();
}

void command_lane::go_on() {
    const auto now = ports_.monotonic();
    forwarder_.go_on(now);
    forwarder_.on_applied(now);
    read_index_.go_on(now);
}

// ---- from the links

void command_lane::on_up(const uuid& peer) {
    {
        const std::lock_guard lock(mutex_);
        up_.insert(peer);
    }
    go_on();
}

void command_lane::on_down(const uuid& peer) {
    {
        const std::lock_guard lock(mutex_);
        up_.erase(peer);
        std::erase_if(unsaid_, [&](const auto& one) { return one.first == peer; });
    }
    forwarder_.on_peer_down(peer, ports_.monotonic());
    questions_.on_peer_down(peer);
}

bool command_lane::say(const uuid& to, const envelope& what) {
    return links_.send(to, lane::commands, std::make_shared<const std::string>(encode(what, ports_.monotonic())));
}

void command_lane::on_frame(const uuid& from, std::string_view bytes) {
    auto what = decode_envelope(bytes, ports_.monotonic());
    if (what) {
        take_envelope(from, std::move(*what));
    } else {
        log_for("cluster").error("replica {} sent {}", to_string(from), what.error().detail);
    }
}

void command_lane::take_envelope(const uuid& from, envelope what) {
    if (auto* command = std::get_if<command_envelope>(&what)) {
        take_command(from, std::move(*command));
    } else if (auto* answer = std::get_if<answer_envelope>(&what)) {
        forwarder_.on_answer(from, std::move(*answer), ports_.monotonic());
    } else if (const auto* question = std::get_if<index_question>(&what)) {
        static_cast<void>(say(from, read_index_.answer_to(*question))); // else it is asked again
    } else if (const auto* indexes = std::get_if<index_answer>(&what)) {
        read_index_.on_answer(*indexes, ports_.monotonic());
    } else if (auto* live = std::get_if<live_envelope>(&what); live != nullptr && ports_.publish) {
        ports_.publish(std::move(live->what));
    } else if (const auto* asked = std::get_if<node_question>(&what)) {
        questions_.on_question(from, *asked);
    } else if (auto* said = std::get_if<node_answer>(&what)) {
        questions_.on_answer(from, std::move(*said));
    }
}

void command_lane::take_command(const uuid& from, command_envelope what) {
    const auto shard = ports_.store->shard_of(what.what.to);
    if (!serves(shard)) {
        answer(from, {what.number, true, outcome{}, 0, held_command::never_decided});
        return;
    }
    ++taken_;
    auto held = std::make_shared<held_command>();
    held->bytes = what.what.payload.size();
    held->command = std::move(what.what);
    held->decided_after = what.decided_after;
    held->port = [this, from, number = what.number, shard](reply r) {
        const auto applied = ports_.store->applied(shard);
        answer(from, {number, false, std::move(r), applied, held_command::never_decided});
    };
    held->send_back = [this, from, number = what.number](std::uint64_t decided_after) {
        answer(from, {number, true, outcome{}, 0, decided_after});
    };
    ports_.take(std::move(held));
}

/// Whoever waits for it must not wait for ever. One that is gone asks the next owner.
void command_lane::answer(const uuid& to, answer_envelope what) {
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

} // namespace troupe::runtime::cluster
