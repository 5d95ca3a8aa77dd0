#pragma once

#include "bin/cli/terminal.hpp"
#include "schemas/load.hpp"

#include <optional>
#include <string>

/// `troupe top` as figures and as text. Pure.
namespace troupe::cli {

/// What happened between two answers of GET /load.
struct load_rates {
    double seconds = 0;
    double accepted_per_s = 0;
    double refused_per_s = 0;
    double repeated_per_s = 0;
    double fsyncs_per_s = 0;
    double commands_per_fsync = 0; ///< The group that shares one; 0: no fsync.
    double cpu_percent = 0;        ///< Of one processor.
    std::optional<double> p50_ms;  ///< Of commands; nothing: there were none.
    std::optional<double> p99_ms;
};
BOOST_DESCRIBE_STRUCT(load_rates, (),
                      (seconds, accepted_per_s, refused_per_s, repeated_per_s, fsyncs_per_s, commands_per_fsync,
                       cpu_percent, p50_ms, p99_ms))

/// Nothing when the node was started between them, or no time passed.
std::optional<load_rates> rates_between(const load_document& before, const load_document& now);

/// `rates` may be null: then they are said to be unknown.
std::string show_top(const screen& s, const load_document& now, const load_rates* rates);

} // namespace troupe::cli
