#include "actors/goal/goal_performer.hpp"

#include "actors/common/assignment.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/task_numbers.hpp"
#include "actors/common/text.hpp"
#include "actors/goal/plan.hpp"
#include "actors/kinds/kind.hpp"
#include "schemas/base/log.hpp"
#include "schemas/name_messages.hpp"
#include "schemas/task_messages.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::string_view agent_kind = "agent";
constexpr std::string_view name_kind = "name";
constexpr std::string_view task_kind = "task";
constexpr int names_tried_max = 50;
const std::vector<std::string> checkers{"qa"};

/// Who does a task: an agent, whether it was made for it, or why there is none.
struct doer {
    std::optional<uuid> agent_id = {};
    bool made = false;
    std::string reasons = {};
};

/// The making of one task.
class maker {
public:
    maker(const runtime::services& s, const goal_state& goal, const wanted_goal_task& wanted,
          runtime::effect_context& context)
        : s_(s), goal_(goal), item_(goal.items.at(wanted.index)), wanted_(wanted), context_(context) {}

    expected<note_task_made> make() {
        const auto& organization = context_.self().organization;
        const auto id = id_of("goal_task", {std::to_string(wanted_.index), std::to_string(wanted_.round),
                                            std::string(detail::enum_name(wanted_.part))});
        const auto number = number_in(context_.ask(number_command(organization, id, goal_.created_by)));
        if (!number) {
            return number.error();
        }
        auto who = find_doer();
        if (!who) {
            return who.error();
        }
        auto task = body();
        task.number = *number;
        task.agent_id = who->agent_id;
        if (auto made = ask(task_kind, id, wire_name<create_task>::value, to_json(task)); !made) {
            return made.error();
        }
        if (who->agent_id) {
            say(id, who->reasons);
        }
        note_task_made out{wanted_.index, wanted_.part, wanted_.round, id, *number, {}, {}};
        if (who->made) {
            out.agent_made = who->agent_id;
        }
        out.blocker = who->agent_id ? "" : who->reasons;
        return out;
    }

private:
    [[nodiscard]] uuid id_of(std::string_view what, std::vector<std::string> rest) const {
        auto key = fmt::format("{}", fmt::join(rest, "/"));
        return derive_uuid({std::string(what), to_string(goal_.organization), to_string(goal_.id), key});
    }

    /// What is there already, from an attempt before, is as good.
    expected<void> ask(std::string_view kind, const uuid& id, std::string_view type, std::string payload) {
        runtime::command c;
        c.to = {context_.self().organization, std::string(kind), id};
        c.type = type;
        c.payload = std::move(payload);
        c.id = fmt::format("goal/{}/{}", to_string(goal_.id), type);
        c.principal = goal_.created_by;
        const auto done = context_.ask(std::move(c));
        return done || done.error().code == code::already_exists ? expected<void>() : expected<void>(done.error());
    }

    /// Why it was given to its agent. Should that fail, the task is there all the same.
    void say(const uuid& task, const std::string& reasons) {
        add_message said;
        said.content = reasons;
        said.type = message_type::status_update;
        (void)ask(task_kind, task, wire_name<add_message>::value, to_json(said));
    }

    [[nodiscard]] const std::vector<std::string>& needs() const {
        return wanted_.part == goal_part::check ? checkers : item_.plan.capabilities;
    }

    [[nodiscard]] create_task body() const {
        create_task out;
        const auto& plan = item_.plan;
        const auto name = task_key(item_.number) + " " + plan.title;
        out.priority = plan.priority;
        out.project_id = goal_.goal.project_id;
        out.goal_id = goal_.id;
        if (!plan.phase.empty()) {
            out.labels = {std::string(utf8_prefix(plan.phase, 100))};
        }
        switch (wanted_.part) {
        case goal_part::work:
            out.title = title(plan.title); // one of a template has the goal's and more
            out.description = whole_description(plan);
            out.capabilities = plan.capabilities;
            for (const auto& id : plan.depends_on) {
                const auto other = std::ranges::find(goal_.items, id, [](const goal_item& i) { return i.plan.id; });
                if (other != goal_.items.end() && other->task_id) {
                    out.depends_on.push_back(*other->task_id);
                }
            }
            break;
        case goal_part::check:
            out.title = title("Check: " + name);
            out.description = "Look whether this was done as it has to be, and run the tests. End it with success "
                              "false and what is wrong, if anything is.\n\n" +
                              whole_description(plan);
            out.parent_id = item_.task_id;
            break;
        case goal_part::mend:
            out.title = title("Mend: " + name);
            out.description =
                "A check found this:\n\n" + item_.report + "\n\nWhat was to be done:\n\n" + whole_description(plan);
            out.priority = task_priority::high;
            out.capabilities = plan.capabilities;
            out.parent_id = item_.task_id;
            break;
        }
        return out;
    }

    static std::string title(std::string_view text) {
        constexpr std::size_t bytes_max = 300;
        return std::string(utf8_prefix(text, bytes_max));
    }

    /// Agents of some kinds work only with parameters that a goal does not know.
    expected<bool> works_without_parameters(const uuid& agent) {
        const auto found = read_stored<agent_document>(*s_.store, {goal_.organization, std::string(agent_kind), agent});
        if (!found) {
            return found.error();
        }
        return *found && check_parameters((*found)->settings.kind, "{}").has_value();
    }

    expected<doer> find_doer() {
        const auto ranked = find_candidates(s_, goal_.organization, needs());
        if (!ranked) {
            return ranked.error();
        }
        for (const auto& one : *ranked) {
            if (!one.able) {
                break;
            }
            const auto fits = works_without_parameters(one.agent_id);
            if (!fits) {
                return fits.error();
            }
            if (*fits) {
                return doer{one.agent_id, false, explain(one)};
            }
        }
        if (goal_.agents_made.size() < goal_.goal.agents_max) {
            return make_agent();
        }
        return doer{{},
                    false,
                    needs().empty()
                        ? std::string("There is no agent that works. Make one, and assign the task.")
                        : fmt::format("No agent that works can do this; it needs {}. Make one that can, and "
                                      "assign the task.",
                                      fmt::join(needs(), ", "))};
    }

    /// What an agent for such work is set up as.
    [[nodiscard]] agent_settings settings() const {
        static const std::map<std::string, std::string, std::less<>> kinds{
            {"qa", "tester"}, {"security", "security_auditor"}, {"deploy", "deployer"}, {"browser", "browser"}};
        agent_settings out;
        out.role = needs().empty() ? "worker" : needs().front();
        out.capabilities = needs();
        const auto kind = kinds.find(out.role);
        out.kind = kind == kinds.end() ? "custom" : kind->second;
        out.model = goal_.goal.model;
        out.instructions = "You work on a task of a larger goal: " + goal_.goal.title +
                           ". Do what the task says, no more, and say plainly what you could not do.";
        return out;
    }

    expected<doer> make_agent() {
        const auto id = id_of("goal_agent", needs());
        auto wanted = settings();
        for (int n = 1; n <= names_tried_max; ++n) {
            wanted.name = fmt::format("{}-{}", wanted.role.substr(0, 80), n);
            const auto kept = ask_name(id, wanted.name);
            if (!kept && kept.error().code == code::already_exists) {
                continue;
            }
            if (!kept) {
                return kept.error();
            }
            auto made = ask(agent_kind, id, "create_agent", to_json(wanted));
            if (!made) {
                return made.error();
            }
            return doer{id, true, fmt::format("Given to {}, which was made for it.", wanted.name)};
        }
        return problem{code::conflict, "No name is free for a new agent."};
    }

    expected<void> ask_name(const uuid& owner, const std::string& name) {
        runtime::command c;
        c.to = {goal_.organization, std::string(name_kind), name_id(goal_.organization, agent_kind, name)};
        c.type = wire_name<reserve_name>::value;
        c.payload = to_json(reserve_name{std::string(agent_kind), name, owner});
        c.principal = goal_.created_by;
        const auto done = context_.ask(std::move(c));
        return done ? expected<void>() : expected<void>(done.error());
    }

    const runtime::services& s_;
    const goal_state& goal_;
    const goal_item& item_;
    const wanted_goal_task& wanted_;
    runtime::effect_context& context_;
};

} // namespace

runtime::performer_of<goal_model> make_goal_performer(const runtime::services& s) {
    return [&s](const runtime::perform_effect& effect, const goal_state& goal,
                runtime::effect_context& context) -> std::vector<runtime::self_command> {
        const auto wanted = from_json<wanted_goal_task>(effect.payload, strictness::stored);
        if (!wanted || wanted->index >= goal.items.size()) {
            return {};
        }
        auto made = maker(s, goal, *wanted, context).make();
        if (!made) { // it is tried again after a rest
            log_for("goal").error("{}: a task cannot be made now: {}", to_string(context.self()), made.error().detail);
            if (made.error().code == code::quota_exceeded) {
                made = note_task_made{wanted->index, wanted->part, wanted->round, {}, 0, {}, made.error().detail};
            }
        }
        return made
                   ? std::vector<runtime::self_command>{{std::string(wire_name<note_task_made>::value), to_json(*made)}}
                   : std::vector<runtime::self_command>{};
    };
}

} // namespace troupe::actors
