#pragma once

#include "storage/rocks.hpp"
#include "storage/store.hpp"
#include "storage/views.hpp"

#include <rocksdb/iterator.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace troupe::storage {

/// One iterator that visits all shards of an index in (sort, id) order: a heap holds the next position of each shard.
class merged_index {
public:
    /// Behind a suffix, whether it is there or not; from the start with "". The store and the query outlive it.
    merged_index(const store& s, const list_query& query, const std::string& after);

    /// The next (sort, id) suffix, or nothing at the end.
    std::optional<std::string> next();
    [[nodiscard]] bool at_end() const { return heap_.empty(); }
    /// The first failure in any shard: the iterator itself forgets it with the next seek.
    [[nodiscard]] rocksdb::Status status() const { return failed_.ok() ? iterator_->status() : failed_; }

private:
    using position = std::pair<std::string, std::uint32_t>;
    struct later {
        bool descending;
        bool operator()(const position& a, const position& b) const {
            return descending ? a.first < b.first : a.first > b.first;
        }
    };

    void open();
    void start_at_heads();
    /// Pushes what follows in the shard. False: the place itself is not there.
    bool advance(std::uint32_t shard, const std::string& after);
    /// Whether that place of the shard is there, and the first suffix that follows it, or is the first at all after "";
    /// empty: there is none.
    std::pair<bool, std::string> first_after(std::uint32_t shard, const std::string& after);

    const store& store_;
    const list_query& query_;
    const std::string filter_; ///< As it stands in keys.
    std::unique_ptr<rocksdb::Iterator> iterator_;
    rocksdb::Status failed_;
    std::priority_queue<position, std::vector<position>, later> heap_{later{query_.descending}};
};

} // namespace troupe::storage
