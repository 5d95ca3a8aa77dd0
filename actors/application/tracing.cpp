#include "actors/application/tracing.hpp"

#include "actors/run/run_performer.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace troupe::actors {

namespace {

net::exporter_settings exporter_of(const runtime::config& settings) {
    net::exporter_settings out;
    out.endpoint = settings.traces_otlp_endpoint;
    out.version = TROUPE_VERSION;
    out.instance = settings.cluster_name;
    return out;
}

/// Where a span of this node begins, under its parent.
net::trace_span span_under(const net::trace_context& parent, std::string name, net::span_kind kind) {
    net::trace_span out;
    out.trace_id = parent.trace_id;
    out.parent_id = parent.span_id;
    out.span_id = net::make_span_id();
    out.name = std::move(name);
    out.kind = kind;
    out.began_us = net::unix_us();
    return out;
}

/// The tool that the effect calls; empty: it calls none.
std::string tool_of(const runtime::perform_effect& e, const run_state& s) {
    const auto which = e.type == run_effects::call_tool ? from_json<call_reference>(e.payload, strictness::stored)
                                                        : expected<call_reference>(problem{});
    const auto& calls = s.progress.calls;
    return which && which->call >= 1 && which->call <= calls.size() ? calls[which->call - 1].tool : std::string();
}

/// The id without its hyphens: 32 hexadecimal digits.
std::string trace_id_of(const uuid& id) {
    auto out = to_string(id);
    std::erase(out, '-');
    return out;
}

} // namespace

tracing::tracing(const runtime::config& settings, const storage::store& s)
    : store_(s), exporter_(exporter_of(settings)) {
    const auto& text = settings.traces_sample; // was checked
    std::from_chars(text.data(), text.data() + text.size(), ratio_);
}

bool tracing::sample(std::string_view trace_id) const {
    // OpenTelemetry's TraceIdRatioBased: the last eight bytes as a number, against the ratio of their range.
    std::uint64_t number = 0;
    const auto last = trace_id.substr(trace_id.size() - std::min<std::size_t>(trace_id.size(), 16));
    std::from_chars(last.data(), last.data() + last.size(), number, 16);
    return ratio_ >= 1 || static_cast<double>(number >> 11) < ratio_ * 9007199254740992.0; // 2^53
}

void tracing::request_answered(const net::answered_request& r) {
    if (!r.trace.sampled()) {
        return;
    }
    const std::string route = r.to ? (r.to->rooted ? "" : "/api/v1") + r.to->path : std::string();
    const std::string method(r.method);
    net::trace_span out;
    out.trace_id = r.trace.trace_id;
    out.span_id = r.trace.span_id;
    out.parent_id = r.trace.parent_id;
    out.state = r.trace.state;
    out.name = route.empty() ? method : method + " " + route;
    out.kind = net::span_kind::server;
    out.ended_us = net::unix_us();
    out.began_us = out.ended_us - r.microseconds;
    out.attributes = {{"http.request.method", method},
                      {"url.path", (r.to && !r.to->rooted ? "/api/v1" : "") + std::string(r.path)},
                      {"url.scheme", "http"},
                      {"http.response.status_code", std::int64_t{r.status}},
                      {"troupe.request_id", std::string(r.id)}};
    if (!route.empty()) {
        out.attributes.emplace_back("http.route", route);
        out.attributes.emplace_back("troupe.operation", r.to->operation);
    }
    if (r.status >= 500) { // what the client did wrong is no failure of the server's span
        out.attributes.emplace_back("error.type", std::to_string(r.status));
        out.failure = "status " + std::to_string(r.status);
    }
    exporter_.offer(std::move(out));
}

tracing::submit_function tracing::traced(submit_function submit) {
    return [this, submit = std::move(submit)](runtime::command c, runtime::reply_port port) {
        const auto parent = net::parse_traceparent(c.trace);
        if (!parent || !parent->sampled()) {
            submit(std::move(c), std::move(port));
            return;
        }
        auto span = span_under(*parent, "command " + c.type, net::span_kind::internal);
        span.attributes = {{"troupe.command", c.type}, {"troupe.entity", to_string(c.to)}};
        submit(std::move(c), [this, span = std::move(span), port = std::move(port)](runtime::reply answer) mutable {
            span.ended_us = net::unix_us();
            if (answer) {
                span.attributes.emplace_back("troupe.version", static_cast<std::int64_t>(answer->version));
            } else {
                span.attributes.emplace_back("error.type", std::string(explain(answer.error().code).name));
                span.failure = answer.error().detail;
            }
            exporter_.offer(std::move(span));
            port(std::move(answer));
        });
    };
}

net::trace_context tracing::trace_of(const entity_address& run) const {
    std::optional<net::trace_context> found;
    const auto first = [&](storage::record&& r) {
        found = net::parse_traceparent(r.trace);
        return expected<void>();
    };
    // Where retention cut the beginning, there is none to read.
    if (const auto read = storage::read_history(store_, run, 0, first, 1); read && found) {
        return *found;
    }
    net::trace_context own;
    own.trace_id = trace_id_of(run.id);
    own.flags = sample(own.trace_id) ? "01" : "00";
    return own;
}

runtime::performer_of<run_model> tracing::traced(runtime::performer_of<run_model> perform) {
    return [this, perform = std::move(perform)](const runtime::perform_effect& e, const run_state& s,
                                                runtime::effect_context& ctx) {
        const auto parent = trace_of(ctx.self());
        const bool calls_model = e.type == run_effects::call_model;
        auto span =
            span_under(parent, "run " + e.type, calls_model ? net::span_kind::client : net::span_kind::internal);
        net::trace_context here = parent;
        here.span_id = span.span_id;
        const net::trace_scope scope(net::to_traceparent(here));
        auto out = perform(e, s, ctx);
        if (parent.sampled()) {
            span.ended_us = net::unix_us();
            span.attributes = {{"troupe.entity", to_string(ctx.self())}, {"troupe.effect", e.key}};
            if (calls_model) {
                span.attributes.emplace_back("gen_ai.operation.name", "chat");
                span.attributes.emplace_back("gen_ai.request.model", s.progress.model);
            } else if (const auto tool = tool_of(e, s); !tool.empty()) {
                span.attributes.emplace_back("gen_ai.operation.name", "execute_tool");
                span.attributes.emplace_back("gen_ai.tool.name", tool);
            }
            for (const auto& command : out) {
                span.attributes.emplace_back("troupe.outcome", command.type);
            }
            exporter_.offer(std::move(span));
        }
        return out;
    };
}

} // namespace troupe::actors
