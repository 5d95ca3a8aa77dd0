#pragma once

#include "runtime/admission.hpp"
#include "runtime/entity/messages.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

namespace troupe::runtime {

/// A command on its way in. Without an id it gets one, so that a crash of its entity between commit and answer cannot
/// apply it twice.
held_ptr hold(command&& c, reply_port&& port);

/// The way of commands from outside into a node: within its bounds of outstanding commands and bytes, and in turn.
/// Thread-safe. Outlives all that it let in.
class command_gate {
public:
    struct figures {
        std::uint64_t outstanding = 0;
        std::uint64_t waiting = 0; ///< Of those: for their turn.
        std::uint64_t bytes = 0;
        std::uint64_t overloaded = 0; ///< Refused, because there were too many.
    };

    /// `route` takes those whose turn it is; it must not block.
    command_gate(admission::bounds bounds, std::function<void(held_ptr)> route);

    /// Over the bounds the answer is `overloaded`, after `stop` it is `unavailable`.
    void submit(command&& c, reply_port&& port);
    /// All that waits goes, and nothing new comes.
    void stop();
    [[nodiscard]] figures now() const;

private:
    template <class Change>
    void change(Change what);
    void refuse(held_command& held);
    void admit_all();

    const std::function<void(held_ptr)> route_;
    histogram& latency_;
    mutable std::mutex mutex_;
    admission admission_; ///< Under its mutex.
    std::atomic<std::uint64_t> overloaded_{0};
    std::atomic<bool> stopping_{false};
};

} // namespace troupe::runtime
