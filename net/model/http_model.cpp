#include "net/client/http_client.hpp"
#include "net/http/trace.hpp"
#include "net/model/model.hpp"
#include "net/model/refusal.hpp"
#include "net/model/reply_reader.hpp"
#include "net/model/wire.hpp"
#include "schemas/base/clock.hpp"

#include <boost/describe/enum_to_string.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::size_t secret_bytes_min = 8; ///< Local servers take keys like "none": a word, no secret.

std::string bad_key(std::string_view provider) {
    return fmt::format("The API key of the {} provider holds a space or a line break; set it again.", provider);
}

/// What may stand in a header's value without ending it.
bool is_header_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c <= '~'; });
}

/// Providers repeat what they were sent: no message may carry the key.
std::string without_key(std::string text, const std::string& key) {
    if (key.size() < secret_bytes_min)
        return text;
    for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + 3))
        text.replace(at, key.size(), "***");
    return text;
}

problem transport_problem(problem p) {
    if (p.code == code::connection_failed)
        return {code::model_unavailable, "The provider cannot be reached or broke off: " + p.detail};
    if (p.code == code::invalid_request)
        return {code::model_refused, "The provider cannot be called: " + p.detail};
    return p;
}

/// What all wires share: one request, its answer piece by piece, time limits and what may go wrong on the way.
class http_model final : public model {
public:
    explicit http_model(wire_settings settings) : settings_(std::move(settings)), wire_(wire_of(settings_.wire)) {}

    [[nodiscard]] std::string describe() const override {
        return fmt::format("{} wire at {}", boost::describe::enum_to_string(settings_.wire, ""), settings_.base_url);
    }

    expected<model_reply> complete(const model_request& request, std::stop_token stop,
                                   const std::function<void(std::string_view)>& on_token) override {
        const auto key = api_key();
        if (!key)
            return key.error();
        const client_request call = to_http(request, *key);
        const auto reply = wire_.assembler(on_token);
        reply_reader body(wire_.pieces, *reply, settings_.reply_bytes_max);
        const auto answer =
            fetch_stream(call, std::move(stop), [&](std::string_view piece) { return body.take(piece); });
        if (answer && answer->status / 100 == 3)
            return problem{code::model_refused,
                           fmt::format("The provider at {} redirects ({}); set its base URL to where it is now.",
                                       settings_.base_url, answer->status)};
        if (answer && answer->status / 100 != 2)
            return refusal_of(answer->status, without_key(answer->body, *key),
                              retry_after(answer->headers, system_now()));
        if (answer)
            body.end();
        if (body.failure()) {
            problem p = *body.failure();
            p.detail = without_key(std::move(p.detail), *key);
            return p;
        }
        // A connection that breaks after the whole reply was there takes nothing from it but the usage.
        if (!answer && !(answer.error().code == code::connection_failed && reply->is_complete()))
            return transport_problem(answer.error());
        auto out = reply->finish(call.body.size());
        if (out && answer)
            out->limits = limits_of(answer->headers, system_now());
        return out;
    }

private:
    [[nodiscard]] expected<std::string> api_key() const {
        auto key = settings_.find_api_key ? settings_.find_api_key() : expected<std::string>(settings_.api_key);
        if (key && !is_header_text(*key))
            return problem{code::model_refused, bad_key(settings_.provider)};
        return key;
    }

    [[nodiscard]] client_request to_http(const model_request& request, const std::string& key) const {
        client_request out;
        out.method = "POST";
        out.url = fmt::format("{}{}", settings_.base_url, wire_.path);
        out.headers = {{"Content-Type", "application/json"},
                       {"Accept", wire_.pieces == framing::events ? "text/event-stream, application/json"
                                                                  : "application/x-ndjson, application/json"}};
        for (auto& header : wire_.headers(key))
            out.headers.push_back(std::move(header));
        if (!request.idempotency_key.empty())
            out.headers.emplace_back("Idempotency-Key", request.idempotency_key);
        if (auto trace = current_traceparent(); !trace.empty())
            out.headers.emplace_back("traceparent", std::move(trace));
        out.ca_file = settings_.ca_file;
        out.connect_time_out_ms = settings_.connect_time_out_ms;
        out.idle_time_out_ms = settings_.idle_time_out_ms;
        out.time_out_ms = request.time_out_ms;
        out.body = wire_.write(request, settings_.base_url);
        return out;
    }

    const wire_settings settings_;
    const wire& wire_;
};

/// As a request's path goes on behind it. Anthropic's own tools take it without the version, others write it down.
std::string bare_base_url(std::string url, model_wire wire) {
    if (url.empty())
        url = default_base_url(wire);
    while (url.ends_with('/'))
        url.pop_back();
    if (wire == model_wire::anthropic && url.ends_with("/v1"))
        url.resize(url.size() - 3);
    return url;
}

} // namespace

expected<std::unique_ptr<model>> make_model(wire_settings settings) {
    settings.base_url = bare_base_url(std::move(settings.base_url), settings.wire);
    if (!settings.base_url.starts_with("http://") && !settings.base_url.starts_with("https://"))
        return problem{code::config_invalid, fmt::format("The base URL of the {} provider has to begin with http:// or "
                                                         "https://.",
                                                         settings.provider)};
    if (settings.base_url.find('@') != std::string::npos) // not repeated: it may hold a password
        return problem{code::config_invalid,
                       fmt::format("The base URL of the {} provider holds a user name; use the API key instead.",
                                   settings.provider)};
    if (!is_header_text(settings.api_key))
        return problem{code::config_invalid, bad_key(settings.provider)};
    return std::unique_ptr<model>(std::make_unique<http_model>(std::move(settings)));
}

} // namespace troupe::net
