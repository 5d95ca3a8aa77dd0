#include "actors/task/working_edit.hpp"

#include "actors/common/stored.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/task/task_model.hpp"
#include "actors/task/task_moves.hpp"
#include "actors/task/working_board.hpp"
#include "net/http/handlers.hpp"
#include "schemas/agent.hpp"
#include "schemas/base/clock.hpp"
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
    /// Of a text that somebody changed, or, with a time, of the board as it was then.
    edit(const runtime::services& s, request r, std::string text, std::optional<timestamp> restored,
         std::function<void(expected<void>)> done)
        : services_(s), request_(std::move(r)), text_(std::move(text)), restored_(restored), done_(std::move(done)) {}

    void begin() {
        working_sides sides;
        const auto changes = restored_ ? find_past(sides) : find_changes(sides);
        if (!changes) {
            return refuse(changes.error());
        }
        commands_.clear();
        for (const auto& c : *changes) {
            add(c, sides);
        }
        next(0);
    }

private:
    using changes_or_problem = expected<std::vector<working_change>>;

    void refuse(const problem& p) { done_(p); }

    static changes_or_problem compare(const working_text& edited, const working_sides& sides) {
        std::map<std::string, working_task> now;
        for (const auto& [key, placed] : sides.now) {
            now.emplace(key, placed.task);
        }
        return merge_working(edited.tasks, sides.base, now);
    }

    changes_or_problem find_changes(working_sides& sides) {
        auto edited = parse_working(text_);
        const auto known = edited ? find_agents(edited->tasks) : expected<void>(edited.error());
        auto found =
            known ? read_sides(services_, request_.who.organization, *edited) : expected<working_sides>(known.error());
        if (!found) {
            return found.error();
        }
        sides = std::move(*found);
        auto changes = compare(*edited, sides);
        const auto allowed = changes ? check_moves(*changes, sides) : expected<void>(changes.error());
        return allowed ? std::move(changes) : changes_or_problem(allowed.error());
    }

    /// What has to be done for the tasks of then to be as they were. Those that came later stay as they are, and an
    /// agent gets back only what was its to begin.
    changes_or_problem find_past(working_sides& sides) {
        const auto then = read_working_past(services_, request_.who.organization, *restored_);
        auto past = then ? parse_working(render(*then)) : expected<working_text>(then.error());
        if (!past) {
            return past.error();
        }
        past->updated = system_now(); // nothing that others do is of later
        auto found = read_sides(services_, request_.who.organization, *past);
        if (!found) {
            return found.error();
        }
        sides = std::move(*found);
        std::vector<working_task> wanted;
        for (auto& t : past->tasks) {
            const auto now = sides.now.find(t.key);
            if (now == sides.now.end()) {
                continue; // deleted, or ended long ago
            }
            const auto agent = find_agent(services_, request_.who.organization, t.agent);
            if (t.status == task_status::assigned && agent) {
                agents_.emplace(agent->session_key, agent->id);
            } else {
                t.status = t.status == task_status::assigned ? now->second.task.status : t.status;
                t.agent = now->second.task.agent;
            }
            wanted.push_back(std::move(t));
        }
        past->tasks = std::move(wanted);
        std::set<std::string> named;
        for (const auto& t : past->tasks) {
            named.insert(t.key);
        }
        const auto later = [&](const auto& entry) { return !named.contains(entry.first); };
        std::erase_if(sides.now, later);
        sides.base.clear();
        for (const auto& [key, placed] : sides.now) {
            sides.base.emplace(key, placed.task);
        }
        return compare(*past, sides);
    }

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
            if (restored_ && !may_move(now.task.status, task_status::assigned)) {
                give("move_task", to_json(move_task_body{task_status::inbox}));
            }
            give("assign_task", to_json(assign_task_body{agents_.at(*c.agent)}));
        } else if (c.status) {
            for (const auto to : restored_ ? way_to(now.task.status, *c.status) : std::vector{*c.status}) {
                give("move_task", to_json(move_task_body{to}));
            }
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
    std::optional<timestamp> restored_;
    std::function<void(expected<void>)> done_;
    std::map<std::string, uuid> agents_; ///< By session key.
    std::vector<line_command> commands_;
    std::set<std::size_t> created_; ///< Lines of new tasks that are made.
    std::size_t made_ = 0;
    int tries_ = 0;
};

} // namespace

void edit_working(const runtime::services& s, net::request r, std::string text,
                  std::function<void(expected<void>)> done) {
    std::make_shared<edit>(s, std::move(r), std::move(text), std::nullopt, std::move(done))->begin();
}

void restore_working(const runtime::services& s, net::request r, timestamp at,
                     std::function<void(expected<void>)> done) {
    std::make_shared<edit>(s, std::move(r), std::string(), at, std::move(done))->begin();
}

} // namespace troupe::actors
