// Anthropic's messages.
#include "net/model/wire.hpp"
#include "net/model/write.hpp"

#include <algorithm>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::uint32_t thinking_tokens_min = 1024; ///< The provider refuses less.

// ---- the request

/// Ids of other providers' calls may hold what this one refuses.
std::string plain_id(std::string id) {
    for (char& c : id)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            c = '_';
    return id;
}

void add_text(array_writer& blocks, std::string_view text) {
    if (!is_blank(text)) // refused otherwise
        json::object_writer(blocks.next()).field("type", "text").field("text", text).end();
}

void add_image(array_writer& blocks, const image& one) {
    std::string source;
    json::object_writer(source)
        .field("type", "base64")
        .field("media_type", one.media_type)
        .field("data", one.data)
        .end();
    json::object_writer(blocks.next()).field("type", "image").raw_field("source", source).end();
}

void add_result(array_writer& blocks, const message& m) {
    std::string content;
    array_writer parts(content);
    add_text(parts, m.content);
    for (const auto& one : m.images)
        add_image(parts, one);
    parts.end();
    json::object_writer w(blocks.next());
    w.field("type", "tool_result").field("tool_use_id", plain_id(m.tool_call_id)).raw_field("content", content);
    if (m.is_error)
        w.field("is_error", true);
    w.end();
}

void add_assistant(array_writer& blocks, const message& m) {
    replay(
        m, {"thinking", "redacted_thinking"}, [&](std::string_view block) { blocks.next() += block; },
        [&](std::string_view text) { add_text(blocks, text); },
        [&](const tool_call& call) {
            json::object_writer(blocks.next())
                .field("type", "tool_use")
                .field("id", plain_id(call.id))
                .field("name", call.name)
                .raw_field("input", arguments_object(call))
                .end();
        });
}

/// Turns take turns here: results and what a user says belong to one message, results first.
std::string messages_of(const std::vector<message>& messages) {
    std::string out;
    array_writer list(out);
    for (auto at = messages.begin(); at != messages.end();) {
        const bool assistant = at->role == role::assistant;
        const auto end = std::find_if(at, messages.end(), [&](const message& m) {
            return m.role != role::system && (m.role == role::assistant) != assistant;
        });
        std::string content;
        array_writer blocks(content);
        for (auto m = at; m != end; ++m)
            if (m->role == role::tool)
                add_result(blocks, *m);
        for (auto m = at; m != end; ++m) {
            if (m->role == role::assistant)
                add_assistant(blocks, *m);
            if (m->role != role::user)
                continue;
            add_text(blocks, m->content);
            for (const auto& one : m->images)
                add_image(blocks, one);
        }
        blocks.end();
        if (content != "[]")
            json::object_writer(list.next())
                .field("role", assistant ? "assistant" : "user")
                .raw_field("content", content)
                .end();
        at = end;
    }
    list.end();
    return out;
}

/// A turn of calls has to begin with the thinking that led to them, or nothing may think: it is missing where another
/// model began the turn.
bool may_think(const std::vector<message>& messages) {
    const auto turn =
        std::find_if(messages.rbegin(), messages.rend(), [](const message& m) { return m.role == role::user; });
    return std::all_of(messages.rbegin(), turn, [](const message& m) {
        return m.role != role::assistant || m.tool_calls.empty() || !m.reasoning_state.empty();
    });
}

void write_tool(std::string& out, const tool_declaration& tool) {
    json::object_writer(out)
        .field("name", tool.name)
        .field("description", tool.description)
        .raw_field("input_schema", schema_of(tool))
        .end();
}

// ---- the reply

class anthropic_assembler final : public reply_assembler {
public:
    using reply_assembler::reply_assembler;

private:
    expected<void> take(const json::value& root) override;
    void take_message(const json::value& message);
    void take_usage(const json::value& usage);
    void open_block(std::int64_t index, const json::value& block);
    void take_delta(std::int64_t index, const json::value& delta);
    void close_block();
    void take_stop(const json::value& holder);

    std::int64_t last_index_ = 0;
    std::optional<std::pair<std::string, std::string>> thinking_; ///< The open block: its text and signature.
    std::uint64_t cached_ = 0, written_ = 0, fresh_ = 0;          ///< Input tokens, which come apart.
};

expected<void> anthropic_assembler::take(const json::value& root) {
    const std::string type = root.text_or("type");
    if (type == "message_start") {
        if (const auto message = root.find("message"))
            take_message(*message);
    } else if (type == "message") { // it was not streamed
        take_message(root);
        take_stop(root);
    } else if (type == "content_block_start") {
        if (const auto block = root.find("content_block"))
            open_block(root.int_or("index", last_index_ + 1), *block);
    } else if (type == "content_block_delta") {
        if (const auto delta = root.find("delta"))
            take_delta(root.int_or("index", last_index_), *delta);
    } else if (type == "content_block_stop") {
        close_block();
    } else if (type == "message_delta") {
        if (const auto delta = root.find("delta"))
            take_stop(*delta);
        if (const auto usage = root.find("usage"))
            take_usage(*usage);
    } else if (type == "message_stop") {
        close_block();
        done_ = true;
    }
    return {}; // pings, and what is new
}

void anthropic_assembler::take_message(const json::value& message) {
    reply_.model = message.text_or("model");
    if (const auto usage = message.find("usage"))
        take_usage(*usage);
    if (const auto content = message.find("content"))
        content->each_element([&](json::value block) {
            open_block(last_index_ + 1, block);
            close_block();
        });
}

/// Later counts replace earlier ones, and those that are left out stay.
void anthropic_assembler::take_usage(const json::value& usage) {
    read_count(usage, "/input_tokens", fresh_);
    read_count(usage, "/cache_creation_input_tokens", written_);
    read_count(usage, "/cache_read_input_tokens", cached_);
    read_count(usage, "/output_tokens", reply_.usage.output);
    reply_.usage.input = fresh_ + written_ + cached_;
    reply_.usage.cached_input = cached_;
    has_usage_ = true;
}

void anthropic_assembler::open_block(std::int64_t index, const json::value& block) {
    close_block();
    last_index_ = index;
    const std::string type = block.text_or("type");
    if (type == "text") {
        take_text(block.text_or("text"));
    } else if (type == "tool_use") {
        auto& call = add_call(index, block.text_or("id"), block.text_or("name")).call;
        // Empty in a stream, where it follows in fragments.
        if (const auto input = block.find("input"); input && input->size() > 0)
            call.arguments = input->dump();
    } else if (type == "thinking") {
        reply_.reasoning += block.text_or("thinking");
        thinking_.emplace(block.text_or("thinking"), block.text_or("signature"));
    } else if (type == "redacted_thinking") {
        trail_.item(block.dump());
    }
}

void anthropic_assembler::take_delta(std::int64_t index, const json::value& delta) {
    const std::string type = delta.text_or("type");
    if (type == "text_delta") {
        take_text(delta.text_or("text"));
    } else if (type == "input_json_delta") {
        if (auto* call = call_at(index))
            call->call.arguments += delta.text_or("partial_json");
    } else if (type == "thinking_delta" && thinking_) {
        const std::string text = delta.text_or("thinking");
        thinking_->first += text;
        reply_.reasoning += text;
    } else if (type == "signature_delta" && thinking_) {
        thinking_->second += delta.text_or("signature");
    }
}

/// Without its signature a block of thinking is refused: then it does not go back.
void anthropic_assembler::close_block() {
    if (thinking_ && !thinking_->second.empty()) {
        std::string block;
        json::object_writer(block)
            .field("type", "thinking")
            .field("thinking", thinking_->first)
            .field("signature", thinking_->second)
            .end();
        trail_.item(block);
    }
    thinking_.reset();
}

void anthropic_assembler::take_stop(const json::value& holder) {
    const std::string word = holder.text_or("stop_reason");
    if (word.empty())
        return;
    if (word == "max_tokens" || word == "model_context_window_exceeded")
        finish_ = finish_reason::length;
    else if (word == "refusal")
        finish_ = finish_reason::content_filter;
    else
        finish_ = word == "tool_use" ? finish_reason::tool_calls : finish_reason::stop;
}

} // namespace

std::string write_anthropic(const model_request& request, std::string_view /*base_url*/) {
    std::string system;
    for (const auto& m : request.messages)
        if (m.role == role::system && !is_blank(m.content))
            system += (system.empty() ? "" : "\n\n") + m.content;
    std::string out;
    json::object_writer w(out);
    w.field("model", request.model).field("max_tokens", std::uint64_t{request.output_tokens_max});
    if (!system.empty())
        w.field("system", system);
    w.raw_field("messages", messages_of(request.messages));
    if (!request.tools.empty())
        w.raw_field("tools", array_of(request.tools, write_tool));
    const bool thinks =
        request.reasoning && request.output_tokens_max > thinking_tokens_min && may_think(request.messages);
    if (thinks) {
        std::string thinking;
        json::object_writer(thinking)
            .field("type", "enabled")
            .field("budget_tokens", std::uint64_t{std::max(thinking_tokens_min, request.output_tokens_max / 2)})
            .end();
        w.raw_field("thinking", thinking);
    } else if (request.temperature) { // not both
        w.field("temperature", *request.temperature);
    }
    w.field("stream", true).end();
    return out;
}

std::unique_ptr<reply_assembler> anthropic_reply(token_sink on_token) {
    return std::make_unique<anthropic_assembler>(std::move(on_token));
}

} // namespace troupe::net
