#pragma once

#include "actors/tool/tool.hpp"
#include "schemas/agent.hpp"
#include "schemas/base/problem.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

/// Policies of agents and runs: which calls go ahead, which a person is asked about, which are refused. Pure.
///
/// A rule is named by what it is about: a tool ("run_command"), a permission ("execute") or all tools ("*"); with a
/// pattern in parentheses it is about some calls only: "run_command(git *)", "write(src/**)", "deploy(stage=test)".
/// Rules about a tool are also about those that could do the same with it (`tool_info::like`): who may not run commands
/// starts no processes either.
///
/// The most specific rule that fits decides: a tool before a permission before "*", then one with a pattern before one
/// without, then the one with more literal characters. Where two are alike, deny comes before ask before allow. No
/// rule: allow.
namespace troupe::actors {

using tool_policies = std::map<std::string, tool_policy>;

/// What is to be done with a call, and the rule that said so; empty: none did.
struct tool_verdict {
    tool_policy policy = tool_policy::allow;
    std::string rule;
};

/// Judges a call by its arguments as they are. A pattern is held against the member that it names, else against the
/// call's command, paths (as globs; those of a patch, too) or address, else against all arguments as text, where "*"
/// stands for anything.
///
/// A rule that allows fits if all of the call does. In a command its "*" stands for no character by which a shell goes
/// on to another command, so that "git *" does not allow "git status; rm x". A rule that asks or denies fits if any
/// part of the call does: one of several commands or paths, or what a folder may hold.
tool_verdict judge_call(const tool_policies& rules, const tool_info& tool, std::string_view arguments);

/// Whether no call of the tool can go ahead, whatever its arguments: then it is not offered.
bool is_ruled_out(const tool_policies& rules, const tool_info& tool);

/// Adds rules of a wider place, as of the agent to those of a run. Where both have the same one, the nearer stays, but
/// a denial does in any case.
void add_policies(tool_policies& to, const tool_policies& more);

/// The rule that is about calls like this one: the tool with its command, path or address, else with all arguments.
/// Nothing where these cannot be a pattern: there are several, or they have characters that stand for others.
std::optional<std::string> rule_of_call(const tool_info& tool, std::string_view arguments);

/// `invalid_request` for a rule that is about nothing: a misspelt one would allow what was to be forbidden.
expected<void> check_policies(const tool_policies& policies);

} // namespace troupe::actors
