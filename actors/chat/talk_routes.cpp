#include "actors/chat/talk_routes.hpp"

#include "actors/chat/chat_model.hpp"
#include "actors/common/model.hpp"
#include "actors/common/references.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/limits.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::route;
using net::verb;

const std::string kind{chat_model::kind};
const std::string plural = "chats";
constexpr std::size_t page_items = 500;
constexpr std::size_t export_bytes_max = 32 * limits::mib;

/// Agent, task and project that a new chat names are there.
net::to_command creation(const runtime::services& s) {
    return [&s](const request& r) -> expected<net::command_payload> {
        const auto body = from_json<create_chat_body>(r.body, strictness::input);
        auto named = body ? check_named(s, r, "agent", body->agent_id) : expected<void>(body.error());
        named = named ? check_named(s, r, "task", body->task_id) : named;
        named = named ? check_named(s, r, "project", body->project_id) : named;
        return named ? expected<net::command_payload>(
                           net::command_payload{std::string(wire_name<create_chat>::value), r.body})
                     : named.error();
    };
}

/// With all its messages, oldest first.
expected<chat_export> read_all(const runtime::services& s, const request& r) {
    const auto id = net::resolve_id(s, r, kind);
    const entity_address at{r.who.organization, kind, id ? *id : uuid()};
    auto chat = id ? read_stored<chat_document>(*s.store, at) : expected<std::optional<chat_document>>(id.error());
    if (!chat || !*chat) {
        return chat ? no_such(kind, at.id) : chat.error();
    }
    chat_export out{std::move(**chat), {}};
    storage::item_query query{at, std::string(chat_messages_collection), false, page_items, {}};
    std::size_t bytes = 0;
    for (bool more = true; more;) {
        const auto page = storage::read_items(*s.store, query);
        if (!page) {
            return page.error();
        }
        for (const auto& json : page->items) {
            auto said = from_json<chat_message>(json, strictness::stored);
            bytes += json.size();
            if (!said) {
                return said.error();
            }
            if (bytes > export_bytes_max) {
                return problem{code::payload_too_large,
                               fmt::format("The chat has more than {} bytes. Page through GET /chats/{}/messages.",
                                           export_bytes_max, to_string(at.id))};
            }
            out.messages.push_back(std::move(*said));
        }
        more = page->next_cursor.has_value();
        query.cursor = page->next_cursor.value_or("");
    }
    return out;
}

std::string as_markdown(const chat_export& all) {
    auto out = fmt::format("# {}\n", all.chat.title);
    for (const auto& m : all.messages) {
        out += fmt::format("\n## {} · {}\n\n{}\n", m.author, to_string(m.created_at),
                           m.error ? "*No answer: " + *m.error + "*" : m.content);
    }
    return out;
}

void give_export(const runtime::services& s, const request& r, const responder& respond) {
    const auto format = r.query_value("format").value_or("markdown");
    if (format != "markdown" && format != "json") {
        return respond(net::to_response(
            {code::invalid_request, "format can be markdown or json.", {{"format", "can be markdown or json"}}}, r));
    }
    const auto all = read_all(s, r);
    if (!all) {
        return respond(net::to_response(all.error(), r));
    }
    const bool json = format == "json";
    net::response out{.body = json ? to_json(*all) : as_markdown(*all)};
    out.content_type = json ? "application/json" : "text/markdown; charset=utf-8";
    out.headers.emplace_back("Content-Disposition",
                             fmt::format("attachment; filename=\"chat-{}.{}\"", to_string(all->chat.id).substr(0, 13),
                                         json ? "json" : "md"));
    respond(std::move(out));
}

std::vector<route> reading_routes(const runtime::services& s) {
    const std::vector<std::string> filters{"agent_id", "task_id", "project_id"};
    auto exported = net::reply_of<chat_export>("chat_export");
    exported.other_types = {"text/markdown; charset=utf-8"};
    return {{.verb = verb::get,
             .path = "/chats",
             .operation = "list_chats",
             .summary = "Lists chats, newest first.",
             .tag = plural,
             .permission = "task:read",
             .query = net::list_parameters(filters),
             .reply = page_of<chat_document>("chat_list"),
             .run = net::list_entities(s, kind, filters)},
            {.verb = verb::get,
             .path = "/chats/{id}",
             .operation = "get_chat",
             .summary = "Shows a chat, and the run that makes the next answer.",
             .tag = plural,
             .permission = "task:read",
             .reply = net::reply_of<chat_document>("chat"),
             .errors = {code::not_found},
             .reply_headers = net::read_headers(),
             .run = net::read_entity(s, kind)},
            {.verb = verb::get,
             .path = "/chats/{id}/messages",
             .operation = "list_chat_messages",
             .summary = "Lists what was said, oldest first.",
             .tag = plural,
             .permission = "task:read",
             .query = net::page_parameters(),
             .reply = page_of<chat_message>("chat_message_list"),
             .errors = {code::not_found},
             .run = net::list_items(s, kind, std::string(chat_messages_collection))},
            {.verb = verb::get,
             .path = "/chats/{id}/export",
             .operation = "export_chat",
             .summary = "Gives a whole chat as one file.",
             .tag = plural,
             .permission = "task:read",
             .query = {{"format", "Markdown, to read, or JSON.",
                        R"({"type":"string","enum":["markdown","json"],"default":"markdown"})", R"("json")"}},
             .reply = std::move(exported),
             .errors = {code::not_found, code::payload_too_large},
             .run = [&s](const request& r, const responder& respond) { give_export(s, r, respond); },
             .blocks = [] { return true; }}};
}

} // namespace

std::vector<net::route> talk_routes(const runtime::services& s) {
    const auto change = [&](verb v, std::string path, std::string operation, std::string summary,
                            net::to_command command) {
        return route{.verb = v,
                     .path = std::move(path),
                     .operation = std::move(operation),
                     .summary = std::move(summary),
                     .tag = plural,
                     .permission = "task:write",
                     .reply = net::reply_of<chat_document>("chat"),
                     .errors = {code::not_found, code::precondition_failed},
                     .reply_headers = net::changed_headers(),
                     .run = net::change_entity(s, kind, std::move(command))};
    };
    auto out = reading_routes(s);
    out.push_back({.verb = verb::post,
                   .path = "/chats",
                   .operation = "create_chat",
                   .summary = "Begins a chat. With an agent, that answers what is said.",
                   .tag = plural,
                   .permission = "task:write",
                   .body = net::body_of<create_chat_body>("create_chat"),
                   .reply = net::reply_of<chat_document>("chat"),
                   .success = 201,
                   .reply_headers = net::created_headers(),
                   .run = net::create_entity(s, kind, plural, "create_chat", creation(s))});
    for (const auto& [v, operation] : {std::pair(verb::put, "update_chat"), std::pair(verb::patch, "patch_chat")}) {
        out.push_back(change(v, "/chats/{id}", operation, "Gives a chat another title.",
                             net::body_as(std::string(wire_name<update_chat>::value))));
        out.back().body = net::body_of<update_chat_body>("update_chat");
    }
    out.push_back(change(verb::post, "/chats/{id}/stop", "stop_chat_answer", "Ends the answer that is being made.",
                         net::empty_command(std::string(wire_name<stop_answer>::value))));
    out.back().errors.push_back(code::conflict);
    out.push_back({.verb = verb::post,
                   .path = "/chats/{id}/messages",
                   .operation = "say",
                   .summary = "Says something. The agent of the chat answers all that was said, one answer at a time.",
                   .tag = plural,
                   .permission = "task:write",
                   .body = net::body_of<say_body>("say"),
                   .reply = net::reply_of<chat_message>("chat_message"),
                   .success = 201,
                   .errors = {code::not_found, code::precondition_failed},
                   .reply_headers = net::changed_headers(),
                   .run = net::change_entity(s, kind, net::body_as(std::string(wire_name<say>::value)), 201)});
    out.push_back(change(verb::del, "/chats/{id}", "delete_chat", "Deletes a chat. An answer that is being made ends.",
                         net::empty_command(std::string(wire_name<delete_chat>::value))));
    out.back().reply = {};
    out.back().success = 204;
    out.back().run = net::change_entity(s, kind, net::empty_command(std::string(wire_name<delete_chat>::value)), 204);
    return out;
}

} // namespace troupe::actors
