#include "runtime/bus/bus.hpp"

#include "schemas/base/json.hpp"

namespace troupe::runtime {

bool channel_matches(std::string_view pattern, std::string_view channel) {
    if (pattern == "*") {
        return channel.find('/') != std::string_view::npos;
    }
    return pattern.ends_with('*') ? channel.starts_with(pattern.substr(0, pattern.size() - 1)) : pattern == channel;
}

std::string to_envelope(const live_event& e) {
    std::string out;
    out.reserve(e.data.size() + e.id.size() + e.channel.size() + e.kind.size() + 96);
    json::object_writer writer(out);
    writer.field("id", e.id)
        .field("ts", to_string(e.ts))
        .field("channel", e.channel)
        .field("kind", e.kind)
        .raw_field("data", e.data.empty() ? std::string_view("null") : std::string_view(e.data));
    writer.end();
    return out;
}

} // namespace troupe::runtime
