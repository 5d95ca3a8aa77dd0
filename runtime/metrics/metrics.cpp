#include "runtime/metrics/metrics.hpp"

#include "runtime/metrics/process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <variant>

namespace troupe::runtime {

namespace detail {

std::size_t next_metric_cell() noexcept {
    static std::atomic<std::size_t> next{0};
    return next.fetch_add(1, std::memory_order_relaxed) % metric_cells;
}

} // namespace detail

namespace {

[[noreturn]] void broken(std::string_view name, std::string_view why) {
    fmt::print(stderr, "metric \"{}\": {}\n", name, why);
    std::abort();
}

bool is_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':'; };
    return !name.empty() && letter(name[0]) &&
           std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string escaped(std::string_view text, bool in_quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && in_quotes) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
    return out;
}

/// `a="1",b="2"`, or with all values replaced.
std::string label_text(metric_labels labels, std::string_view instead = {}) {
    std::string out;
    for (const auto& l : labels) {
        out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", l.name,
                           escaped(instead.empty() ? l.value : instead, true));
    }
    return out;
}

std::string number_text(double value) {
    if (std::isnan(value)) {
        return "NaN";
    }
    return std::isinf(value) ? (value > 0 ? "+Inf" : "-Inf") : fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, std::string_view labels, std::string_view value) {
    out += name;
    if (!labels.empty()) {
        out += fmt::format("{{{}}}", labels);
    }
    out += fmt::format(" {}\n", value);
}

void append_head(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(help, false), name, type);
}

void append_series(std::string& out, std::string_view name, const std::string& labels, const histogram& h) {
    const auto counts = h.counts();
    const auto more = labels.empty() ? "" : labels + ",";
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        total += counts[i];
        const auto bound = i < h.bounds().size() ? number_text(h.bounds()[i]) : "+Inf";
        append_sample(out, fmt::format("{}_bucket", name), fmt::format("{}le=\"{}\"", more, bound),
                      std::to_string(total));
    }
    append_sample(out, fmt::format("{}_sum", name), labels, number_text(h.sum()));
    append_sample(out, fmt::format("{}_count", name), labels, std::to_string(total));
}

void append_process(std::string& out) {
    const auto f = read_process();
    const auto write = [&](std::string_view name, std::string_view help, std::string_view type,
                           const std::string& value) {
        append_head(out, name, help, type);
        append_sample(out, name, {}, value);
    };
    write("process_cpu_seconds_total", "User and system CPU time.", "counter", number_text(f.cpu_seconds));
    write("process_resident_memory_bytes", "Resident memory.", "gauge", std::to_string(f.resident_bytes));
    write("process_virtual_memory_bytes", "Virtual memory.", "gauge", std::to_string(f.virtual_bytes));
    write("process_threads", "Threads.", "gauge", std::to_string(f.threads));
    write("process_open_fds", "Open file descriptors.", "gauge", std::to_string(f.open_fds));
    write("process_max_fds", "Limit of open file descriptors.", "gauge", std::to_string(f.max_fds));
    write("process_start_time_seconds", "Start of the process in Unix time.", "gauge",
          fmt::format("{:.3f}", f.start_time_s));
    write("troupe_uptime_seconds", "Time since the start of the process.", "gauge", fmt::format("{:.3f}", f.uptime_s));
}

} // namespace

std::uint64_t counter::value() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& c : cells_) {
        sum += c.value.load(std::memory_order_relaxed);
    }
    return sum;
}

histogram::histogram(std::vector<double> bounds) : bounds_(std::move(bounds)) {
    for (auto& c : cells_) {
        c.counts = std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1);
    }
}

void histogram::observe(double value) noexcept {
    auto& c = cells_[detail::metric_cell()];
    const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
    c.counts[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    c.sum.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> histogram::counts() const {
    std::vector<std::uint64_t> all(bounds_.size() + 1);
    for (const auto& c : cells_) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i] += c.counts[i].load(std::memory_order_relaxed);
        }
    }
    return all;
}

double histogram::sum() const noexcept {
    double all = 0;
    for (const auto& c : cells_) {
        all += c.sum.load(std::memory_order_relaxed);
    }
    return all;
}

std::uint64_t histogram::count() const {
    std::uint64_t all = 0;
    for (const auto n : counts()) {
        all += n;
    }
    return all;
}

double histogram::quantile(double q) const {
    const auto all = counts();
    std::uint64_t total = 0;
    for (const auto n : all) {
        total += n;
    }
    const auto wanted = q * static_cast<double>(total);
    double below = 0;
    for (std::size_t i = 0; i < bounds_.size() && total > 0; ++i) {
        const auto here = static_cast<double>(all[i]);
        if (here > 0 && below + here >= wanted) {
            const auto from = i == 0 ? 0.0 : bounds_[i - 1];
            return from + (bounds_[i] - from) * (wanted - below) / here;
        }
        below += here;
    }
    return total == 0 || bounds_.empty() ? 0 : bounds_.back(); // beyond the last bound nothing more is known
}

const std::vector<double>& latency_bounds() {
    static const std::vector<double> bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                               0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};
    return bounds;
}

const std::vector<double>& size_bounds() {
    static const std::vector<double> bounds = {256,     1024,      4096,      16'384,     65'536,
                                               262'144, 1'048'576, 4'194'304, 16'777'216, 67'108'864};
    return bounds;
}

struct metrics_registry::impl {
    using series = std::variant<std::unique_ptr<counter>, std::unique_ptr<gauge>, std::unique_ptr<histogram>,
                                std::function<double()>>;
    struct family {
        std::string type;
        std::string help;
        std::map<std::string, series> all; ///< By labels.
    };
    mutable std::mutex mutex;
    std::map<std::string, family, std::less<>> families;

    family& family_of(std::string_view name, std::string_view help, std::string_view type, metric_labels labels) {
        if (!is_name(name)) {
            broken(name, "is no name of a metric");
        }
        for (const auto& l : labels) {
            if (!is_name(l.name) || l.name.find(':') != l.name.npos) {
                broken(name, fmt::format("\"{}\" is no name of a label", l.name));
            }
        }
        auto found = families.find(name);
        if (found == families.end()) {
            found = families.emplace(name, family{std::string(type), std::string(help), {}}).first;
        }
        if (found->second.type != type) {
            broken(name, fmt::format("is a {} and a {}", found->second.type, type));
        }
        return found->second;
    }

    template <class T, class... Args>
    T& find_or_make(std::string_view name, std::string_view help, std::string_view type, metric_labels labels,
                    const Args&... args) {
        const std::lock_guard lock(mutex);
        auto& f = family_of(name, help, type, labels);
        auto key = label_text(labels);
        if (f.all.size() >= series_max && !f.all.contains(key)) {
            key = label_text(labels, "other");
        }
        auto found = f.all.find(key);
        if (found == f.all.end()) {
            found = f.all.emplace(key, std::make_unique<T>(args...)).first;
        }
        auto* held = std::get_if<std::unique_ptr<T>>(&found->second);
        if (!held) {
            broken(name, "is counted here and read from a function elsewhere");
        }
        return **held;
    }

    void set_function(std::string_view name, std::string_view help, std::string_view type, metric_labels labels,
                      std::function<double()> read) {
        const std::lock_guard lock(mutex);
        family_of(name, help, type, labels).all.insert_or_assign(label_text(labels), std::move(read));
    }
};

metrics_registry::metrics_registry() : impl_(std::make_unique<impl>()) {}

metrics_registry::~metrics_registry() = default;

counter& metrics_registry::make_counter(std::string_view name, std::string_view help, metric_labels labels) {
    return impl_->find_or_make<counter>(name, help, "counter", labels);
}

gauge& metrics_registry::make_gauge(std::string_view name, std::string_view help, metric_labels labels) {
    return impl_->find_or_make<gauge>(name, help, "gauge", labels);
}

histogram& metrics_registry::make_histogram(std::string_view name, std::string_view help, metric_labels labels,
                                            const std::vector<double>& bounds) {
    return impl_->find_or_make<histogram>(name, help, "histogram", labels, bounds);
}

void metrics_registry::read_gauge(std::string_view name, std::string_view help, std::function<double()> read,
                                  metric_labels labels) {
    impl_->set_function(name, help, "gauge", labels, std::move(read));
}

void metrics_registry::read_counter(std::string_view name, std::string_view help, std::function<double()> read,
                                    metric_labels labels) {
    impl_->set_function(name, help, "counter", labels, std::move(read));
}

void metrics_registry::forget_functions() {
    const std::lock_guard lock(impl_->mutex);
    for (auto& [name, family] : impl_->families) {
        std::erase_if(family.all,
                      [](const auto& item) { return std::holds_alternative<std::function<double()>>(item.second); });
    }
}

std::string metrics_registry::to_prometheus() const {
    std::string out;
    {
        // Held while functions are called, so that none is called after `forget_functions`.
        const std::lock_guard lock(impl_->mutex);
        for (const auto& [name, family] : impl_->families) {
            if (family.all.empty()) {
                continue;
            }
            append_head(out, name, family.help, family.type);
            for (const auto& [labels, series] : family.all) {
                if (const auto* c = std::get_if<std::unique_ptr<counter>>(&series)) {
                    append_sample(out, name, labels, std::to_string((*c)->value()));
                } else if (const auto* g = std::get_if<std::unique_ptr<gauge>>(&series)) {
                    append_sample(out, name, labels, number_text((*g)->value()));
                } else if (const auto* h = std::get_if<std::unique_ptr<histogram>>(&series)) {
                    append_series(out, name, labels, **h);
                } else {
                    append_sample(out, name, labels, number_text(std::get<std::function<double()>>(series)()));
                }
            }
        }
    }
    append_head(out, "troupe_build_info", "The version that runs.", "gauge");
    append_sample(out, "troupe_build_info", fmt::format("version=\"{}\"", TROUPE_VERSION), "1");
    append_process(out);
    return out;
}

metrics_registry& metrics() {
    static auto* const registry = new metrics_registry; // never destroyed: threads may count until the very end
    return *registry;
}

} // namespace troupe::runtime
