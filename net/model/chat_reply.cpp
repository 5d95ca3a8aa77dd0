// The reply of chat completions, as the many servers that have them send it.
#include "net/model/wire.hpp"

#include <algorithm>
#include <utility>

namespace troupe::net {

namespace {

finish_reason read_finish(std::string_view word) {
    if (word == "length")
        return finish_reason::length;
    if (word == "content_filter")
        return finish_reason::content_filter;
    return word == "tool_calls" || word == "function_call" ? finish_reason::tool_calls : finish_reason::stop;
}

class chat_assembler final : public reply_assembler {
public:
    using reply_assembler::reply_assembler;

private:
    expected<void> take(const json::value& root) override;
    void take_done() override { done_ = true; }
    void take_usage(const json::value& usage);
    void take_choice(const json::value& choice);
    void take_content(const json::value& content);
    void take_call(const json::value& part);
    open_call& call_of(std::optional<std::int64_t> index, const std::string& id, const std::string& name);

    bool interrupted_ = false;
};

expected<void> chat_assembler::take(const json::value& root) {
    if (reply_.model.empty())
        reply_.model = root.text_or("model");
    if (const auto usage = root.find("usage"); usage && usage->type() == json::kind::object)
        take_usage(*usage);
    if (const auto choices = root.find("choices"))
        choices->each_element([&](json::value choice) {
            if (choice.int_or("index") == 0) // one choice was asked for
                take_choice(choice);
        });
    if (interrupted_)
        return problem{code::model_unavailable, "The provider had no means to end its reply."};
    return {};
}

void chat_assembler::take_usage(const json::value& usage) {
    read_count(usage, "/prompt_tokens", reply_.usage.input);
    read_count(usage, "/completion_tokens", reply_.usage.output);
    read_count(usage, "/prompt_cache_hit_tokens", reply_.usage.cached_input);
    read_count(usage, "/prompt_tokens_details/cached_tokens", reply_.usage.cached_input);
    read_count(usage, "/completion_tokens_details/reasoning_tokens", reply_.usage.reasoning);
    has_usage_ = true;
}

void chat_assembler::take_choice(const json::value& choice) {
    auto delta = choice.find("delta");
    if (!delta)
        delta = choice.find("message"); // a reply that was not streamed
    if (delta) {
        for (const char* name : {"content", "refusal"})
            if (const auto content = delta->find(name))
                take_content(*content);
        for (const char* name : {"reasoning_content", "reasoning"}) {
            if (const std::string part = delta->text_or(name); !part.empty()) {
                reply_.reasoning += part;
                break; // some send the same text under both names
            }
        }
        if (const auto calls = delta->find("tool_calls"))
            calls->each_element([&](json::value part) { take_call(part); });
    }
    if (const std::string word = choice.text_or("finish_reason"); !word.empty()) {
        finish_ = read_finish(word);
        interrupted_ = word == "insufficient_system_resource" || word == "error"; // DeepSeek, gateways
    }
}

void chat_assembler::take_content(const json::value& content) {
    if (const auto text = content.as_string())
        return take_text(*text);
    content.each_element([&](json::value part) { take_text(part.text_or("text")); });
}

void chat_assembler::take_call(const json::value& part) {
    const auto function = part.find("function");
    const std::string id = part.text_or("id");
    const std::string name = function ? function->text_or("name") : std::string();
    const auto index = part.find("index");
    tool_call& call = call_of(index ? index->as_int() : std::nullopt, id, name).call;
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
reply_assembler::open_call& chat_assembler::call_of(std::optional<std::int64_t> index, const std::string& id,
                                                    const std::string& name) {
    const bool named = !name.empty();
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
        found = call_at(*index);
        // A name opens a call: with another id, or after arguments that are whole, it is a new one at an old index.
        if (found != nullptr && named && !found->call.name.empty() &&
            ((!id.empty() && !found->call.id.empty()) || json::document::parse(found->call.arguments)))
            found = nullptr;
    }
    if (found == nullptr && !named && (id.empty() || !index) && !calls_.empty())
        found = &calls_.back();
    return found == nullptr ? add_call(index, id, name) : *found;
}

} // namespace

std::unique_ptr<reply_assembler> chat_reply(token_sink on_token) {
    return std::make_unique<chat_assembler>(std::move(on_token));
}

} // namespace troupe::net
