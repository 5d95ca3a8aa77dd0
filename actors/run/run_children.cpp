#include "actors/run/run_children.hpp"

#include "actors/run/agent_wish.hpp"
#include "actors/run/run_context.hpp"
#include "actors/run/run_finish.hpp"
#include "actors/tool/tool.hpp"
#include "actors/tool/tool_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

bool is_child_at_work(const call_state& call) { return call.child_run_id && call.phase == call_phase::started; }
bool rests(const call_state& call) { return call.due_at && call.phase == call_phase::started; }

/// Applies `f` to the amounts of budgets, member by member.
template <class F>
budget each_amount(F f) {
    return {f(&budget::steps), f(&budget::tokens), f(&budget::cost_micros), f(&budget::time_ms)};
}

budget sum(const budget& a, const budget& b) {
    return each_amount([&](auto member) { return a.*member + b.*member; });
}

/// Calls of this step that will want a part, this one among them.
std::uint32_t children_to_come(const run_progress& p) {
    return static_cast<std::uint32_t>(std::ranges::count_if(p.calls, [](const call_state& call) {
        return starts_child(call.tool) && call.phase != call_phase::finished && !call.child_run_id;
    }));
}

/// What was asked for, as far as it is there; else an even part of what is left, of which one stays here.
expected<budget> share_of(const run_progress& p, const budget& asked) {
    const auto gone = sum(p.used, lent_of(p));
    bool enough = true;
    const auto share = each_amount([&](auto member) {
        const auto limit = p.limits.*member;
        if (limit == 0) {
            return asked.*member; // 0: the node's default
        }
        const auto left = limit > gone.*member ? limit - gone.*member : decltype(limit + 0){0};
        const auto part = asked.*member > 0 ? std::min<decltype(left + 0)>(asked.*member, left)
                                            : left / static_cast<decltype(left + 0)>(children_to_come(p) + 1);
        enough = enough && part > 0;
        return static_cast<std::remove_const_t<decltype(limit)>>(part);
    });
    return enough ? expected<budget>(share)
                  : problem{code::budget_exhausted,
                            "Your budget leaves nothing for another agent. Do it yourself, or finish."};
}

/// What is left of the run's own; nothing where a limit has been reached.
expected<budget> left_of(const run_progress& p) {
    bool enough = true;
    const auto left = each_amount([&](auto member) {
        const auto limit = p.limits.*member;
        enough = enough && (limit == 0 || p.used.*member < limit);
        return limit == 0 ? limit : std::max<decltype(limit + 0)>(limit - p.used.*member, 0);
    });
    return enough ? expected<budget>(left)
                  : problem{code::budget_exhausted, "Your budget leaves nothing for another agent. Finish."};
}

/// The smaller of two limits; 0: there is none.
budget capped(const budget& a, const budget& b) {
    return each_amount([&](auto member) {
        return a.*member == 0 || (b.*member != 0 && b.*member < a.*member) ? b.*member : a.*member;
    });
}

/// What all runs that this one starts have from it.
create_run wish_of(const run_progress& p) {
    create_run c;
    c.project_id = p.request.project_id;
    c.created_by = "run/" + to_string(p.id);
    c.depth = p.request.depth + 1;
    c.ceilings = p.request.ceilings;
    return c;
}

create_run wish_for(const run_progress& p, spawn_agent_arguments&& asked, const budget& limits) {
    auto c = wish_of(p);
    c.goal = std::move(asked.goal);
    c.parent_run_id = p.id;
    if (p.request.agent_kind == "agent") {
        c.agent_id = p.request.agent_id; // whose approvals these are, too
        c.limits_per_day = p.request.limits_per_day;
    }
    c.instructions = std::move(asked.instructions);
    c.model = asked.model.empty() ? p.request.model : std::move(asked.model);
    c.tools = rules_of(p);
    c.limits = limits;
    c.on_unknown = p.request.on_unknown;
    c.kind = std::move(asked.kind);
    c.parameters = std::move(asked.parameters);
    c.result_schema = std::move(asked.result_schema);
    c.approvals = p.request.approvals;
    return c;
}

expected<child_started> start_of(const run_progress& p, std::uint32_t call, std::string rule, create_run&& wish,
                                 const runtime::context& context) {
    if (auto fits = check_wish(wish); !fits) {
        return fits.error();
    }
    return child_started{p.step, call, context.make_id(), std::move(wish), std::move(rule)};
}

expected<std::vector<run_event>> plan_delegation(const run_progress& p, const record_agent& found,
                                                 const runtime::context& context) {
    const auto& call = p.calls.at(found.call - 1);
    const auto asked = from_json<delegate_arguments>(call.arguments, strictness::stored);
    const auto share = asked ? share_of(p, asked->limits) : expected<budget>(asked.error());
    if (!share) {
        return share.error();
    }
    auto wish = found.wish;
    wish.limits = capped(*share, wish.limits);
    auto start = start_of(p, found.call, call.rule, std::move(wish), context);
    return start ? expected<std::vector<run_event>>({std::move(*start)}) : start.error();
}

expected<std::vector<run_event>> plan_hand_off(const run_progress& p, const record_agent& found,
                                               const runtime::context& context) {
    const auto& call = p.calls.at(found.call - 1);
    const auto said = from_json<hand_off_arguments>(call.arguments, strictness::stored);
    const auto left = said ? left_of(p) : expected<budget>(said.error());
    if (!left) {
        return left.error();
    }
    auto wish = found.wish;
    wish.limits = capped(*left, wish.limits);
    if (auto fits = check_wish(wish); !fits) {
        return fits.error();
    }
    const auto run = context.make_id();
    const auto text = fmt::format("The agent {} goes on in run {}.", said->agent, to_string(run));
    return std::vector<run_event>{handed_off{p.step, found.call, run, {std::move(wish), p.id, p.step, said->message}},
                                  tool_call_finished{p.step, found.call, found.attempt, call.tool, text, false, {}},
                                  run_finished{"Handed off. " + text}};
}

} // namespace

bool starts_child(std::string_view tool) { return tool == spawn_agent_tool_name || tool == delegate_tool_name; }

bool names_agent(std::string_view tool) { return tool == delegate_tool_name || tool == hand_off_tool_name; }

budget lent_of(const run_progress& p) {
    budget out;
    for (const auto& call : p.calls) {
        out = is_child_at_work(call) ? sum(out, call.lent) : out;
    }
    return out;
}

budget spent_of(const run_progress& p) {
    auto out = sum(p.used, lent_of(p));
    if (p.model_call && p.model_call->sent) {
        out.tokens += p.model_call->reserved_tokens;
        out.cost_micros += p.model_call->reserved_cost_micros;
    }
    return out;
}

expected<child_started> plan_child(const run_progress& p, std::uint32_t call, std::string rule,
                                   const runtime::context& context) {
    auto asked = from_json<spawn_agent_arguments>(p.calls.at(call - 1).arguments, strictness::stored);
    if (!asked) {
        return asked.error();
    }
    const auto limits = share_of(p, asked->limits);
    if (!limits) {
        return limits.error();
    }
    return start_of(p, call, std::move(rule), wish_for(p, std::move(*asked), *limits), context);
}

create_run wish_for_agent(const run_progress& p, const call_state& call, const uuid& agent,
                          const agent_settings& from) {
    auto c = wish_of(p);
    if (call.tool == delegate_tool_name) {
        auto read = from_json<delegate_arguments>(call.arguments, strictness::stored);
        auto asked = read ? std::move(*read) : delegate_arguments{};
        c.goal = std::move(asked.goal);
        c.parameters = std::move(asked.parameters);
        c.result_schema = std::move(asked.result_schema);
        c.parent_run_id = p.id;
    } else {
        c.goal = p.request.goal;
    }
    c.agent_id = agent;
    c.on_unknown = from.on_unknown;
    fill_from_agent(c, from);
    if (auto above = rules_of(p); !above.empty()) {
        c.ceilings.push_back(std::move(above));
    }
    return c;
}

expected<std::vector<run_event>> plan_agent(const run_progress& p, const record_agent& found,
                                            const runtime::context& context) {
    return starts_child(p.calls.at(found.call - 1).tool) ? plan_delegation(p, found, context)
                                                         : plan_hand_off(p, found, context);
}

std::uint32_t call_of_child(const run_progress& p, const uuid& run) {
    const auto found = std::ranges::find_if(
        p.calls, [&](const call_state& call) { return is_child_at_work(call) && call.child_run_id == run; });
    return found == p.calls.end() ? 0 : static_cast<std::uint32_t>(found - p.calls.begin()) + 1;
}

tool_call_finished result_of_child(const run_progress& p, std::uint32_t call, const run_ended& end) {
    const bool good = end.status == run_status::succeeded;
    auto content = good ? end.result.value_or("")
                        : "The agent did not reach its goal: " + end.error.value_or("nobody knows why") +
                              (end.result ? "\n" + *end.result : "");
    if (end.output) {
        content += (content.empty() ? "Output: " : "\n\nOutput: ") + end.output->text;
    }
    return {p.step,
            call,
            0,
            p.calls.at(call - 1).tool,
            bounded_content(std::move(content)),
            !good,
            {fmt::format(R"({{"run_id":"{}","status":"{}"}})", to_string(end.run_id), detail::enum_name(end.status))}};
}

bool has_work_elsewhere(const run_progress& p) {
    return std::ranges::any_of(p.calls, [](const call_state& call) { return is_child_at_work(call) || rests(call); });
}

bool waits_for_others(const run_progress& p) {
    const auto elsewhere = [](const call_state& call) {
        return call.phase == call_phase::asked || rests(call) || is_child_at_work(call);
    };
    const auto here = [&](const call_state& call) {
        return call.phase != call_phase::finished && call.phase != call_phase::pending && !elsewhere(call);
    };
    return p.replied && std::ranges::any_of(p.calls, elsewhere) && std::ranges::none_of(p.calls, here);
}

} // namespace troupe::actors
