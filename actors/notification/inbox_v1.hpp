#pragma once

#include "schemas/notification_messages.hpp"

#include <cstdint>
#include <vector>

/// What inboxes stored once: without channels that leave the node. Never changes.
namespace troupe::actors::v1 {

struct notification_preferences {
    std::vector<notification_kind> muted;
    task_priority at_least = task_priority::low;
};
BOOST_DESCRIBE_STRUCT(notification_preferences, (), (muted, at_least))

struct notified {
    notify what;
};
BOOST_DESCRIBE_STRUCT(notified, (), (what))

struct preferences_set {
    v1::notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(preferences_set, (), (preferences))

struct inbox_state {
    static constexpr int version = 1;
    uuid id;
    std::uint64_t total = 0;
    std::vector<std::uint64_t> unread;
    v1::notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(inbox_state, (), (id, total, unread, preferences))

} // namespace troupe::actors::v1
