#include "net/http/connection_places.hpp"

namespace troupe::net {

std::size_t connection_places::take(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return ++held_[key];
}

void connection_places::give_back(const std::string& key) {
    const std::lock_guard lock(mutex_);
    if (const auto found = held_.find(key); found != held_.end() && --found->second == 0)
        held_.erase(found);
}

} // namespace troupe::net
