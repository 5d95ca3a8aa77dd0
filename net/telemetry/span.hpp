#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// Spans as OpenTelemetry has them, and their JSON for a collector.
namespace troupe::net {

enum class span_kind : std::uint8_t { internal = 1, server = 2, client = 3 };

using span_value = std::variant<std::string, std::int64_t>;

/// Work that has ended.
struct trace_span {
    std::string trace_id;  ///< 32 hexadecimal digits.
    std::string span_id;   ///< 16.
    std::string parent_id; ///< 16; empty: the trace begins here.
    std::string state;     ///< The caller's `tracestate`.
    std::string name;
    span_kind kind = span_kind::internal;
    std::int64_t began_us = 0; ///< Unix time.
    std::int64_t ended_us = 0;
    std::vector<std::pair<std::string, span_value>> attributes;
    std::string failure; ///< Why it failed; empty: it did not.
};

/// Unix time in microseconds, for spans.
std::int64_t unix_us();

/// The body of an OTLP/HTTP request: ExportTraceServiceRequest as JSON. `resource` says who sends them.
std::string to_otlp(std::span<const trace_span> spans, std::span<const std::pair<std::string, std::string>> resource,
                    std::string_view version);

} // namespace troupe::net
