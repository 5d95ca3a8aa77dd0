#include "net/model/openai_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::size_t message_bytes_max = 1000; ///< Of a provider's message in a problem.
constexpr std::size_t bytes_per_token = 4;      ///< Where the provider sends no usage.

std::string shortened(std::string_view text) {
    if (text.size() <= message_bytes_max)
        return std::string(text);
    return std::string(text.substr(0, message_bytes_max)) + "…";
}

/// What an error object says, in the forms that servers use for it.
struct provider_error {
    std::string message;
    std::string kind; ///< Its `type` and `code`, if they are words.
    int status = 0;   ///< Its `code`, if that is a number.
};

provider_error read_error(const json::value& error) {
    provider_error out;
    if (const auto text = error.as_string()) {
        out.message = *text;
        return out;
    }
    out.message = error.text_or("message");
    out.kind = error.text_or("type") + " " + error.text_or("code");
    out.status = static_cast<int>(error.int_or("code"));
    if (out.message.empty())
        out.message = error.dump();
    return out;
}

problem problem_of(int status, const provider_error& error, std::optional<std::uint32_t> retry_after_s) {
    const auto says = [&](std::string_view word) { return error.kind.find(word) != std::string::npos; };
    const std::string message = error.message.empty() ? "it gave no reason" : shortened(error.message);
    if (says("insufficient_quota") || status == 402)
        return {code::model_refused, fmt::format("The account at the provider has no credit left: {}", message)};
    if (status == 429 || says("rate_limit"))
        return {
            code::model_rate_limited, fmt::format("The provider asks to slow down: {}", message), {}, retry_after_s};
    if (status == 401 || status == 403 || says("authentication") || says("invalid_api_key"))
        return {
            code::model_refused,
            fmt::format("The provider does not accept the API key ({}). Check OPENAI_API_KEY or the configuration: {}",
                        status, message)};
    if (status == 404 || says("model_not_found"))
        return {code::model_unknown,
                fmt::format("The provider knows no such model, or its base URL is wrong (404): {}", message)};
    if (status >= 500 || status == 408)
        return {code::model_unavailable,
                fmt::format("The provider has a fault ({}): {}", status, message),
                {},
                retry_after_s};
    return {code::model_refused, fmt::format("The provider refuses the request ({}): {}", status, message)};
}

/// An error inside a stream that began with 200: its status has to be guessed from what it says.
problem problem_in_stream(const json::value& error) {
    const provider_error read = read_error(error);
    if (read.status >= 400 && read.status < 600)
        return problem_of(read.status, read, {});
    const bool ours = read.kind.find("invalid_request") != std::string::npos ||
                      read.kind.find("context_length_exceeded") != std::string::npos;
    return problem_of(ours ? 400 : 500, read, {});
}

finish_reason read_finish(std::string_view word) {
    if (word == "length")
        return finish_reason::length;
    if (word == "content_filter")
        return finish_reason::content_filter;
    return word == "tool_calls" || word == "function_call" ? finish_reason::tool_calls : finish_reason::stop;
}

std::uint64_t estimate(std::size_t bytes) { return (bytes + bytes_per_token - 1) / bytes_per_token; }

} // namespace

problem openai_problem(int status, std::string_view body, std::optional<std::uint32_t> retry_after_s) {
    const auto parsed = json::document::parse(body);
    if (!parsed)
        return problem_of(status, {shortened(body), {}, 0}, retry_after_s);
    const auto error = parsed->root().find("error");
    return problem_of(status, read_error(error ? *error : parsed->root()), retry_after_s);
}

expected<void> openai_stream::feed(std::string_view data, const token_sink& on_token) {
    if (done_ || data.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return {};
    if (data == "[DONE]") {
        done_ = true;
        return {};
    }
    const auto parsed = json::document::parse(data);
    if (!parsed || parsed->root().type() != json::kind::object)
        return problem{code::model_reply_invalid,
                       fmt::format("The provider's reply is no chat completion: {}", shortened(data))};
    const json::value root = parsed->root();
    if (const auto error = root.find("error"); error && error->type() != json::kind::null)
        return problem_in_stream(*error);
    if (reply_.model.empty())
        reply_.model = root.text_or("model");
    if (const auto usage = root.find("usage"); usage && usage->type() == json::kind::object) {
        reply_.usage.input = static_cast<std::uint64_t>(std::max<std::int64_t>(usage->int_or("prompt_tokens"), 0));
        reply_.usage.output = static_cast<std::uint64_t>(std::max<std::int64_t>(usage->int_or("completion_tokens"), 0));
        has_usage_ = true;
    }
    if (const auto choices = root.find("choices"))
        choices->each_element([&](json::value choice) {
            if (choice.int_or("index") == 0) // one choice was asked for
                take_choice(choice, on_token);
        });
    return {};
}

void openai_stream::take_choice(const json::value& choice, const token_sink& on_token) {
    auto delta = choice.find("delta");
    if (!delta)
        delta = choice.find("message"); // a reply that was not streamed
    if (delta) {
        for (const char* name : {"content", "refusal"})
            if (const auto content = delta->find(name))
                take_text(*content, on_token);
        for (const char* name : {"reasoning_content", "reasoning"}) {
            if (const std::string part = delta->text_or(name); !part.empty()) {
                reply_.reasoning += part;
                break; // some send the same text under both names
            }
        }
        if (const auto calls = delta->find("tool_calls"))
            calls->each_element([&](json::value part) { take_call(part); });
    }
    if (const std::string word = choice.text_or("finish_reason"); !word.empty())
        finish_ = read_finish(word);
}

void openai_stream::take_text(const json::value& content, const token_sink& on_token) {
    const auto take = [&](std::string_view text) {
        if (text.empty())
            return;
        reply_.content += text;
        if (on_token)
            on_token(text);
    };
    if (const auto text = content.as_string())
        return take(*text);
    content.each_element([&](json::value part) { take(part.text_or("text")); });
}

void openai_stream::take_call(const json::value& part) {
    const auto function = part.find("function");
    const std::string id = part.text_or("id");
    const std::string name = function ? function->text_or("name") : std::string();
    const auto index = part.find("index");
    tool_call& call = call_of(index ? index->as_int() : std::nullopt, id, !name.empty()).call;
    if (call.id.empty())
        call.id = id;
    if (call.name.empty())
        call.name = name;
    const auto arguments = function ? function->find("arguments") : std::nullopt;
    if (!arguments || arguments->type() == json::kind::null)
        return;
    const auto text = arguments->as_string();
    call.arguments += text ? std::string(*text) : arguments->dump(); // some send an object instead of its text
}

/// Servers leave out the index, or give the same one to every call: then the id tells, then the order.
openai_stream::open_call& openai_stream::call_of(std::optional<std::int64_t> index, const std::string& id, bool named) {
    const auto newest = [&](auto&& fits) -> open_call* {
        const auto at = std::find_if(calls_.rbegin(), calls_.rend(), fits);
        return at == calls_.rend() ? nullptr : &*at;
    };
    open_call* found = nullptr;
    if (!id.empty())
        found = newest([&](const open_call& c) { return c.call.id == id; });
    if (found != nullptr && named && index && found->index && index != found->index)
        found = nullptr; // the server gives the same id to all its calls
    if (found == nullptr && index) {
        found = newest([&](const open_call& c) { return c.index == index; });
        // A name opens a call: with another id, or after arguments that are whole, it is a new one at an old index.
        if (found != nullptr && named && !found->call.name.empty() &&
            ((!id.empty() && !found->call.id.empty()) || json::document::parse(found->call.arguments)))
            found = nullptr;
    }
    if (found == nullptr && !named && (id.empty() || !index) && !calls_.empty())
        found = &calls_.back();
    if (found == nullptr)
        found = &calls_.emplace_back(open_call{index, {}});
    return *found;
}

std::vector<tool_call> openai_stream::finished_calls() const {
    std::vector<tool_call> out;
    std::set<std::string> ids;
    for (const open_call& one : calls_) {
        tool_call call = one.call;
        // Results name the call by its id: it has to be its own.
        for (std::size_t next = out.size(); call.id.empty() || !ids.insert(call.id).second; ++next)
            call.id = fmt::format("call_{}", next);
        if (call.arguments.find_first_not_of(" \t\r\n") == std::string::npos)
            call.arguments = "{}"; // a call without arguments
        out.push_back(std::move(call));
    }
    return out;
}

expected<model_reply> openai_stream::finish(std::size_t request_bytes) const {
    if (!is_complete())
        return problem{code::model_unavailable, "The provider's reply was cut before its end."};
    model_reply out = reply_;
    out.tool_calls = finished_calls();
    out.finish = finish_.value_or(finish_reason::stop);
    if (!out.tool_calls.empty() && out.finish == finish_reason::stop)
        out.finish = finish_reason::tool_calls;
    std::size_t bytes = out.content.size() + out.reasoning.size();
    for (const tool_call& call : out.tool_calls) {
        if (call.name.empty())
            return problem{code::model_reply_invalid, "The provider's reply calls a tool without saying which."};
        bytes += call.name.size() + call.arguments.size();
    }
    if (!has_usage_)
        out.usage = {estimate(request_bytes), estimate(bytes), true};
    return out;
}

} // namespace troupe::net
