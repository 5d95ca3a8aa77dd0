#include "net/model/wire.hpp"

#include "net/model/refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace troupe::net {

namespace {

constexpr std::size_t bytes_per_token = 4; ///< Where the provider sends no usage.

std::uint64_t estimate(std::size_t bytes) { return (bytes + bytes_per_token - 1) / bytes_per_token; }

header_list bearer(const std::string& api_key) {
    if (api_key.empty())
        return {};
    return {{"Authorization", "Bearer " + api_key}};
}

header_list anthropic_headers(const std::string& api_key) {
    header_list out{{"anthropic-version", "2023-06-01"}};
    if (!api_key.empty())
        out.emplace_back("x-api-key", api_key);
    return out;
}

} // namespace

const wire& wire_of(model_wire name) {
    static constexpr wire openai{
        "https://api.openai.com/v1", "/chat/completions", framing::events, write_chat, chat_reply, bearer};
    static constexpr wire openai_responses{
        "https://api.openai.com/v1", "/responses", framing::events, write_responses, responses_reply, bearer};
    static constexpr wire anthropic{"https://api.anthropic.com",
                                    "/v1/messages",
                                    framing::events,
                                    write_anthropic,
                                    anthropic_reply,
                                    anthropic_headers};
    static constexpr wire ollama{
        "http://127.0.0.1:11434", "/api/chat", framing::lines, write_ollama, ollama_reply, bearer};
    static constexpr wire deepseek{
        "https://api.deepseek.com", "/chat/completions", framing::events, write_deepseek, chat_reply, bearer};
    switch (name) {
    case model_wire::openai_responses:
        return openai_responses;
    case model_wire::anthropic:
        return anthropic;
    case model_wire::ollama:
        return ollama;
    case model_wire::deepseek:
        return deepseek;
    case model_wire::openai:
        break;
    }
    return openai;
}

std::string_view default_base_url(model_wire name) { return wire_of(name).base_url; }

expected<void> reply_assembler::feed(std::string_view data) {
    if (done_ || data.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return {};
    if (data == "[DONE]") {
        take_done();
        return {};
    }
    const auto parsed = json::document::parse(data);
    if (!parsed || parsed->root().type() != json::kind::object)
        return problem{code::model_reply_invalid,
                       fmt::format("The provider's reply cannot be read: {}", shortened(data))};
    const json::value root = parsed->root();
    if (const auto error = root.find("error"); error && error->type() != json::kind::null)
        return refusal_in_stream(*error);
    return take(root);
}

void reply_assembler::take_text(std::string_view text) {
    if (text.empty())
        return;
    reply_.content += text;
    trail_.text(text.size());
    if (on_token_)
        on_token_(text);
}

reply_assembler::open_call& reply_assembler::add_call(std::optional<std::int64_t> index, std::string id,
                                                      std::string name) {
    trail_.call();
    return calls_.emplace_back(open_call{index, {std::move(id), std::move(name), {}}});
}

reply_assembler::open_call* reply_assembler::call_at(std::int64_t index) {
    const auto at = std::find_if(calls_.rbegin(), calls_.rend(), [&](const open_call& c) { return c.index == index; });
    return at == calls_.rend() ? nullptr : &*at;
}

void reply_assembler::read_count(const json::value& usage, std::string_view pointer, std::uint64_t& into) {
    if (const auto number = usage.pointer(pointer))
        into = number->as_uint().value_or(into);
}

std::vector<tool_call> reply_assembler::finished_calls() const {
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

expected<model_reply> reply_assembler::finish(std::size_t request_bytes) const {
    if (!is_complete())
        return problem{code::model_unavailable, "The provider's reply was cut before its end."};
    model_reply out = reply_;
    out.tool_calls = finished_calls();
    out.reasoning_state = trail_.json();
    out.finish = finish_.value_or(finish_reason::stop);
    if (!out.tool_calls.empty() && out.finish == finish_reason::stop)
        out.finish = finish_reason::tool_calls;
    std::size_t bytes = out.content.size() + out.reasoning.size();
    for (const tool_call& call : out.tool_calls) {
        if (call.name.empty())
            return problem{code::model_reply_invalid, "The provider's reply calls a tool without saying which."};
        bytes += call.name.size() + call.arguments.size();
    }
    // Some send none, or zeros where it came from their cache: a budget cannot do with that.
    out.usage.estimated = !has_usage_ || out.usage.input == 0;
    if (out.usage.input == 0)
        out.usage.input = estimate(request_bytes);
    if (out.usage.output == 0)
        out.usage.output = estimate(bytes);
    return out;
}

} // namespace troupe::net
