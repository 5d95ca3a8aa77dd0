#include "actors/task/working_routes.hpp"

#include "actors/common/activity_log.hpp"
#include "actors/common/routes.hpp"
#include "actors/task/task_model.hpp"
#include "actors/task/working_board.hpp"
#include "actors/task/working_edit.hpp"
#include "net/http/handlers.hpp"

#include <set>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string markdown = "text/markdown; charset=utf-8";

problem no_time() {
    return {code::invalid_request,
            "at has to be a time as 2026-01-31T12:00:00Z.",
            {{"at", "has to be a time as 2026-01-31T12:00:00Z"}}};
}

void show(const runtime::services& s, const request& r, const responder& respond) {
    const auto given = r.query_value("at");
    const auto at = given ? parse_timestamp(*given) : std::nullopt;
    if (given && !at) {
        return respond(net::to_response(no_time(), r));
    }
    const auto state = at ? read_working_past(s, r.who.organization, *at) : read_working(s, r.who.organization);
    if (!state) {
        return respond(net::to_response(state.error(), r));
    }
    auto text = render(*state);
    const auto accept = r.header("accept").value_or("");
    const auto wants = [&](std::string_view type) { return accept.find(type) != std::string::npos; };
    if (!wants("application/json") && (wants("text/markdown") || wants("text/plain"))) {
        return respond({.body = std::move(text), .content_type = markdown});
    }
    respond({.body = to_json(working_document{std::move(text), state->updated})});
}

void put(const runtime::services& s, const request& r, const responder& respond) {
    const auto body = from_json<edit_working_body>(r.body, strictness::input);
    if (!body) {
        return respond(net::to_response(body.error(), r));
    }
    edit_working(s, r, body->content, [&s, r, respond](const expected<void>& done) {
        if (!done) {
            return respond(net::to_response(done.error(), r));
        }
        show(s, r, respond);
    });
}

/// What changes the text.
const std::set<std::string, std::less<>> shown_events{"task_created",  "task_updated",  "task_assigned",
                                                      "task_moved",    "task_deleted",  "work_started",
                                                      "work_finished", "task_returned", "attempt_failed"};

void list_history(const runtime::services& s, const request& r, const responder& respond) {
    const auto limit = net::page_limit(r);
    const auto page = limit ? read_activities(s, r.who.organization,
                                              {*limit,
                                               std::string(r.query_value("cursor").value_or("")),
                                               {{{"kind", std::string(task_model::kind)}}, ""}})
                            : expected<activity_page>(limit.error());
    if (!page) {
        return respond(net::to_response(page.error(), r));
    }
    std::vector<std::string> items;
    for (const auto& one : page->items) {
        if (shown_events.contains(one.event_type)) {
            items.push_back(to_json(working_change_document{one.at, one.actor, one.text, one.entity_id}));
        }
    }
    respond({.body = net::list_body(items, page->next_cursor)});
}

void restore(const runtime::services& s, const request& r, const responder& respond) {
    const auto body = from_json<restore_working_body>(r.body, strictness::input);
    if (!body) {
        return respond(net::to_response(body.error(), r));
    }
    restore_working(s, r, body->at, [&s, r, respond](const expected<void>& done) {
        if (!done) {
            return respond(net::to_response(done.error(), r));
        }
        show(s, r, respond);
    });
}

} // namespace

std::vector<net::route> working_routes(const runtime::services& s) {
    auto shown = net::reply_of<working_document>("working_text");
    shown.other_types = {"text/markdown"};
    const auto always = [] { return true; };
    return {
        {.verb = verb::get,
         .path = "/state/working-md",
         .operation = "get_working_text",
         .summary = "WORKING.md: the board as a text, with agents and what happened last. Plain with `Accept: "
                    "text/markdown`.",
         .tag = "tasks",
         .permission = "task:read",
         .query = {{"at", "As its tasks were at that time.", R"({"type":"string","format":"date-time"})"}},
         .reply = shown,
         .run = [&s](const request& r, const responder& respond) { show(s, r, respond); },
         .blocks = always},
        {.verb = verb::get,
         .path = "/state/working-md/history",
         .operation = "list_working_history",
         .summary =
             "Lists what changed the text, newest first. `at` of a line shows it as it was then, or restores it.",
         .tag = "tasks",
         .permission = "task:read",
         .query = net::page_parameters(),
         .reply = page_of<working_change_document>("working_change_list"),
         .run = [&s](const request& r, const responder& respond) { list_history(s, r, respond); },
         .blocks = always},
        {.verb = verb::post,
         .path = "/state/working-md/restore",
         .operation = "restore_working_text",
         .summary = "Brings the tasks that the text showed at a time back to the status and title that they had then. "
                    "What came later stays; agents get back what was assigned to them and not begun.",
         .tag = "tasks",
         .permission = "task:write",
         .body = net::body_of<restore_working_body>("restore_working_text"),
         .reply = shown,
         .errors = {code::conflict},
         .run = [&s](const request& r, const responder& respond) { restore(s, r, respond); },
         .blocks = always},
        {.verb = verb::put,
         .path = "/state/working-md",
         .operation = "edit_working_text",
         .summary = "Takes over what was changed in the text since it was read, as a whole or not at all: tasks are "
                    "moved, given to agents, retitled and created. What others changed meanwhile stays; where both "
                    "changed the same it is refused with both sides.",
         .tag = "tasks",
         .permission = "task:write",
         .body = net::body_of<edit_working_body>("edit_working_text", 2 << 20),
         .reply = shown,
         .errors = {code::conflict},
         .run = [&s](const request& r, const responder& respond) { put(s, r, respond); },
         .blocks = always}};
}

} // namespace troupe::actors
