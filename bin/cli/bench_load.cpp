#include "bin/cli/bench_load.hpp"

#include "bin/cli/api.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

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

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using steady = std::chrono::steady_clock;

/// Longer than any request may take.
constexpr auto silence_max = std::chrono::seconds(30);

/// What is asked in one round: half of it changes something.
enum class step : std::uint8_t { create, read, comment, list, move, whoami, remove };
constexpr std::array<std::string_view, 7> step_names{"create a task", "read it", "comment on it", "list 20 tasks",
                                                     "move it",       "whoami",  "delete it"};

struct place {
    std::string host;
    std::string port;
};

expected<place> place_of(const std::string& url) {
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed || parsed->scheme() != "http") {
        return problem{code::invalid_request,
                       "`troupe bench` speaks plain http, and " + url +
                           " is none: measure the node itself, not TLS or what stands before it"};
    }
    return place{std::string(parsed->host_address()), parsed->has_port() ? std::string(parsed->port()) : "80"};
}

/// One connection that stays open. Used by one thread.
class session {
public:
    session(const connection& where, place to) : where_(where), to_(std::move(to)), stream_(io_) {}

    expected<void> connect() {
        error_code failed;
        const auto found = asio::ip::tcp::resolver(io_).resolve(to_.host, to_.port, failed);
        if (!failed) {
            timed().async_connect(found, [&](error_code e, const auto&) { failed = e; });
            run();
        }
        if (!failed) {
            stream_.socket().set_option(asio::ip::tcp::no_delay(true), failed);
        }
        return failed ? expected<void>(problem{code::connection_failed,
                                               fmt::format("cannot reach {}: {}", where_.url, failed.message())})
                      : expected<void>();
    }

    /// The body of a 2xx answer.
    expected<std::string> send(http::verb method, const std::string& path, std::string body) {
        http::request<http::string_body> request(method, std::string(base_path) + path, 11);
        request.set(http::field::host, to_.host + ":" + to_.port);
        request.set(http::field::authorization, "Bearer " + where_.key);
        if (!where_.organization.empty()) {
            request.set("X-Organization", where_.organization);
        }
        if (method == http::verb::post) {
            request.set("Idempotency-Key", to_string(make_uuid()));
        }
        if (!body.empty()) {
            request.set(http::field::content_type, "application/json");
        }
        request.body() = std::move(body);
        request.prepare_payload();
        http::response<http::string_body> answer;
        error_code failed;
        http::async_write(timed(), request, [&](error_code e, std::size_t) { failed = e; });
        run();
        if (!failed) {
            http::async_read(timed(), buffer_, answer, [&](error_code e, std::size_t) { failed = e; });
            run();
        }
        if (failed) {
            return problem{code::connection_failed, "the connection broke: " + failed.message()};
        }
        const auto status = answer.result_int();
        return status / 100 == 2 ? expected<std::string>(std::move(answer.body()))
                                 : expected<std::string>(from_problem_json(answer.body(), static_cast<int>(status)));
    }

private:
    beast::tcp_stream& timed() {
        stream_.expires_after(silence_max);
        return stream_;
    }
    void run() {
        io_.restart();
        io_.run();
    }

    const connection& where_;
    place to_;
    asio::io_context io_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
};

struct seen {
    std::array<std::vector<std::uint32_t>, step_names.size()> latencies_us; ///< Of good answers.
    std::array<std::uint64_t, step_names.size()> errors{};
    std::string first_error;
};

/// Does rounds until it is time.
class worker {
public:
    worker(const connection& where, place to) : session_(where, std::move(to)) {}

    expected<void> connect() { return session_.connect(); }

    void work(const std::stop_token& stop, steady::time_point until) {
        while (!stop.stop_requested() && steady::now() < until && !broken_) {
            round();
        }
    }
    seen result;

private:
    void round() {
        const auto made = ask(step::create, http::verb::post, "/tasks", R"({"title":"troupe bench"})");
        const auto parsed = made ? json::document::parse(*made) : expected<json::document>(problem{});
        if (!parsed) {
            return;
        }
        const auto task = "/tasks/" + parsed->root().text_or("id");
        ask(step::read, http::verb::get, task);
        ask(step::comment, http::verb::post, task + "/messages", R"({"content":"measured by troupe bench"})");
        ask(step::list, http::verb::get, "/tasks?limit=20");
        ask(step::move, http::verb::post, task + "/status", R"({"status":"blocked"})");
        ask(step::whoami, http::verb::get, "/auth/me");
        ask(step::remove, http::verb::delete_, task);
    }

    std::optional<std::string> ask(step what, http::verb method, const std::string& path, std::string body = {}) {
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
    const auto to = place_of(where.url);
    if (!to) {
        return to.error();
    }
    std::vector<std::unique_ptr<worker>> workers;
    for (std::size_t i = 0; i < settings.connections; ++i) {
        workers.push_back(std::make_unique<worker>(where, *to));
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
