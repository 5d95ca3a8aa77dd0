#pragma once

#include "runtime/supervision/part.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace troupe::runtime {

/// A child to be run here.
struct placed_start {
    std::string supervisor;
    supervised_part part;
    std::size_t restarts_max = 5;
    std::int64_t window_ms = 60'000;
    /// It is supervised no longer. With a reason: it failed too often. Once or more, from any thread; must not block.
    std::function<void(std::optional<std::string> gave_up)> over;
};

/// Who runs placed children at a node. Thread-safe; must not block.
class placed_runner {
public:
    virtual ~placed_runner() = default;
    virtual void add_supervisor(const std::string& name) = 0;
    virtual void start(placed_start what) = 0;
    virtual void stop(const std::string& supervisor, const std::string& child) = 0;
};

} // namespace troupe::runtime
