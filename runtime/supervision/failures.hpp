#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/log.hpp"
#include "schemas/failure.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::runtime {

/// A text without what differs from one time to the next: ids, hexadecimal and other long tokens, numbers and addresses
/// become "#", quoted texts '…'. At most `failure_board::pattern_bytes_max`.
std::string failure_pattern(std::string_view text);

/// Groups what goes wrong by a fingerprint of module and pattern, counts, and keeps the newest of each group: in
/// memory, since the start. Thread-safe; nothing is done where nothing fails.
class failure_board {
public:
    /// What an operator can look through. About 1 MB.
    static constexpr std::size_t groups_max = 500;
    static constexpr std::size_t pattern_bytes_max = 300;
    static constexpr std::size_t text_bytes_max = 1000;

    explicit failure_board(std::size_t kept_max = groups_max, std::function<timestamp()> now = system_now);

    /// Long texts are shortened. Beyond the bound the group that was not seen for longest goes.
    void record(const error_line& line);

    struct group : failure_document {
        std::uint64_t number = 0; ///< Of its newest failure; counts all since the start, from 1.
    };
    friend std::string to_json(const group& g) { return troupe::to_json<failure_document>(g); }
    /// The one that was seen last first; with `before` (not 0) only those whose newest has a smaller number.
    [[nodiscard]] std::vector<group> list(std::size_t limit = 100, std::uint64_t before = 0) const;

    /// How many groups made room for others.
    [[nodiscard]] std::uint64_t forgotten() const;

    /// How many failures since the start, of groups that are kept or not.
    [[nodiscard]] std::uint64_t count(std::string_view module, std::string_view level) const;
    static constexpr std::array<std::string_view, 2> levels{"error", "critical"};
    /// All names that this program logs under; those of programs that embed a node count as "other".
    static constexpr std::array<std::string_view, 32> modules{
        "access",       "audit",   "backup",      "blobs",     "bus",    "chat",    "cluster",  "compliance",
        "config",       "edge",    "entity",      "erasure",   "etcd",   "goal",    "identity", "mcp",
        "notification", "process", "project",     "retention", "run",    "runtime", "sandbox",  "search",
        "secrets",      "storage", "supervision", "task",      "timers", "traces",  "usage",    "other"};

private:
    const std::size_t kept_max_;
    const std::function<timestamp()> now_;
    mutable std::mutex mutex_;
    std::list<group> groups_; ///< The one that was seen last in front.
    std::unordered_map<std::string, std::list<group>::iterator> by_fingerprint_;
    std::uint64_t recorded_ = 0;
    std::uint64_t forgotten_ = 0;
    std::map<std::pair<std::string, std::string>, std::uint64_t> counts_; ///< By module and level.
};

} // namespace troupe::runtime
