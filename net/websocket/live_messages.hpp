#pragma once

#include "net/http/live_feed.hpp"
#include "schemas/base/described.hpp"

#include <boost/describe.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The messages of `schemas/live_protocol.md`, apart from events, which are `runtime::to_envelope`.
namespace troupe::net {

BOOST_DEFINE_ENUM_CLASS(client_op, subscribe, unsubscribe, ping)

/// Which events of the channels are wanted: `runtime::event_filter`.
struct client_filter {
    std::vector<std::string> kinds;
    std::vector<std::string> entities;
    std::vector<std::string> where;

    static constexpr field_rule rules[] = {
        {.name = "kinds", .max = 16, .doc = "Any of these kinds, or patterns with one trailing *."},
        {.name = "entities", .max = 16, .doc = "Any of these ids."},
        {.name = "where",
         .max = 16,
         .doc = "All of these members of the event: MEMBER=VALUE, as in task.priority=high."},
    };
};
BOOST_DESCRIBE_STRUCT(client_filter, (), (kinds, entities, where))

/// What a client sends.
struct client_message {
    client_op op = client_op::ping;
    std::vector<std::string> channels;
    std::string since;
    client_filter filter;
    std::string subscription; ///< For `unsubscribe`: ends that one.
    std::string ref;          ///< Comes back in the answer.

    static constexpr field_rule rules[] = {
        {.name = "op", .required = true, .doc = "What to do."},
        {.name = "channels", .max = 64, .doc = "Names, or patterns with one trailing *."},
        {.name = "since", .max = 16384, .doc = "Cursor to go on after, or \"start\"; nothing: from now."},
        {.name = "filter", .doc = "Only events that pass it."},
        {.name = "ref", .max = 256, .doc = "Comes back in the answer."},
    };
};
BOOST_DESCRIBE_STRUCT(client_message, (), (op, channels, since, filter, subscription, ref))

// What the node answers. Each has an `op` of its own; events have none.
BOOST_DEFINE_ENUM_CLASS(subscribed_op, subscribed)
BOOST_DEFINE_ENUM_CLASS(unsubscribed_op, unsubscribed)
BOOST_DEFINE_ENUM_CLASS(pong_op, pong)
BOOST_DEFINE_ENUM_CLASS(error_op, error)
BOOST_DEFINE_ENUM_CLASS(dropped_op, dropped)

struct subscribed_reply {
    subscribed_op op = subscribed_op::subscribed;
    std::string subscription;
    std::vector<std::string> channels;
    std::optional<std::string> ref;
};
BOOST_DESCRIBE_STRUCT(subscribed_reply, (), (op, subscription, channels, ref))

struct unsubscribed_reply {
    unsubscribed_op op = unsubscribed_op::unsubscribed;
    std::optional<std::string> subscription;
    std::optional<std::vector<std::string>> channels; ///< Instead: taken out of every subscription.
    std::optional<std::string> ref;
};
BOOST_DESCRIBE_STRUCT(unsubscribed_reply, (), (op, subscription, channels, ref))

struct pong_reply {
    pong_op op = pong_op::pong;
    std::optional<std::string> ref;
};
BOOST_DESCRIBE_STRUCT(pong_reply, (), (op, ref))

struct error_reply {
    error_op op = error_op::error;
    json::raw problem; ///< RFC 9457.
    std::optional<std::string> ref;
};
BOOST_DESCRIBE_STRUCT(error_reply, (), (op, problem, ref))

/// Where to go on with a subscription.
struct dropped_place {
    std::string subscription;
    std::string since;
};
BOOST_DESCRIBE_STRUCT(dropped_place, (), (subscription, since))

struct dropped_notice {
    dropped_op op = dropped_op::dropped;
    std::vector<dropped_place> subscriptions;
};
BOOST_DESCRIBE_STRUCT(dropped_notice, (), (op, subscriptions))

std::string subscribed_message(std::string_view subscription, const client_message& m);
std::string unsubscribed_message(const client_message& m);
std::string pong_message(std::string_view ref);
std::string error_message(const problem& p, std::string_view ref);
std::string dropped_message(const std::vector<live_feed::place>& resume);

/// The `ref` of a message that cannot be decoded, so that its error finds back; else empty.
std::string ref_in(std::string_view text);

} // namespace troupe::net
