// OpenAI's Responses API. Nothing is stored there: the whole context goes with each request.
#include "net/model/refusal.hpp"
#include "net/model/wire.hpp"
#include "net/model/write.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace troupe::net {

namespace {

// ---- the request

/// Text and pictures as parts: of a user's message, or of a tool's output.
std::string parts_of(const message& m) {
    std::string out;
    array_writer parts(out);
    if (!m.content.empty() || m.images.empty())
        json::object_writer(parts.next()).field("type", "input_text").field("text", m.content).end();
    for (const auto& one : m.images)
        json::object_writer(parts.next()).field("type", "input_image").field("image_url", data_url(one)).end();
    parts.end();
    return out;
}

void add_said(array_writer& items, std::string_view role, std::string_view text) {
    json::object_writer(items.next()).field("role", role).field("content", text).end();
}

void add_message(array_writer& items, const message& m) {
    switch (m.role) {
    case role::system:
        return add_said(items, "system", m.content);
    case role::user:
        json::object_writer(items.next()).field("role", "user").raw_field("content", parts_of(m)).end();
        return;
    case role::assistant:
        return replay(
            m, {"reasoning"}, [&](std::string_view item) { items.next() += item; },
            [&](std::string_view text) { add_said(items, "assistant", text); },
            [&](const tool_call& call) {
                json::object_writer(items.next())
                    .field("type", "function_call")
                    .field("call_id", call.id)
                    .field("name", call.name)
                    .field("arguments", call.arguments)
                    .end();
            });
    case role::tool: {
        json::object_writer w(items.next());
        w.field("type", "function_call_output").field("call_id", m.tool_call_id);
        if (m.images.empty())
            w.field("output", m.content);
        else
            w.raw_field("output", parts_of(m));
        w.end();
    }
    }
}

void write_tool(std::string& out, const tool_declaration& tool) {
    json::object_writer(out)
        .field("type", "function")
        .field("name", tool.name)
        .field("description", tool.description)
        .raw_field("parameters", schema_of(tool))
        .field("strict", false)
        .end();
}

// ---- the reply

class responses_assembler final : public reply_assembler {
public:
    using reply_assembler::reply_assembler;

private:
    expected<void> take(const json::value& root) override;
    std::int64_t index_of(const json::value& root, std::string_view type);
    expected<void> take_end(const json::value& response);
    void take_item(std::int64_t index, const json::value& item);
    void take_call(std::int64_t index, const json::value& item);
    void take_message(std::int64_t index, const json::value& item);
    void take_usage(const json::value& usage);

    std::set<std::int64_t> shown_; ///< Items whose text came piece by piece.
    std::set<std::int64_t> taken_; ///< Items that are whole.
    std::int64_t last_index_ = -1;
};

/// Which item an event is about. Gateways leave the index out: then items come one after the other.
std::int64_t responses_assembler::index_of(const json::value& root, std::string_view type) {
    const bool opens = type == "response.output_item.added";
    const bool done_before = type == "response.output_item.done" && taken_.contains(last_index_);
    const auto next = opens || done_before ? last_index_ + 1 : std::max<std::int64_t>(last_index_, 0);
    const auto index = root.int_or("output_index", next);
    if (type.starts_with("response.output_"))
        last_index_ = index;
    return index;
}

expected<void> responses_assembler::take(const json::value& root) {
    const std::string type = root.text_or("type");
    const std::int64_t index = index_of(root, type);
    if (type == "response.output_text.delta" || type == "response.refusal.delta") {
        shown_.insert(index);
        take_text(root.text_or("delta"));
    } else if (type == "response.reasoning_summary_text.delta" || type == "response.reasoning_text.delta") {
        reply_.reasoning += root.text_or("delta");
    } else if (type == "response.reasoning_summary_part.added") {
        reply_.reasoning += reply_.reasoning.empty() ? "" : "\n\n";
    } else if (type == "response.function_call_arguments.delta") {
        if (auto* call = call_at(index))
            call->call.arguments += root.text_or("delta");
    } else if (type == "response.output_item.added") {
        if (const auto item = root.find("item"); item && item->text_or("type") == "function_call")
            take_call(index, *item);
    } else if (type == "response.output_item.done") {
        if (const auto item = root.find("item"))
            take_item(index, *item);
    } else if (type == "response.completed" || type == "response.incomplete" || type == "response.failed") {
        const auto response = root.find("response");
        return take_end(response ? *response : root);
    } else if (type == "error") {
        return refusal_in_stream(root);
    } else if (root.text_or("object") == "response") { // it was not streamed
        return take_end(root);
    }
    return {}; // what is told twice, and what is new
}

/// The last event holds the whole response again; a server that sent no items before has them here.
expected<void> responses_assembler::take_end(const json::value& response) {
    reply_.model = response.text_or("model");
    const std::string status = response.text_or("status");
    if (status == "failed" || status == "cancelled") {
        const auto error = response.find("error");
        return error ? refusal_in_stream(*error) : problem{code::model_unavailable, "The provider's reply failed."};
    }
    if (status == "in_progress" || status == "queued")
        return problem{code::model_unavailable, "The provider ended its reply before it was whole."};
    if (const auto output = response.find("output")) {
        std::int64_t index = 0;
        output->each_element([&](json::value item) { take_item(index++, item); });
    }
    if (const auto usage = response.find("usage"); usage && usage->type() == json::kind::object)
        take_usage(*usage);
    finish_ = finish_reason::stop;
    if (status == "incomplete") {
        const auto why = response.pointer("/incomplete_details/reason");
        finish_ = why && why->as_string() == "content_filter" ? finish_reason::content_filter : finish_reason::length;
    }
    done_ = true;
    return {};
}

void responses_assembler::take_item(std::int64_t index, const json::value& item) {
    const std::string type = item.text_or("type");
    if (!taken_.insert(index).second)
        return;
    if (type == "function_call") {
        take_call(index, item);
    } else if (type == "message") {
        take_message(index, item);
    } else if (type == "reasoning") {
        if (reply_.reasoning.empty())
            if (const auto summary = item.find("summary"))
                summary->each_element([&](json::value part) { reply_.reasoning += part.text_or("text"); });
        // Nothing is stored there, so that one without its encrypted content would point to nothing.
        if (!item.text_or("encrypted_content").empty())
            trail_.item(item.dump());
    }
}

void responses_assembler::take_call(std::int64_t index, const json::value& item) {
    auto* open = call_at(index);
    if (open == nullptr)
        open = &add_call(index, item.text_or("call_id"), item.text_or("name"));
    if (const std::string arguments = item.text_or("arguments"); !arguments.empty())
        open->call.arguments = arguments;
}

void responses_assembler::take_message(std::int64_t index, const json::value& item) {
    if (shown_.contains(index))
        return;
    if (const auto content = item.find("content"))
        content->each_element(
            [&](json::value part) { take_text(part.text_or(part.text_or("type") == "refusal" ? "refusal" : "text")); });
}

void responses_assembler::take_usage(const json::value& usage) {
    read_count(usage, "/input_tokens", reply_.usage.input);
    read_count(usage, "/output_tokens", reply_.usage.output);
    read_count(usage, "/input_tokens_details/cached_tokens", reply_.usage.cached_input);
    read_count(usage, "/output_tokens_details/reasoning_tokens", reply_.usage.reasoning);
    has_usage_ = true;
}

} // namespace

std::string write_responses(const model_request& request, std::string_view /*base_url*/) {
    std::string out;
    json::object_writer w(out);
    std::string input;
    array_writer items(input);
    for (const auto& m : request.messages)
        add_message(items, m);
    items.end();
    w.field("model", request.model).raw_field("input", input);
    if (!request.tools.empty())
        w.raw_field("tools", array_of(request.tools, write_tool));
    w.field("max_output_tokens", std::uint64_t{request.output_tokens_max}).field("store", false);
    if (request.reasoning) // models that do not reason refuse it
        w.raw_field("reasoning", R"({"summary":"auto"})").raw_field("include", R"(["reasoning.encrypted_content"])");
    else if (request.temperature) // models that do refuse this
        w.field("temperature", *request.temperature);
    w.field("stream", true).end();
    return out;
}

std::unique_ptr<reply_assembler> responses_reply(token_sink on_token) {
    return std::make_unique<responses_assembler>(std::move(on_token));
}

} // namespace troupe::net
