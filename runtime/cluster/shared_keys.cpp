#include "runtime/cluster/shared_keys.hpp"

#include "runtime/cluster/registry.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

/// Of one want: others that are faster so often, or answers that are lost so often, are a fault.
constexpr int tries_max = 10;

static_assert(4 * shared_keys::keys_at_once <= transaction_max);

problem not_now(const std::string& why) {
    return {code::unavailable, "the key of these contents cannot be had now: " + why + "; send it again", {}, 1};
}

} // namespace

shared_keys::shared_keys(storage::key_store& keys, coordinator& agreed, shared_keys_settings settings)
    : keys_(keys), coordinator_(agreed), settings_(std::move(settings)) {
    keys_.agree_with(this);
}

shared_keys::~shared_keys() { keys_.agree_with(nullptr); }

// ---- on threads that wait

expected<void> shared_keys::issue(const uuid& subject) { return settle({subject, std::nullopt}); }

expected<void> shared_keys::destroy(const uuid& subject, timestamp now) { return settle({subject, now}); }

bool shared_keys::is_done(const want& w) const {
    const auto known = keys_.existing(w.subject);
    return !known || (*known && !w.destroyed); // `erased` settles both
}

expected<void> shared_keys::settle(want w) {
    std::unique_lock lock(mutex_);
    w.failed = refused_ ? refused_ : unreachable_;
    wants_.push_back(&w);
    propose();
    const bool over = changed_.wait_for(lock, std::chrono::milliseconds(settings_.issue_wait_ms),
                                        [&] { return is_done(w) || w.failed; });
    std::erase(wants_, &w);
    if (is_done(w)) {
        return {};
    }
    return over ? *w.failed : not_now("the coordinator does not answer");
}

void shared_keys::await(std::uint32_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(settings_.news_wait_ms),
                      [&] { return number <= keys_.count() || refused_ || unreachable_; });
}

// ---- what is proposed, under the mutex

void shared_keys::add_proposal(const want& w, std::uint32_t& next, transaction& to) const {
    const auto known = keys_.existing(w.subject);
    storage::agreed_key k{0, w.subject, {}, w.destroyed.value_or(timestamp{})};
    if (known && *known) { // to be destroyed
        k.number = (*known)->number;
        const auto revision = revisions_.find(k.number);
        to.when.push_back({content_key(k.number), revision == revisions_.end() ? 0 : revision->second});
    } else {
        k.number = next++;
        k.wrapped = w.destroyed ? std::string() : keys_.draw(w.subject, k.number);
        to.when.push_back({content_key(k.number), 0});
        to.when.push_back({subject_key(w.subject), 0});
        to.then.push_back({subject_key(w.subject), to_json(subject_value{k.number})});
    }
    to.then.push_back({content_key(k.number), encode_content_key(k)});
}

void shared_keys::propose() {
    if (under_way_ || !known_ || heard_ < wait_for_) {
        return;
    }
    if (publishing_ && publish()) {
        return;
    }
    transaction what;
    std::vector<uuid> subjects;
    auto next = keys_.count() + 1;
    for (const auto* w : wants_) {
        const bool asked = std::ranges::find(subjects, w->subject) != subjects.end();
        if (!w->failed && !asked && subjects.size() < keys_at_once && !is_done(*w)) {
            subjects.push_back(w->subject);
            add_proposal(*w, next, what);
        }
    }
    if (subjects.empty()) {
        return;
    }
    under_way_ = true;
    coordinator_.commit(std::move(what), [this, subjects](const expected<transaction_result>& result) {
        on_committed(subjects, result);
    });
}

/// The next keys of this directory that the map lacks. False: it has all. Others may not have founded the cluster
/// meanwhile, so that nothing of this comes into theirs.
bool shared_keys::publish() {
    while (revisions_.contains(published_ + 1)) {
        ++published_;
    }
    transaction what{{{std::string(config_key), 0}}, {}};
    const auto last = std::min(keys_.count(), published_ + static_cast<std::uint32_t>(keys_at_once));
    for (auto number = published_ + 1; number <= last; ++number) {
        if (revisions_.contains(number)) {
            continue;
        }
        const auto k = keys_.kept(number);
        what.when.push_back({content_key(number), 0});
        what.when.push_back({subject_key(k.subject), 0});
        what.then.push_back({content_key(number), encode_content_key(k)});
        what.then.push_back({subject_key(k.subject), to_json(subject_value{number})});
    }
    if (what.then.empty()) {
        return false;
    }
    under_way_ = true;
    coordinator_.commit(std::move(what),
                        [this](const expected<transaction_result>& result) { on_committed({}, result); });
    return true;
}

bool shared_keys::is_published() {
    const std::lock_guard lock(mutex_);
    propose();
    return known_ && !under_way_ && heard_ >= wait_for_ && published_ >= keys_.count();
}

void shared_keys::on_committed(const std::vector<uuid>& subjects, const expected<transaction_result>& result) {
    const std::lock_guard lock(mutex_);
    under_way_ = false;
    const auto is_one = [&](const want& w) { return std::ranges::find(subjects, w.subject) != subjects.end(); };
    if (result && result->applied) {
        wait_for_ = std::max(wait_for_, result->revision);
    } else if (!result && result.error().code != code::unknown_outcome) {
        fail(not_now(result.error().detail), is_one);
    } else { // once more: what was applied after all is met by the same conditions
        for (auto* w : wants_) {
            w->tries += is_one(*w) ? 1 : 0;
        }
        fail(not_now("the coordinator applies it not"), [](const want& w) { return w.tries >= tries_max; });
        for (const auto& e : result ? result->found : std::vector<entry>()) { // others were faster
            wait_for_ = std::max(wait_for_, e.revision);
            if (const auto number = number_of_content_key(e.key)) {
                revisions_[*number] = e.revision;
            }
        }
    }
    if (result || !publishing_) { // what a founder brings has time until `is_published` is asked again
        propose();
    }
}

void shared_keys::fail(const problem& why, const std::function<bool(const want&)>& which) {
    for (auto* w : wants_) {
        if (!w->failed && which(*w)) {
            w->failed = why;
        }
    }
    changed_.notify_all();
}

// ---- what the coordinator tells

void shared_keys::on_map(const std::vector<entry>& all, std::uint64_t revision) {
    const bool founded = std::ranges::any_of(all, [](const entry& e) { return e.key == config_key; });
    const bool publishing = settings_.founds && !founded;
    {
        const std::lock_guard lock(mutex_);
        known_ = false; // nothing is proposed before all is read
        revisions_.clear();
        publishing_ = publishing;
        published_ = 0;
    }
    numbered_keys keys;
    for (const auto& e : all) {
        collect(e.key, e.value, e.revision, keys);
    }
    const auto count = keys_.count();
    auto expect = std::uint32_t{1};
    for (const auto& [number, key] : keys) {
        expect += number == expect ? 1 : 0;
    }
    if (publishing && !keys_.is_current()) {
        refuse({code::secrets_locked, "some keys of this data directory are wrapped with an older master key than the "
                                      "first one of the key file: make the cluster file anew, with `troupe cluster "
                                      "init --from`, which wraps them with that"});
    }
    if (expect <= count && !publishing) {
        refuse({code::conflict,
                "the cluster does not know key " + std::to_string(expect) +
                    " of this data directory, and contents here may be sealed with it. Keys never go "
                    "from the coordinator: it was set back, or the directory is of another cluster. A new one "
                    "begins with a backup: troupe cluster init --from"});
    }
    take(keys);
    heard(revision);
}

void shared_keys::on_changes(const std::vector<change>& changes, std::uint64_t revision) {
    numbered_keys keys;
    for (const auto& c : changes) {
        collect(c.key, c.value, revision, keys);
        if (c.key == config_key) {
            const std::lock_guard lock(mutex_);
            publishing_ = false;
        }
    }
    take(keys);
    heard(revision);
}

void shared_keys::collect(const std::string& key, const std::optional<std::string>& value, std::uint64_t revision,
                          numbered_keys& to) {
    const auto number = number_of_content_key(key);
    if (!number) {
        return;
    }
    auto read = value ? decode_content_key(*number, *value)
                      : problem{code::conflict, "somebody removed it, and contents may be sealed with it"};
    if (!read) {
        refuse({read.error().code, "the coordinator's " + key + " cannot be taken: " + read.error().detail});
        return;
    }
    to.insert_or_assign(*number, std::move(*read)); // of several changes the last one
    const std::lock_guard lock(mutex_);
    revisions_[*number] = revision;
}

/// Without the mutex: it writes to the disk.
void shared_keys::take(const numbered_keys& keys) {
    {
        const std::lock_guard lock(mutex_);
        if (refused_ || keys.empty()) {
            return;
        }
    }
    std::vector<storage::agreed_key> in_order;
    for (const auto& [number, key] : keys) {
        in_order.push_back(key);
    }
    auto taken = keys_.take(in_order);
    if (taken) {
        return;
    }
    auto why = taken.error();
    if (why.code == code::secrets_locked) {
        why.detail = "this node's master key is not that of the cluster (" + why.detail +
                     "); give it the key file that the others have";
    }
    refuse(std::move(why));
}

void shared_keys::heard(std::uint64_t revision) {
    const std::lock_guard lock(mutex_);
    if (!refused_) {
        known_ = true;
        heard_ = std::max(heard_, revision);
        propose();
    }
    changed_.notify_all();
}

void shared_keys::refuse(problem why) {
    {
        const std::lock_guard lock(mutex_);
        if (refused_) {
            return;
        }
        refused_ = why;
        fail(why, [](const want&) { return true; });
    }
    settings_.on_refused(std::move(why));
}

void shared_keys::on_reachable(bool reachable, const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (reachable) {
        unreachable_.reset();
        return;
    }
    unreachable_ = not_now("the coordinator cannot be reached (" + why + ")");
    fail(*unreachable_, [](const want&) { return true; });
}

} // namespace troupe::runtime::cluster
