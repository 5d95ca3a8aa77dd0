#include "net/telemetry/span.hpp"

#include "schemas/base/json.hpp"

#include <chrono>

namespace troupe::net {

namespace {

template <class Fill>
std::string object(Fill fill) {
    std::string out;
    json::object_writer writer(out);
    fill(writer);
    writer.end();
    return out;
}

std::string attribute(std::string_view key, const span_value& value) {
    const auto* const text = std::get_if<std::string>(&value);
    return object([&](json::object_writer& w) {
        w.field("key", key).raw_field("value", object([&](json::object_writer& v) {
                                          // 64-bit integers are strings in the JSON of protobuf
                                          text ? v.field("stringValue", *text)
                                               : v.field("intValue", std::to_string(std::get<std::int64_t>(value)));
                                      }));
    });
}

std::string one(const trace_span& s) {
    constexpr int failed = 2;
    return object([&](json::object_writer& w) {
        w.field("traceId", s.trace_id).field("spanId", s.span_id);
        if (!s.parent_id.empty())
            w.field("parentSpanId", s.parent_id);
        if (!s.state.empty())
            w.field("traceState", s.state);
        w.field("name", s.name).field("kind", static_cast<int>(s.kind));
        w.field("startTimeUnixNano", std::to_string(s.began_us * 1000));
        w.field("endTimeUnixNano", std::to_string(s.ended_us * 1000));
        std::string attributes;
        for (const auto& [key, value] : s.attributes)
            attributes += (attributes.empty() ? "" : ",") + attribute(key, value);
        w.raw_field("attributes", "[" + attributes + "]");
        if (!s.failure.empty())
            w.raw_field("status", object([&](json::object_writer& status) {
                            status.field("code", failed).field("message", s.failure);
                        }));
    });
}

} // namespace

std::int64_t unix_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string to_otlp(std::span<const trace_span> spans, std::span<const std::pair<std::string, std::string>> resource,
                    std::string_view version) {
    std::string list;
    for (const auto& s : spans)
        list += (list.empty() ? "" : ",") + one(s);
    std::string who;
    for (const auto& [key, value] : resource)
        who += (who.empty() ? "" : ",") + attribute(key, value);
    return object([&](json::object_writer& w) {
        w.raw_field("resourceSpans", R"([{"resource":{"attributes":[)" + who +
                                         R"(]},"scopeSpans":[{"scope":{"name":"troupe","version":)" +
                                         json::quoted(version) + R"(},"spans":[)" + list + "]}]}]");
    });
}

} // namespace troupe::net
