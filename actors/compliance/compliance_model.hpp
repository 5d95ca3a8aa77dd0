#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/compliance.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The compliance monitor of an organization, or of the node: evaluations, when the next one is due, and what they
/// found. An entity of `system` with the organization's id (`system`'s own: the node), so that streams of the
/// organization do not show who has no second factor. Pure: the performer collects facts and judges them.
namespace troupe::actors {

/// From now on it evaluates by itself, for the first time after so long. Nothing changes when it does already.
struct watch_compliance {
    std::int64_t first_ms = 0;
};
BOOST_DESCRIBE_STRUCT(watch_compliance, (), (first_ms))

/// Nothing changes while one is under way: its outcome is the answer to both.
struct evaluate_compliance {
    compliance_reason reason = compliance_reason::request;
};
BOOST_DESCRIBE_STRUCT(evaluate_compliance, (), (reason))

/// Of the performer: what it found.
struct record_evaluation {
    std::uint64_t number = 0;
    std::vector<compliance_check> checks;
    std::int64_t next_ms = 0; ///< The next one by itself after so long; 0: never.
};
BOOST_DESCRIBE_STRUCT(record_evaluation, (), (number, checks, next_ms))

/// Of the performer: the organization is gone.
struct end_compliance {};
BOOST_DESCRIBE_STRUCT(end_compliance, (), ())

struct compliance_watched {
    timestamp next_at;
};
BOOST_DESCRIBE_STRUCT(compliance_watched, (), (next_at))

struct compliance_requested {
    std::uint64_t number = 0;
    compliance_reason reason = compliance_reason::request;
};
BOOST_DESCRIBE_STRUCT(compliance_requested, (), (number, reason))

struct compliance_evaluated {
    compliance_evaluation evaluation;
    std::optional<timestamp> next_at;
};
BOOST_DESCRIBE_STRUCT(compliance_evaluated, (), (evaluation, next_at))

struct compliance_ended {};
BOOST_DESCRIBE_STRUCT(compliance_ended, (), ())

struct compliance_pending {
    std::uint64_t number = 0;
    compliance_reason reason = compliance_reason::request;
    std::string requested_by;
};
BOOST_DESCRIBE_STRUCT(compliance_pending, (), (number, reason, requested_by))

struct compliance_state {
    static constexpr int version = 1;
    uuid id;
    std::uint64_t requested = 0; ///< Evaluations so far.
    std::optional<compliance_pending> pending;
    std::optional<timestamp> next_at;
    std::optional<compliance_evaluation> latest;
    timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(compliance_state, (), (id, requested, pending, next_at, latest, created_at))

/// Evaluations that are shown; older ones are in the events only.
inline constexpr std::uint64_t evaluations_kept = 400;
/// Items: `compliance_summary` and `compliance_evaluation`, by `evaluation_key`.
inline constexpr std::string_view summaries_collection = "summaries";
inline constexpr std::string_view evaluations_collection = "evaluations";
std::string evaluation_key(std::uint64_t number);

/// Key and type of what is owed while an evaluation is under way: "evaluate/3".
inline constexpr std::string_view evaluate_effect = "evaluate";

entity_address compliance_address(const uuid& organization);

/// Of the weights that apply, those that pass and half of those that warn, in hundredths, rounded down; 100 where
/// nothing applies.
std::uint32_t compliance_score(const std::vector<compliance_check>& checks);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::watch_compliance)
TROUPE_NAMED(troupe::actors::evaluate_compliance)
TROUPE_NAMED(troupe::actors::record_evaluation)
TROUPE_NAMED(troupe::actors::end_compliance)
TROUPE_NAMED(troupe::actors::compliance_watched)
TROUPE_NAMED(troupe::actors::compliance_requested)
TROUPE_NAMED(troupe::actors::compliance_evaluated)
TROUPE_NAMED(troupe::actors::compliance_ended)

namespace troupe::actors {

struct compliance_model {
    static constexpr std::string_view kind = "compliance";
    using state = compliance_state;
    using command = std::variant<watch_compliance, evaluate_compliance, record_evaluation, end_compliance>;
    using event = std::variant<compliance_watched, compliance_requested, compliance_evaluated, compliance_ended>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    /// Erased with its organization; the node's own is the node's.
    static uuid subject(const state& s) { return s.id == system_organization ? uuid() : s.id; }
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
};

} // namespace troupe::actors
