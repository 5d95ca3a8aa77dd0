#include "runtime/cluster/memory_coordinator.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace troupe::runtime::cluster {

// ---- executors

struct run_queue::tasks {
    std::mutex mutex;
    std::deque<std::function<void()>> waiting;
};

run_queue::run_queue() : tasks_(std::make_shared<tasks>()) {}

executor run_queue::as_executor() const {
    return [shared = tasks_](std::function<void()> task) {
        const std::lock_guard lock(shared->mutex);
        shared->waiting.push_back(std::move(task));
    };
}

std::size_t run_queue::run_some(std::size_t at_most) {
    std::size_t ran = 0;
    for (; ran < at_most; ++ran) {
        std::function<void()> next;
        {
            const std::lock_guard lock(tasks_->mutex);
            if (tasks_->waiting.empty())
                break;
            next = std::move(tasks_->waiting.front());
            tasks_->waiting.pop_front();
        }
        next();
    }
    return ran;
}

std::size_t run_queue::waiting() const {
    const std::lock_guard lock(tasks_->mutex);
    return tasks_->waiting.size();
}

/// A thread for the callbacks of a coordinator that was given no executor.
class memory_coordinator::own_thread {
public:
    own_thread() : thread_([this] { work(); }) {}
    ~own_thread() {
        post({});
        thread_.join();
    }
    own_thread(const own_thread&) = delete;
    own_thread& operator=(const own_thread&) = delete;

    /// An empty task is the last one.
    void post(std::function<void()> task) {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(task));
        came_.notify_one();
    }

private:
    void work() {
        std::unique_lock lock(mutex_);
        while (true) {
            came_.wait(lock, [this] { return !waiting_.empty(); });
            auto next = std::move(waiting_.front());
            waiting_.pop_front();
            if (!next)
                return;
            lock.unlock();
            next();
            next = nullptr;
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable came_;
    std::deque<std::function<void()>> waiting_;
    std::thread thread_; // the last: it uses the others
};

// ---- the map

struct memory_map::member {
    executor run;
    std::int64_t ttl_ms = 0;
    std::atomic<bool> live{false}; ///< False before `start` and after `stop`: nobody is called.
    coordinator_listener* listener = nullptr;

    // Under the map's mutex.
    bool reachable = true;
    bool keeps_alive = true;
    bool lost_lease = false; ///< And was not told yet.
    bool has_map = false;
    memory_coordinator::fate of_commits = memory_coordinator::fate::answered;
    std::string why;
    lease held;
    std::int64_t extended_ms = 0;
    std::vector<std::pair<std::vector<change>, std::uint64_t>> missed; ///< While it was cut.

    template <class Call>
    static void tell(const std::shared_ptr<member>& who, Call call) {
        who->run([who, call = std::move(call)] {
            if (who->live)
                call(*who->listener);
        });
    }
};

struct memory_map::impl {
    struct held_value {
        std::string value;
        std::uint64_t revision = 0;
        std::uint64_t lease = 0;
    };

    mutable std::mutex mutex;
    std::map<std::string, held_value> values;
    std::uint64_t revision = 1;
    std::uint64_t last_lease = 0;
    std::int64_t now_ms = 0;
    std::vector<std::shared_ptr<member>> members;
    std::map<std::uint64_t, std::int64_t> orphans; ///< Leases of processes that were killed, and when they end.

    [[nodiscard]] std::vector<entry> all() const {
        std::vector<entry> out;
        for (const auto& [key, held] : values)
            out.push_back({key, held.value, held.revision});
        return out;
    }

    void tell_map(const std::shared_ptr<member>& who) {
        who->has_map = true;
        who->missed.clear();
        member::tell(who, [all = all(), at = revision](coordinator_listener& l) { l.on_map(all, at); });
    }

    void tell_lease(const std::shared_ptr<member>& who) {
        member::tell(who, [held = who->held](coordinator_listener& l) { l.on_lease(held); });
    }

    void extend(const std::shared_ptr<member>& who) {
        if (who->held.id == 0)
            who->held.id = ++last_lease;
        who->extended_ms = now_ms;
        who->held.valid_until_ms = who->ttl_ms == 0 ? std::numeric_limits<std::int64_t>::max() : now_ms + who->ttl_ms;
        tell_lease(who);
    }

    /// Applies and tells everyone. `by`: whose lease goes with the leased ones. Removing what is not there is no
    /// change.
    void apply(const std::vector<change>& changes, std::uint64_t by) {
        std::vector<change> made;
        for (const auto& one : changes)
            if (one.value || values.contains(one.key))
                made.push_back(one);
        if (made.empty())
            return;
        ++revision;
        for (const auto& one : made) {
            if (one.value)
                values[one.key] = {*one.value, revision, one.leased ? by : 0};
            else
                values.erase(one.key);
        }
        for (const auto& who : members) {
            auto seen = made;
            for (auto& one : seen)
                one.leased = one.leased && one.value && by == who->held.id;
            if (!who->reachable || !who->has_map)
                who->missed.emplace_back(std::move(seen), revision);
            else
                member::tell(who, [seen, at = revision](coordinator_listener& l) { l.on_changes(seen, at); });
        }
    }

    void remove_keys_of(std::uint64_t lease) {
        std::vector<change> gone;
        for (const auto& [key, held] : values)
            if (held.lease == lease)
                gone.push_back({key, std::nullopt});
        apply(gone, lease);
    }

    void lose(const std::shared_ptr<member>& who) {
        const auto id = who->held.id;
        who->held = {};
        who->lost_lease = true;
        if (id != 0)
            remove_keys_of(id);
        settle_lease(who);
    }

    /// Tells of a lost lease and grants a new one, if the node can be reached.
    void settle_lease(const std::shared_ptr<member>& who) {
        if (!who->reachable || !who->keeps_alive)
            return;
        if (std::exchange(who->lost_lease, false))
            tell_lease(who);
        extend(who);
    }

    void greet(const std::shared_ptr<member>& who) {
        if (!who->has_map)
            tell_map(who);
        member::tell(who, [](coordinator_listener& l) { l.on_reachable(true, ""); });
        for (auto& [changes, at] : std::exchange(who->missed, {}))
            member::tell(
                who, [changes = std::move(changes), at = at](coordinator_listener& l) { l.on_changes(changes, at); });
        settle_lease(who);
    }

    expected<transaction_result> judge(const member& who, const transaction& what) {
        if (auto good = check(what); !good)
            return good.error();
        if (!who.reachable)
            return problem{code::unavailable, who.why};
        const bool leased = std::any_of(what.then.begin(), what.then.end(), [](const auto& c) { return c.leased; });
        if (leased && who.held.id == 0)
            return problem{code::unavailable, "This node has no lease at the coordinator now."};
        const problem lost{code::unknown_outcome, "The coordinator's answer was lost."};
        if (who.of_commits == memory_coordinator::fate::lost_before)
            return lost;
        transaction_result out;
        out.applied = std::all_of(what.when.begin(), what.when.end(), [&](const condition& c) {
            const auto at = values.find(c.key);
            return (at == values.end() ? 0 : at->second.revision) == c.revision;
        });
        if (out.applied) {
            apply(what.then, who.held.id);
        } else {
            for (const auto& c : what.when)
                if (const auto at = values.find(c.key); at != values.end())
                    out.found.push_back({c.key, at->second.value, at->second.revision});
        }
        out.revision = revision;
        if (who.of_commits == memory_coordinator::fate::lost_after)
            return lost;
        return out;
    }
};

memory_map::memory_map() : impl_(std::make_unique<impl>()) {}
memory_map::~memory_map() = default;

void memory_map::advance(std::int64_t now_ms) {
    const std::lock_guard lock(impl_->mutex);
    impl_->now_ms = std::max(impl_->now_ms, now_ms);
    const auto members = impl_->members;
    for (const auto& who : members) {
        if (who->held.id == 0 || who->ttl_ms == 0)
            continue;
        if (who->held.valid_until_ms <= impl_->now_ms)
            impl_->lose(who);
        else if (who->reachable && who->keeps_alive && impl_->now_ms - who->extended_ms >= who->ttl_ms / 3)
            impl_->extend(who);
    }
    std::erase_if(impl_->orphans, [this](const auto& orphan) {
        const bool over = orphan.second <= impl_->now_ms;
        if (over)
            impl_->remove_keys_of(orphan.first);
        return over;
    });
}

void memory_map::end_lease(std::uint64_t id) {
    const std::lock_guard lock(impl_->mutex);
    const auto members = impl_->members;
    for (const auto& who : members)
        if (who->held.id == id)
            impl_->lose(who);
    if (impl_->orphans.erase(id) > 0)
        impl_->remove_keys_of(id);
}

std::uint64_t memory_map::revision() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->revision;
}

std::vector<entry> memory_map::entries() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->all();
}

// ---- the coordinator

memory_coordinator::memory_coordinator(std::shared_ptr<memory_map> map, memory_settings settings)
    : map_(std::move(map)), me_(std::make_shared<memory_map::member>()) {
    me_->ttl_ms = settings.ttl_ms;
    me_->run = std::move(settings.run);
    if (!me_->run) {
        thread_ = std::make_unique<own_thread>();
        me_->run = [to = thread_.get()](std::function<void()> task) { to->post(std::move(task)); };
    }
}

memory_coordinator::~memory_coordinator() { stop(); }

void memory_coordinator::start(coordinator_listener& listener) {
    const std::lock_guard lock(map_->impl_->mutex);
    assert(me_->listener == nullptr);
    me_->listener = &listener;
    me_->live = true;
    map_->impl_->members.push_back(me_);
    if (me_->reachable)
        map_->impl_->greet(me_);
    else
        memory_map::member::tell(me_, [why = me_->why](coordinator_listener& l) { l.on_reachable(false, why); });
}

void memory_coordinator::stop() {
    {
        const std::lock_guard lock(map_->impl_->mutex);
        // A node that is cut cannot give anything back.
        if (std::erase(map_->impl_->members, me_) > 0 && me_->held.id != 0) {
            if (me_->reachable)
                map_->impl_->remove_keys_of(me_->held.id);
            else
                map_->impl_->orphans[me_->held.id] = me_->held.valid_until_ms;
        }
    }
    thread_.reset(); // after what it still holds
    me_->live = false;
}

void memory_coordinator::vanish() {
    me_->live = false;
    const std::lock_guard lock(map_->impl_->mutex);
    if (std::erase(map_->impl_->members, me_) > 0 && me_->held.id != 0)
        map_->impl_->orphans[me_->held.id] = me_->held.valid_until_ms;
}

void memory_coordinator::commit(transaction what, std::function<void(expected<transaction_result>)> done) {
    const std::lock_guard lock(map_->impl_->mutex);
    const auto& members = map_->impl_->members;
    if (std::find(members.begin(), members.end(), me_) == members.end())
        return; // not started, or stopped
    me_->run([who = me_, done = std::move(done), result = map_->impl_->judge(*me_, what)] {
        if (who->live)
            done(result);
    });
}

void memory_coordinator::cut(const std::string& why) {
    const std::lock_guard lock(map_->impl_->mutex);
    if (!std::exchange(me_->reachable, false))
        return;
    me_->why = why;
    if (me_->live)
        memory_map::member::tell(me_, [why](coordinator_listener& l) { l.on_reachable(false, why); });
}

void memory_coordinator::heal(bool compacted) {
    const std::lock_guard lock(map_->impl_->mutex);
    if (std::exchange(me_->reachable, true) || !me_->live)
        return;
    if (compacted)
        me_->has_map = false;
    map_->impl_->greet(me_);
}

void memory_coordinator::keep_alive(bool yes) {
    const std::lock_guard lock(map_->impl_->mutex);
    me_->keeps_alive = yes;
    if (yes && me_->held.id == 0 && me_->live)
        map_->impl_->settle_lease(me_);
}

void memory_coordinator::set_fate(fate of_commits) {
    const std::lock_guard lock(map_->impl_->mutex);
    me_->of_commits = of_commits;
}

} // namespace troupe::runtime::cluster
