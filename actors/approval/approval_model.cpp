#include "actors/approval/approval_model.hpp"

#include "actors/common/form_answer.hpp"
#include "actors/common/model.hpp"
#include "actors/tool/policies.hpp"
#include "actors/tool/tool.hpp"
#include "schemas/run_messages.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace troupe::actors {
namespace {

using events = std::vector<approval_model::event>;
using decision_result = expected<events>;

bool exists(const approval_state& s) { return !s.id.is_nil(); }

/// The decisions that answer a question of this kind.
std::span<const decision> fitting(wait_reason reason) {
    static constexpr std::array approval{decision::approve, decision::deny};
    static constexpr std::array question{decision::answer, decision::deny};
    static constexpr std::array unknown_step{decision::retry, decision::skip};
    switch (reason) {
    case wait_reason::approval:
        return approval;
    case wait_reason::question:
        return question;
    case wait_reason::unknown_step:
        return unknown_step;
    case wait_reason::back_off:
        break;
    }
    return {};
}

problem does_not_fit(wait_reason reason, decision given) {
    std::string names;
    for (const auto fit : fitting(reason)) {
        names += (names.empty() ? "" : " or ") + std::string(detail::enum_name(fit));
    }
    return {code::invalid_request,
            "'" + std::string(detail::enum_name(given)) + "' does not answer what is asked here (" +
                std::string(detail::enum_name(reason)) + "). Decide with " + names + ".",
            {{"/decision", "expected " + names}}};
}

approval_status status_after(decision d) {
    switch (d) {
    case decision::approve:
    case decision::retry:
        return approval_status::approved;
    case decision::deny:
    case decision::skip:
        return approval_status::denied;
    case decision::answer:
        break;
    }
    return approval_status::answered;
}

decision_result decide(const approval_state& s, const open_approval& c, const runtime::context& context) {
    if (exists(s)) {
        const bool same = s.request.run_id == c.run_id && s.request.step_key == c.step_key;
        return same ? decision_result(events{}) : exists_already("approval", context.self.id);
    }
    if (fitting(c.reason).empty()) {
        return problem{code::invalid_request, "Nobody can decide a '" + std::string(detail::enum_name(c.reason)) +
                                                  "'. Open an approval for approval, question or unknown_step."};
    }
    return events{approval_opened{context.self.organization, c}};
}

/// Why no person can have a say any more, other than that one had it.
std::optional<problem> nothing_left(const approval_state& s) {
    if (s.status == approval_status::withdrawn) {
        return problem{code::conflict, "There is nothing left to decide: the run ended."};
    }
    if (s.status == approval_status::expired) {
        return problem{code::conflict, "It is too late: nobody had decided by " + to_string(*s.request.expires_at) +
                                           ", and the run went on without a decision."};
    }
    return {};
}

/// The rule that the decision is to become; empty: none.
expected<std::string> remembered_rule(const approval_state& s, const decide_approval& c) {
    const auto refused = [](std::string pointer, std::string detail) {
        return problem{code::invalid_request, detail, {{std::move(pointer), detail}}};
    };
    if (!c.remember) {
        return c.pattern.empty() ? expected<std::string>("")
                                 : refused("/pattern", "A pattern says what to remember: give 'remember', too.");
    }
    const auto* tool = find_tool(s.request.tool);
    if (!tool || s.request.reason != wait_reason::approval) {
        return refused("/remember", "Only the decision about a call can be remembered.");
    }
    if (*c.remember == remember_scope::agent && !s.request.agent_id) {
        return refused("/remember", "The run has no agent that could remember it. Remember it for the run.");
    }
    const auto& arguments = c.arguments ? *c.arguments : s.request.arguments;
    if (c.pattern.empty()) {
        auto rule = rule_of_call(*tool, arguments.text);
        return rule ? expected<std::string>(std::move(*rule))
                    : refused("/pattern", "This call cannot be told from others by itself. Say with a pattern which "
                                          "calls are meant.");
    }
    auto rule = s.request.tool + "(" + c.pattern + ")";
    const bool fits = judge_call({{rule, tool_policy::allow}}, *tool, arguments.text).rule == rule;
    return fits ? expected<std::string>(std::move(rule)) : refused("/pattern", "The pattern does not fit this call.");
}

/// Where the question is a form of an MCP server: whether the answer fills it in, so that a person can mend it.
expected<void> check_form(const open_approval& asked, std::string_view answer) {
    const auto parsed = json::document::parse(asked.arguments.text);
    const auto schema = parsed ? parsed->root().find("requestedSchema") : std::nullopt;
    if (asked.reason != wait_reason::question || !schema) {
        return {};
    }
    auto filled = fill_form(schema->dump(), answer);
    return filled ? expected<void>() : expected<void>(filled.error());
}

decision_result decide(const approval_state& s, const decide_approval& c, const runtime::context& context) {
    if (!exists(s)) {
        return no_such("approval", context.self.id);
    }
    if (auto over = nothing_left(s)) {
        return std::move(*over);
    }
    if (s.decision) {
        const auto& d = *s.decision;
        if (d.decision == c.decision && d.answer == c.answer && d.arguments == c.arguments &&
            d.remember == c.remember) {
            return events{};
        }
        return problem{code::conflict, "This was decided already with '" + std::string(detail::enum_name(d.decision)) +
                                           "' by " + d.by + ". A decision cannot be changed."};
    }
    if (std::ranges::count(fitting(s.request.reason), c.decision) == 0) {
        return does_not_fit(s.request.reason, c.decision);
    }
    if (c.arguments && c.decision != decision::approve) {
        return problem{code::invalid_request,
                       "Arguments can only be given with 'approve'. Leave them out.",
                       {{"/arguments", "only with the decision approve"}}};
    }
    const auto* tool = c.arguments ? find_tool(s.request.tool) : nullptr;
    if (auto fits = tool ? tool->check(c.arguments->text) : expected<void>(); !fits) {
        auto wrong = fits.error();
        for (auto& e : wrong.errors) {
            e.pointer.insert(0, "/arguments");
        }
        return problem{code::invalid_request, std::move(wrong.detail), std::move(wrong.errors)};
    }
    if (c.decision == decision::answer && c.answer.empty()) {
        return problem{
            code::invalid_request, "A question needs an answer. Give it in 'answer'.", {{"/answer", "is required"}}};
    }
    if (auto fits = c.decision == decision::answer ? check_form(s.request, c.answer) : expected<void>(); !fits) {
        return fits.error();
    }
    auto rule = remembered_rule(s, c);
    if (!rule) {
        return rule.error();
    }
    return events{approval_decided{c.decision, c.answer, c.arguments, std::string(context.principal), c.remember,
                                   std::move(*rule)}};
}

decision_result decide(const approval_state& s, const delegate_approval& c, const runtime::context& context) {
    if (!exists(s)) {
        return no_such("approval", context.self.id);
    }
    if (auto over = nothing_left(s)) {
        return std::move(*over);
    }
    if (s.decision) {
        return problem{code::conflict, "This was decided already by " + s.decision->by + "."};
    }
    return s.assigned_to == c.to ? events{} : events{approval_delegated{c.to, std::string(context.principal)}};
}

decision_result decide(const approval_state& s, const expire_approval&, const runtime::context&) {
    if (!exists(s) || s.status != approval_status::pending || !s.request.expires_at) {
        return events{};
    }
    const bool approves = s.request.on_expiry == expiry_action::approve && s.request.reason == wait_reason::approval;
    switch (s.request.reason) {
    case wait_reason::question:
        return events{approval_expired{decision::deny,
                                       "Nobody answered in time. Go on without an answer, or finish and "
                                       "say what is missing."}};
    case wait_reason::unknown_step:
        return events{approval_expired{decision::skip, ""}};
    default:
        return events{approves ? approval_expired{decision::approve, ""}
                               : approval_expired{decision::deny, "Nobody decided about this call in time. Reach the "
                                                                  "goal without it."}};
    }
}

decision_result decide(const approval_state& s, const withdraw_approval& c, const runtime::context&) {
    return exists(s) && s.status == approval_status::pending ? events{approval_withdrawn{c.reason}} : events{};
}

decision_result decide(const approval_state& s, const debt_settled& c, const runtime::context&) {
    const auto* paid = find_debt(s.owed, c.key);
    return paid ? events{cleared(*paid, c)} : events{};
}

void apply(approval_state& s, const approval_opened& e, const runtime::event_context& at) {
    s.id = at.id;
    s.organization = e.organization;
    s.request = e.request;
    s.created_at = at.time;
}

void apply(approval_state& s, const approval_decided& e, const runtime::event_context& at) {
    s.status = status_after(e.decision);
    s.decision = e;
    s.decided_at = at.time;
    owe(s.owed, "run", s.request.run_id,
        resolve_approval{s.id, s.request.step_key, e.decision, e.answer, e.arguments, e.by, e.remember, e.rule});
}

void apply(approval_state& s, const approval_delegated& e, const runtime::event_context&) { s.assigned_to = e.to; }

void apply(approval_state& s, const approval_expired& e, const runtime::event_context& at) {
    s.status = approval_status::expired;
    s.decided_at = at.time;
    owe(s.owed, "run", s.request.run_id,
        resolve_approval{s.id, s.request.step_key, e.decision, e.answer, {}, std::string(expired_by)});
}

void apply(approval_state& s, const approval_withdrawn&, const runtime::event_context& at) {
    s.status = approval_status::withdrawn;
    s.decided_at = at.time;
}

void apply(approval_state& s, const debt_cleared& e, const runtime::event_context&) { clear_debt(s.owed, e.number); }

approval_document document_of(const approval_state& s) {
    approval_document d{s.id,         s.request.run_id, s.request.step_key, s.request.reason,
                        s.status,     s.request.text,   s.request.tool,     s.request.arguments,
                        std::nullopt, std::nullopt,     s.created_at,       s.decided_at};
    d.agent_id = s.request.agent_id;
    d.expires_at = s.request.expires_at;
    d.assigned_to = s.assigned_to;
    if (s.decision) {
        d.remember = s.decision->remember;
        if (s.decision->remember) {
            d.rule = s.decision->rule;
        }
        d.decided_by = s.decision->by;
        if (!s.decision->answer.empty()) {
            d.answer = s.decision->answer;
        }
        if (s.decision->arguments) {
            d.arguments = *s.decision->arguments;
        }
    }
    return d;
}

} // namespace

expected<std::vector<approval_model::event>> approval_model::decide(const state& s, const command& c,
                                                                    const runtime::context& context) {
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

approval_state approval_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    return s;
}

std::vector<runtime::effect> approval_model::resume(const state& s) {
    auto effects = effects_of(s.owed, s.organization);
    if (exists(s) && s.status == approval_status::pending && s.request.expires_at) {
        effects.push_back(runtime::timer_effect{"expiry", *s.request.expires_at,
                                                std::string(wire_name<expire_approval>::value), "{}"});
    }
    return effects;
}

runtime::entity_view approval_model::view(const state& s, const runtime::view_context&) {
    if (!exists(s)) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.created_at);
    std::vector<runtime::index_key> keys{{"", sort},
                                         {"status=" + std::string(detail::enum_name(s.status)), sort},
                                         {"run_id=" + to_string(s.request.run_id), sort}};
    if (s.assigned_to) {
        keys.push_back({"assigned_to=" + to_string(*s.assigned_to), sort});
    }
    return {to_json(document_of(s)), std::move(keys), true};
}

} // namespace troupe::actors
