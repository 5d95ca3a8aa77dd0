#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

#include <atomic>
#include <cstdint>
#include <string>

/// Collects what no state names any more.
///
/// The rule: a pass that finds nothing that names a blob marks it with the time; a later pass collects it when the mark
/// is older than the grace, and takes the mark away when something names the blob again. Putting or naming a blob takes
/// the mark away too, and a blob that is not there cannot be named (`name_blobs`). So a blob that was named, or put, at
/// a moment is there for the grace after it: a backup made within the grace of a moment can be restored to that moment.
///
/// A kill at any moment loses nothing that is named: marks are hints that only make a blob wait, and a blob goes in one
/// write.
namespace troupe::storage {

struct collector_settings {
    std::int64_t grace_ms = 0;
    std::size_t step_blobs = 256; ///< Looked at in one step.
};

/// What one pass over all blobs has seen and done so far.
struct collection {
    std::uint64_t blobs = 0; ///< That are there after it.
    std::uint64_t bytes = 0;
    std::uint64_t unnamed = 0; ///< Of them: that wait for the end of their grace.
    std::uint64_t collected = 0;
    std::uint64_t collected_bytes = 0;
};

/// One thread at a time; beside commits, puts and reads of the same store.
class blob_collector {
public:
    blob_collector(store& s, collector_settings settings) : store_(s), settings_(settings) {}

    /// Looks at the next blobs of the pass, or begins one. True: the pass is over.
    expected<bool> step(timestamp now);
    /// Of the pass at hand, or of the last one when it is over.
    [[nodiscard]] const collection& seen() const { return seen_; }
    /// Gives the space of what was collected back to the disk, when it is worth it. Blocks for as long as that takes.
    expected<void> compact();
    /// A compaction at hand ends soon, and none begins. From any thread.
    void cancel() { cancelled_ = true; }

private:
    store& store_;
    collector_settings settings_;
    std::string after_; ///< The last blob that the pass has looked at; empty: a pass begins.
    collection seen_;
    std::uint64_t freed_bytes_ = 0; ///< Since the last compaction.
    std::atomic<bool> cancelled_ = false;
};

} // namespace troupe::storage
