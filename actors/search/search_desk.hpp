#pragma once

#include "actors/search/search_texts.hpp"
#include "runtime/services.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// Full-text search over tasks, messages, documents and runs. Each organization has an index of its own, DIR/search/ID,
/// that follows the journal within a second; it can be lost at any time and is made again.
namespace troupe::actors {

/// Where indexes are, and which of them are to be made anew. Thread-safe. The services outlive it.
class search_desk {
public:
    search_desk(const runtime::services& s, std::filesystem::path folder);

    [[nodiscard]] const runtime::services& services() const { return services_; }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    [[nodiscard]] std::filesystem::path folder_of(const uuid& organization) const;
    /// For who writes the key is made; `erased`.
    [[nodiscard]] expected<storage::hide_word> hiding(const uuid& organization, bool writes) const;

    void ask_rebuild(const uuid& organization);
    [[nodiscard]] std::set<uuid> take_rebuilds();

private:
    const runtime::services& services_;
    const std::filesystem::path folder_;
    std::mutex mutex_;
    std::set<uuid> rebuilds_;
};

/// Who asks, and what for.
struct search_question {
    uuid organization;
    storage::text_query query; ///< Its filters name the types that the caller may read.
    std::function<bool(const document_document&)> may_read;
};
struct search_answer {
    std::vector<search_item> items;
    std::optional<std::size_t> next_offset;
};
/// Of what the index finds, what is there now and may be read. Blocks. A damaged index is asked to be made again, and
/// the answer is `unavailable`.
expected<search_answer> answer_search(search_desk& desk, const search_question& question);

/// Keeps the indexes in step, from a thread of its own until it is destroyed.
class search_follower {
public:
    explicit search_follower(search_desk& desk);
    ~search_follower();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::actors
