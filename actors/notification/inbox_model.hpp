#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/notification_messages.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The inbox of a person, a key or an agent (kind "inbox", with its id): what it was told, and what of that it has not
/// read. Notifications are items by their number; the state holds only which ones are unread. Pure.
namespace troupe::actors {

/// More than that nobody reads: the oldest of them counts as read.
inline constexpr std::size_t unread_max = 10'000;

/// Commands of its owner.
struct mark_read {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(mark_read, (), (number))
struct mark_all_read {};
BOOST_DESCRIBE_STRUCT(mark_all_read, (), ())
struct set_preferences : notification_preferences {};
BOOST_DESCRIBE_STRUCT(set_preferences, (notification_preferences), ())

struct notified {
    notify what;
};
BOOST_DESCRIBE_STRUCT(notified, (), (what))
struct notification_read {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(notification_read, (), (number))
struct all_read {
    std::uint64_t up_to = 0;
};
BOOST_DESCRIBE_STRUCT(all_read, (), (up_to))
struct preferences_set {
    notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(preferences_set, (), (preferences))

struct inbox_state {
    static constexpr int version = 1;
    uuid id;
    std::uint64_t total = 0;
    std::vector<std::uint64_t> unread; ///< In order.
    notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(inbox_state, (), (id, total, unread, preferences))

/// The stored document, from which the lists are marked.
struct inbox_view {
    std::uint64_t total = 0;
    std::vector<std::uint64_t> unread;
    notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(inbox_view, (), (total, unread, preferences))

struct inbox_model {
    static constexpr std::string_view kind = "inbox";
    using state = inbox_state;
    using command = std::variant<notify, mark_read, mark_all_read, set_preferences>;
    using event = std::variant<notified, notification_read, all_read, preferences_set>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// Collection "notifications": `notification_document` by its zero-padded number, as it came.
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::mark_read)
TROUPE_NAMED(troupe::actors::mark_all_read)
TROUPE_NAMED(troupe::actors::set_preferences)
TROUPE_NAMED(troupe::actors::notified)
TROUPE_NAMED(troupe::actors::notification_read)
TROUPE_NAMED(troupe::actors::all_read)
TROUPE_NAMED(troupe::actors::preferences_set)
