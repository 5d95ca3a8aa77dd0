#include "actors/compliance/compliance_performer.hpp"

#include "actors/compliance/compliance_facts.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

/// After the first start: then there is something to judge, and whoever only tries the program has no more events.
constexpr std::int64_t first_of_node_ms = 10LL * 60 * 1000;
/// Organizations that nobody watched before begin one after the other.
constexpr std::int64_t first_of_organization_ms = 1000;

template <class Command>
runtime::command own_command(const uuid& organization, const Command& c) {
    runtime::command out;
    out.to = compliance_address(organization);
    out.type = wire_name<Command>::value;
    out.payload = to_json(c);
    out.principal = "node";
    return out;
}

/// Fills a part of the facts; false: it cannot be read now, and `why` says so.
template <class Part>
bool take(std::optional<Part>& to, expected<Part> found, problem& why) {
    if (!found) {
        why = found.error();
        return false;
    }
    to = std::move(*found);
    return true;
}

expected<compliance_facts> facts_of_organization(const runtime::services& s, const uuid& organization,
                                                 compliance_reason reason, std::stop_token stop) {
    compliance_facts out;
    out.now = system_now();
    problem why;
    // Whoever asks waits for an answer about this moment; each day the node's verification covers all organizations.
    const auto audit = [&] {
        return reason == compliance_reason::request ? verified_audit(s, organization, stop)
                                                    : known_audit(s, organization);
    };
    const auto backups = backups_of_node(s, stop);
    if (!backups) {
        return backups.error();
    }
    out.backups = backups->facts;
    out.retention = retention_of_node(s);
    const bool all = take(out.people, people_of_organization(s, organization, out.now), why) &&
                     take(out.keys, keys_of_organization(s, organization, out.now), why) &&
                     take(out.encryption, encryption_of(s, organization), why) && take(out.audit, audit(), why);
    return all ? expected<compliance_facts>(std::move(out)) : why;
}

expected<compliance_facts> facts_of_node(const runtime::services& s, std::stop_token stop) {
    compliance_facts out;
    out.now = system_now();
    problem why;
    const auto backups = backups_of_node(s, stop);
    if (!backups) {
        return backups.error();
    }
    out.backups = backups->facts;
    out.backup_verification = verify_newest_backup(s, *backups);
    out.retention = retention_of_node(s);
    out.key_files = key_files_of_node(s);
    const bool all = take(out.people, administrators_of_node(s, out.now), why) &&
                     take(out.encryption, encryption_of(s, std::nullopt), why) &&
                     take(out.audit, verified_audit(s, std::nullopt, stop), why);
    return all ? expected<compliance_facts>(std::move(out)) : why;
}

/// Those that are watched already change nothing; what is refused now is told with the next evaluation.
expected<void> watch_organizations(const runtime::services& s, runtime::effect_context& context) {
    std::int64_t first_ms = 0;
    return each_listed(*s.store, system_organization, "organization", "", [&](const auto& d) -> expected<bool> {
        first_ms += first_of_organization_ms;
        if (const auto told = context.ask(own_command(d.id, watch_compliance{first_ms})); !told) {
            log_for("compliance").warn("organization/{} is not watched yet: {}", to_string(d.id), told.error().detail);
        }
        return !context.stop().stop_requested();
    });
}

template <class Command>
std::vector<runtime::self_command> one(const Command& c) {
    return {runtime::self_command{std::string(wire_name<Command>::value), to_json(c)}};
}

std::vector<runtime::self_command> evaluate(const runtime::services& s, const compliance_state& state,
                                            runtime::effect_context& context) {
    if (!state.pending) {
        return {};
    }
    const auto& organization = context.self().id;
    const bool of_node = organization == system_organization;
    if (!of_node) {
        const auto there = storage::read_document(*s.store, {system_organization, "organization", organization});
        if (there && !*there) {
            return one(end_compliance{});
        }
    }
    const auto facts = of_node ? facts_of_node(s, context.stop())
                               : facts_of_organization(s, organization, state.pending->reason, context.stop());
    if (!facts) { // it is tried again after a rest
        if (!context.stop().stop_requested()) {
            log_for("compliance")
                .error("{} cannot be evaluated now: {}", to_string(context.self()), facts.error().detail);
        }
        return {};
    }
    const auto every_ms = s.settings->compliance_every_ms;
    if (of_node && every_ms > 0) {
        if (const auto watched = watch_organizations(s, context); !watched) {
            log_for("compliance").error("organizations cannot be watched now: {}", watched.error().detail);
        }
    }
    return one(record_evaluation{state.pending->number, judge(*facts), every_ms});
}

} // namespace

runtime::performer_of<compliance_model> make_compliance_performer(const runtime::services& s) {
    return [&s](const runtime::perform_effect&, const compliance_state& state, runtime::effect_context& context) {
        return evaluate(s, state, context);
    };
}

void watch_node_compliance(const runtime::services& s) {
    if (s.settings->compliance_every_ms == 0) {
        return;
    }
    s.submit(own_command(system_organization, watch_compliance{first_of_node_ms}), [](const runtime::reply& told) {
        if (!told) {
            log_for("compliance").error("the node does not evaluate itself: {}", told.error().detail);
        }
    });
}

} // namespace troupe::actors
