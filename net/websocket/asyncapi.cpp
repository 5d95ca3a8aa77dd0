#include "net/websocket/asyncapi.hpp"

#include "net/websocket/live_messages.hpp"
#include "schemas/base/json.hpp"

#include <utility>

namespace troupe::net {

namespace {

using json::object_writer;

constexpr std::string_view about =
    "What happens in a node can be watched while it happens. Channels are subscribed on one WebSocket, or read as "
    "`text/event-stream` from the operations of the HTTP API that have a stream. Both carry the same envelope; only "
    "committed events are shown, in the order of their entity.\n\nKeep the last `id` that was not empty: subscribed "
    "again with it as `since`, the events after it come, each once, the past before the present. Clients pass over "
    "kinds and members that they do not know: new ones come with any release.";

template <class Fill>
std::string object(Fill fill) {
    std::string out;
    object_writer writer(out);
    fill(writer);
    writer.end();
    return out;
}

std::string reference(const std::string& to) {
    return object([&](object_writer& w) { w.field("$ref", to); });
}

/// What clients send and the node answers, beside events.
struct socket_message {
    std::string_view name;
    std::string_view doc;
    std::string (*schema)();
};
const socket_message from_clients[] = {
    {"request", "Subscribes, unsubscribes or asks whether the other side is there.", json_schema<client_message>}};
const socket_message from_node[] = {
    {"subscribed", "The subscription is there; its events follow.", json_schema<subscribed_reply>},
    {"unsubscribed", "No further events of it, but those that were on their way.", json_schema<unsubscribed_reply>},
    {"pong", "The answer to a ping.", json_schema<pong_reply>},
    {"error", "The request was refused; the connection goes on.", json_schema<error_reply>},
    {"dropped", "The reader was too slow: the last message, with the places to go on from.",
     json_schema<dropped_notice>},
};

std::string envelope(const live_channel& c, const live_message* m) {
    const auto event = m != nullptr ? m->schema() : std::string(R"({"description":"Any JSON value."})");
    const auto data = !c.of_many
                          ? event
                          : R"({"type":"object","properties":{"entity":{"type":"string","description":"kind/id"},)"
                            R"("version":{"type":"integer","minimum":0},"principal":{"type":"string"},)"
                            R"("correlation":{"type":"string"},"event":)" +
                                event + R"(},"required":["entity","version","event"]})";
    const auto kind = m != nullptr ? R"({"type":"string","const":)" + json::quoted(m->kind) + "}"
                                   : std::string(R"({"type":"string","description":"Which event it is."})");
    const std::string_view id = m != nullptr && m->live_only
                                    ? R"({"type":"string","maxLength":0,"description":"Empty: it cannot be resumed."})"
                                    : R"({"type":"string","description":"The cursor after this event."})";
    return R"({"type":"object","properties":{"id":)" + std::string(id) +
           R"(,"ts":{"type":"string","format":"date-time"},"channel":{"type":"string"},"kind":)" + kind +
           R"(,"data":)" + data + R"(},"required":["id","ts","channel","kind","data"]})";
}

std::string message(std::string_view name, std::string_view summary, std::string_view payload) {
    return object([&](object_writer& w) {
        w.field("name", name).field("title", name).field("summary", summary);
        w.field("contentType", "application/json").raw_field("payload", payload);
    });
}

const live_message any_event{"event", {}, false};
const live_message reset_event{
    "reset", [] { return std::string(R"({"type":"object","description":"A problem: why events are missing."})"); },
    false};

/// Its kinds, and `reset`, which may come on each channel.
std::vector<const live_message*> messages_in(const live_channel& c) {
    std::vector<const live_message*> out;
    for (const auto& m : c.messages)
        out.push_back(&m);
    if (out.empty())
        out.push_back(&any_event);
    else
        out.push_back(&reset_event);
    return out;
}

std::string id_of(const live_channel& c, const live_message& m) {
    return c.name + "." + (m.kind.starts_with('$') ? m.kind.substr(1) : m.kind);
}

std::string channel_messages(const std::vector<std::string>& ids) {
    return object([&](object_writer& w) {
        for (const auto& id : ids)
            w.raw_field(id, reference("#/components/messages/" + id));
    });
}

std::string parameters(const std::string& address) {
    return object([&](object_writer& w) {
        for (auto from = address.find('{'); from != std::string::npos; from = address.find('{', from + 1))
            w.raw_field(address.substr(from + 1, address.find('}', from) - from - 1),
                        R"({"description":"Of the entity, as the HTTP API has it."})");
    });
}

std::string channels_of(std::span<const live_channel> channels) {
    return object([&](object_writer& w) {
        std::vector<std::string> of_socket;
        for (const auto& m : from_clients)
            of_socket.emplace_back(m.name);
        for (const auto& m : from_node)
            of_socket.emplace_back(m.name);
        w.raw_field("socket", object([&](object_writer& c) {
                        c.field("address", "/api/v1/ws")
                            .field("title", "The WebSocket")
                            .field("description", "Requests and their answers. Events of subscribed channels come on "
                                                  "it, too: they have no `op`.")
                            .raw_field("servers", R"([{"$ref":"#/servers/node"}])")
                            .raw_field("messages", channel_messages(of_socket));
                    }));
        for (const auto& each : channels) {
            std::vector<std::string> ids;
            for (const auto* m : messages_in(each))
                ids.push_back(id_of(each, *m));
            w.raw_field(
                each.name, object([&](object_writer& c) {
                    c.field("address", each.address).field("title", each.address).field("description", each.doc);
                    if (each.address.find('{') != std::string::npos)
                        c.raw_field("parameters", parameters(each.address));
                    c.raw_field("messages", channel_messages(ids));
                }));
        }
    });
}

std::string operations_of(std::span<const live_channel> channels) {
    return object([&](object_writer& w) {
        w.raw_field("ask", object([&](object_writer& o) {
                        std::string answers;
                        for (const auto& m : from_node)
                            if (m.name != "dropped")
                                answers += (answers.empty() ? "" : ",") +
                                           reference("#/channels/socket/messages/" + std::string(m.name));
                        o.field("action", "receive").field("summary", "A client asks for channels.");
                        o.raw_field("channel", reference("#/channels/socket"));
                        o.raw_field("messages", "[" + reference("#/channels/socket/messages/request") + "]");
                        o.raw_field("reply",
                                    R"({"channel":{"$ref":"#/channels/socket"},"messages":[)" + answers + "]}");
                    }));
        w.raw_field("drop",
                    R"({"action":"send","summary":"The node drops a slow reader.","channel":)"
                    R"({"$ref":"#/channels/socket"},"messages":[{"$ref":"#/channels/socket/messages/dropped"}]})");
        for (const auto& c : channels)
            w.raw_field("show_" + c.name, object([&](object_writer& o) {
                            o.field("action", "send").field("summary", "Shows events of " + c.address + ".");
                            o.raw_field("channel", reference("#/channels/" + c.name));
                        }));
    });
}

std::string messages_of_all(std::span<const live_channel> channels) {
    return object([&](object_writer& w) {
        for (const auto& m : from_clients)
            w.raw_field(m.name, message(m.name, m.doc, m.schema()));
        for (const auto& m : from_node)
            w.raw_field(m.name, message(m.name, m.doc, m.schema()));
        for (const auto& c : channels)
            for (const auto* m : messages_in(c))
                w.raw_field(id_of(c, *m), message(m->kind, m->live_only ? "Only live." : "An event.",
                                                  envelope(c, m == &any_event ? nullptr : m)));
    });
}

} // namespace

std::string make_asyncapi(std::span<const live_channel> channels, std::string_view version) {
    return object([&](object_writer& w) {
        w.field("asyncapi", "3.0.0");
        w.raw_field("info", object([&](object_writer& info) {
                        info.field("title", "Troupe: live channels")
                            .field("version", version)
                            .field("description", about)
                            .raw_field("contact", R"({"name":"Troupe"})")
                            .raw_field("license", R"({"name":"Apache-2.0"})");
                    }));
        w.field("defaultContentType", "application/json");
        w.raw_field("servers", R"({"node":{"host":"127.0.0.1:7117","protocol":"ws","description":"This node.",)"
                               R"("security":[{"$ref":"#/components/securitySchemes/bearer"}]}})");
        w.raw_field("channels", channels_of(channels));
        w.raw_field("operations", operations_of(channels));
        w.raw_field("components", object([&](object_writer& c) {
                        c.raw_field("messages", messages_of_all(channels));
                        c.raw_field("securitySchemes", R"({"bearer":{"type":"http","scheme":"bearer","description":)"
                                                       R"("An API key; browsers offer the subprotocols troupe.v1 and )"
                                                       R"(troupe.key.KEY."}})");
                    }));
    });
}

} // namespace troupe::net
