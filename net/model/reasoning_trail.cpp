#include "net/model/reasoning_trail.hpp"

#include <algorithm>

namespace troupe::net {

void reasoning_trail::add(std::string_view element) {
    if (!elements_.empty())
        elements_ += ',';
    elements_ += element;
}

void reasoning_trail::end_text() {
    if (text_bytes_ > 0)
        add(std::to_string(text_bytes_));
    text_bytes_ = 0;
}

void reasoning_trail::text(std::size_t bytes) { text_bytes_ += bytes; }

void reasoning_trail::call() {
    end_text();
    add("null");
}

void reasoning_trail::item(std::string_view json) {
    end_text();
    add(json);
    has_items_ = true;
}

std::string reasoning_trail::json() const {
    if (!has_items_)
        return {};
    auto whole = *this;
    whole.end_text();
    return "[" + whole.elements_ + "]";
}

void replay(const message& m, std::initializer_list<std::string_view> item_types,
            const std::function<void(std::string_view json)>& on_item,
            const std::function<void(std::string_view text)>& on_text,
            const std::function<void(const tool_call& call)>& on_call) {
    std::string_view text = m.content;
    std::size_t calls = 0;
    const auto give_text = [&](std::size_t bytes) {
        bytes = std::min(bytes, text.size());
        if (bytes > 0)
            on_text(text.substr(0, bytes));
        text.remove_prefix(bytes);
    };
    const auto give_call = [&] {
        if (calls < m.tool_calls.size())
            on_call(m.tool_calls[calls++]);
    };
    if (const auto state = json::document::parse(m.reasoning_state))
        state->root().each_element([&](json::value part) {
            if (const auto bytes = part.as_uint())
                give_text(*bytes);
            else if (part.type() == json::kind::null)
                give_call();
            else if (std::ranges::find(item_types, part.text_or("type")) != item_types.end())
                on_item(part.dump());
        });
    give_text(text.size());
    while (calls < m.tool_calls.size())
        give_call();
}

} // namespace troupe::net
