#pragma once

#include "bin/cli/terminal.hpp"
#include "schemas/agent.hpp"
#include "schemas/approval.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/project.hpp"
#include "schemas/run.hpp"
#include "schemas/task.hpp"

#include <string>
#include <vector>

/// Documents as text for people. Pure.
namespace troupe::cli {

std::string show_runs(const screen& s, const std::vector<run_document>& runs, timestamp now);
std::string show_run(const screen& s, const run_document& run, timestamp now);
std::string show_steps(const screen& s, const std::vector<step_document>& steps);
std::string show_agents(const screen& s, const std::vector<agent_document>& agents, timestamp now);
std::string show_agent(const screen& s, const agent_document& agent, timestamp now);
std::string show_tasks(const screen& s, const std::vector<task_document>& tasks, timestamp now);
std::string show_task(const screen& s, const task_document& task, timestamp now);
std::string show_candidates(const screen& s, const std::vector<assignment_candidate>& candidates);
std::string show_messages(const screen& s, const std::vector<message_document>& messages, timestamp now);
std::string show_projects(const screen& s, const std::vector<project_document>& projects, timestamp now);
std::string show_project(const screen& s, const project_document& project, timestamp now);
std::string show_files(const screen& s, const std::vector<file_document>& files, timestamp now);
std::string show_approvals(const screen& s, const std::vector<approval_document>& approvals, timestamp now);
std::string show_approval(const screen& s, const approval_document& approval, timestamp now);

} // namespace troupe::cli
