#pragma once

#include "schemas/document.hpp"
#include "schemas/search.hpp"
#include "schemas/task.hpp"
#include "storage/store.hpp"
#include "storage/text_index.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What can be found, as texts: tasks, messages, documents and runs as they are now.
namespace troupe::actors {

struct found_text {
    storage::indexed_text text;
    search_item item;                          ///< Without snippet and score.
    std::optional<document_document> document; ///< Of a document, to see who may read it.
};

/// "task/018f…", and back.
std::string text_id(search_type type, const uuid& id);
std::optional<std::pair<search_type, uuid>> parse_text_id(std::string_view text);
/// Of all messages of a task.
std::string messages_filter(const uuid& task);

/// Nothing for what is not there (any more). Blocks on reads of the tables.
expected<std::optional<found_text>> read_text(const storage::store& s, const uuid& organization, search_type type,
                                              const uuid& id);
/// Nothing when it was taken back.
std::optional<found_text> text_of(const message_document& m);

} // namespace troupe::actors
