#include "actors/settings/settings_model.hpp"

#include "actors/common/model.hpp"

namespace troupe::actors {
namespace {

using events = std::vector<settings_model::event>;

static_assert(wire_name<security_policy_changed>::value == security_changed_event);

/// Nobody keeps itself out by mistake.
expected<void> check_author(const change_settings& c, const settings_content& after, timestamp at) {
    if (!c.author || c.force) {
        return {};
    }
    const auto policy = parse_security_policy(security_values(after), "/values");
    if (!policy) {
        return policy.error();
    }
    const auto breach = judge_policy(*policy, *c.author, at);
    if (breach == policy_breach::none) {
        return {};
    }
    return problem{code::would_lock_out, "under the new policy you would be refused yourself: " +
                                             problem_of(breach).detail + ". Send `force` to change it all the same"};
}

void add_version(events& out, std::uint64_t number, const change_settings& c, const settings_content& before,
                 const settings_content& after) {
    auto changes = differences(before, after);
    if (changes.empty()) {
        return;
    }
    out.emplace_back(settings_changed{number, c.what, c.why, c.restores, c.force, std::move(changes)});
    if (security_values(before) != security_values(after)) {
        out.emplace_back(security_policy_changed{});
    }
}

} // namespace

std::string version_key(std::uint64_t number) {
    const auto digits = std::to_string(number);
    return std::string(10 - std::min<std::size_t>(digits.size(), 10), '0') + digits;
}

settings_document document_of(const uuid& organization, std::uint64_t number, const settings_content& content) {
    settings_document d;
    d.organization_id = organization;
    d.version = number;
    d.values = values_in(content, base_place);
    d.profiles = places_below(content, profile_places);
    for (const auto& [name, values] : places_below(content, template_places)) {
        d.templates.push_back(name);
    }
    return d;
}

expected<settings_plan> plan_of(std::uint64_t number, const settings_content& now, const change_settings& c,
                                timestamp at) {
    settings_plan out{now, {}};
    if (number == 0 && c.before && !c.before->empty()) {
        out.before[std::string(base_place)] = *c.before;
    }
    auto after = planned(out.before, {c.changes, c.exactly});
    if (!after) {
        return after.error();
    }
    out.after = std::move(*after);
    if (security_values(out.before) != security_values(out.after)) {
        if (const auto may = check_author(c, out.after, at); !may) {
            return may.error();
        }
    }
    return out;
}

expected<events> settings_model::decide(const state& s, const command& c, const runtime::context& context) {
    const auto& change = std::get<change_settings>(c);
    const auto plan = plan_of(s.number, s.content, change, context.now);
    if (!plan) {
        return plan.error();
    }
    events out;
    auto number = s.number;
    if (plan->before != s.content) { // only once, before the first version
        change_settings taking;
        taking.what = "taken over";
        taking.why = "from the organization's own document";
        add_version(out, ++number, taking, s.content, plan->before);
    }
    add_version(out, number + 1, change, plan->before, plan->after);
    return out;
}

settings_state settings_model::apply(state s, const event& e, const runtime::event_context& at) {
    s.organization = at.id;
    std::visit(visitor{[&](const settings_changed& x) {
                           s.number = x.number;
                           for (const auto& d : x.changes) {
                               apply_difference(s.content, d);
                           }
                           s.updated_by = at.principal;
                           s.updated_at = at.time;
                       },
                       [](const security_policy_changed&) {}},
               e);
    return s;
}

std::vector<runtime::effect> settings_model::resume(const state&) { return {}; }

runtime::entity_view settings_model::view(const state& s, const runtime::view_context&) {
    if (s.number == 0) {
        return {.document = "", .keys = {}, .exists = false};
    }
    auto d = document_of(s.organization, s.number, s.content);
    d.updated_by = s.updated_by;
    d.updated_at = s.updated_at;
    return {redacted(to_json(d)), {{"", runtime::sort_key(s.updated_at)}}, true};
}

std::string settings_model::answer(const state& s, const std::vector<event>& decided, const runtime::view_context&) {
    settings_result_document d{s.number, false, {}};
    for (const auto& e : decided) {
        if (const auto* x = std::get_if<settings_changed>(&e)) {
            d.version = x->number;
            d.changes = x->changes; // of the last: what was taken over was there before
        }
    }
    return redacted(to_json(d));
}

std::vector<runtime::item> settings_model::items(const state& after, const event& e, const runtime::event_context& at) {
    if (std::holds_alternative<security_policy_changed>(e)) {
        return {{std::string(security_collection), std::string(security_key),
                 to_json(security_record{security_values(after.content)})}};
    }
    const auto& x = std::get<settings_changed>(e);
    const settings_version_document version{x.number, at.time,    std::string(at.principal), x.what,
                                            x.why,    x.restores, x.changes.size(),          x.forced};
    const auto key = version_key(x.number);
    return {{std::string(versions_collection), key, to_json(version)},
            {std::string(contents_collection), key, to_json(kept_settings{after.content})}};
}

} // namespace troupe::actors
