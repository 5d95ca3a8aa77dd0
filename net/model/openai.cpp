#include "net/client/http_client.hpp"
#include "net/http/trace.hpp"
#include "net/model/model.hpp"
#include "net/model/openai_stream.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <iterator>
#include <tuple>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::uint32_t retry_after_max_s = 24 * 3600;
constexpr std::size_t secret_bytes_min = 8; ///< Local servers take keys like "none": a word, no secret.

constexpr std::string_view bad_key = "The API key of the openai provider holds a space or a line break; set it again.";

/// What may stand in a header's value without ending it.
bool is_header_text(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c <= '~'; });
}

std::string_view word_of(role r) {
    switch (r) {
    case role::system:
        return "system";
    case role::user:
        return "user";
    case role::assistant:
        return "assistant";
    case role::tool:
        return "tool";
    }
    return "user";
}

/// Appends the elements as a JSON array.
template <class List, class Write>
std::string array_of(const List& list, Write write) {
    std::string out = "[";
    for (const auto& one : list) {
        if (out.size() > 1)
            out += ',';
        write(out, one);
    }
    return out += ']';
}

void write_call(std::string& out, const tool_call& call) {
    std::string function;
    json::object_writer inner(function);
    inner.field("name", call.name).field("arguments", call.arguments).end();
    json::object_writer(out).field("id", call.id).field("type", "function").raw_field("function", function).end();
}

void write_message(std::string& out, const message& m) {
    json::object_writer w(out);
    w.field("role", word_of(m.role));
    if (m.content.empty() && !m.tool_calls.empty())
        w.raw_field("content", "null");
    else
        w.field("content", m.content);
    if (m.role == role::tool)
        w.field("tool_call_id", m.tool_call_id);
    if (!m.tool_calls.empty()) {
        w.raw_field("tool_calls", array_of(m.tool_calls, write_call));
        // Those who send reasoning want it back with the calls that came from it, and only there.
        if (!m.reasoning.empty())
            w.field("reasoning_content", m.reasoning);
    }
    w.end();
}

void write_tool(std::string& out, const tool_declaration& tool) {
    std::string function;
    json::object_writer inner(function);
    inner.field("name", tool.name).field("description", tool.description);
    inner.raw_field("parameters", tool.parameters.empty() ? R"({"type":"object","properties":{}})" : tool.parameters)
        .end();
    json::object_writer(out).field("type", "function").raw_field("function", function).end();
}

/// `Retry-After` in seconds, or as an HTTP date; `retry-after-ms` where it is sent.
std::optional<std::uint32_t> retry_after(const std::map<std::string, std::string>& headers) {
    const auto number = [&](const char* name) -> std::optional<double> {
        const auto found = headers.find(name);
        double value = 0;
        if (found == headers.end())
            return std::nullopt;
        const auto& text = found->second;
        const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
        return ec == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
    };
    const auto seconds = [](double value) {
        return static_cast<std::uint32_t>(std::ceil(std::clamp(value, 0.0, double{retry_after_max_s})));
    };
    if (const auto ms = number("retry-after-ms"))
        return seconds(*ms / 1000);
    if (const auto s = number("retry-after"))
        return seconds(*s);
    std::tm date{};
    const auto found = headers.find("retry-after");
    if (found == headers.end() || ::strptime(found->second.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr)
        return std::nullopt;
    return seconds(static_cast<double>(::timegm(&date)) - static_cast<double>(system_now().ms) / 1000);
}

/// Feeds a body, however it was cut, to the stream that puts the reply together.
class body_reader {
public:
    body_reader(openai_stream& stream, std::size_t bytes_max, const std::function<void(std::string_view)>& on_token)
        : stream_(stream), bytes_left_(bytes_max), on_token_(on_token) {}

    /// False: there is nothing more to read.
    bool take(std::string_view piece) {
        if (piece.size() > bytes_left_)
            return fail({code::model_reply_invalid, "The provider's reply is larger than the node accepts."});
        bytes_left_ -= piece.size();
        if (is_json_ || begin_.size() < begin_bytes) {
            begin_ += piece;
            const auto first = begin_.find_first_not_of(" \t\r\n");
            is_json_ = first != std::string::npos && begin_[first] == '{';
        }
        if (is_json_)
            return true; // it was not streamed: read at its end
        if (!events_.feed(piece, [this](const sse_event& e) { take_data(e.data); }))
            return fail({code::model_reply_invalid, "A line of the provider's reply is larger than the node accepts."});
        return !failed_ && !stream_.is_done();
    }

    /// After the end of the body.
    void end() {
        if (failed_ || stream_.is_done())
            return;
        if (is_json_) {
            take_data(begin_);
        } else if (looks_like_events()) {
            // The last event may lack its end. What does not read as one was cut, and the stream knows that.
            events_.feed("\n\n", [this](const sse_event& e) { std::ignore = stream_.feed(e.data, on_token_); });
        } else if (!begin_.empty()) {
            fail({code::model_reply_invalid, fmt::format("The provider answers with something that is no chat "
                                                         "completion; check its base URL. It begins: {}",
                                                         begin_.substr(0, begin_bytes))});
        }
    }

    [[nodiscard]] const std::optional<problem>& failure() const { return failed_; }

private:
    static constexpr std::size_t begin_bytes = 256;
    static constexpr std::string_view event_begins[] = {":", "data", "event", "id", "retry", "\xEF\xBB\xBF"};

    bool fail(problem p) {
        failed_ = std::move(p);
        return false;
    }

    [[nodiscard]] bool looks_like_events() const {
        const std::string_view text =
            std::string_view(begin_).substr(std::min(begin_.size(), begin_.find_first_not_of("\r\n")));
        return std::any_of(std::begin(event_begins), std::end(event_begins),
                           [&](std::string_view word) { return text.starts_with(word) || word.starts_with(text); });
    }

    void take_data(std::string_view data) {
        if (failed_)
            return;
        if (auto fed = stream_.feed(data, on_token_); !fed)
            failed_ = fed.error();
    }

    openai_stream& stream_;
    std::size_t bytes_left_;
    const std::function<void(std::string_view)>& on_token_;
    sse_parser events_;
    std::string begin_; ///< The first bytes; all of them when it is one JSON document.
    bool is_json_ = false;
    std::optional<problem> failed_;
};

class openai_model final : public model {
public:
    explicit openai_model(openai_settings settings)
        : settings_(std::move(settings)), is_openai_(settings_.base_url.starts_with("https://api.openai.com/")) {}

    [[nodiscard]] std::string describe() const override { return fmt::format("openai wire at {}", settings_.base_url); }

    expected<model_reply> complete(const model_request& request, std::stop_token stop,
                                   const std::function<void(std::string_view)>& on_token) override {
        const auto key = api_key();
        if (!key)
            return key.error();
        const client_request call = to_http(request, *key);
        openai_stream stream;
        body_reader body(stream, settings_.reply_bytes_max, on_token);
        const auto answer =
            fetch_stream(call, std::move(stop), [&](std::string_view piece) { return body.take(piece); });
        if (answer && answer->status / 100 == 3)
            return problem{code::model_refused,
                           fmt::format("The provider at {} redirects ({}); set its base URL to where it is now.",
                                       settings_.base_url, answer->status)};
        if (answer && answer->status / 100 != 2)
            return openai_problem(answer->status, without_key(answer->body, *key), retry_after(answer->headers));
        if (answer)
            body.end();
        if (body.failure()) {
            problem p = *body.failure();
            p.detail = without_key(std::move(p.detail), *key);
            return p;
        }
        // A connection that breaks after the whole reply was there takes nothing from it but the usage.
        if (!answer && !(answer.error().code == code::connection_failed && stream.is_complete()))
            return transport_problem(answer.error());
        return stream.finish(call.body.size());
    }

private:
    [[nodiscard]] expected<std::string> api_key() const {
        auto key = settings_.find_api_key ? settings_.find_api_key() : expected<std::string>(settings_.api_key);
        if (key && !is_header_text(*key))
            return problem{code::model_refused, std::string(bad_key)};
        return key;
    }

    [[nodiscard]] client_request to_http(const model_request& request, const std::string& key) const {
        client_request out;
        out.method = "POST";
        out.url = settings_.base_url + "/chat/completions";
        out.headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream, application/json"}};
        if (!key.empty())
            out.headers.emplace_back("Authorization", "Bearer " + key);
        if (!request.idempotency_key.empty())
            out.headers.emplace_back("Idempotency-Key", request.idempotency_key);
        if (auto trace = current_traceparent(); !trace.empty())
            out.headers.emplace_back("traceparent", std::move(trace));
        out.ca_file = settings_.ca_file;
        out.connect_time_out_ms = settings_.connect_time_out_ms;
        out.idle_time_out_ms = settings_.idle_time_out_ms;
        out.time_out_ms = request.time_out_ms;
        json::object_writer w(out.body);
        w.field("model", request.model).raw_field("messages", array_of(request.messages, write_message));
        if (!request.tools.empty())
            w.raw_field("tools", array_of(request.tools, write_tool));
        // OpenAI's newer models refuse the old name, most other servers do not know the new one.
        w.field(is_openai_ ? "max_completion_tokens" : "max_tokens", std::uint64_t{request.output_tokens_max});
        if (request.temperature)
            w.field("temperature", *request.temperature);
        w.field("stream", true).raw_field("stream_options", R"({"include_usage":true})").end();
        return out;
    }

    [[nodiscard]] static problem transport_problem(problem p) {
        if (p.code == code::connection_failed)
            return {code::model_unavailable, "The provider cannot be reached or broke off: " + p.detail};
        if (p.code == code::invalid_request)
            return {code::model_refused, "The provider cannot be called: " + p.detail};
        return p;
    }

    /// Providers repeat what they were sent: no message may carry the key.
    [[nodiscard]] static std::string without_key(std::string text, const std::string& key) {
        if (key.size() < secret_bytes_min)
            return text;
        for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + 3))
            text.replace(at, key.size(), "***");
        return text;
    }

    openai_settings settings_;
    bool is_openai_;
};

} // namespace

expected<std::unique_ptr<model>> make_openai_model(openai_settings settings) {
    while (settings.base_url.ends_with('/'))
        settings.base_url.pop_back();
    if (!settings.base_url.starts_with("http://") && !settings.base_url.starts_with("https://"))
        return problem{code::config_invalid,
                       "The base URL of the openai provider has to begin with http:// or https://."};
    if (settings.base_url.find('@') != std::string::npos) // not repeated: it may hold a password
        return problem{code::config_invalid,
                       "The base URL of the openai provider holds a user name; use the API key instead."};
    if (!is_header_text(settings.api_key))
        return problem{code::config_invalid, std::string(bad_key)};
    return std::unique_ptr<model>(std::make_unique<openai_model>(std::move(settings)));
}

} // namespace troupe::net
