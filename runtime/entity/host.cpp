#include "runtime/entity/host.hpp"

#include <algorithm>
#include <atomic>

namespace troupe::runtime {

timestamp record_time(host_services& services, std::uint32_t shard) {
    auto& last = services.shard_times[shard];
    const auto now = services.clock().ms;
    auto seen = last.load(std::memory_order_relaxed);
    while (seen < now && !last.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
    }
    return {std::max(seen, now)};
}

} // namespace troupe::runtime
