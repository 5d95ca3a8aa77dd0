#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/task.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// WORKING.md: the board as a text that people and agents read and edit. Pure.
namespace troupe::actors {

/// A line of a task. `key` empty: a new one.
struct working_task {
    std::string key;
    task_status status = task_status::inbox;
    std::string agent; ///< Its session key, or a name; empty: nobody's.
    std::string title;
    std::size_t line = 0; ///< In the text, from 1; 0: it is not from one.
};

struct working_agent {
    std::string session_key;
    std::string status; ///< "ACTIVE", "IDLE", …
    std::string doing;
};

/// What the text shows.
struct working_state {
    timestamp updated; ///< Everything up to then is in it.
    std::vector<working_agent> agents;
    std::vector<working_task> tasks; ///< In the order of the board.
    std::vector<std::string> recent; ///< "10:30 - …"
    bool more = false;               ///< There are tasks that are not in it.
};

std::string render(const working_state& s);

struct working_text {
    timestamp updated;
    std::vector<working_task> tasks;
};

/// What an edited text says of tasks; agents and recent activity are nobody's to edit, and passed over.
/// `invalid_request` with the lines that cannot be read, as "/lines/14".
expected<working_text> parse_working(std::string_view text);

/// As a title stands in a line.
std::string working_title(std::string_view title, task_status status);

/// One thing to do. `key` empty: a new task.
struct working_change {
    std::string key;
    std::optional<task_status> status;
    std::optional<std::string> agent; ///< Whom to give it to.
    std::optional<std::string> title;
    std::size_t line = 0;
};

/// Finds out what somebody changed in a text that shows `base`, while others made `now` of it: each member by itself.
/// `conflict` with both sides where both changed one; `invalid_request` for tasks that are not there, for lines that
/// were taken out (`now` tells what could have been), and for what the text cannot say.
/// `base` and `now` by key.
expected<std::vector<working_change>> merge_working(const std::vector<working_task>& edited,
                                                    const std::map<std::string, working_task>& base,
                                                    const std::map<std::string, working_task>& now);

} // namespace troupe::actors
