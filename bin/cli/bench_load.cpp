#include "bin/cli/bench_load.hpp"

#include "bin/cli/api.hpp"
#include "net/client/http_session.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace troupe::cli {
namespace {

using steady = std::chrono::steady_clock;

/// Longer than any request may take.
constexpr std::int64_t silence_ms_max = 30'000;

/// What is asked in one round: half of it changes something.
enum class step : std::uint8_t { create, read, comment, list, move, whoami, remove };
constexpr std::array<std::string_view, 7> step_names{"create a task", "read it", "comment on it", "list 20 tasks",
                                                     "move it",       "whoami",  "delete it"};

/// One connection that stays open. Used by one thread.
class session {
public:
    session(const connection& where, net::http_session over) : where_(where), over_(std::move(over)) {}

    expected<void> connect() { return over_.connect(); }

    /// The body of a 2xx answer.
    expected<std::string> send(std::string_view method, const std::string& path, std::string body) {
        std::vector<std::pair<std::string, std::string>> headers{{"Authorization", "Bearer " + where_.key}};
        if (!where_.organization.empty()) {
            headers.emplace_back("X-Organization", where_.organization);
        }
        if (method == "POST") {
            headers.emplace_back("Idempotency-Key", to_string(make_uuid()));
        }
        if (!body.empty()) {
            headers.emplace_back("Content-Type", "application/json");
        }
        auto answer = over_.send(method, std::string(base_path) + path, headers, std::move(body));
        if (!answer) {
            return answer.error();
        }
        return answer->status / 100 == 2 ? expected<std::string>(std::move(answer->body))
                                         : expected<std::string>(from_problem_json(answer->body, answer->status));
    }

private:
    const connection& where_;
    net::http_session over_;
};

struct seen {
    std::array<std::vector<std::uint32_t>, step_names.size()> latencies_us; ///< Of good answers.
    std::array<std::uint64_t, step_names.size()> errors{};
    std::string first_error;
};

/// Does rounds until it is time.
class worker {
public:
    worker(const connection& where, net::http_session over) : session_(where, std::move(over)) {}

    expected<void> connect() { return session_.connect(); }

    void work(const std::stop_token& stop, steady::time_point until) {
        while (!stop.stop_requested() && steady::now() < until && !broken_) {
            round();
        }
    }
    seen result;

private:
    void round() {
        const auto made = ask(step::create, "POST", "/tasks", R"({"title":"troupe bench"})");
        const auto parsed = made ? json::document::parse(*made) : expected<json::document>(problem{});
        if (!parsed) {
            return;
        }
        const auto task = "/tasks/" + parsed->root().text_or("id");
        ask(step::read, "GET", task);
        ask(step::comment, "POST", task + "/messages", R"({"content":"measured by troupe bench"})");
        ask(step::list, "GET", "/tasks?limit=20");
        ask(step::move, "POST", task + "/status", R"({"status":"blocked"})");
        ask(step::whoami, "GET", "/auth/me");
        ask(step::remove, "DELETE", task);
    }

    std::optional<std::string> ask(step what, std::string_view method, const std::string& path, std::string body = {}) {
        if (broken_) {
            return std::nullopt;
        }
        const auto begun = steady::now();
        auto answer = session_.send(method, path, std::move(body));
        const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady::now() - begun).count();
        const auto at = static_cast<std::size_t>(what);
        if (answer) {
            result.latencies_us[at].push_back(static_cast<std::uint32_t>(took));
            return std::move(*answer);
        }
        ++result.errors[at];
        if (result.first_error.empty()) {
            result.first_error = fmt::format("{}: {}", step_names[at], answer.error().detail);
        }
        broken_ = answer.error().code == code::connection_failed && !session_.connect();
        return std::nullopt;
    }

    session session_;
    bool broken_ = false;
};

bench_line line_of(std::string_view name, std::vector<std::uint32_t> latencies_us, std::uint64_t errors,
                   double seconds) {
    std::ranges::sort(latencies_us);
    const auto at = [&](double part) {
        const auto index = static_cast<std::size_t>(part * static_cast<double>(latencies_us.size()));
        return latencies_us.empty() ? 0.0 : latencies_us[std::min(index, latencies_us.size() - 1)] / 1000.0;
    };
    bench_line out{std::string(name), latencies_us.size() + errors, errors};
    out.per_second = seconds > 0 ? static_cast<double>(latencies_us.size()) / seconds : 0;
    out.p50_ms = at(0.50);
    out.p95_ms = at(0.95);
    out.p99_ms = at(0.99);
    out.largest_ms = at(1);
    return out;
}

bench_result result_of(std::vector<seen> all, double seconds) {
    bench_result out;
    out.seconds = seconds;
    std::vector<std::uint32_t> every;
    std::uint64_t every_error = 0;
    for (std::size_t what = 0; what < step_names.size(); ++what) {
        std::vector<std::uint32_t> latencies;
        std::uint64_t errors = 0;
        for (const auto& one : all) {
            std::ranges::copy(one.latencies_us[what], std::back_inserter(latencies));
            errors += one.errors[what];
        }
        every.insert(every.end(), latencies.begin(), latencies.end());
        every_error += errors;
        out.requests.push_back(line_of(step_names[what], std::move(latencies), errors, seconds));
    }
    out.all = line_of("all", std::move(every), every_error, seconds);
    for (const auto& one : all) {
        out.first_error = out.first_error.empty() ? one.first_error : out.first_error;
    }
    return out;
}

} // namespace

expected<bench_result> run_bench(const connection& where, const bench_settings& settings, const std::stop_token& stop) {
    std::vector<std::unique_ptr<worker>> workers;
    for (std::size_t i = 0; i < settings.connections; ++i) {
        auto over = net::http_session::make(where.url, silence_ms_max);
        if (!over) {
            auto why = over.error();
            why.detail += ": `troupe bench` measures the node itself, not TLS or what stands before it";
            return why;
        }
        workers.push_back(std::make_unique<worker>(where, std::move(*over)));
        if (auto connected = workers.back()->connect(); !connected) {
            return connected.error();
        }
    }
    const auto begun = steady::now();
    {
        std::vector<std::jthread> threads;
        for (const auto& w : workers) {
            threads.emplace_back(
                [&w, &stop, until = begun + std::chrono::seconds(settings.seconds)] { w->work(stop, until); });
        }
    }
    const std::chrono::duration<double> took = steady::now() - begun;
    std::vector<seen> all;
    for (auto& w : workers) {
        all.push_back(std::move(w->result));
    }
    auto out = result_of(std::move(all), took.count());
    out.url = where.url;
    out.connections = settings.connections;
    return out;
}

} // namespace troupe::cli
