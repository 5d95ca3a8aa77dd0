#pragma once

#include "actors/common/upcast.hpp"
#include "actors/notification/inbox_v1.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/notification_messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The inbox of a person, a key or an agent (kind "inbox", with its id): what it was told, and what of that it has not
/// read. Notifications are items by their number; the state holds only which ones are unread. Pure.
///
/// What is to leave the node waits in the state until it is due, is packed into parcels (an e-mail may tell of several
/// notifications, a webhook of one), and is delivered by the performer (notification_desk). A parcel has its id before
/// the first attempt and keeps it, so that whoever gets it twice, after a crash, knows that it is the same.
namespace troupe::actors {

/// More than that nobody reads: the oldest of them counts as read.
inline constexpr std::size_t unread_max = 10'000;

/// More do not wait to be sent: what comes then is in the list alone, and says so.
inline constexpr std::size_t waiting_max = 500;
/// Of one e-mail.
inline constexpr std::size_t parcel_max = 50;
/// With a wait that doubles from half a minute: a bit over an hour.
inline constexpr std::uint32_t delivery_attempts_max = 8;
/// The oldest goes for another.
inline constexpr std::size_t undelivered_max = 100;

/// Commands of its owner.
struct mark_read {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(mark_read, (), (number))
struct mark_all_read {};
BOOST_DESCRIBE_STRUCT(mark_all_read, (), ())
struct set_preferences : notification_preferences {
    static constexpr int version = 2;
};
BOOST_DESCRIBE_STRUCT(set_preferences, (notification_preferences), ())
/// What was given up is tried again, or forgotten.
struct retry_parcel {
    uuid id;
};
BOOST_DESCRIBE_STRUCT(retry_parcel, (), (id))
struct drop_parcel {
    uuid id;
};
BOOST_DESCRIBE_STRUCT(drop_parcel, (), (id))

/// Of its own alarm.
struct delivery_due {
    timestamp due;
};
BOOST_DESCRIBE_STRUCT(delivery_due, (), (due))
/// Of its performer: how an attempt ended.
struct note_parcel {
    uuid id;
    std::uint32_t attempt = 0;
    bool ok = false;
    bool for_good = false; ///< Refused: another attempt would be as well.
    std::string error;
    std::int64_t retry_ms = 0;
};
BOOST_DESCRIBE_STRUCT(note_parcel, (), (id, attempt, ok, for_good, error, retry_ms))

/// A channel that it has to take.
struct planned_way {
    notification_channel channel = notification_channel::email;
    timestamp due;
    bool refused = false; ///< Too many wait.
};
BOOST_DESCRIBE_STRUCT(planned_way, (), (channel, due, refused))
struct notified {
    static constexpr int version = 2;
    using previous = v1::notified;
    notify what;
    bool unread = true;
    std::vector<planned_way> ways = {};
};
BOOST_DESCRIBE_STRUCT(notified, (), (what, unread, ways))
struct notification_read {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(notification_read, (), (number))
struct all_read {
    std::uint64_t up_to = 0;
};
BOOST_DESCRIBE_STRUCT(all_read, (), (up_to))
struct preferences_set {
    static constexpr int version = 2;
    using previous = v1::preferences_set;
    notification_preferences preferences;
};
BOOST_DESCRIBE_STRUCT(preferences_set, (), (preferences))

/// Its first attempt begins.
struct parcel_packed {
    uuid id;
    notification_channel channel = notification_channel::email;
    std::vector<std::uint64_t> notices;
};
BOOST_DESCRIBE_STRUCT(parcel_packed, (), (id, channel, notices))
/// Another attempt begins; `anew`: somebody asked for it, and there are as many again.
struct parcel_resumed {
    uuid id;
    bool anew = false;
};
BOOST_DESCRIBE_STRUCT(parcel_resumed, (), (id, anew))
struct parcel_delayed {
    uuid id;
    std::string error;
    timestamp due; ///< Of the next one.
};
BOOST_DESCRIBE_STRUCT(parcel_delayed, (), (id, error, due))
struct parcel_delivered {
    uuid id;
};
BOOST_DESCRIBE_STRUCT(parcel_delivered, (), (id))
struct parcel_given_up {
    uuid id;
    std::string error;
};
BOOST_DESCRIBE_STRUCT(parcel_given_up, (), (id, error))
struct parcel_dropped {
    uuid id;
};
BOOST_DESCRIBE_STRUCT(parcel_dropped, (), (id))

struct notice_way {
    notification_delivery shown;
    timestamp due;
};
BOOST_DESCRIBE_STRUCT(notice_way, (), (shown, due))
/// A notification that has to leave the node, until it has.
struct notice {
    std::uint64_t number = 0;
    timestamp at;
    notify what;
    std::vector<notice_way> ways;
};
BOOST_DESCRIBE_STRUCT(notice, (), (number, at, what, ways))

/// due: at work. waiting: for its next attempt. given_up: a dead letter.
BOOST_DEFINE_ENUM_CLASS(parcel_status, due, waiting, given_up)
struct parcel {
    uuid id;
    notification_channel channel = notification_channel::email;
    std::vector<std::uint64_t> notices;
    parcel_status status = parcel_status::due;
    std::uint32_t attempts = 1; ///< Begun.
    std::uint32_t attempts_max = delivery_attempts_max;
    timestamp at; ///< First begun; later when it is due again, or was given up.
    std::string error;
};
BOOST_DESCRIBE_STRUCT(parcel, (), (id, channel, notices, status, attempts, attempts_max, at, error))

struct inbox_state {
    static constexpr int version = 2;
    using previous = v1::inbox_state;
    uuid id;
    std::uint64_t total = 0;
    std::vector<std::uint64_t> unread; ///< In order.
    notification_preferences preferences;
    std::vector<notice> notices; ///< By their number. What is done goes with the next event.
    std::vector<parcel> parcels; ///< Oldest first.
};
BOOST_DESCRIBE_STRUCT(inbox_state, (), (id, total, unread, preferences, notices, parcels))

namespace v1 {
inline auto upcast(const notified& old) { return with_defaults<troupe::actors::notified>(old); }
inline auto upcast(const preferences_set& old) { return with_defaults<troupe::actors::preferences_set>(old); }
inline auto upcast(const inbox_state& old) { return with_defaults<troupe::actors::inbox_state>(old); }
} // namespace v1

/// The stored document, from which the lists are marked.
struct inbox_view {
    std::uint64_t total = 0;
    std::vector<std::uint64_t> unread;
    notification_preferences preferences;
    std::optional<std::vector<undelivered_document>> undelivered; ///< Oldest first; none: left out.
};
BOOST_DESCRIBE_STRUCT(inbox_view, (), (total, unread, preferences, undelivered))

struct inbox_model {
    static constexpr std::string_view kind = "inbox";
    using state = inbox_state;
    using command = std::variant<notify, mark_read, mark_all_read, set_preferences, retry_parcel, drop_parcel,
                                 delivery_due, note_parcel>;
    using event = std::variant<notified, notification_read, all_read, preferences_set, parcel_packed, parcel_resumed,
                               parcel_delayed, parcel_delivered, parcel_given_up, parcel_dropped>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// Collection "notifications": `notification_document` by its zero-padded number, as it came, and what became of it
    /// on other channels.
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

/// What a parcel tells of, oldest first.
std::vector<notification_document> told_by(const inbox_state& s, const parcel& p);
/// Or null.
const parcel* find_parcel(const inbox_state& s, const uuid& id);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::mark_read)
TROUPE_NAMED(troupe::actors::mark_all_read)
TROUPE_NAMED(troupe::actors::set_preferences)
TROUPE_NAMED(troupe::actors::notified)
TROUPE_NAMED(troupe::actors::notification_read)
TROUPE_NAMED(troupe::actors::all_read)
TROUPE_NAMED(troupe::actors::preferences_set)
TROUPE_NAMED(troupe::actors::retry_parcel)
TROUPE_NAMED(troupe::actors::drop_parcel)
TROUPE_NAMED(troupe::actors::delivery_due)
TROUPE_NAMED(troupe::actors::note_parcel)
TROUPE_NAMED(troupe::actors::parcel_packed)
TROUPE_NAMED(troupe::actors::parcel_resumed)
TROUPE_NAMED(troupe::actors::parcel_delayed)
TROUPE_NAMED(troupe::actors::parcel_delivered)
TROUPE_NAMED(troupe::actors::parcel_given_up)
TROUPE_NAMED(troupe::actors::parcel_dropped)
