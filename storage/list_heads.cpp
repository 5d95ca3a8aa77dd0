#include "storage/list_heads.hpp"

namespace troupe::storage {

namespace {

std::size_t bytes_of(const std::string& list, const list_heads::places& all) {
    auto out = 2 * list.size() + all.size() * sizeof(list_heads::place);
    for (const auto& one : all) {
        out += one.first.size();
    }
    return out;
}

} // namespace

std::shared_ptr<const list_heads::places> list_heads::find(const std::string& list) {
    const std::lock_guard lock(mutex_);
    const auto found = found_.find(list);
    if (found == found_.end()) {
        return nullptr;
    }
    kept_.splice(kept_.begin(), kept_, found->second);
    return found->second->where;
}

void list_heads::keep(const std::string& list, places now) {
    const auto bytes = bytes_of(list, now);
    auto where = std::make_shared<const places>(std::move(now));
    const std::lock_guard lock(mutex_);
    if (const auto before = found_.find(list); before != found_.end()) {
        bytes_ -= before->second->bytes;
        kept_.erase(before->second);
        found_.erase(before);
    }
    kept_.push_front({list, std::move(where), bytes});
    found_[list] = kept_.begin();
    bytes_ += bytes;
    while (bytes_ > bytes_max && kept_.size() > 1) {
        bytes_ -= kept_.back().bytes;
        found_.erase(kept_.back().list);
        kept_.pop_back();
    }
}

} // namespace troupe::storage
