#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What the compliance monitor found, of an organization or of the node.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(compliance_result, pass, warn, fail, not_applicable)
BOOST_DEFINE_ENUM_CLASS(compliance_severity, low, medium, high, critical)
BOOST_DEFINE_ENUM_CLASS(compliance_reason, schedule, request)

/// A figure that a judgement is made of.
struct compliance_evidence {
    std::string name;
    std::string value;
};
BOOST_DESCRIBE_STRUCT(compliance_evidence, (), (name, value))

/// What does not pass: an account, a key. Stored without its name, which is the one that it has when it is shown.
struct compliance_subject {
    std::string id; ///< "user/…", "api_key/…".
    std::optional<std::string> name;
};
BOOST_DESCRIBE_STRUCT(compliance_subject, (), (id, name))

struct compliance_check {
    std::string id; ///< "mfa_members": stable.
    std::string title;
    compliance_severity severity = compliance_severity::medium;
    compliance_result result = compliance_result::pass;
    std::uint32_t weight = 0; ///< In the score.
    std::string finding;      ///< What is so, in a sentence.
    std::string remedy;       ///< What to do; empty when nothing is to be done.
    std::vector<compliance_evidence> evidence;
    std::uint64_t subjects_total = 0;
    std::vector<compliance_subject> subjects; ///< The first 20 of them.
};
BOOST_DESCRIBE_STRUCT(compliance_check, (),
                      (id, title, severity, result, weight, finding, remedy, evidence, subjects_total, subjects))

/// An item of GET …/compliance/history.
struct compliance_summary {
    std::uint64_t number = 0; ///< Of the evaluation, from 1.
    timestamp at;
    compliance_reason reason = compliance_reason::schedule;
    std::string requested_by;
    std::uint32_t score = 0; ///< 0 to 100: of the weights that apply, a warning counts half.
    std::uint32_t passed = 0;
    std::uint32_t warnings = 0;
    std::uint32_t failed = 0;
    std::uint32_t not_applicable = 0;
};
BOOST_DESCRIBE_STRUCT(compliance_summary, (),
                      (number, at, reason, requested_by, score, passed, warnings, failed, not_applicable))

/// GET …/compliance/export
struct compliance_evaluation : compliance_summary {
    std::vector<compliance_check> checks;
};
BOOST_DESCRIBE_STRUCT(compliance_evaluation, (compliance_summary), (checks))

/// GET …/compliance
struct compliance_document {
    std::string subject;                     ///< "organization/…" or "node".
    std::optional<std::uint64_t> evaluating; ///< The number of the evaluation that is under way.
    std::optional<timestamp> next_at;        ///< Of the next one by itself.
    std::optional<compliance_evaluation> latest;
};
BOOST_DESCRIBE_STRUCT(compliance_document, (), (subject, evaluating, next_at, latest))

} // namespace troupe
