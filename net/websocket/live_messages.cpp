#include "net/websocket/live_messages.hpp"

#include "schemas/base/json.hpp"

namespace troupe::net {

namespace {

/// {"op":…, …, "ref":…}
template <class Fill>
std::string message(std::string_view op, std::string_view ref, Fill fill) {
    std::string out;
    json::object_writer writer(out);
    writer.field("op", op);
    fill(writer);
    if (!ref.empty())
        writer.field("ref", ref);
    writer.end();
    return out;
}

} // namespace

std::string subscribed_message(std::string_view subscription, const client_message& m) {
    return message("subscribed", m.ref, [&](json::object_writer& w) {
        w.field("subscription", subscription).raw_field("channels", to_json(m.channels));
    });
}

std::string unsubscribed_message(const client_message& m) {
    return message("unsubscribed", m.ref, [&](json::object_writer& w) {
        if (m.subscription.empty())
            w.raw_field("channels", to_json(m.channels));
        else
            w.field("subscription", m.subscription);
    });
}

std::string pong_message(std::string_view ref) {
    return message("pong", ref, [](json::object_writer&) {});
}

std::string error_message(const problem& p, std::string_view ref) {
    return message("error", ref, [&](json::object_writer& w) { w.raw_field("problem", to_problem_json(p)); });
}

std::string dropped_message(const std::vector<live_feed::place>& resume) {
    std::string list = "[";
    for (const auto& place : resume) {
        if (list.size() > 1)
            list += ',';
        json::object_writer writer(list);
        writer.field("subscription", place.name).field("since", place.since);
        writer.end();
    }
    list += ']';
    return message("dropped", "", [&](json::object_writer& w) { w.raw_field("subscriptions", list); });
}

std::string ref_in(std::string_view text) {
    const auto document = json::document::parse(text);
    return document ? document->root().text_or("ref") : std::string();
}

} // namespace troupe::net
