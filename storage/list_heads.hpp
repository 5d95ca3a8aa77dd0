#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::storage {

/// Where lists begin, kept in memory. An index has a part in each shard, and a list merges them, so that its first page
/// began with a seek in every one; now only shards whose rows were written since the list was last read are looked at.
/// Thread-safe.
class list_heads {
public:
    /// Of all lists; beyond, those that were not read for longest go.
    static constexpr std::size_t bytes_max = 16 << 20;

    explicit list_heads(std::uint32_t shards) : versions_(shards) {}

    /// Rows of the shard's indexes may be others from now on: when they can be read, before anybody is told.
    void touch(std::uint32_t shard) { versions_[shard].fetch_add(1, std::memory_order_release); }
    /// Of any shard.
    void touch() {
        for (std::uint32_t shard = 0; shard < versions_.size(); ++shard) {
            touch(shard);
        }
    }
    [[nodiscard]] std::uint64_t version(std::uint32_t shard) const {
        return versions_[shard].load(std::memory_order_acquire);
    }

    /// `version` is from before the place was looked for. It may be of the past: whoever takes one looks whether it is
    /// there.
    struct place {
        std::uint64_t version = 0;
        std::string first; ///< What follows the prefix of the list in its first key there; empty: it has none there.
    };
    using places = std::vector<place>; ///< One for each shard.

    /// Null: the list was not read yet, or not for long.
    [[nodiscard]] std::shared_ptr<const places> find(const std::string& list);
    void keep(const std::string& list, places now);

private:
    struct kept {
        std::string list;
        std::shared_ptr<const places> where;
        std::size_t bytes = 0;
    };
    using order = std::list<kept>; ///< The list that was read last comes first.

    std::vector<std::atomic<std::uint64_t>> versions_;
    std::mutex mutex_;
    order kept_;
    std::unordered_map<std::string, order::iterator> found_;
    std::size_t bytes_ = 0;
};

} // namespace troupe::storage
