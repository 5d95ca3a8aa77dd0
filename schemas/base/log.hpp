#pragma once

#include "schemas/base/problem.hpp"

#include <spdlog/logger.h>

#include <functional>
#include <string>
#include <string_view>

namespace troupe {

/// The logger of a module ("storage", "edge", "run", …): made on first use, thread-safe, never null.
///     log_for("storage").info("opened {} with {} shards", path, shards);
/// Hot paths keep the reference: `static auto& log = log_for("edge");`
spdlog::logger& log_for(std::string_view module);

/// While it lives, the lines of its thread are about that request: JSON lines have its ids as `request` and `trace`,
/// lines of text end with them. A nested one replaces it. What it is given has to outlive it. Costs a few nanoseconds.
class log_scope {
public:
    /// Either may be empty. Of the traceparent the trace's id is taken.
    log_scope(std::string_view request, std::string_view traceparent);
    ~log_scope();
    log_scope(const log_scope&) = delete;
    log_scope& operator=(const log_scope&) = delete;

private:
    std::string_view request_before_;
    std::string_view trace_before_;
};

/// A line of level error or critical.
struct error_line {
    std::string_view level; ///< "error" or "critical".
    std::string_view module;
    std::string_view message;
    std::string_view request; ///< Of the `log_scope`; empty: not known.
    std::string_view trace;
};

/// Hears of the error lines of the process while it lives: on the thread that logs, after the line is written, one at a
/// time. It must not log. Other lines cost nothing more; what a level of `off` hides is not heard.
class error_listener {
public:
    explicit error_listener(std::function<void(const error_line&)> hear);
    ~error_listener(); ///< Nothing is heard after it.
    error_listener(const error_listener&) = delete;
    error_listener& operator=(const error_listener&) = delete;

private:
    spdlog::sink_ptr sink_;
};

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
