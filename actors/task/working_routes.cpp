#include "actors/task/working_routes.hpp"

#include "actors/common/stored.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/task/task_model.hpp"
#include "actors/task/task_moves.hpp"
#include "actors/task/working_board.hpp"
#include "net/http/handlers.hpp"
#include "schemas/agent.hpp"
#include "schemas/name_messages.hpp"
#include "storage/views.hpp"

#include <fmt/format.h>

#include <memory>
#include <set>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string markdown = "text/markdown; charset=utf-8";

void show(const runtime::services& s, const request& r, const responder& respond) {
    const auto state = read_working(s, r.who.organization);
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

// ---- editing

std::optional<agent_document> find_agent(const runtime::services& s, const uuid& organization,
                                         const std::string& name) {
    storage::list_query query;
    query.organization = organization;
    query.kind = "agent";
    query.limit = 1;
    query.filter = "name=" + fold_name(name);
    const auto found = storage::read_list(*s.store, query);
    const auto agent = found && !found->items.empty()
                           ? from_json<agent_document>(found->items.front().json, strictness::stored)
                           : expected<agent_document>(problem{code::not_found, ""});
    return agent ? std::optional(*agent) : std::nullopt;
}

/// The commands that a change becomes, with the line that they are for.
struct line_command {
    runtime::command command;
    std::size_t line = 0;
};

constexpr int tries_max = 20;

/// One command after the other, each only if its task is as it was compared; else all is compared anew. A refusal ends
/// it, and says what was done before it.
class edit : public std::enable_shared_from_this<edit> {
public:
    edit(const runtime::services& s, request r, std::string text, std::function<void(expected<void>)> done)
        : services_(s), request_(std::move(r)), text_(std::move(text)), done_(std::move(done)) {}

    void begin() {
        auto edited = parse_working(text_);
        if (!edited) {
            return refuse(edited.error());
        }
        if (auto known = find_agents(edited->tasks); !known) {
            return refuse(known.error());
        }
        const auto sides = read_sides(services_, request_.who.organization, *edited);
        if (!sides) {
            return refuse(sides.error());
        }
        std::map<std::string, working_task> now;
        for (const auto& [key, placed] : sides->now) {
            now.emplace(key, placed.task);
        }
        auto changes = merge_working(edited->tasks, sides->base, now);
        if (!changes) {
            return refuse(changes.error());
        }
        if (auto allowed = check_moves(*changes, *sides); !allowed) {
            return refuse(allowed.error());
        }
        commands_.clear();
        for (const auto& c : *changes) {
            add(c, *sides);
        }
        next(0);
    }

private:
    void refuse(const problem& p) { done_(p); }

    static problem at_line(code c, std::size_t line, const std::string& why) {
        return {c, fmt::format("Nothing was changed. Line {}: {}", line, why), {{fmt::format("/lines/{}", line), why}}};
    }

    /// By name or session key; what follows speaks of session keys.
    expected<void> find_agents(std::vector<working_task>& tasks) {
        for (auto& t : tasks) {
            if (t.agent.empty()) {
                continue;
            }
            const auto agent = find_agent(services_, request_.who.organization, t.agent);
            if (!agent) {
                return at_line(code::invalid_request, t.line, "there is no agent @" + t.agent + ".");
            }
            t.agent = agent->session_key;
            agents_.emplace(agent->session_key, agent->id);
        }
        return {};
    }

    /// So that an edit is refused as a whole.
    static expected<void> check_moves(const std::vector<working_change>& changes, const working_sides& sides) {
        for (const auto& c : changes) {
            const auto now = sides.now.find(c.key);
            if (now == sides.now.end() || !c.status || c.agent) {
                continue;
            }
            const auto from = now->second.task.status;
            if (!may_move(from, *c.status)) {
                return at_line(code::conflict, c.line, move_refused(from, *c.status).detail);
            }
            if (*c.status == task_status::assigned && now->second.task.agent.empty()) {
                return at_line(code::conflict, c.line, "under ASSIGNED there has to be an @agent.");
            }
        }
        return {};
    }

    void add(const working_change& c, const working_sides& sides) {
        if (c.key.empty()) {
            if (!created_.contains(c.line)) {
                create_task task;
                task.title = *c.title;
                task.agent_id = c.agent ? std::optional(agents_.at(*c.agent)) : std::nullopt;
                commands_.push_back({command(make_id(c), wire_name<create_task>::value, to_json(task)), c.line});
            }
            return;
        }
        const auto& now = sides.now.at(c.key);
        const auto give = [&](std::string_view type, std::string payload) {
            auto one = command(now.id, type, std::move(payload));
            const bool follows = !commands_.empty() && commands_.back().command.to == one.to;
            one.if_match = follows ? std::nullopt : std::optional(now.version); // what was compared is what is changed
            commands_.push_back({std::move(one), c.line});
        };
        if (c.title) {
            update_task_body body;
            body.title = c.title;
            give("update_task", to_json(body));
        }
        if (c.agent) {
            give("assign_task", to_json(assign_task_body{agents_.at(*c.agent)}));
        } else if (c.status) {
            give("move_task", to_json(move_task_body{*c.status}));
        }
    }

    /// The same for a repeated request.
    uuid make_id(const working_change& c) const {
        const auto key = request_.header("idempotency-key");
        return key ? derive_uuid({to_string(request_.who.organization), request_.who.name, "edit_working", *key,
                                  std::to_string(c.line)})
                   : make_uuid();
    }

    runtime::command command(const uuid& task, std::string_view type, std::string payload) const {
        return net::caller_command(request_, {request_.who.organization, std::string(task_model::kind), task}, type,
                                   std::move(payload));
    }

    void next(std::size_t at) {
        if (at == commands_.size()) {
            return done_({});
        }
        const auto& c = commands_[at].command;
        if (c.type != wire_name<create_task>::value) {
            return send(at, c);
        }
        auto asked = number_command(request_.who.organization, c.to.id, request_.who.name);
        services_.submit(std::move(asked), [self = shared_from_this(), at](const runtime::reply& answer) {
            const auto number = number_in(answer);
            if (!number) {
                return self->stop(at, number.error());
            }
            auto create = self->commands_[at].command;
            auto task = from_json<create_task>(create.payload, strictness::stored);
            task->number = *number;
            create.payload = to_json(*task);
            self->send(at, std::move(create));
        });
    }

    void send(std::size_t at, runtime::command c) {
        services_.submit(std::move(c), [self = shared_from_this(), at](const runtime::reply& answer) {
            const auto& done = self->commands_[at];
            const bool creates = done.command.type == wire_name<create_task>::value;
            if (!answer && !(creates && answer.error().code == code::already_exists)) { // by this edit, before a crash
                return self->stop(at, answer.error());
            }
            if (creates) {
                self->created_.insert(done.line);
            }
            ++self->made_;
            self->next(at + 1);
        });
    }

    void stop(std::size_t at, const problem& p) {
        if (p.code == code::precondition_failed && ++tries_ < tries_max) {
            return begin(); // somebody was faster: what was made is there now, the rest is compared again
        }
        const auto line = commands_[at].line;
        refuse({p.code,
                fmt::format("Line {}: {} {}", line, p.detail,
                            made_ == 0 ? "Nothing was changed."
                                       : fmt::format("{} changes were made: read the text again.", made_)),
                {{fmt::format("/lines/{}", line), p.detail}}});
    }

    const runtime::services& services_;
    request request_;
    std::string text_;
    std::function<void(expected<void>)> done_;
    std::map<std::string, uuid> agents_; ///< By session key.
    std::vector<line_command> commands_;
    std::set<std::size_t> created_; ///< Lines of new tasks that are made.
    std::size_t made_ = 0;
    int tries_ = 0;
};

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

} // namespace

void edit_working(const runtime::services& s, net::request r, std::string text,
                  std::function<void(expected<void>)> done) {
    std::make_shared<edit>(s, std::move(r), std::move(text), std::move(done))->begin();
}

std::vector<net::route> working_routes(const runtime::services& s) {
    auto shown = net::reply_of<working_document>("working_text");
    shown.other_types = {"text/markdown"};
    const auto always = [] { return true; };
    return {{.verb = verb::get,
             .path = "/state/working-md",
             .operation = "get_working_text",
             .summary = "WORKING.md: the board as a text, with agents and what happened last. Plain with `Accept: "
                        "text/markdown`.",
             .tag = "tasks",
             .permission = "task:read",
             .reply = shown,
             .run = [&s](const request& r, const responder& respond) { show(s, r, respond); },
             .blocks = always},
            {.verb = verb::put,
             .path = "/state/working-md",
             .operation = "edit_working_text",
             .summary =
                 "Takes over what was changed in the text since it was read, as a whole or not at all: tasks are "
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
