#pragma once

#include "actors/run/run_model.hpp"
#include "net/http/server.hpp"
#include "net/telemetry/span_exporter.hpp"
#include "runtime/config/config.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"
#include "storage/store.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace troupe::actors {

/// What of the node's work becomes spans: requests at the edge, the commands that they send (from submission to
/// commit), and what runs perform. All from any thread.
class tracing {
public:
    tracing(const runtime::config& settings, const storage::store& s);

    /// Whether a trace that begins here is recorded: by its id, so that all nodes decide alike.
    [[nodiscard]] bool sample(std::string_view trace_id) const;
    void request_answered(const net::answered_request& r);

    using submit_function = std::function<void(runtime::command, runtime::reply_port)>;
    submit_function traced(submit_function submit);
    /// A model call or a tool is a span under the request that made the run; the same for what it sends out.
    runtime::performer_of<run_model> traced(runtime::performer_of<run_model> perform);

private:
    /// The place of a run in the trace of the request that made it. Without one each run is a trace, named by its id.
    [[nodiscard]] net::trace_context trace_of(const entity_address& run) const;

    const storage::store& store_;
    double ratio_ = 1;
    net::span_exporter exporter_;
};

} // namespace troupe::actors
