#include "net/telemetry/span_exporter.hpp"

#include "net/client/http_client.hpp"
#include "runtime/metrics/metrics.hpp"
#include "schemas/base/log.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <optional>
#include <stop_token>

namespace troupe::net {

namespace {

constexpr std::int64_t back_off_max_ms = 30'000;

runtime::counter& dropped(std::string_view reason, std::string_view help) {
    return runtime::metrics().make_counter("troupe_trace_spans_dropped_total", help, {{"reason", reason}});
}
runtime::counter& queue_full() {
    static auto& count = dropped("queue_full", "Spans that were not sent.");
    return count;
}
runtime::counter& refused() {
    static auto& count = dropped("not_taken", "Spans that were not sent.");
    return count;
}
runtime::counter& sent() {
    static auto& count =
        runtime::metrics().make_counter("troupe_trace_spans_sent_total", "Spans that the collector took.");
    return count;
}
runtime::counter& failures() {
    static auto& count =
        runtime::metrics().make_counter("troupe_trace_export_failures_total", "Requests to the collector that failed.");
    return count;
}

std::string target_of(std::string endpoint) {
    constexpr std::string_view path = "/v1/traces";
    while (endpoint.ends_with('/'))
        endpoint.pop_back();
    return endpoint.ends_with(path) ? endpoint : endpoint + std::string(path);
}

std::int64_t retry_after_ms(const client_response& r) {
    const auto found = r.headers.find("retry-after");
    std::int64_t seconds = 0;
    if (found != r.headers.end())
        std::from_chars(found->second.data(), found->second.data() + found->second.size(), seconds);
    return std::clamp<std::int64_t>(seconds, 0, back_off_max_ms / 1000) * 1000;
}

/// Those with which OTLP asks for another try.
bool is_transient(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

} // namespace

span_exporter::span_exporter(exporter_settings s)
    : settings_(std::move(s)), thread_([this](const std::stop_token& stop) { work(stop); }) {
    queue_full(); // shown as 0 from the start
    refused();
    sent();
    failures();
}

span_exporter::~span_exporter() {
    thread_.request_stop();
    changed_.notify_all();
    thread_.join();
}

void span_exporter::offer(trace_span span) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= settings_.queue_max) {
            queue_full().add();
            return;
        }
        waiting_.push_back(std::move(span));
        if (waiting_.size() != settings_.batch_max)
            return; // they wait for others
    }
    changed_.notify_all();
}

std::vector<trace_span> span_exporter::take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, std::chrono::milliseconds(settings_.every_ms),
                      [&] { return waiting_.size() >= settings_.batch_max; });
    const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), settings_.batch_max));
    std::vector<trace_span> out(std::make_move_iterator(waiting_.begin()),
                                std::make_move_iterator(waiting_.begin() + count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + count);
    return out;
}

void span_exporter::work(const std::stop_token& stop) {
    for (;;) {
        const bool last = stop.stop_requested(); // asked before taking: what comes later still goes
        const auto batch = take(stop);
        if (batch.empty() && last)
            return;
        if (!batch.empty() && !send(batch, stop) && last) { // the others would fare no better
            const std::lock_guard lock(mutex_);
            refused().add(waiting_.size());
            return;
        }
    }
}

bool span_exporter::send(const std::vector<trace_span>& batch, const std::stop_token& stop) {
    const std::vector<std::pair<std::string, std::string>> resource = {{"service.name", "troupe"},
                                                                       {"service.version", settings_.version},
                                                                       {"service.instance.id", settings_.instance}};
    const auto body = to_otlp(batch, resource, settings_.version);
    auto back_off_ms = settings_.back_off_ms;
    for (int tries = 1;; ++tries) {
        bool taken = false;
        const auto wait_ms = try_once(body, taken);
        if (taken) {
            sent().add(batch.size());
            return true;
        }
        failures().add();
        if (wait_ms < 0 || tries >= settings_.tries || stop.stop_requested())
            break;
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, stop, std::chrono::milliseconds(std::max(wait_ms, back_off_ms)), [] { return false; });
        back_off_ms = std::min(back_off_ms * 2, back_off_max_ms);
    }
    refused().add(batch.size());
    log_for("traces").warn("{} spans were not sent: {} does not take them", batch.size(), settings_.endpoint);
    return false;
}

std::int64_t span_exporter::try_once(const std::string& body, bool& taken) const {
    client_request request;
    request.method = "POST";
    request.url = target_of(settings_.endpoint);
    request.headers = {{"Content-Type", "application/json"}};
    request.body = body;
    request.connect_time_out_ms = request.time_out_ms = request.idle_time_out_ms = settings_.time_out_ms;
    const auto answer = fetch(request);
    if (!answer) {
        log_for("traces").debug("the collector cannot be reached: {}", answer.error().detail);
        return answer.error().code == code::invalid_request ? -1 : 0;
    }
    taken = answer->status / 100 == 2;
    if (!taken)
        log_for("traces").debug("the collector answered {}: {}", answer->status, answer->body.substr(0, 200));
    return taken || !is_transient(answer->status) ? -1 : retry_after_ms(*answer);
}

} // namespace troupe::net
