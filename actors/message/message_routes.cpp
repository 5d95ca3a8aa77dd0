#include "actors/message/message_routes.hpp"

#include "actors/common/members.hpp"
#include "actors/common/messages.hpp"
#include "actors/common/routes.hpp"
#include "actors/message/message_model.hpp"
#include "net/http/handlers.hpp"
#include "storage/views.hpp"

#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string kind{message_model::kind};
const std::string task_kind = "task";
const std::string tag = "messages";

problem no_message(std::string_view id) {
    return {code::not_found, "There is no message '" + std::string(id) + "'. See GET /tasks/{id}/messages."};
}

// ---- reading

/// As it was said.
expected<message_document> find_said(const runtime::services& s, const request& r) {
    const auto id = parse_uuid(r.param("id"));
    auto found = id ? actors::find_said(*s.store, r.who.organization, *id)
                    : expected<std::optional<message_document>>(std::nullopt);
    if (!found) {
        return found.error();
    }
    return *found ? expected<message_document>(std::move(**found)) : no_message(r.param("id"));
}

/// A page of a task's messages, as they are now.
void list(const runtime::services& s, const request& r, const responder& respond, const entity_address& task,
          std::string in) {
    const auto limit = net::page_limit(r);
    const auto page = limit ? storage::read_items(*s.store, {task, std::move(in), false, *limit,
                                                             std::string(r.query_value("cursor").value_or(""))})
                            : expected<storage::item_page>(limit.error());
    if (!page) {
        return respond(net::to_response(page.error(), r));
    }
    std::vector<std::string> items;
    for (const auto& json : page->items) {
        auto said = from_json<message_document>(json, strictness::stored);
        auto now = said ? as_it_is_now(*s.store, r.who.organization, std::move(*said)) : said;
        if (!now) {
            return respond(net::to_response(now.error(), r));
        }
        items.push_back(to_json(*now));
    }
    respond({.body = net::list_body(items, page->next_cursor)});
}

void list_of_task(const runtime::services& s, const request& r, const responder& respond) {
    const auto id = net::resolve_id(s, r, task_kind, "key");
    const auto task = id ? storage::read_document(*s.store, {r.who.organization, task_kind, *id})
                         : expected<std::optional<storage::stored_document>>(id.error());
    if (!task || !*task) {
        const problem none{code::not_found, "There is no task '" + std::string(r.param("id")) + "'."};
        return respond(net::to_response(task ? none : task.error(), r));
    }
    list(s, r, respond, {r.who.organization, task_kind, *id}, std::string(messages_collection));
}

void list_replies(const runtime::services& s, const request& r, const responder& respond) {
    const auto said = find_said(s, r);
    if (!said) {
        return respond(net::to_response(said.error(), r));
    }
    list(s, r, respond, {r.who.organization, task_kind, said->task_id}, "replies/" + to_string(said->id));
}

void read_one(const runtime::services& s, const request& r, const responder& respond) {
    auto said = find_said(s, r);
    const auto now = said ? as_it_is_now(*s.store, r.who.organization, std::move(*said)) : said;
    respond(now ? net::response{.body = to_json(*now)} : net::to_response(now.error(), r));
}

// ---- changing

net::to_command added(const runtime::services& s) {
    return [&s](const request& r) -> expected<net::command_payload> {
        if (r.body.find('@') == std::string::npos) {
            return net::command_payload{"add_message", r.body}; // body and command have the same members
        }
        const auto body = from_json<add_message_body>(r.body, strictness::input);
        auto mentioned = body ? find_mentioned(*s.store, r.who.organization, body->content)
                              : expected<std::vector<mention>>(body.error());
        return mentioned ? expected<net::command_payload>(
                               net::command_payload{"add_message", to_json(add_message{*body, std::move(*mentioned)})})
                         : mentioned.error();
    };
}

/// A command to what lies over the message, which answers with the message as it is then.
template <class Make>
net::handler change(const runtime::services& s, Make make, int status = 200) {
    return [&s, make, status](request r, responder respond) {
        auto said = find_said(s, r);
        auto payload = said ? make(s, r, said_message{said->task_id, said->author, said->content})
                            : expected<net::command_payload>(said.error());
        auto c = payload ? net::make_command(r, {r.who.organization, kind, said->id}, payload->type,
                                             std::move(payload->payload))
                         : expected<runtime::command>(payload.error());
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        s.submit(std::move(*c), [r = std::move(r), said = std::move(*said), status,
                                 respond = std::move(respond)](const runtime::reply& answer) mutable {
            const auto over = answer ? from_json<message_overlay>(answer->document, strictness::stored)
                                     : expected<message_overlay>(answer.error());
            if (!over) {
                return respond(net::to_response(over.error(), r));
            }
            respond({.status = status,
                     .body = status == 204 ? std::string() : to_json(with_overlay(std::move(said), *over))});
        });
    };
}

expected<net::command_payload> edited(const runtime::services& s, const request& r, said_message said) {
    const auto body = from_json<edit_message_body>(r.body, strictness::input);
    auto mentioned = body ? find_mentioned(*s.store, r.who.organization, body->content)
                          : expected<std::vector<mention>>(body.error());
    return mentioned ? expected<net::command_payload>(net::command_payload{
                           "edit_message", to_json(edit_message{std::move(said), body->content, *mentioned})})
                     : mentioned.error();
}

expected<net::command_payload> reacted(const runtime::services&, const request& r, said_message said) {
    const auto body = from_json<reaction_body>(r.body, strictness::input);
    return body ? expected<net::command_payload>(
                      net::command_payload{"react", to_json(react{std::move(said), body->reaction, body->remove})})
                : body.error();
}

expected<net::command_payload> taken_back(const runtime::services&, const request&, said_message said) {
    return net::command_payload{"delete_message", to_json(delete_message{std::move(said)})};
}

std::vector<net::route> routes_of_tasks(const runtime::services& s) {
    const std::vector<net::query_parameter> which{
        {"id", "The task's id or key.", R"({"type":"string"})", R"("TASK-017")"}};
    return {{.verb = verb::get,
             .path = "/tasks/{id}/messages",
             .operation = "list_messages",
             .summary = "Lists the messages of a task, oldest first.",
             .tag = tag,
             .permission = "task:read",
             .query = net::page_parameters(),
             .in_path = which,
             .reply = page_of<message_document>("message_list"),
             .errors = {code::not_found},
             .run = [&s](const request& r, const responder& respond) { list_of_task(s, r, respond); }},
            {.verb = verb::post,
             .path = "/tasks/{id}/messages",
             .operation = "add_message",
             .summary = "Adds a message to a task. People and agents named with @ are told.",
             .tag = tag,
             .permission = "task:write",
             .in_path = which,
             .body = net::body_of<add_message_body>("add_message"),
             .reply = net::reply_of<message_document>("message"),
             .success = 201,
             .errors = {code::not_found},
             .reply_headers = net::changed_headers(),
             .run = net::change_entity(s, task_kind, added(s), 201, "key")}};
}

} // namespace

std::vector<net::route> message_routes(const runtime::services& s) {
    const auto changing = [&](verb v, std::string path, std::string operation, std::string summary, net::handler run) {
        return net::route{.verb = v,
                          .path = std::move(path),
                          .operation = std::move(operation),
                          .summary = std::move(summary),
                          .tag = tag,
                          .permission = "task:write",
                          .reply = net::reply_of<message_document>("message"),
                          .errors = {code::not_found, code::conflict, code::forbidden, code::precondition_failed},
                          .run = std::move(run)};
    };
    auto out = routes_of_tasks(s);
    out.push_back({.verb = verb::get,
                   .path = "/messages/{id}",
                   .operation = "get_message",
                   .summary = "Shows a message.",
                   .tag = tag,
                   .permission = "task:read",
                   .reply = net::reply_of<message_document>("message"),
                   .errors = {code::not_found},
                   .run = [&s](const request& r, const responder& respond) { read_one(s, r, respond); }});
    out.push_back({.verb = verb::get,
                   .path = "/messages/{id}/replies",
                   .operation = "list_replies",
                   .summary = "Lists the replies to a message, oldest first.",
                   .tag = tag,
                   .permission = "task:read",
                   .query = net::page_parameters(),
                   .reply = page_of<message_document>("message_list"),
                   .errors = {code::not_found},
                   .run = [&s](const request& r, const responder& respond) { list_replies(s, r, respond); }});
    for (const auto& [v, operation] : {std::pair(verb::put, "edit_message"), std::pair(verb::patch, "patch_message")}) {
        out.push_back(changing(v, "/messages/{id}", operation, "Changes a message of one's own.", change(s, edited)));
        out.back().body = net::body_of<edit_message_body>("edit_message");
    }
    out.push_back(changing(verb::post, "/messages/{id}/reactions", "react",
                           "Reacts to a message, or takes the reaction back.", change(s, reacted)));
    out.back().body = net::body_of<reaction_body>("reaction");
    out.push_back(changing(verb::del, "/messages/{id}", "delete_message", "Takes back a message of one's own.",
                           change(s, taken_back, 204)));
    out.back().reply = {};
    out.back().success = 204;
    return out;
}

} // namespace troupe::actors
