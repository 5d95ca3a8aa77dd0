#pragma once

#include "net/http/live_feed.hpp"
#include "schemas/base/described.hpp"

#include <boost/describe.hpp>

#include <string>
#include <string_view>
#include <vector>

/// The messages of `schemas/live_protocol.md`, apart from events, which are `runtime::to_envelope`.
namespace troupe::net {

BOOST_DEFINE_ENUM_CLASS(client_op, subscribe, unsubscribe, ping)

/// What a client sends.
struct client_message {
    client_op op = client_op::ping;
    std::vector<std::string> channels;
    std::string since;
    std::string subscription; ///< For `unsubscribe`: ends that one.
    std::string ref;          ///< Comes back in the answer.

    static constexpr field_rule rules[] = {
        {.name = "op", .required = true, .doc = "What to do."},
        {.name = "channels", .max = 64, .doc = "Names, or patterns with one trailing *."},
        {.name = "since", .max = 16384, .doc = "Cursor to go on after, or \"start\"; nothing: from now."},
        {.name = "ref", .max = 256, .doc = "Comes back in the answer."},
    };
};
BOOST_DESCRIBE_STRUCT(client_message, (), (op, channels, since, subscription, ref))

std::string subscribed_message(std::string_view subscription, const client_message& m);
std::string unsubscribed_message(const client_message& m);
std::string pong_message(std::string_view ref);
std::string error_message(const problem& p, std::string_view ref);
std::string dropped_message(const std::vector<live_feed::place>& resume);

/// The `ref` of a message that cannot be decoded, so that its error finds back; else empty.
std::string ref_in(std::string_view text);

} // namespace troupe::net
