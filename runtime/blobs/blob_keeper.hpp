#pragma once

#include "runtime/config/config.hpp"
#include "schemas/base/clock.hpp"
#include "storage/blob_collector.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace troupe::runtime {

struct supervised_child;

/// Has the blobs collected that nothing names: one pass each `blobs.collect_every_ms`, in small steps with pauses, on a
/// thread of its own.
class blob_keeper {
public:
    /// The store outlives the keeper's actor. `clock` is the node's: one that jumped is not believed.
    blob_keeper(storage::store& s, const config& settings, std::function<timestamp()> clock);
    ~blob_keeper();

    /// Work at hand ends soon: the node stops. From any thread.
    void cancel();
    /// The actor, for the node's supervisor.
    supervised_child child();

private:
    class worker;
    /// One step; gives the time until the next.
    std::int64_t step();
    void report(std::int64_t began_ms);

    std::function<timestamp()> clock_;
    std::int64_t every_ms_;
    storage::blob_collector collector_;
    std::int64_t began_ms_ = 0; ///< The pass at hand; 0: none.
};

} // namespace troupe::runtime
