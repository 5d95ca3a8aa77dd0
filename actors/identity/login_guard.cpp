#include "actors/identity/login_guard.hpp"

#include <algorithm>

namespace troupe::actors {

std::int64_t attempts::wait_ms(const std::string& key, std::int64_t now_ms) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? 0 : std::max<std::int64_t>(0, found->second.until_ms - now_ms);
}

std::int64_t attempts::begin(const std::string& key, std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(key); found != entries_.end() && found->second.until_ms > now_ms) {
        return found->second.until_ms - now_ms;
    }
    count(key, now_ms);
    return 0;
}

void attempts::undo(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        return;
    }
    auto& e = found->second;
    if (e.failures > 0) {
        --e.failures;
    }
    if (e.failures <= limits_.free) {
        e.until_ms = 0;
    }
}

std::int64_t attempts::failed(const std::string& key, std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    return count(key, now_ms);
}

std::int64_t attempts::count(const std::string& key, std::int64_t now_ms) {
    make_room(now_ms);
    auto& e = entries_[key];
    if (now_ms - e.last_ms >= limits_.forget_ms) {
        e.failures = 0;
    } else if (limits_.forgive_ms > 0) {
        const auto forgiven = std::min<std::int64_t>((now_ms - e.last_ms) / limits_.forgive_ms, e.failures);
        e.failures -= static_cast<std::uint32_t>(forgiven);
    }
    ++e.failures;
    e.last_ms = now_ms;
    if (e.failures <= limits_.free) {
        return 0;
    }
    const auto doublings = std::min<std::uint32_t>(e.failures - limits_.free - 1, 20);
    const auto wait = std::min(limits_.wait_max_ms, limits_.first_wait_ms << doublings);
    e.until_ms = now_ms + wait;
    return wait;
}

void attempts::forget(std::string_view prefix) {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const auto& e) { return e.first.starts_with(prefix); });
}

void attempts::succeeded(const std::string& key) {
    const std::lock_guard lock(mutex_);
    entries_.erase(key);
}

/// Those that cost nobody anything go first; then a tenth at once, so that a flood of keys does not search through all
/// of them each time.
void attempts::make_room(std::int64_t now_ms) {
    if (entries_.size() < limits_.keys_max) {
        return;
    }
    std::erase_if(entries_, [&](const auto& e) {
        return now_ms - e.second.last_ms >= limits_.forget_ms ||
               (e.second.failures <= limits_.free && e.second.until_ms <= now_ms);
    });
    if (entries_.size() < limits_.keys_max) {
        return;
    }
    std::vector<std::int64_t> times;
    times.reserve(entries_.size());
    for (const auto& [key, e] : entries_) {
        times.push_back(e.last_ms);
    }
    const auto tenth = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10);
    std::ranges::nth_element(times, tenth);
    std::erase_if(entries_, [limit = *tenth](const auto& e) { return e.second.last_ms <= limit; });
}

} // namespace troupe::actors
