#include "actors/application/edge_metrics.hpp"

#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace troupe::actors {

namespace {

/// Methods are of a fixed list, routes are templates: no client can make series.
struct series_key {
    std::string method;
    std::string route;
    int status = 0;
};

struct series_order {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
        return view(a) < view(b);
    }
    static std::tuple<std::string_view, std::string_view, int> view(const series_key& k) {
        return {k.method, k.route, k.status};
    }
    static std::tuple<std::string_view, std::string_view, int>
    view(const std::tuple<std::string_view, std::string_view, int>& k) {
        return k;
    }
};

} // namespace

void count_request(const net::answered_request& r) {
    thread_local std::map<series_key, runtime::histogram*, series_order> known;
    const std::string_view route = r.to ? std::string_view(r.to->path) : std::string_view("none");
    auto at = known.find(std::tuple(r.method, route, r.status));
    if (at == known.end()) {
        auto& made = runtime::metrics().make_histogram(
            "troupe_http_request_duration_seconds", "Time from the end of a request's header to its answer.",
            {{"method", r.method}, {"route", route}, {"status", std::to_string(r.status)}});
        at = known.emplace(series_key{std::string(r.method), std::string(route), r.status}, &made).first;
    }
    at->second->observe(static_cast<double>(r.microseconds) / 1e6);
}

void note_failed_request(runtime::failure_board& board, const net::failed_request& r) {
    const auto trace = net::parse_traceparent(r.trace);
    const auto text = fmt::format("{} was answered {} {}: {}", r.to ? r.to->operation : "a request", r.status,
                                  r.why ? explain(*r.why).name : "", r.detail);
    board.record({.level = "error",
                  .module = "edge",
                  .message = text,
                  .request = r.id,
                  .trace = trace ? std::string_view(trace->trace_id) : std::string_view()});
}

} // namespace troupe::actors
