// The request of chat completions.
#include "net/model/wire.hpp"
#include "net/model/write.hpp"

namespace troupe::net {

namespace {

/// When the model's reasoning goes back as `reasoning_content`.
enum class reasoning_rule : std::uint8_t {
    where_it_was, ///< With the calls that came from it: who sends it wants it back there, and only there.
    with_calls,   ///< With all calls, empty or not: a turn without the member is refused.
};

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

void write_call(std::string& out, const tool_call& call) {
    std::string function;
    json::object_writer inner(function);
    inner.field("name", call.name).field("arguments", call.arguments).end();
    json::object_writer(out).field("id", call.id).field("type", "function").raw_field("function", function).end();
}

/// Text and pictures of a user, as parts.
std::string parts_of(std::string_view text, const std::vector<image>& images) {
    std::string out;
    array_writer parts(out);
    if (!text.empty())
        json::object_writer(parts.next()).field("type", "text").field("text", text).end();
    for (const auto& one : images) {
        std::string url;
        json::object_writer(url).field("url", data_url(one)).end();
        json::object_writer(parts.next()).field("type", "image_url").raw_field("image_url", url).end();
    }
    parts.end();
    return out;
}

void write_message(std::string& out, const message& m, reasoning_rule rule) {
    json::object_writer w(out);
    w.field("role", word_of(m.role));
    if (m.content.empty() && !m.tool_calls.empty())
        w.raw_field("content", "null");
    else if (m.role == role::user && !m.images.empty())
        w.raw_field("content", parts_of(m.content, m.images));
    else
        w.field("content", m.content);
    if (m.role == role::tool)
        w.field("tool_call_id", m.tool_call_id);
    if (!m.tool_calls.empty()) {
        w.raw_field("tool_calls", array_of(m.tool_calls, write_call));
        if (!m.reasoning.empty() || rule == reasoning_rule::with_calls)
            w.field("reasoning_content", m.reasoning);
    }
    w.end();
}

/// A tool's result is text on this wire: its pictures follow as a user's message, after all results of the turn.
std::string messages_of(const std::vector<message>& messages, reasoning_rule rule) {
    std::string out;
    array_writer list(out);
    std::vector<image> pending;
    const auto show_pending = [&] {
        if (!pending.empty())
            json::object_writer(list.next())
                .field("role", "user")
                .raw_field("content", parts_of("What the tools returned as pictures:", pending))
                .end();
        pending.clear();
    };
    for (const auto& m : messages) {
        if (m.role == role::tool)
            pending.insert(pending.end(), m.images.begin(), m.images.end());
        else
            show_pending();
        write_message(list.next(), m, rule);
    }
    show_pending();
    list.end();
    return out;
}

std::string write(const model_request& request, reasoning_rule rule, std::string_view limit_name) {
    std::string out;
    json::object_writer w(out);
    w.field("model", request.model).raw_field("messages", messages_of(request.messages, rule));
    if (!request.tools.empty())
        w.raw_field("tools", array_of(request.tools, write_function));
    w.field(limit_name, std::uint64_t{request.output_tokens_max});
    if (request.temperature)
        w.field("temperature", *request.temperature);
    w.field("stream", true).raw_field("stream_options", R"({"include_usage":true})").end();
    return out;
}

} // namespace

std::string write_chat(const model_request& request, std::string_view base_url) {
    // OpenAI's newer models refuse the old name, most other servers do not know the new one.
    const bool is_openai = base_url.starts_with("https://api.openai.com/");
    return write(request, reasoning_rule::where_it_was, is_openai ? "max_completion_tokens" : "max_tokens");
}

std::string write_deepseek(const model_request& request, std::string_view /*base_url*/) {
    return write(request, reasoning_rule::with_calls, "max_tokens");
}

} // namespace troupe::net
