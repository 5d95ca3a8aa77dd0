#include "runtime/bus/audiences.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime {

std::string audiences::in(const uuid& organization, std::string_view channel) {
    std::string out(organization.bytes.begin(), organization.bytes.end());
    return out.append(channel);
}

/// Where the indexes have it.
template <class Visit>
void audiences::for_each_place(audience& a, Visit visit) {
    const auto& channels = a.request.channels;
    if (std::any_of(channels.begin(), channels.end(), [](const auto& c) { return c.ends_with('*'); })) {
        visit(with_patterns_, in(a.request.organization, {}));
        return;
    }
    for (const auto& channel : channels) {
        visit(by_channel_, in(a.request.organization, channel));
    }
}

void audiences::add(const std::shared_ptr<live_subscriber>& s) {
    auto key = in(s->request.organization, s->request.filter.key());
    for (const auto& channel : s->request.channels) {
        key.append(channel).append(1, '\n');
    }
    auto& a = by_key_[key];
    if (!a) {
        a = std::make_unique<audience>();
        a->key = key;
        a->request = s->request;
        if (s->shards.size() == 1) {
            a->shard = s->shards.front();
        }
        for_each_place(*a, [&](index& where, const std::string& name) { where[name].insert(a.get()); });
    }
    s->with = a.get();
    s->place = a->members.size();
    s->positions = {};
    s->shards = {};
    a->members.push_back(s);
}

void audiences::remove(live_subscriber& s) {
    auto* const a = std::exchange(s.with, nullptr);
    if (a == nullptr) {
        return;
    }
    auto& members = a->members;
    members.back()->place = s.place;
    std::swap(members[s.place], members.back());
    members.pop_back();
    if (!members.empty()) {
        return;
    }
    for_each_place(*a, [&](index& where, const std::string& name) {
        const auto found = where.find(name);
        if (found != where.end() && found->second.erase(a) > 0 && found->second.empty()) {
            where.erase(found);
        }
    });
    by_key_.erase(std::string(a->key));
}

} // namespace troupe::runtime
