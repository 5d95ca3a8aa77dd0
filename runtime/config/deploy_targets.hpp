#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// Where agents may deploy to, as `deploy.json` in the node's data lists it: the operator's file. With a `command` it
/// is a process target, which the node itself runs; else a command target, whose commands do what is to be done.
struct deploy_target {
    std::string name;                   ///< [a-z0-9_-]+
    std::string folder;                 ///< Absolute: its journal, and releases of a process target.
    std::string source;                 ///< Of the project, what a release has; empty: all.
    std::string build;                  ///< A shell line in the project; empty: nothing is built.
    std::string test;                   ///< As `build`.
    std::vector<std::string> command;   ///< Of a process target: serves on the port in PORT.
    std::vector<std::uint16_t> ports;   ///< Of a process target; the second is for the new one beside the old.
    std::string health;                 ///< Of a process target a path; else a URL of what is in use.
    std::string prepared_health;        ///< Of a command target: a URL of what is prepared.
    std::vector<std::string> prepare;   ///< Brings a release up beside the one in use.
    std::vector<std::string> change;    ///< Moves TROUPE_PERCENT of the use to it.
    std::vector<std::string> roll_back; ///< Moves all use back, and ends what was prepared.
    std::vector<std::string> retire;    ///< Ends the one before.
    std::int64_t start_ms = 30'000;     ///< So long it may take until it is healthy.
    std::int64_t watch_ms = 10'000;     ///< So long it has to stay so.

    [[nodiscard]] bool is_process() const { return !command.empty(); }
};

/// Reads a JSON list of them; an empty text is an empty list. `config_invalid` has all that is wrong, by JSON pointers.
expected<std::vector<deploy_target>> parse_deploy_targets(std::string_view text);

} // namespace troupe::runtime
