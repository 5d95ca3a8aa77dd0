#include "bin/cli/api.hpp"

#include "net/http/text.hpp"

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace troupe::cli {
namespace {

/// Silence after which a stream counts as lost; the node sends comments more often.
constexpr std::int64_t stream_idle_ms = 60'000;

/// The problem of an answer; what is no problem+json is judged by its status.
problem problem_of(const net::client_response& answer) {
    auto p = from_problem_json(answer.body, answer.status);
    if (p.code == code::internal && answer.status != 500) {
        p.code = answer.status == 401   ? code::unauthenticated
                 : answer.status == 403 ? code::forbidden
                 : answer.status == 404 ? code::not_found
                 : answer.status == 503 ? code::unavailable
                                        : code::internal;
    }
    if (const auto wait = answer.headers.find("retry-after"); wait != answer.headers.end()) {
        std::uint32_t seconds = 0;
        const auto& text = wait->second;
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (wrong == std::errc() && end == text.data() + text.size()) {
            p.retry_after_s = seconds;
        }
    }
    if (p.detail.empty()) {
        p.detail = fmt::format("The node answered with status {}.", answer.status);
    }
    return p;
}

/// What every request to that node carries.
void speak_to(const connection& where, net::client_request& request) {
    request.ca_file = where.ca_file;
    request.certificate_file = where.certificate_file;
    std::erase_if(request.headers, [](const auto& h) { return h.first == "Authorization"; });
    if (!where.key.empty()) {
        request.headers.emplace_back("Authorization", "Bearer " + where.key);
    }
}

} // namespace

std::string encode_segment(std::string_view text) { return net::percent_encode(text); }
std::string encode_path(std::string_view path) { return net::percent_encode(path, "/"); }

std::string with_query(std::string_view path, const query_list& query) {
    std::string out(path);
    char separator = '?';
    for (const auto& [name, value] : query) {
        if (!value.empty()) {
            out += separator + name + "=" + encode_segment(value);
            separator = '&';
        }
    }
    return out;
}

int exit_code_of(const problem& p) {
    switch (p.code) {
    case code::connection_failed:
        return 3;
    case code::not_found:
        return 4;
    case code::unauthenticated:
    case code::forbidden:
    case code::invalid_credentials:
    case code::token_reused:
    case code::mfa_required:
    case code::step_up_required:
    case code::registration_off:
    case code::second_factor_required:
    case code::password_expired:
    case code::session_too_old:
    case code::address_not_allowed:
        return 5;
    default:
        return 1;
    }
}

expected<std::string> api::get(std::string_view path, std::string_view accept) {
    return send("GET", path, {}, {}, accept);
}

expected<std::string> api::post(std::string_view path, std::string_view body, std::string_view key) {
    return send("POST", path, body, "application/json", "application/json", key);
}

expected<std::string> api::put(std::string_view path, net::body_source body, std::string_view content_type) {
    return send("PUT", path, std::move(body), content_type);
}

expected<std::string> api::upload(std::string_view path, net::body_source body, std::string_view content_type) {
    return send("POST", path, std::move(body), content_type);
}

expected<std::string> api::send(std::string_view method, std::string_view path, net::body_source body,
                                std::string_view content_type) {
    net::client_request request;
    request.method = method;
    request.url = where_.url + std::string(base_path) + std::string(path);
    request.source = std::move(body);
    request.time_out_ms = 0; // as long as it moves
    request.headers.emplace_back("Accept", "application/json");
    request.headers.emplace_back("Content-Type", content_type);
    auto answer = exchange(std::move(request), [](const auto& r) { return net::fetch(r); });
    return answer ? expected<std::string>(std::move(answer->body)) : answer.error();
}

expected<std::string> api::put(std::string_view path, std::string_view json) {
    return send("PUT", path, json, "application/json", "application/json");
}

expected<void> api::download(std::string_view path, const std::function<bool(std::string_view)>& on_data) {
    net::client_request request;
    request.url = where_.url + std::string(base_path) + std::string(path);
    request.time_out_ms = 0;
    request.headers.emplace_back("Accept", "*/*");
    const auto answer = exchange(std::move(request), [&](const auto& r) { return net::fetch_stream(r, {}, on_data); });
    return answer ? expected<void>() : answer.error();
}

expected<std::string> api::patch(std::string_view path, std::string_view json) {
    return send("PATCH", path, json, "application/json", "application/json");
}

expected<std::string> api::remove(std::string_view path) { return send("DELETE", path, {}, {}, "application/json"); }

expected<std::string> api::send(std::string_view method, std::string_view path, std::string_view body,
                                std::string_view content_type, std::string_view accept, std::string_view key) {
    net::client_request request;
    request.method = method;
    request.url = where_.url + std::string(base_path) + std::string(path);
    request.body = body;
    request.headers.emplace_back("Accept", accept);
    if (!content_type.empty() && !body.empty()) {
        request.headers.emplace_back("Content-Type", content_type);
    }
    if (method == "POST") {
        request.headers.emplace_back("Idempotency-Key", key.empty() ? to_string(make_uuid()) : std::string(key));
    }
    auto answer = exchange(std::move(request), [&](const net::client_request& r) {
        auto once = net::fetch(r);
        // The key makes the repeat harmless: a command that got through is answered as before.
        return !once && once.error().code == code::connection_failed && method == "POST" ? net::fetch(r) : once;
    });
    return answer ? expected<std::string>(std::move(answer->body)) : answer.error();
}

expected<void> api::renew() {
    auto renewed = renew_(where_);
    if (!renewed) {
        return renewed.error();
    }
    where_.key = std::move(renewed->key);
    where_.renew_at = renewed->renew_at;
    return {};
}

expected<net::client_response> api::exchange(net::client_request request, const fetcher& fetch) {
    if (!where_.organization.empty()) {
        request.headers.emplace_back("X-Organization", where_.organization);
    }
    bool renewed = false;
    if (renewable() && (where_.key.empty() || system_now() >= where_.renew_at)) {
        if (auto done = renew(); !done) {
            return done.error();
        }
        renewed = true;
    }
    for (;;) {
        speak_to(where_, request);
        auto answer = fetch(request);
        if (!answer || answer->status < 400) {
            return answer;
        }
        refusal_headers_ = answer->headers;
        auto p = problem_of(*answer);
        if (p.code != code::unauthenticated || !renewable() || renewed) {
            return p;
        }
        if (auto done = renew(); !done) {
            return done.error();
        }
        renewed = true;
        if (request.source) { // its beginning is gone
            p.detail = "The login was renewed while this was sent: repeat the command.";
            return p;
        }
    }
}

expected<std::pair<std::string, bool>> api::list_raw(std::string_view path, query_list query, std::size_t count_max,
                                                     std::string_view cursor_name, std::string cursor) {
    std::string items;
    std::size_t count = 0;
    query.emplace_back("limit", "");
    query.emplace_back(cursor_name, "");
    do {
        query[query.size() - 2].second = std::to_string(std::min(limits::page_max, count_max - count));
        query.back().second = cursor;
        auto body = get(with_query(path, query));
        if (!body) {
            return body.error();
        }
        auto parsed = json::document::parse(*body);
        const auto list = parsed ? parsed->root().find("items") : std::nullopt;
        if (!list || list->type() != json::kind::array) {
            return problem{code::internal,
                           fmt::format("The node's answer to {} is no list: is {} a Troupe node of this version?", path,
                                       where_.url)};
        }
        list->each_element([&](json::value item) { items += (count++ == 0 ? "" : ",") + item.dump(); });
        const bool moved = list->size() > 0;
        cursor = moved ? parsed->root().text_or("next_cursor") : "";
    } while (!cursor.empty() && count < count_max);
    std::string json =
        "{\"items\":[" + items + "],\"next_cursor\":" + (cursor.empty() ? "null" : json::quoted(cursor)) + "}";
    return std::pair(std::move(json), !cursor.empty());
}

expected<bool> api::stream(std::string_view path, std::stop_token stop, const std::function<void()>& on_open,
                           const std::function<bool(const stream_event&)>& on_event) {
    net::client_request request;
    request.url = where_.url + std::string(base_path) + std::string(path);
    request.headers.emplace_back("Accept", "text/event-stream");
    request.idle_time_out_ms = stream_idle_ms;
    request.time_out_ms = 0;
    net::sse_parser parser;
    bool opened = false;
    bool ended = false;
    const auto on_sse = [&](const net::sse_event& e) {
        const auto parsed = ended ? expected<json::document>(problem{}) : json::document::parse(e.data);
        if (!parsed || parsed->root().type() != json::kind::object) {
            return; // an empty first event, or what a newer node adds
        }
        const auto root = parsed->root();
        const auto data = root.find("data");
        stream_event event{root.text_or("id"),
                           parse_timestamp(root.text_or("ts")).value_or(timestamp{}),
                           root.text_or("channel"),
                           root.text_or("kind"),
                           e.data,
                           data ? *data : root};
        ended = !on_event(event);
    };
    const auto answer = exchange(std::move(request), [&](const net::client_request& r) {
        return net::fetch_stream(r, stop, [&](std::string_view piece) {
            if (!std::exchange(opened, true)) {
                on_open();
            }
            return parser.feed(piece, on_sse) && !ended;
        });
    });
    return answer ? expected<bool>(ended) : answer.error();
}

} // namespace troupe::cli
