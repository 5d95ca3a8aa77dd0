#pragma once

#include "runtime/bus/bus.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

/// Private to the hub: subscribers, and who of them sees an event.
namespace troupe::runtime {

struct audience;

/// One subscriber. Its lock is taken inside the hub's, never the other way round.
struct live_subscriber {
    subscription_request request;
    std::function<void(const live_event&)> sink;
    std::mutex delivering;                ///< One call of the sink at a time, while it is in no audience.
    std::vector<std::uint64_t> positions; ///< None in an audience: they are the heads of the logs.
    std::vector<std::uint32_t> shards;    ///< Where its events can be; all for patterns.
    std::optional<entity_address> entity; ///< Of which all its events are, when it has one channel of that sort.
    bool whole = false;                   ///< It asked for all that is kept: what is not is said of an entity only.
    bool past = false;                    ///< The past is still being read: journaled events need not be queued.
    std::atomic<bool> ended{false};
    audience* with = nullptr; ///< Where it is, and at which place.
    std::size_t place = 0;
};

/// Subscribers who have seen all that was committed and want the same: an event is judged and encoded once for them.
struct audience {
    std::string key;
    subscription_request request;
    std::optional<std::uint32_t> shard; ///< Their cursors hold that one alone.
    std::vector<std::shared_ptr<live_subscriber>> members;
    std::uint64_t asked = 0; ///< The event that it was last asked of.
};

/// Finds them by channel: those that name channels through an index, those with patterns one by one.
class audiences {
public:
    void add(const std::shared_ptr<live_subscriber>& s);
    void remove(live_subscriber& s);
    [[nodiscard]] bool empty() const { return by_key_.empty(); }

    /// Calls `show(audience, channel)` for each that sees one of these channels of the organization, once, with the
    /// first that its request names.
    template <class Show>
    void visit(const uuid& organization, const std::vector<std::string>& channels, Show show) {
        ++asked_;
        const auto offer = [&](audience& a) {
            if (a.asked == asked_) {
                return;
            }
            a.asked = asked_;
            for (const auto& pattern : a.request.channels) {
                for (const auto& channel : channels) {
                    if (channel_matches(pattern, channel)) {
                        show(a, channel);
                        return;
                    }
                }
            }
        };
        for (const auto& channel : channels) {
            if (const auto found = by_channel_.find(in(organization, channel)); found != by_channel_.end()) {
                for (auto* a : found->second) {
                    offer(*a);
                }
            }
        }
        if (const auto found = with_patterns_.find(in(organization, {})); found != with_patterns_.end()) {
            for (auto* a : found->second) {
                offer(*a);
            }
        }
    }

private:
    using index = std::unordered_map<std::string, std::unordered_set<audience*>>;
    static std::string in(const uuid& organization, std::string_view channel);
    template <class Visit>
    void for_each_place(audience& a, Visit visit);

    std::unordered_map<std::string, std::unique_ptr<audience>> by_key_;
    index by_channel_;
    index with_patterns_; ///< By organization.
    std::uint64_t asked_ = 0;
};

} // namespace troupe::runtime
