#include "runtime/bus/hub.hpp"

#include "schemas/base/described.hpp"
#include "schemas/base/log.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace troupe::runtime {

namespace {

/// Live-only events since a channel's last journaled one, for late joiners: about one model call of text.
constexpr std::size_t kept_bytes_max = 1 << 20;
/// Channels for which they are kept: more than runs are at work at once.
constexpr std::size_t kept_channels_max = 1024;

bool matches(const std::string& pattern, std::string_view channel) {
    if (!pattern.empty() && pattern.back() == '*') {
        return channel.substr(0, pattern.size() - 1) == std::string_view(pattern).substr(0, pattern.size() - 1);
    }
    return pattern == channel;
}

std::string own_channel(const entity_address& a) { return a.kind + "s/" + to_string(a.id); }

/// What an event shows on a channel of many entities: its members, and where it belongs.
std::string described(const storage::record& r) {
    std::string out;
    json::object_writer w(out);
    w.field("entity", r.entity.kind + "/" + to_string(r.entity.id))
        .field("version", r.entity_seq)
        .field("principal", r.principal);
    w.field("correlation", r.correlation).raw_field("event", r.payload);
    w.end();
    return out;
}

/// How often a reader begins anew because the log was trimmed before it.
constexpr int tries_max = 5;

problem not_kept() {
    return {code::not_found, "events between this place and the one asked for are not kept any more; fetch the present "
                             "state, then go on from here"};
}

} // namespace

std::vector<channel_alias> default_aliases() {
    return {{"activities", "", {}},
            {"task_completion", "task", {"work_finished", "task_moved"}},
            {"agent_status", "agent", {}}};
}

/// One subscriber. Its lock is taken inside the hub's, never the other way round.
struct live_subscriber {
    subscription_request request;
    std::function<void(const live_event&)> sink;
    std::mutex delivering; ///< One call of the sink at a time.
    std::vector<std::uint64_t> positions;
    std::vector<std::uint32_t> shards;    ///< Where its events can be; all for patterns.
    std::optional<entity_address> entity; ///< Of which all its events are, when it has one channel of that sort.
    bool whole = false;                   ///< It asked for all that is kept: what is not is said of an entity only.
    bool past = false;                    ///< The past is still being read: journaled events need not be queued.
    std::atomic<bool> ended{false};
};

struct hub::state : std::enable_shared_from_this<hub::state> {
    state(storage::store& s, std::vector<channel_alias> a, cursor_codec c)
        : store(s), aliases(std::move(a)), cursors(std::move(c)) {
        for (std::uint32_t shard = 0; shard < store.who().shards; ++shard) {
            heads.push_back(storage::last_seq(store, shard));
        }
    }

    storage::store& store;
    std::vector<channel_alias> aliases;
    cursor_codec cursors;
    std::mutex mutex;                 ///< Of everything below.
    std::vector<std::uint64_t> heads; ///< Last published seq of each shard.
    std::vector<std::shared_ptr<live_subscriber>> subscribers;
    struct observer {
        uuid organization;
        std::function<void(std::string_view kind, std::string_view type)> told;
    };
    std::list<observer> observers;
    std::map<std::string, std::pair<std::deque<live_event>, std::size_t>> kept; ///< By channel, with bytes.
    std::deque<std::shared_ptr<live_subscriber>> to_catch_up;
    const std::shared_ptr<actor_figures> figures = std::make_shared<actor_figures>();
    std::condition_variable work;
    bool stopping = false;
    std::thread reader;

    /// The channel under which this subscriber sees the record, or nothing.
    std::optional<std::string> channel_for(const live_subscriber& s, const storage::record& r,
                                           const std::string& own) const {
        if (r.entity.organization != s.request.organization) {
            return std::nullopt;
        }
        for (const auto& pattern : s.request.channels) {
            if (matches(pattern, own)) {
                return own;
            }
            for (const auto& alias : aliases) {
                if (matches(pattern, alias.channel) && (alias.kind.empty() || alias.kind == r.entity.kind) &&
                    (alias.types.empty() ||
                     std::find(alias.types.begin(), alias.types.end(), r.type) != alias.types.end())) {
                    return alias.channel;
                }
            }
        }
        return std::nullopt;
    }

    /// Delivers a record to one subscriber if it is new to it and on its channels. The caller holds `s.delivering`.
    void deliver(live_subscriber& s, const storage::record& r, const std::string& own) {
        if (r.seq <= s.positions[r.shard]) {
            return;
        }
        const auto channel = channel_for(s, r, own);
        s.positions[r.shard] = s.shards.size() == 1 && s.shards[0] != r.shard ? s.positions[r.shard] : r.seq;
        if (!channel || s.ended) {
            return;
        }
        s.sink({cursors.encode(s.positions), r.time, *channel, r.type, *channel == own ? r.payload : described(r),
                r.entity.organization});
    }

    void go_live(live_subscriber& s);
    expected<void> skip_trimmed(live_subscriber& s);
    expected<void> read_older(live_subscriber& s, std::uint32_t shard, std::uint64_t from, std::uint64_t to);
    void say_reset(live_subscriber& s);
    void fail(live_subscriber& s, const problem& why);
    expected<void> read_logs(live_subscriber& s);
    void read_past(const std::shared_ptr<live_subscriber>& s);
    void run_reader();
};

namespace {

class handle final : public subscription {
public:
    handle(std::function<void()> end) : end_(std::move(end)) {}
    ~handle() override { end_(); }

private:
    std::function<void()> end_;
};

} // namespace

/// Its cursor lies before what is kept: the present state has to be fetched. The caller holds `s.delivering`.
void hub::state::say_reset(live_subscriber& s) {
    if (!s.ended) {
        s.sink({cursors.encode(s.positions), system_now(), s.request.channels.front(), "reset",
                to_problem_json(not_kept()), s.request.organization});
    }
}

void hub::state::fail(live_subscriber& s, const problem& why) {
    log_for("bus").error("a subscriber's past cannot be read: {}", why.detail);
    const std::lock_guard lock(s.delivering);
    if (!s.ended.exchange(true)) { // who left is not called any more
        s.sink({"", system_now(), s.request.channels.front(), "reset", to_problem_json(why), s.request.organization});
    }
}

/// The events of an entity after the record `from` of its shard up to `to`, which the log does not have any more.
expected<void> hub::state::read_older(live_subscriber& s, std::uint32_t shard, std::uint64_t from, std::uint64_t to) {
    const auto base = storage::read_base_mark(store, *s.entity);
    if (!base) {
        return base.error();
    }
    if (base->seq > from) {
        const std::lock_guard lock(s.delivering);
        s.positions[shard] = base->seq;
        say_reset(s);
    }
    return storage::read_history(store, *s.entity, base->version, [&](storage::record&& r) -> expected<void> {
        const std::lock_guard lock(s.delivering);
        if (r.seq > from && r.seq <= to) {
            deliver(s, r, own_channel(r.entity));
        }
        return {};
    });
}

/// Moves the positions to where the logs begin.
expected<void> hub::state::skip_trimmed(live_subscriber& s) {
    bool behind = false;
    for (const auto shard : s.shards) {
        const auto base = storage::read_log_base(store, shard);
        if (!base) {
            return base.error();
        }
        std::uint64_t from = 0;
        {
            const std::lock_guard lock(s.delivering);
            from = s.positions[shard];
        }
        if (from >= base->at.seq) {
            continue;
        }
        if (s.entity) {
            if (auto read = read_older(s, shard, from, base->at.seq); !read) {
                return read;
            }
        }
        const std::lock_guard lock(s.delivering);
        s.positions[shard] = std::max(s.positions[shard], base->at.seq);
        behind = true;
    }
    const std::lock_guard lock(s.delivering);
    if (behind && !s.entity && !std::exchange(s.whole, false)) {
        say_reset(s);
    }
    return {};
}

void hub::state::read_past(const std::shared_ptr<live_subscriber>& s) {
    for (int tries = 0;; ++tries) { // logs may be trimmed while they are read
        auto skipped = skip_trimmed(*s);
        if (skipped) {
            skipped = read_logs(*s);
        }
        if (skipped) {
            return;
        }
        if (skipped.error().code != code::not_found || tries == tries_max) {
            fail(*s, skipped.error());
            return;
        }
    }
}

expected<void> hub::state::read_logs(live_subscriber& s) {
    for (const auto shard : s.shards) {
        // Round after round until the log's end was reached under the hub's lock: from there the live path goes on.
        for (bool at_end = false; !at_end && !s.ended;) {
            std::uint64_t from = 0;
            {
                const std::lock_guard lock(s.delivering);
                from = s.positions[shard];
            }
            auto read = storage::read_log(store, shard, from, [&](storage::record&& r) {
                const std::lock_guard lock(s.delivering);
                deliver(s, r, own_channel(r.entity));
                return !s.ended.load();
            });
            if (!read) {
                return read;
            }
            const std::lock_guard lock(mutex);
            const std::lock_guard delivering(s.delivering);
            at_end = s.positions[shard] >= heads[shard];
        }
    }
    return {};
}

void hub::state::run_reader() {
    std::unique_lock lock(mutex);
    while (!stopping) {
        if (to_catch_up.empty()) {
            work.wait(lock);
            continue;
        }
        figures->waiting.store(static_cast<std::int64_t>(to_catch_up.size()), std::memory_order_relaxed);
        const auto s = to_catch_up.front();
        to_catch_up.pop_front();
        lock.unlock();
        read_past(s);
        lock.lock();
        // What was committed between the end of the last shard's round and now is still missing.
        const bool behind = std::any_of(s->shards.begin(), s->shards.end(),
                                        [&](auto shard) { return s->positions[shard] < heads[shard]; });
        if (behind && !s->ended) {
            to_catch_up.push_back(s);
            continue;
        }
        go_live(*s);
        figures->waiting.store(static_cast<std::int64_t>(to_catch_up.size()), std::memory_order_relaxed);
    }
}

/// The past is delivered: live-only events since each channel's last journaled one follow. The caller holds the mutex.
void hub::state::go_live(live_subscriber& s) {
    const std::lock_guard delivering(s.delivering);
    s.past = false;
    for (const auto& [channel, events] : kept) {
        const auto wanted = std::any_of(s.request.channels.begin(), s.request.channels.end(),
                                        [&](const auto& p) { return matches(p, channel); });
        for (const auto& e : events.first) {
            if (wanted && e.organization == s.request.organization && !s.ended) {
                s.sink(e);
            }
        }
    }
}

hub::hub(std::shared_ptr<state> s) : state_(std::move(s)) {
    state_->reader = std::thread([state = state_.get()] { state->run_reader(); });
}

expected<std::unique_ptr<hub>> hub::start(storage::store& s, std::vector<channel_alias> aliases) {
    auto cursors = cursor_codec::open(s.directory());
    if (!cursors) {
        return cursors.error();
    }
    return std::unique_ptr<hub>(new hub(std::make_shared<state>(s, std::move(aliases), std::move(*cursors))));
}

hub::~hub() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopping = true;
        for (const auto& s : state_->subscribers) {
            s->ended = true;
        }
    }
    state_->work.notify_all();
    state_->reader.join();
}

expected<std::unique_ptr<subscription>> hub::subscribe(subscription_request request,
                                                       std::function<void(const live_event&)> sink) {
    auto s = std::make_shared<live_subscriber>();
    const auto shards = state_->store.who().shards;
    s->positions.assign(shards, 0);
    bool from_now = false;
    if (request.since.empty()) {
        from_now = true;
    } else if (request.since != "start") {
        auto positions = state_->cursors.decode(request.since, shards);
        if (!positions) {
            return positions.error();
        }
        s->positions = std::move(*positions);
    }
    if (const auto slash = request.channels.size() == 1 ? request.channels[0].find("s/") : std::string::npos;
        slash != std::string::npos) {
        if (const auto id = parse_uuid(std::string_view(request.channels[0]).substr(slash + 2))) {
            s->entity = entity_address{request.organization, request.channels[0].substr(0, slash), *id};
            s->shards.push_back(state_->store.shard_of(*s->entity));
        }
    }
    if (s->shards.empty()) {
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            s->shards.push_back(shard);
        }
    }
    s->whole = request.since == "start";
    s->request = std::move(request);
    s->sink = std::move(sink);
    s->past = true;
    const std::lock_guard lock(state_->mutex);
    for (const auto shard : s->shards) {
        // A reader of the past may be ahead of what was published; a position beyond the log is of a data directory
        // that was set back: its events from here on are new.
        if (from_now || s->positions[shard] > storage::last_seq(state_->store, shard)) {
            s->positions[shard] = state_->heads[shard];
        }
    }
    state_->subscribers.push_back(s);
    if (std::all_of(s->shards.begin(), s->shards.end(),
                    [&](auto shard) { return s->positions[shard] >= state_->heads[shard]; })) {
        state_->go_live(*s); // nothing to read: no waiting behind others who have much
    } else {
        state_->to_catch_up.push_back(s);
        state_->figures->waiting.fetch_add(1, std::memory_order_relaxed);
        state_->figures->messages.fetch_add(1, std::memory_order_relaxed);
        state_->work.notify_one();
    }
    return std::unique_ptr<subscription>(new handle([state = state_, s] {
        s->ended = true;
        {
            const std::lock_guard ending(state->mutex);
            std::erase(state->subscribers, s);
        }
        const std::lock_guard delivering(s->delivering); // no call of the sink goes on after this
    }));
}

std::unique_ptr<subscription> hub::observe(uuid organization,
                                           std::function<void(std::string_view kind, std::string_view type)> told) {
    const std::lock_guard lock(state_->mutex);
    state_->observers.push_front({organization, std::move(told)});
    return std::make_unique<handle>([state = state_, at = state_->observers.begin()] {
        const std::lock_guard ending(state->mutex);
        state->observers.erase(at);
    });
}

void hub::committed(const std::vector<storage::record>& records) {
    const std::lock_guard lock(state_->mutex);
    for (const auto& r : records) {
        state_->heads[r.shard] = r.seq;
        for (const auto& o : state_->observers) {
            if (o.organization == r.entity.organization) {
                o.told(r.entity.kind, r.type);
            }
        }
        if (state_->subscribers.empty() && state_->kept.empty()) {
            continue;
        }
        const auto own = own_channel(r.entity);
        state_->kept.erase(own);
        for (const auto& s : state_->subscribers) {
            if (s->past) {
                continue; // its reader finds the record in the log
            }
            const std::lock_guard delivering(s->delivering);
            state_->deliver(*s, r, own);
        }
    }
}

void hub::publish(live_event e) {
    const std::lock_guard lock(state_->mutex);
    for (const auto& s : state_->subscribers) {
        const bool wanted = e.organization == s->request.organization && !s->past && !s->ended &&
                            std::any_of(s->request.channels.begin(), s->request.channels.end(),
                                        [&](const auto& p) { return matches(p, e.channel); });
        if (wanted) {
            const std::lock_guard delivering(s->delivering);
            s->sink(e);
        }
    }
    auto& [events, bytes] = state_->kept[e.channel];
    bytes += e.data.size();
    events.push_back(std::move(e));
    if (state_->kept.size() > kept_channels_max) {
        state_->kept.erase(state_->kept.begin());
        return;
    }
    while (bytes > kept_bytes_max) {
        bytes -= events.front().data.size();
        events.pop_front();
    }
}

namespace {

/// The records of all shards after given positions, in the order of time: one record of each shard in hand.
class merged_feed {
public:
    merged_feed(const storage::store& s, std::vector<std::uint64_t> positions)
        : store_(s), positions_(std::move(positions)) {
        latest_.resize(positions_.size());
    }

    expected<void> start() {
        for (std::uint32_t shard = 0; shard < positions_.size(); ++shard) {
            if (auto taken = take(shard); !taken) {
                return taken;
            }
        }
        return {};
    }

    /// The next record, or nothing at the end.
    expected<std::optional<storage::record>> next() {
        if (heads_.empty()) {
            return std::optional<storage::record>();
        }
        auto node = heads_.extract(heads_.begin());
        auto r = std::move(node.mapped());
        positions_[r.shard] = r.seq;
        if (auto taken = take(r.shard); !taken) {
            return taken.error();
        }
        return std::optional(std::move(r));
    }
    [[nodiscard]] const std::vector<std::uint64_t>& positions() const { return positions_; }
    [[nodiscard]] bool at_end() const { return heads_.empty(); }

private:
    expected<void> take(std::uint32_t shard) {
        return storage::read_log(store_, shard, positions_[shard], [&](storage::record&& r) {
            // Two entities of a shard may commit in another order than they took their times.
            latest_[shard] = std::max(latest_[shard], r.time);
            heads_.emplace(std::pair(latest_[shard], shard), std::move(r));
            return false;
        });
    }

    const storage::store& store_;
    std::vector<std::uint64_t> positions_;
    std::vector<timestamp> latest_;
    std::map<std::pair<timestamp, std::uint32_t>, storage::record> heads_;
};

} // namespace

expected<event_page> hub::read(const uuid& organization, std::string_view after, std::size_t limit) {
    auto page = read_once(organization, after, limit);
    for (int tries = 0; tries < tries_max && !page && page.error().code == code::not_found; ++tries) {
        page = read_once(organization, after, limit); // a log was trimmed meanwhile
    }
    return page;
}

expected<event_page> hub::read_once(const uuid& organization, std::string_view after, std::size_t limit) {
    const auto shards = state_->store.who().shards;
    auto positions = after == "start" ? expected<std::vector<std::uint64_t>>(std::vector<std::uint64_t>(shards, 0))
                                      : state_->cursors.decode(after, shards);
    if (!positions) {
        return positions.error();
    }
    bool behind = false;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
        const auto base = storage::read_log_base(state_->store, shard);
        if (!base) {
            return base.error();
        }
        behind = behind || (*positions)[shard] < base->at.seq;
        (*positions)[shard] = std::max((*positions)[shard], base->at.seq);
    }
    event_page out;
    if (behind && after != "start") {
        out.envelopes.push_back(to_envelope({state_->cursors.encode(*positions), system_now(), "*", "reset",
                                             to_problem_json(not_kept()), organization}));
    }
    merged_feed feed(state_->store, std::move(*positions));
    if (auto started = feed.start(); !started) {
        return started.error();
    }
    while (out.envelopes.size() < limit) {
        auto r = feed.next();
        if (!r) {
            return r.error();
        }
        if (!*r) {
            return out;
        }
        if ((*r)->entity.organization == organization) {
            out.envelopes.push_back(to_envelope({state_->cursors.encode(feed.positions()), (*r)->time,
                                                 own_channel((*r)->entity), (*r)->type, (*r)->payload, organization}));
        }
    }
    if (!feed.at_end()) {
        out.next = state_->cursors.encode(feed.positions());
    }
    return out;
}

std::shared_ptr<const actor_figures> hub::figures() const { return state_->figures; }

std::size_t hub::subscribers() const {
    const std::lock_guard lock(state_->mutex);
    return state_->subscribers.size();
}

} // namespace troupe::runtime
