#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/search.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// An index of texts in a folder of its own (Xapian). It holds no text: words, ids of filters and all else that it
/// finds by are kept as `hide` makes them, so whoever has the folder without the key has numbers, and whoever destroys
/// the key has erased it. Derived: what is damaged or missing is made again.
namespace troupe::storage {

/// Makes a name of a word that nobody without the key can tell from others; the same for the same word.
using hide_word = std::function<std::string(std::string_view)>;

inline constexpr std::size_t indexed_bytes_max = 1 << 20; ///< Of a text; what is longer is found by its beginning.

struct indexed_text {
    std::string id;    ///< Kept as it is: "task/018f…". Another text of the same id is replaced.
    std::string title; ///< Its words count for more.
    std::string body;
    std::vector<std::string> filters; ///< "status=done": whole values to find it by.
    timestamp time;
};

struct text_query {
    std::vector<search_clause> clauses;
    std::vector<std::vector<std::string>> filters; ///< Of each group one has to be there.
    std::optional<timestamp> since = {};           ///< This or later.
    std::optional<timestamp> until = {};           ///< Before.
    std::size_t offset = 0;
    std::size_t limit = 50;
};

struct text_hit {
    std::string id;
    double score = 0;
};

/// Writes. One at a time for a folder, one thread. What is put is found after `commit`, and after a kill as well.
/// Problems: `storage_failed` when the disk refuses, `journal_damaged` when the index cannot be used and has to be made
/// again.
class text_index {
public:
    static expected<std::unique_ptr<text_index>> open(const std::filesystem::path& folder, hide_word hide);
    ~text_index();

    expected<void> put(const indexed_text& text);
    expected<void> remove(std::string_view id);
    /// All that have that filter.
    expected<void> remove_all(std::string_view filter);
    [[nodiscard]] expected<bool> has(std::string_view id) const;
    /// Kept with the next commit; empty: nothing was noted.
    expected<void> note(std::string_view name, std::string_view value);
    [[nodiscard]] expected<std::string> noted(std::string_view name) const;
    expected<void> commit();

private:
    struct impl;
    explicit text_index(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

/// The best first. From any thread, beside a writer; a folder that is not there has nothing.
expected<std::vector<text_hit>> search_index(const std::filesystem::path& folder, const hide_word& hide,
                                             const text_query& query);

/// The part of a text that has the most of what was asked for, with that marked; else its beginning. Pure.
std::vector<search_piece> make_snippet(std::string_view text, const std::vector<search_clause>& clauses);

} // namespace troupe::storage
