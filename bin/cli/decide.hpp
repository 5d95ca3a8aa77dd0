#pragma once

#include "bin/cli/commands.hpp"
#include "schemas/approval.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

/// How a person's decision reaches a run.
namespace troupe::cli {

/// What a run waits for, of which people can decide.
expected<std::vector<approval_document>> pending_approvals(api& node, const uuid& run_id);

/// The one pending approval of the run that `decision` answers. `conflict` says what to do when there is none, or
/// several.
expected<approval_document> pick_approval(const std::vector<approval_document>& pending, decision decision,
                                          std::string_view run);

expected<approval_document> decide(api& node, const uuid& approval_id, const decide_approval_body& body);

/// What is to be remembered of a decision: --remember and --pattern.
std::vector<flag> with_remember_flags(std::vector<flag> flags);
expected<void> read_remember(const arguments& args, decide_approval_body& body);

/// Asks the person at the terminal, until the approval is decided here or elsewhere, or `stop` is asked for.
/// Answers false when it was left undecided.
expected<bool> ask_person(context& c, const approval_document& approval, std::stop_token stop);

} // namespace troupe::cli
