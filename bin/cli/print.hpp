#pragma once

#include "bin/cli/commands.hpp"

#include <string>
#include <utility>

/// The ends that most handlers share: fetch, then JSON or text.
namespace troupe::cli {

inline constexpr std::size_t list_default = 50;
inline constexpr std::uint64_t list_max = 100'000;

inline flag limit_flag() { return {"limit", "N", "How many to show; 50 by default.", 'n'}; }

/// A list, printed: `show(items)` makes the text; `empty` is said when there is nothing.
template <class Document, class Show>
expected<int> print_list(context& c, std::string_view path, query_list query, std::string_view empty, Show show) {
    const auto limit = c.args().number("limit", 1, list_max);
    if (!limit) {
        return c.usage(limit.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    auto list = (*node)->list<Document>(path, std::move(query), limit->value_or(list_default));
    if (!list) {
        return list.error();
    }
    if (c.json()) {
        c.print_json(list->json);
    } else if (list->items.empty()) {
        c.note(empty);
    } else {
        c.print(show(list->items));
        if (list->more) {
            c.note(paint(c.err_screen(), tone::faint, "There are more: --limit N shows them."));
        }
    }
    return 0;
}

/// A document that the API answered, printed as JSON or by `show(document)`.
template <class Document, class Show>
expected<int> print_document(context& c, expected<std::string> body, Show show) {
    if (!body) {
        return body.error();
    }
    if (c.json()) {
        c.print_json(*body);
        return 0;
    }
    const auto document = from_json<Document>(*body, strictness::stored);
    if (!document) {
        return document.error();
    }
    c.print(show(*document));
    return 0;
}

/// For answers without a document worth showing: a sentence.
inline expected<int> print_done(context& c, const expected<std::string>& body, std::string_view sentence) {
    if (!body) {
        return body.error();
    }
    if (c.json()) {
        c.print_json(body->empty() ? "{}" : *body);
    } else {
        c.print(std::string(sentence) + "\n");
    }
    return 0;
}

} // namespace troupe::cli
