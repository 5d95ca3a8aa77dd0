#include "net/websocket/live_messages.hpp"

#include "schemas/base/json.hpp"

namespace troupe::net {

namespace {

std::optional<std::string> given(std::string_view ref) {
    return ref.empty() ? std::nullopt : std::optional<std::string>(ref);
}

} // namespace

std::string subscribed_message(std::string_view subscription, const client_message& m) {
    return to_json(subscribed_reply{{}, std::string(subscription), m.channels, given(m.ref)});
}

std::string unsubscribed_message(const client_message& m) {
    unsubscribed_reply out;
    out.ref = given(m.ref);
    if (m.subscription.empty())
        out.channels = m.channels;
    else
        out.subscription = m.subscription;
    return to_json(out);
}

std::string pong_message(std::string_view ref) { return to_json(pong_reply{{}, given(ref)}); }

std::string error_message(const problem& p, std::string_view ref) {
    return to_json(error_reply{{}, {to_problem_json(p)}, given(ref)});
}

std::string dropped_message(const std::vector<live_feed::place>& resume) {
    dropped_notice out;
    for (const auto& place : resume)
        out.subscriptions.push_back({place.name, place.since});
    return to_json(out);
}

std::string ref_in(std::string_view text) {
    const auto document = json::document::parse(text);
    return document ? document->root().text_or("ref") : std::string();
}

} // namespace troupe::net
