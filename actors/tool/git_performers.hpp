#pragma once

#include "actors/tool/git_arguments.hpp"
#include "actors/tool/tool.hpp"

/// What the tools of git do with arguments that fit their schema; see `tool_performers.hpp`.
namespace troupe::actors::git_tools {

tool_result status(const git_status_arguments& a, const tool_environment& where);
tool_result diff(const git_diff_arguments& a, const tool_environment& where);
tool_result log(const git_log_arguments& a, const tool_environment& where);
tool_result show(const git_show_arguments& a, const tool_environment& where);
tool_result commit(const git_commit_arguments& a, const tool_environment& where);
tool_result branch(const git_branch_arguments& a, const tool_environment& where);
tool_result checkout(const git_checkout_arguments& a, const tool_environment& where);

} // namespace troupe::actors::git_tools
