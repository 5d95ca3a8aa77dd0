#pragma once

#include "bin/cli/terminal.hpp"
#include "schemas/activity.hpp"
#include "schemas/notification.hpp"
#include "schemas/search.hpp"
#include "schemas/task.hpp"

#include <string>
#include <vector>

/// The board and what happens on it, as text. Pure.
namespace troupe::cli {

/// Columns side by side where they fit, else one below the other. Empty columns beyond the usual five are left out.
std::string show_board(const screen& s, const board_document& board);

std::string show_activities(const screen& s, const std::vector<activity_document>& activities, timestamp now);
std::string show_notifications(const screen& s, const std::vector<notification_document>& told, timestamp now);
std::string show_undelivered(const screen& s, const std::vector<undelivered_document>& all, timestamp now);
/// What was found, the best first.
std::string show_found(const screen& s, const std::vector<search_item>& found, timestamp now);

} // namespace troupe::cli
