#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/services.hpp"
#include "schemas/base/problem.hpp"

#include <memory>

/// Tells the node's ledger what each organization may use: its plan's limits from the configuration, and its own from
/// its document. A change counts for every command that is decided after it was answered.
namespace troupe::actors {

class plan_keeper {
public:
    /// Before the node starts, so that nothing is decided without limits.
    static expected<std::unique_ptr<plan_keeper>> open(const runtime::services& services);

private:
    std::unique_ptr<runtime::subscription> changes_;
};

} // namespace troupe::actors
