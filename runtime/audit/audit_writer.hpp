#pragma once

#include "runtime/audit/audit_log.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include <string>

namespace troupe::runtime {

class dead_letters;

/// The actor that writes the audit log, a moment after each commit. It remembers nothing: it may be killed at any time.
/// `detached` unless a test drives it. The log outlives it.
caf::actor spawn_audit_writer(caf::actor_system& system, audit_log& log, std::string path, dead_letters* letters,
                              bool detached);

} // namespace troupe::runtime
