#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Counters, gauges and histograms, and their exposition in Prometheus' text format.
///
///     static auto& requests = metrics().make_counter("troupe_http_requests_total", "Requests served.", {{"code",
///     "200"}}); requests.add();
///
/// Making or finding a series takes a lock and a search: keep the reference. Using it costs a few nanoseconds and no
/// lock. Names follow Prometheus: `troupe_`, the base unit (seconds, bytes), `_total` for counters.
namespace troupe::runtime {

namespace detail {

/// Threads write to different cache lines, so that a hot counter does not travel between processors.
inline constexpr std::size_t metric_cells = 8;
std::size_t next_metric_cell() noexcept;
inline std::size_t metric_cell() noexcept {
    static thread_local const std::size_t cell = next_metric_cell();
    return cell;
}

} // namespace detail

/// Only goes up.
class counter {
public:
    void add(std::uint64_t more = 1) noexcept {
        cells_[detail::metric_cell()].value.fetch_add(more, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t value() const noexcept;

private:
    struct alignas(64) cell {
        std::atomic<std::uint64_t> value{0};
    };
    std::array<cell, detail::metric_cells> cells_;
};

/// Goes up and down.
class gauge {
public:
    void set(double to) noexcept { value_.store(to, std::memory_order_relaxed); }
    void add(double more) noexcept { value_.fetch_add(more, std::memory_order_relaxed); }
    [[nodiscard]] double value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<double> value_{0};
};

/// Counts observations in buckets. A scrape beside an observation may see its bucket without its sum.
class histogram {
public:
    /// Upper bounds, ascending; one more bucket catches the rest.
    explicit histogram(std::vector<double> bounds);
    void observe(double value) noexcept;

    [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }
    /// Per bucket (one more than bounds), not cumulated.
    [[nodiscard]] std::vector<std::uint64_t> counts() const;
    [[nodiscard]] double sum() const noexcept;
    [[nodiscard]] std::uint64_t count() const;
    /// Estimated by interpolation inside the bucket, as Prometheus does; 0 without observations. `q` in [0, 1].
    [[nodiscard]] double quantile(double q) const;

private:
    struct alignas(64) cell {
        std::atomic<double> sum{0};
        std::unique_ptr<std::atomic<std::uint64_t>[]> counts;
    };
    std::vector<double> bounds_;
    std::array<cell, detail::metric_cells> cells_;
};

/// 100 µs to 60 s: for everything that takes time.
const std::vector<double>& latency_bounds();
/// 256 B to 64 MB.
const std::vector<double>& size_bounds();

struct metric_label {
    std::string_view name;
    std::string_view value;
};
using metric_labels = std::initializer_list<metric_label>;

/// Owns all series; references stay valid as long as it lives. Thread-safe. A name that Prometheus does not allow,
/// or one used with two types, ends the process: it is a mistake in the program.
class metrics_registry {
public:
    metrics_registry();
    ~metrics_registry();
    metrics_registry(const metrics_registry&) = delete;
    metrics_registry& operator=(const metrics_registry&) = delete;

    /// Finds or makes a series. `help` counts the first time. A family takes `series_max` series; what comes after
    /// shares one with the labels' values replaced by "other", so that no input can grow memory.
    counter& make_counter(std::string_view name, std::string_view help, metric_labels labels = {});
    gauge& make_gauge(std::string_view name, std::string_view help, metric_labels labels = {});
    histogram& make_histogram(std::string_view name, std::string_view help, metric_labels labels = {},
                              const std::vector<double>& bounds = latency_bounds());
    static constexpr std::size_t series_max = 1000;

    /// A gauge, or a counter kept elsewhere, that is read at each scrape; `read` may be called from any
    /// thread and must not use the registry.
    /// The same series again replaces the earlier function.
    void read_gauge(std::string_view name, std::string_view help, std::function<double()> read,
                    metric_labels labels = {});
    void read_counter(std::string_view name, std::string_view help, std::function<double()> read,
                      metric_labels labels = {});
    /// Removes all functions: before what they read goes away.
    void forget_functions();

    /// The exposition, with the figures of the process: content type "text/plain; version=0.0.4; charset=utf-8".
    [[nodiscard]] std::string to_prometheus() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// The registry of this process.
metrics_registry& metrics();

} // namespace troupe::runtime
