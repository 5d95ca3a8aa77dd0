#include "runtime/bus/shown.hpp"

#include "schemas/base/described.hpp"
#include "schemas/private_events.hpp"

#include <algorithm>
#include <string_view>

namespace troupe::runtime {

std::string_view shown_payload(const storage::record& r) {
    return has_private_events(r.entity.kind) ? std::string_view("{}") : std::string_view(r.payload);
}

std::string described(const storage::record& r) {
    std::string out;
    json::object_writer w(out);
    w.field("entity", r.entity.kind + "/" + to_string(r.entity.id))
        .field("version", r.entity_seq)
        .field("principal", r.principal);
    w.field("correlation", r.correlation).raw_field("event", shown_payload(r));
    w.end();
    return out;
}

bool passes(const event_filter& filter, const storage::record& r) {
    return filter.empty() || filter.shows(r.type, to_string(r.entity.id), shown_payload(r));
}

bool passes(const event_filter& filter, const live_event& e) {
    return filter.empty() || filter.shows(e.kind, std::string_view(e.channel).substr(e.channel.find('/') + 1), e.data);
}

std::optional<entity_address> entity_of(const live_event& e) {
    const auto slash = e.channel.find("s/");
    const auto id =
        slash == std::string::npos ? std::nullopt : parse_uuid(std::string_view(e.channel).substr(slash + 2));
    return id ? std::optional(entity_address{e.organization, e.channel.substr(0, slash), *id}) : std::nullopt;
}

live_event shown_on(const std::string& channel, const live_event& e) {
    live_event out = e;
    out.channel = channel;
    out.texts = {};
    out.data.clear();
    const auto of = entity_of(e);
    json::object_writer w(out.data);
    w.field("entity", of ? to_string(*of) : e.channel).raw_field("event", e.data.empty() ? "null" : e.data);
    w.end();
    return out;
}

bool is_wanted(const subscription_request& wanted, const live_event& e) {
    return e.organization == wanted.organization && passes(wanted.filter, e) &&
           std::any_of(wanted.channels.begin(), wanted.channels.end(),
                       [&](const auto& pattern) { return channel_matches(pattern, e.channel); });
}

} // namespace troupe::runtime
