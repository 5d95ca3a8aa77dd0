#include "runtime/bus/hub.hpp"

#include "runtime/bus/audiences.hpp"
#include "runtime/bus/pages.hpp"
#include "runtime/bus/shown.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/log.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"
#include "storage/sealing.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <utility>

namespace troupe::runtime {

namespace {

/// Live-only events since a channel's last journaled one, for late joiners: about one model call of text.
constexpr std::size_t kept_bytes_max = 1 << 20;
/// Channels for which they are kept: more than runs are at work at once.
constexpr std::size_t kept_channels_max = 1024;

} // namespace

struct hub::state : std::enable_shared_from_this<hub::state> {
    state(storage::store& s, std::vector<channel_alias> a, cursor_codec c)
        : store(s), aliases(std::move(a)), cursors(std::move(c)) {
        for (std::uint32_t shard = 0; shard < store.who().shards; ++shard) {
            heads.push_back(store.applied(shard));
        }
    }

    storage::store& store;
    std::vector<channel_alias> aliases;
    cursor_codec cursors;
    std::mutex mutex;                                                 ///< Of everything below.
    std::vector<std::uint64_t> heads;                                 ///< Last published seq of each shard.
    std::unordered_set<std::shared_ptr<live_subscriber>> subscribers; ///< All.
    /// Those who have seen all that was committed, and those whose past was read beyond what was published yet.
    runtime::audiences audiences;
    std::vector<std::shared_ptr<live_subscriber>> ahead;
    struct observer {
        uuid organization;
        std::function<void(const entity_address& entity, std::string_view type)> told;
    };
    std::list<observer> observers;
    std::map<std::string, std::pair<std::deque<live_event>, std::size_t>> kept; ///< By channel, with bytes.
    std::deque<std::shared_ptr<live_subscriber>> to_catch_up;
    const std::shared_ptr<actor_figures> figures = std::make_shared<actor_figures>();
    std::condition_variable work;
    bool stopping = false;
    std::thread reader;

    /// Under which a record is seen: the entity's own first.
    [[nodiscard]] std::vector<std::string> channels_of(const storage::record& r) const {
        std::vector<std::string> out{own_channel(r.entity)};
        add_aliases(out, {r.entity, r.type, r.payload});
        return out;
    }
    void add_aliases(std::vector<std::string>& to, const seen_event& e) const {
        for (const auto& alias : aliases) {
            if (auto channel = alias(e); !channel.empty()) {
                to.push_back(std::move(channel));
            }
        }
    }
    /// A record of the past with its payload, if its reader may see it; what was erased is nobody's.
    expected<void> open_if_wanted(const live_subscriber& s, storage::record& r) const {
        return r.entity.organization == s.request.organization ? open_or_hide(r) : expected<void>();
    }
    expected<void> open_or_hide(storage::record& r) const {
        auto opened = storage::open_record(store, r);
        if (!opened && opened.error().code == code::erased) {
            r.entity.organization = uuid();
            r.payload = "{}";
            return {};
        }
        return opened;
    }
    /// Of those, what a reader of the past can want.
    [[nodiscard]] std::vector<std::string> channels_for(const live_subscriber& s, const storage::record& r) const {
        if (r.entity.organization != s.request.organization) {
            return {};
        }
        return s.entity ? std::vector{own_channel(r.entity)} : channels_of(r);
    }
    /// Those of a live-only event: its own first.
    [[nodiscard]] std::vector<std::string> channels_of(const live_event& e) const {
        std::vector<std::string> out{e.channel};
        if (const auto of = entity_of(e)) {
            add_aliases(out, {*of, e.kind, e.data, true});
        }
        return out;
    }

    /// The channel under which this subscriber sees the record, or nothing.
    [[nodiscard]] static const std::string* channel_for(const subscription_request& wanted, const storage::record& r,
                                                        const std::vector<std::string>& channels) {
        if (r.entity.organization != wanted.organization || !passes(wanted.filter, r)) {
            return nullptr;
        }
        for (const auto& pattern : wanted.channels) {
            for (const auto& channel : channels) {
                if (channel_matches(pattern, channel)) {
                    return &channel;
                }
            }
        }
        return nullptr;
    }

    static live_event event_of(const storage::record& r, const std::string& channel, bool is_own, std::string cursor) {
        return {std::move(cursor),    r.time, channel, r.type, is_own ? std::string(shown_payload(r)) : described(r),
                r.entity.organization};
    }

    /// Delivers a record to one subscriber if it is new to it and on its channels. The caller holds `s.delivering`.
    void deliver(live_subscriber& s, const storage::record& r, const std::vector<std::string>& channels) {
        if (r.seq <= s.positions[r.shard]) {
            return;
        }
        const auto* const channel = channel_for(s.request, r, channels);
        s.positions[r.shard] = s.shards.size() == 1 && s.shards[0] != r.shard ? s.positions[r.shard] : r.seq;
        if (channel != nullptr && !s.ended) {
            s.sink(event_of(r, *channel, channel == channels.data(), cursors.encode(s.positions)));
        }
    }

    void publish_committed(const storage::record& r);
    [[nodiscard]] bool is_heard(std::uint32_t shard);
    void deliver_to_audiences(const storage::record& r, const std::vector<std::string>& channels);
    void deliver_ahead(const storage::record& r, const std::vector<std::string>& channels);
    [[nodiscard]] std::string cursor_at(std::optional<std::uint32_t> shard) const;
    [[nodiscard]] bool at_present(const live_subscriber& s) const;
    void settle(const std::shared_ptr<live_subscriber>& s);
    void go_live(const std::shared_ptr<live_subscriber>& s);
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
            deliver(s, r, channels_for(s, r));
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
            expected<void> opened;
            auto read = storage::read_log(store, shard, from, [&](storage::record&& r) {
                opened = open_if_wanted(s, r);
                const std::lock_guard lock(s.delivering);
                deliver(s, r, channels_for(s, r));
                return opened && !s.ended.load();
            });
            if (!read || !opened) {
                return read ? opened : read;
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
        go_live(s);
        figures->waiting.store(static_cast<std::int64_t>(to_catch_up.size()), std::memory_order_relaxed);
    }
}

/// The past is delivered: live-only events since each channel's last journaled one follow. The caller holds the mutex.
void hub::state::go_live(const std::shared_ptr<live_subscriber>& s) {
    const std::lock_guard delivering(s->delivering);
    s->past = false;
    for (const auto& [channel, events] : kept) {
        for (const auto& e : events.first) {
            if (!s->ended && is_wanted(s->request, e)) {
                s->sink(e);
            }
        }
    }
    settle(s);
}

/// Whether it has seen all that was published, and nothing beyond.
bool hub::state::at_present(const live_subscriber& s) const {
    return std::all_of(s.shards.begin(), s.shards.end(),
                       [&](auto shard) { return s.positions[shard] == heads[shard]; });
}

/// Where it stands from now on. The caller holds the mutex.
void hub::state::settle(const std::shared_ptr<live_subscriber>& s) {
    if (s->ended) {
        return;
    }
    if (at_present(*s)) {
        audiences.add(s);
    } else {
        ahead.push_back(s);
    }
}

std::string hub::state::cursor_at(std::optional<std::uint32_t> shard) const {
    if (!shard) {
        return cursors.encode(heads);
    }
    std::vector<std::uint64_t> alone(heads.size(), 0);
    alone[*shard] = heads[*shard];
    return cursors.encode(alone);
}

/// Encodes it once for each channel and form of cursor. The caller holds the mutex, and the heads include the record.
void hub::state::deliver_to_audiences(const storage::record& r, const std::vector<std::string>& channels) {
    std::map<std::pair<std::string_view, bool>, live_event> made;
    audiences.visit(r.entity.organization, channels, [&](const audience& a, const std::string& channel) {
        if ((a.shard && *a.shard != r.shard) || !passes(a.request.filter, r)) {
            return;
        }
        auto event = made.find({channel, a.shard.has_value()});
        if (event == made.end()) {
            event = made.try_emplace({channel, a.shard.has_value()},
                                     event_of(r, channel, &channel == channels.data(), cursor_at(a.shard)))
                        .first;
        }
        for (const auto& s : a.members) {
            s->sink(event->second);
        }
    });
}

void hub::state::deliver_ahead(const storage::record& r, const std::vector<std::string>& channels) {
    for (std::size_t i = 0; i < ahead.size();) {
        const auto s = ahead[i];
        const std::lock_guard delivering(s->delivering);
        deliver(*s, r, channels);
        if (at_present(*s)) {
            ahead[i] = ahead.back();
            ahead.pop_back();
            settle(s);
        } else {
            ++i;
        }
    }
}

hub::hub(std::shared_ptr<state> s) : state_(std::move(s)) {
    state_->reader = std::thread([state = state_.get()] { state->run_reader(); });
}

expected<std::unique_ptr<hub>> hub::start(storage::store& s, std::vector<channel_alias> aliases,
                                          std::string cursor_key) {
    auto cursors = cursor_key.empty() ? cursor_codec::open(s.directory()) : cursor_codec(std::move(cursor_key));
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
        if (from_now || s->positions[shard] > state_->store.applied(shard)) {
            s->positions[shard] = state_->heads[shard];
        }
    }
    state_->subscribers.insert(s);
    if (std::all_of(s->shards.begin(), s->shards.end(),
                    [&](auto shard) { return s->positions[shard] >= state_->heads[shard]; })) {
        state_->go_live(s); // nothing to read: no waiting behind others who have much
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
            state->subscribers.erase(s);
            state->audiences.remove(*s);
            std::erase(state->ahead, s);
        }
        const std::lock_guard delivering(s->delivering); // no call of the sink goes on after this
    }));
}

std::unique_ptr<subscription>
hub::observe(uuid organization, std::function<void(const entity_address& entity, std::string_view type)> told) {
    const std::lock_guard lock(state_->mutex);
    state_->observers.push_front({organization, std::move(told)});
    return std::make_unique<handle>([state = state_, at = state_->observers.begin()] {
        const std::lock_guard ending(state->mutex);
        state->observers.erase(at);
    });
}

/// The caller holds the mutex.
void hub::state::publish_committed(const storage::record& r) {
    if (r.seq <= heads[r.shard]) {
        return; // published already
    }
    heads[r.shard] = r.seq;
    for (const auto& o : observers) {
        if (o.organization == r.entity.organization) {
            o.told(r.entity, r.type);
        }
    }
    if (!kept.empty()) {
        kept.erase(own_channel(r.entity));
    }
    if (subscribers.empty()) {
        return; // aliases may parse the event and read the database
    }
    // Who still reads the past finds the record in the log.
    const auto channels = channels_of(r);
    deliver_to_audiences(r, channels);
    deliver_ahead(r, channels); // afterwards: who settles has had it
}

void hub::committed(const std::vector<storage::record>& records) {
    const std::lock_guard lock(state_->mutex);
    for (const auto& r : records) {
        state_->publish_committed(r);
    }
}

/// Whether anybody wants what is applied of a shard but not published yet; else it counts as published.
bool hub::state::is_heard(std::uint32_t shard) {
    const std::lock_guard lock(mutex);
    if (subscribers.empty() && observers.empty() && kept.empty()) {
        heads[shard] = store.applied(shard);
    }
    return heads[shard] < store.applied(shard);
}

expected<void> hub::applied(std::uint32_t shard) {
    if (!state_->is_heard(shard)) {
        return {};
    }
    expected<void> opened;
    auto read = storage::read_log(state_->store, shard, state_->heads[shard], [&](storage::record&& r) {
        opened = state_->open_or_hide(r);
        if (opened) {
            const std::lock_guard lock(state_->mutex);
            state_->publish_committed(r);
        }
        return opened.has_value();
    });
    return read ? opened : read;
}

void hub::publish(live_event e) {
    const std::lock_guard lock(state_->mutex);
    const auto channels = state_->subscribers.empty() ? std::vector{e.channel} : state_->channels_of(e);
    std::map<std::string_view, live_event> others;
    state_->audiences.visit(e.organization, channels, [&](const audience& a, const std::string& channel) {
        if (!passes(a.request.filter, e)) {
            return;
        }
        const auto& shown =
            &channel == channels.data() ? e : others.try_emplace(channel, shown_on(channel, e)).first->second;
        for (const auto& s : a.members) {
            s->sink(shown);
        }
    });
    for (const auto& s : state_->ahead) {
        if (is_wanted(s->request, e)) {
            const std::lock_guard delivering(s->delivering);
            s->sink(e);
        }
    }
    if (e.channel.find('/') == std::string::npos) {
        return; // of the node: nothing journaled would ever clear it
    }
    e.texts = {};
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

expected<event_page> hub::read(const uuid& organization, std::string_view after, std::size_t limit) {
    return read_page(state_->store, state_->cursors, organization, after, limit);
}

std::shared_ptr<const actor_figures> hub::figures() const { return state_->figures; }

std::size_t hub::subscribers() const {
    const std::lock_guard lock(state_->mutex);
    return state_->subscribers.size();
}

} // namespace troupe::runtime
