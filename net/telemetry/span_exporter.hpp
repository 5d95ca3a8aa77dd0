#pragma once

#include "net/telemetry/span.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace troupe::net {

struct exporter_settings {
    std::string endpoint; ///< "http://127.0.0.1:4318"; "/v1/traces" is added when it is not there.
    std::string version;  ///< Of the program.
    std::string instance; ///< The node's name.
    std::size_t queue_max = 8192;
    std::size_t batch_max = 512;
    std::int64_t every_ms = 2000;    ///< So long spans wait for others, unless a batch is full.
    std::int64_t time_out_ms = 5000; ///< Of one request.
    int tries = 6;                   ///< Of a batch; then it is dropped.
    std::int64_t back_off_ms = 1000; ///< Before the second try; doubles, up to 30 s. A `Retry-After` counts as well.
};

/// Sends spans to a collector, from a thread of its own. Whoever offers one never waits: what does not fit is dropped
/// and counted (`troupe_trace_spans_dropped_total`).
class span_exporter {
public:
    explicit span_exporter(exporter_settings s);
    /// Sends what is there, one try, and ends.
    ~span_exporter();
    span_exporter(const span_exporter&) = delete;
    span_exporter& operator=(const span_exporter&) = delete;

    /// From any thread.
    void offer(trace_span span);

private:
    void work(const std::stop_token& stop);
    std::vector<trace_span> take(const std::stop_token& stop);
    /// False: they were dropped.
    bool send(const std::vector<trace_span>& batch, const std::stop_token& stop);
    /// Milliseconds that the collector wants to be left alone; -1: another try is of no use.
    [[nodiscard]] std::int64_t try_once(const std::string& body, bool& taken) const;

    const exporter_settings settings_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<trace_span> waiting_;
    std::jthread thread_; // the last: it uses the others
};

} // namespace troupe::net
