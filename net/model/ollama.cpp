// Ollama's /api/chat.
#include "net/model/wire.hpp"
#include "net/model/write.hpp"

#include <utility>

namespace troupe::net {

namespace {

// ---- the request

void write_call(std::string& out, const tool_call& call) {
    std::string function;
    json::object_writer(function)
        .field("name", call.name)
        .raw_field("arguments", arguments_object(call)) // whole objects here, not their text
        .end();
    json::object_writer(out).field("id", call.id).raw_field("function", function).end();
}

std::string_view word_of(role r) {
    return r == role::system ? "system" : r == role::assistant ? "assistant" : r == role::tool ? "tool" : "user";
}

void write_message(std::string& out, const message& m) {
    json::object_writer w(out);
    w.field("role", word_of(m.role)).field("content", m.content);
    if (!m.images.empty())
        w.raw_field("images", array_of(m.images, [](std::string& text, const image& one) {
                        json::append_string(text, one.data);
                    }));
    if (m.role == role::tool)
        w.field("tool_name", m.tool_name).field("tool_call_id", m.tool_call_id);
    if (!m.tool_calls.empty()) {
        w.raw_field("tool_calls", array_of(m.tool_calls, write_call));
        if (!m.reasoning.empty())
            w.field("thinking", m.reasoning);
    }
    w.end();
}

// ---- the reply

class ollama_assembler final : public reply_assembler {
public:
    using reply_assembler::reply_assembler;

private:
    expected<void> take(const json::value& root) override;
    void take_call(const json::value& part);
    void take_end(const json::value& root);
};

expected<void> ollama_assembler::take(const json::value& root) {
    if (reply_.model.empty())
        reply_.model = root.text_or("model");
    if (const auto message = root.find("message")) {
        reply_.reasoning += message->text_or("thinking");
        take_text(message->text_or("content"));
        if (const auto calls = message->find("tool_calls"))
            calls->each_element([&](json::value part) { take_call(part); });
    }
    if (const auto done = root.find("done"); done && done->as_bool().value_or(false))
        take_end(root);
    return {};
}

/// Calls come whole, most without an id.
void ollama_assembler::take_call(const json::value& part) {
    const auto function = part.find("function");
    if (!function)
        return;
    auto& call = add_call({}, part.text_or("id"), function->text_or("name")).call;
    if (const auto arguments = function->find("arguments"); arguments && arguments->type() != json::kind::null) {
        const auto text = arguments->as_string();
        call.arguments = text ? std::string(*text) : arguments->dump();
    }
}

void ollama_assembler::take_end(const json::value& root) {
    finish_ = root.text_or("done_reason") == "length" ? finish_reason::length : finish_reason::stop;
    done_ = true;
    if (!root.find("prompt_eval_count") && !root.find("eval_count"))
        return;
    read_count(root, "/prompt_eval_count", reply_.usage.input);
    read_count(root, "/eval_count", reply_.usage.output);
    has_usage_ = true;
}

} // namespace

std::string write_ollama(const model_request& request, std::string_view /*base_url*/) {
    std::string options;
    json::object_writer o(options);
    o.field("num_predict", std::uint64_t{request.output_tokens_max});
    if (request.context_tokens > 0) // else the server's small default cuts the context off without a word
        o.field("num_ctx", std::uint64_t{request.context_tokens});
    if (request.temperature)
        o.field("temperature", *request.temperature);
    o.end();
    std::string out;
    json::object_writer w(out);
    w.field("model", request.model).raw_field("messages", array_of(request.messages, write_message));
    if (!request.tools.empty())
        w.raw_field("tools", array_of(request.tools, write_function));
    if (request.reasoning)
        w.field("think", true);
    w.field("stream", true).raw_field("options", options).end();
    return out;
}

std::unique_ptr<reply_assembler> ollama_reply(token_sink on_token) {
    return std::make_unique<ollama_assembler>(std::move(on_token));
}

} // namespace troupe::net
