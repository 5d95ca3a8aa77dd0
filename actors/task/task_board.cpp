#include "actors/task/task_board.hpp"

#include "actors/common/stored.hpp"
#include "actors/task/task_model.hpp"
#include "net/http/handlers.hpp"
#include "schemas/task.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string kind{task_model::kind};
const std::string tag = "tasks";

constexpr std::size_t column_default = 50;
constexpr task_status all_statuses[] = {task_status::inbox,     task_status::assigned, task_status::in_progress,
                                        task_status::review,    task_status::done,     task_status::blocked,
                                        task_status::cancelled, task_status::failed};

// ---- reading

storage::list_query column_of(const request& r, task_status status, std::size_t limit) {
    storage::list_query query;
    query.organization = r.who.organization;
    query.kind = kind;
    query.filter = "board=" + std::string(detail::enum_name(status));
    query.descending = false;
    query.limit = limit;
    if (const auto project = r.query_value("project_id")) {
        query.kept = "project_id=" + std::string(*project);
        query.keep = [wanted = std::string(*project)](const storage::stored_document& d) {
            const auto document = json::document::parse(d.json);
            return document && document->root().text_or("project_id") == wanted;
        };
    }
    return query;
}

/// Tasks of earlier builds have no place: the newest of the column, behind the others.
expected<std::vector<storage::stored_document>> read_unplaced(const runtime::services& s, const request& r,
                                                              task_status status, std::size_t limit) {
    if (limit == 0) {
        return std::vector<storage::stored_document>();
    }
    auto query = column_of(r, status, limit);
    query.filter = "status=" + std::string(detail::enum_name(status));
    query.descending = true;
    query.keep = [in_project = query.keep](const storage::stored_document& d) {
        const auto document = json::document::parse(d.json);
        return document && !document->root().find("rank") && (!in_project || in_project(d));
    };
    auto page = storage::read_list(*s.store, query);
    return page ? expected<std::vector<storage::stored_document>>(std::move(page->items)) : page.error();
}

void read_board(const runtime::services& s, const request& r, const responder& respond) {
    const auto limit = r.query_value("limit") ? net::page_limit(r) : expected<std::size_t>(column_default);
    if (!limit) {
        return respond(net::to_response(limit.error(), r));
    }
    std::string body;
    json::object_writer out(body);
    std::string columns = "[";
    for (const auto status : all_statuses) {
        const auto page = storage::read_list(*s.store, column_of(r, status, *limit));
        if (!page) {
            return respond(net::to_response(page.error(), r));
        }
        const auto others = read_unplaced(s, r, status, *limit - page->items.size());
        if (!others) {
            return respond(net::to_response(others.error(), r));
        }
        std::string tasks = "[";
        for (const auto* some : {&page->items, &*others}) {
            for (const auto& task : *some) {
                tasks += (tasks.size() > 1 ? "," : "") + task.json;
            }
        }
        columns += fmt::format(R"({}{{"status":"{}","tasks":{}],"more":{}}})", columns.size() > 1 ? "," : "",
                               detail::enum_name(status), tasks, page->next_cursor.has_value());
    }
    out.raw_field("columns", columns + "]");
    out.end();
    respond({.body = std::move(body)});
}

// ---- moving

/// The neighbour that a request names, in the column that it names.
expected<task_document> neighbour(const runtime::services& s, const request& r, const uuid& id, task_status status,
                                  std::string_view pointer) {
    auto found = read_stored<task_document>(*s.store, {r.who.organization, kind, id});
    if (!found) {
        return found.error();
    }
    if (!*found || (*found)->status != status || !(*found)->rank) {
        return problem{code::conflict,
                       fmt::format("Task {} is not in the column {}: read the board again.", to_string(id),
                                   detail::enum_name(status)),
                       {{std::string(pointer), "is not in that column"}}};
    }
    return std::move(**found);
}

/// The rank next to that one in its column; empty at its end.
expected<std::string> rank_beside(const runtime::services& s, const request& r, const task_document& task, bool above,
                                  const uuid& moved) {
    auto query = column_of(r, task.status, 1);
    query.keep = [&](const storage::stored_document& d) { return d.id != task.id && d.id != moved; };
    query.descending = above;
    query.behind = {*task.rank, task.id};
    const auto page = storage::read_list(*s.store, query);
    if (!page || page->items.empty()) {
        return page ? expected<std::string>(std::string()) : page.error();
    }
    const auto other = from_json<task_document>(page->items.front().json, strictness::stored);
    return other ? expected<std::string>(other->rank.value_or("")) : other.error();
}

expected<std::string> wanted_rank(const runtime::services& s, const request& r, const move_task_body& body,
                                  const uuid& moved) {
    if (!body.before && !body.after) {
        return std::string();
    }
    const bool above = body.before.has_value();
    const auto other = neighbour(s, r, above ? *body.before : *body.after, body.status, above ? "/before" : "/after");
    if (!other) {
        return other.error();
    }
    const auto beside = rank_beside(s, r, *other, above, moved);
    if (!beside) {
        return beside.error();
    }
    return above ? rank_between(*beside, *other->rank) : rank_between(*other->rank, *beside);
}

net::to_command moved(const runtime::services& s) {
    return [&s](const request& r) -> expected<net::command_payload> {
        const auto body = from_json<move_task_body>(r.body, strictness::input);
        const auto id = body ? net::resolve_id(s, r, kind, task_key_filter) : expected<uuid>(body.error());
        auto rank = id ? wanted_rank(s, r, *body, *id) : expected<std::string>(id.error());
        return rank ? expected<net::command_payload>(
                          net::command_payload{"move_task", to_json(move_task{*body, std::move(*rank)})})
                    : rank.error();
    };
}

net::to_command cancelled() {
    return [](const request&) -> expected<net::command_payload> {
        return net::command_payload{"move_task", to_json(move_task{{task_status::cancelled}})};
    };
}

} // namespace

net::query_parameter task_in_path() { return {"id", "The task's id or key.", R"({"type":"string"})", R"("TASK-017")"}; }

std::vector<net::route> board_routes(const runtime::services& s) {
    const auto change = [&](std::string path, std::string operation, std::string summary, net::to_command command) {
        return net::route{.verb = verb::post,
                          .path = std::move(path),
                          .operation = std::move(operation),
                          .summary = std::move(summary),
                          .tag = tag,
                          .permission = "task:write",
                          .in_path = {task_in_path()},
                          .reply = net::reply_of<task_document>("task"),
                          .errors = {code::not_found, code::conflict, code::precondition_failed},
                          .reply_headers = net::changed_headers(),
                          .run = net::change_entity(s, kind, std::move(command), 200, std::string(task_key_filter))};
    };
    auto move = change("/tasks/{id}/status", "move_task",
                       "Moves the task over the board, or within its column. An agent that works on it stops when its "
                       "status changes.",
                       moved(s));
    move.body = net::body_of<move_task_body>("move_task");
    auto query = net::page_parameters();
    query.pop_back();
    query.push_back({"project_id", "Only tasks of this project."});
    return {
        {.verb = verb::get,
         .path = "/board",
         .operation = "get_board",
         .summary = "Shows the board: the tasks of each column from the top, as people ordered them.",
         .tag = tag,
         .permission = "task:read",
         .query = std::move(query),
         .reply = net::reply_of<board_document>("board"),
         .run = [&s](const request& r, const responder& respond) { read_board(s, r, respond); }},
        std::move(move),
        change("/tasks/{id}/cancel", "cancel_task", "Cancels a task. An agent that works on it stops.", cancelled()),
        change("/tasks/{id}/retry", "retry_task",
               "Tries a task once more that failed, was cancelled or is blocked: with its agent, else from the "
               "inbox.",
               net::empty_command("retry_task"))};
}

} // namespace troupe::actors
