#pragma once

#include "schemas/base/problem.hpp"

#include <spdlog/logger.h>

#include <string>
#include <string_view>

namespace troupe {

/// The logger of a module ("storage", "edge", "run", …): made on first use, thread-safe, never null.
///     log_for("storage").info("opened {} with {} shards", path, shards);
/// Hot paths keep the reference: `static auto& log = log_for("edge");`
spdlog::logger& log_for(std::string_view module);

/// How a process logs; set once at start-up.
struct log_settings {
    std::string level = "info";            ///< trace, debug, info, warn, error, off
    std::string modules = {};              ///< "storage=debug,edge=warn": overrides per module
    std::string file = {};                 ///< empty: stderr
    bool json = false;                     ///< one JSON object a line; otherwise text for people
    std::size_t file_bytes_max = 64 << 20; ///< rotation
    std::size_t files_max = 5;
};

/// Applies the settings to all present and future loggers. `config_invalid` names a bad level or file.
expected<void> configure_logging(const log_settings& settings);

/// Changes levels while running, in the form of `log_settings::modules` or a bare level for all.
expected<void> set_log_levels(std::string_view levels);

} // namespace troupe
