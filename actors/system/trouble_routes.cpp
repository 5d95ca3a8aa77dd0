#include "actors/common/routes.hpp"
#include "actors/system/other_nodes.hpp"
#include "actors/system/system_routes.hpp"
#include "net/http/handlers.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/failures.hpp"
#include "schemas/base/json.hpp"
#include "schemas/dead_letter.hpp"
#include "schemas/failure.hpp"
#include "schemas/poison.hpp"
#include "storage/poison.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::actors {

namespace {

using net::request;
using net::responder;

/// How many of each kind there were since the start, and how many of those are kept no more.
constexpr std::string_view dead_letter_counts =
    R"(,"counts":{"type":"object","additionalProperties":{"type":"integer","minimum":0}},)"
    R"("forgotten":{"type":"integer","minimum":0})";

/// How many groups made room for others.
constexpr std::string_view forgotten_groups = R"(,"forgotten":{"type":"integer","minimum":0})";

void answer(const responder& respond, std::string body) {
    net::response out;
    out.body = std::move(body);
    respond(std::move(out));
}

void poison(const system_parts& parts, const request& r, const responder& respond) {
    const auto limit = net::page_limit(r);
    auto page =
        limit ? storage::read_poison(*parts.node->parts().store,
                                     {r.who.organization, *limit, std::string(r.query_value("cursor").value_or(""))})
              : expected<storage::poison_page>(limit.error());
    if (!page) {
        respond(net::to_response(page.error(), r));
        return;
    }
    std::vector<std::string> items;
    for (const auto& each : page->items) {
        items.push_back(to_json(each));
    }
    answer(respond, net::list_body(items, page->next_cursor));
}

std::string counts_json(const runtime::dead_letters& letters) {
    std::string out;
    json::object_writer w(out);
    for (const auto& [kind, count] : letters.counts()) {
        w.field(kind, count);
    }
    w.end();
    return out;
}

/// A page of what is kept in memory: the next one begins before the number of its last item.
struct memory_page {
    std::size_t limit = 0;
    std::uint64_t before = 0; ///< 0: the first page.
};

expected<memory_page> memory_page_of(const request& r) {
    const auto limit = net::page_limit(r);
    if (!limit) {
        return limit.error();
    }
    memory_page out{*limit, 0};
    if (const auto text = r.query_value("cursor")) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out.before);
        if (error != std::errc() || end != text->data() + text->size() || out.before == 0) {
            return problem{code::invalid_request,
                           "the cursor cannot be read; take `next_cursor` of the page before as it is, or start "
                           "without one",
                           {{"cursor", "is not a cursor of this list"}}};
        }
    }
    return out;
}

/// `kept`: one more than the page has, if there are more. `more`: further members, each with a comma before it.
template <class Kept>
void answer_page(const responder& respond, std::vector<Kept> kept, const memory_page& page, std::string_view more) {
    const bool goes_on = kept.size() > page.limit;
    kept.resize(std::min(kept.size(), page.limit));
    std::vector<std::string> items;
    for (const auto& each : kept) {
        items.push_back(to_json(each));
    }
    auto body = net::list_body(items, goes_on ? std::optional(std::to_string(kept.back().number)) : std::nullopt);
    body.pop_back(); // the closing brace
    answer(respond, body.append(more) + "}");
}

void dead_letters(const system_parts& parts, const request& r, const responder& respond) {
    const auto page = memory_page_of(r);
    if (!page) {
        respond(net::to_response(page.error(), r));
        return;
    }
    const auto& letters = *parts.node->parts().letters;
    answer_page(respond, letters.list(page->limit + 1, page->before), *page,
                R"(,"counts":)" + counts_json(letters) + R"(,"forgotten":)" + std::to_string(letters.forgotten()));
}

void failures(const system_parts& parts, const request& r, const responder& respond) {
    const auto page = memory_page_of(r);
    if (!page) {
        respond(net::to_response(page.error(), r));
        return;
    }
    const auto& board = *parts.node->parts().failures;
    answer_page(respond, board.list(page->limit + 1, page->before), *page,
                R"(,"forgotten":)" + std::to_string(board.forgotten()));
}

std::vector<net::query_parameter> page_of_node() {
    auto out = net::page_parameters();
    out.push_back(node_parameter());
    return out;
}

} // namespace

std::vector<net::route> trouble_routes(const system_parts& parts) {
    const net::body_type letters{
        "dead_letter_list",
        [] { return page_schema(net::document_schema<dead_letter_document>(), dead_letter_counts); }, nullptr};
    const net::body_type failed{"failure_list",
                                [] { return page_schema(net::document_schema<failure_document>(), forgotten_groups); },
                                nullptr};
    return {
        {.verb = net::verb::get,
         .path = "/poison",
         .operation = "list_poison",
         .summary = "Commands that were set aside because they crashed their entity again and again, newest first.",
         .tag = "system",
         .permission = "system:read",
         .query = net::page_parameters(),
         .reply = page_of<poisoned_command>("poison_list"),
         .run = [&parts](const request& r, const responder& respond) { poison(parts, r, respond); }},
        {.verb = net::verb::get,
         .path = "/dead-letters",
         .operation = "dead_letters",
         .summary = "Messages and events that nobody worked on since the start of the node, newest first.",
         .tag = "system",
         .permission = "system:read",
         .query = page_of_node(),
         .reply = letters,
         .errors = {code::not_found, code::unavailable, code::overloaded},
         .run = at_any_node(parts, "dead_letters",
                            [&parts](const request& r, const responder& respond) { dead_letters(parts, r, respond); })},
        {.verb = net::verb::get,
         .path = "/system/failures",
         .operation = "list_failures",
         .summary = "What went wrong in the node since its start, the same failures together, the newest first.",
         .tag = "system",
         .permission = "system:read",
         .query = page_of_node(),
         .reply = failed,
         .errors = {code::not_found, code::unavailable, code::overloaded},
         .run = at_any_node(parts, "failures",
                            [&parts](const request& r, const responder& respond) { failures(parts, r, respond); })}};
}

} // namespace troupe::actors
