// What the security policies of organizations ask of whoever acts in them.
#include "actors/common/stored.hpp"
#include "actors/identity/access.hpp"
#include "actors/identity/organization_model.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t remembered_max = 20'000;

std::optional<std::int64_t> larger(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return a && b ? std::max(*a, *b) : a ? a : b;
}
std::optional<std::int64_t> smaller(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
    return a && b ? std::min(*a, *b) : a ? a : b;
}

} // namespace

/// Where it cannot be read nobody gets in.
expected<std::shared_ptr<const security_policy>> access::policy_of(const uuid& organization) const {
    const auto generation = generation_.load(std::memory_order_acquire);
    {
        const std::lock_guard lock(mutex_);
        const auto known = policies_.find(organization);
        if (known != policies_.end() && known->second.generation == generation) {
            return known->second.policy;
        }
    }
    const auto stored = read_stored<security_record>(*services_.store, settings_address(organization),
                                                     security_collection, security_key);
    if (!stored) {
        return stored.error();
    }
    std::shared_ptr<const security_policy> out;
    if (*stored && !(*stored)->values.empty()) {
        auto parsed = parse_security_policy((*stored)->values, "/values");
        if (!parsed) {
            return problem{code::unavailable, "the security policy of this organization says what this Troupe does not "
                                              "know: " +
                                                  parsed.error().detail};
        }
        out = std::make_shared<const security_policy>(std::move(*parsed));
    }
    const std::lock_guard lock(mutex_);
    if (out && out->session_idle_minutes && !notes_use_.exchange(true)) {
        used_floor_ = system_now();
    }
    if (policies_.size() >= remembered_max) {
        policies_.clear();
    }
    policies_[organization] = {out, generation};
    return out;
}

expected<void> access::read_policy(const uuid& organization, credentials& c) const {
    auto policy = policy_of(organization);
    if (!policy) {
        return policy.error();
    }
    c.policy = std::move(*policy);
    c.facts.role = c.role;
    return {};
}

expected<security_policy> access::policy_of(const user_document& user) const {
    security_policy out;
    for (const auto& m : user.organizations) {
        const auto policy =
            m.active ? policy_of(m.organization_id) : expected<std::shared_ptr<const security_policy>>(nullptr);
        if (!policy) {
            return policy.error();
        }
        if (const auto* p = policy->get()) {
            out.password_length_min = larger(out.password_length_min, p->password_length_min);
            out.password_history = larger(out.password_history, p->password_history);
            out.session_idle_minutes = smaller(out.session_idle_minutes, p->session_idle_minutes);
        }
    }
    return out;
}

policy_breach access::breach_of(const credentials& c, std::string_view address) const {
    if (!c.policy) {
        return policy_breach::none;
    }
    auto facts = c.facts;
    facts.address = address;
    if (c.session && c.policy->session_idle_minutes) {
        facts.used = rests_since(*c.session, facts.used);
    }
    return judge_policy(*c.policy, facts, system_now());
}

void access::note_use(const uuid& session, timestamp refreshed_at) {
    const auto now = system_now();
    const std::lock_guard lock(mutex_);
    if (used_.size() >= remembered_max) {
        used_.clear();
        used_floor_ = now;
    }
    auto& use = used_[session];
    const auto before = std::max({use.last, refreshed_at, used_floor_});
    use.longest_rest_ms = std::max(use.longest_rest_ms, now - before);
    use.last = now;
}

/// The moment since which it rests, or one that is as long ago as its longest rest.
timestamp access::rests_since(const uuid& session, timestamp refreshed_at) const {
    const std::lock_guard lock(mutex_);
    const auto known = used_.find(session);
    const auto use = known == used_.end() ? session_use{} : known->second;
    const auto last = std::max({use.last, refreshed_at, used_floor_});
    return std::min(last, timestamp{system_now().ms - use.longest_rest_ms});
}

std::optional<policy_facts> access::facts_of(const net::request& r) const {
    const auto* c = r.who.credentials.get();
    if (c == nullptr || c->kind == credential_kind::admin_key) {
        return std::nullopt;
    }
    auto out = c->facts;
    out.address = r.address;
    if (c->session) {
        out.used = system_now(); // it is asking now
    }
    return out;
}

expected<void> access::check_policy(const net::principal& who) const {
    const auto* c = who.credentials.get();
    return c == nullptr || c->breach == policy_breach::none ? expected<void>() : expected<void>(problem_of(c->breach));
}

expected<void> access::check_refresh(const session_document& session, const user_document& user,
                                     const std::optional<uuid>& organization) const {
    auto all = policy_of(user);
    const auto target =
        all && organization ? policy_of(*organization) : expected<std::shared_ptr<const security_policy>>(nullptr);
    if (!all || !target) {
        return all ? target.error() : all.error();
    }
    if (*target) {
        all->session_lifetime_minutes = (*target)->session_lifetime_minutes;
    }
    policy_facts facts;
    facts.person = true;
    facts.second_factor = true;
    facts.began = session.created_at;
    facts.used = rests_since(session.id, session.refreshed_at);
    const auto breach = judge_policy(*all, facts, system_now());
    return breach == policy_breach::none ? expected<void>() : expected<void>(problem_of(breach));
}

} // namespace troupe::actors
