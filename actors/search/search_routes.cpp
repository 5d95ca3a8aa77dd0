#include "actors/search/search_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string tag = "search";
/// Deeper nobody reads: the question has to say more.
constexpr std::size_t offset_max = 10'000;

problem bad(const std::string& name, std::string what) {
    return {code::invalid_request, name + " " + what, {{name, std::move(what)}}};
}

const std::vector<net::query_parameter>& parameters() {
    static const std::vector<net::query_parameter> out = [] {
        std::vector<net::query_parameter> all{
            {"q", "Words that all have to be there, in any form; \"a phrase\"; -without; begin*.",
             R"({"type":"string"})", R"("rounding -tests")"},
            {"type", "Only these.", json_schema<search_type>()},
            {"status", "Of tasks and runs.", R"({"type":"string"})", R"("done")"},
            {"author", "Who made it: `user/…`, `key/…`, `agent/…`."},
            {"task", "The id of the task that it belongs to."},
            {"project", "The id of the project that it belongs to."},
            {"since", "Made then or later.", R"({"type":"string","format":"date-time"})"},
            {"until", "Made before.", R"({"type":"string","format":"date-time"})"}};
        const auto pages = net::page_parameters();
        all.insert(all.end(), pages.begin(), pages.end());
        return all;
    }();
    return out;
}

std::string permission_of(search_type type) {
    switch (type) {
    case search_type::document:
        return "document:read";
    case search_type::run:
        return "run:read";
    case search_type::task:
    case search_type::message:
    case search_type::chat:
        break;
    }
    return "task:read";
}

expected<std::optional<timestamp>> time_in(const request& r, const std::string& name) {
    const auto text = r.query_value(name);
    if (!text) {
        return std::nullopt;
    }
    const auto time = parse_timestamp(*text);
    return time ? expected<std::optional<timestamp>>(*time) : bad(name, "has to be a time as 2026-01-31T12:00:00Z");
}

expected<std::size_t> offset_in(const request& r) {
    const auto given = std::string(r.query_value("cursor").value_or(""));
    const auto text = given.empty() ? std::optional<std::string>("0") : storage::decode_cursor(given);
    std::size_t out = 0;
    const char* end = text ? text->data() + text->size() : nullptr;
    const bool good = text && std::from_chars(text->data(), end, out).ptr == end && out <= offset_max;
    return good ? expected<std::size_t>(out) : bad("cursor", "is none of this list");
}

/// The types that are asked for and may be read.
expected<std::vector<std::string>> types_in(const request& r, const search_callers& callers) {
    const auto wanted = r.query_value("type");
    std::vector<std::string> out;
    std::optional<problem> refused;
    for (const auto type : search_types) {
        const std::string name(detail::enum_name(type));
        if (wanted && *wanted != name) {
            continue;
        }
        const auto may = callers.may(r.who, permission_of(type));
        if (may) {
            out.push_back("type=" + name);
        } else {
            refused = may.error();
        }
    }
    if (out.empty()) {
        return refused ? *refused : bad("type", "can be task, message, document, run or chat");
    }
    return out;
}

expected<search_question> question_of(const request& r, const search_callers& callers) {
    search_question out;
    out.organization = r.who.organization;
    auto clauses = parse_search(r.query_value("q").value_or(""));
    const auto limit = net::page_limit(r);
    const auto offset = offset_in(r);
    auto readable = types_in(r, callers);
    const auto since = time_in(r, "since");
    const auto until = time_in(r, "until");
    const auto first = !clauses    ? std::optional(clauses.error())
                       : !limit    ? std::optional(limit.error())
                       : !offset   ? std::optional(offset.error())
                       : !readable ? std::optional(readable.error())
                       : !since    ? std::optional(since.error())
                       : !until    ? std::optional(until.error())
                                   : std::nullopt;
    if (first) {
        return *first;
    }
    out.query.clauses = std::move(*clauses);
    out.query.filters.push_back(std::move(*readable));
    for (const std::string name : {"status", "author", "task", "project"}) {
        if (const auto value = r.query_value(name)) {
            out.query.filters.push_back({name + "=" + std::string(*value)});
        }
    }
    out.query.since = *since;
    out.query.until = *until;
    out.query.limit = *limit;
    out.query.offset = *offset;
    out.may_read = [caller = callers.document_caller_of(r.who)](const document_document& d) {
        return access_of(caller, d.created_by, d.organization_access, d.shared_with) != document_access::none;
    };
    return out;
}

void search(search_desk& desk, const search_callers& callers, const request& r, const responder& respond) {
    const auto question = question_of(r, callers);
    const auto found = question ? answer_search(desk, *question) : expected<search_answer>(question.error());
    if (!found) {
        return respond(net::to_response(found.error(), r));
    }
    std::vector<std::string> items;
    for (const auto& one : found->items) {
        items.push_back(to_json(one));
    }
    const auto next = found->next_offset && *found->next_offset <= offset_max
                          ? std::optional(storage::encode_cursor(std::to_string(*found->next_offset)))
                          : std::nullopt;
    respond({.body = net::list_body(items, next)});
}

} // namespace

std::vector<net::route> search_routes(search_desk& desk, search_callers callers) {
    const auto shared = std::make_shared<const search_callers>(std::move(callers));
    return {
        {.verb = verb::get,
         .path = "/search",
         .operation = "search",
         .summary = "Finds tasks, messages, documents and runs by their words, the best first. What was changed is "
                    "found within a second.",
         .tag = tag,
         .permission = "task:read",
         .query = parameters(),
         .reply = page_of<search_item>("search_result"),
         .errors = {code::unavailable, code::overloaded},
         .run = [&desk, shared](const request& r, const responder& respond) { search(desk, *shared, r, respond); },
         .blocks = [] { return true; }},
        {.verb = verb::post,
         .path = "/search/rebuild",
         .operation = "rebuild_search",
         .summary = "Makes the organization's search index anew, at the node that is asked; meanwhile less is found.",
         .tag = tag,
         .permission = "organization:write",
         .success = 202,
         .run = [&desk](const request& r, const responder& respond) {
             desk.ask_rebuild(r.who.organization);
             respond({.status = 202});
         }}};
}

} // namespace troupe::actors
