#pragma once

#include "schemas/base/described.hpp"
#include "schemas/task.hpp"
#include "storage/store.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Messages as they are now: what was said stands with the task, what became of it lies over that.
namespace troupe::actors {

inline constexpr std::string_view message_kind = "message";
inline constexpr std::string_view messages_collection = "messages"; ///< Of a task.

/// The stored document: what lies over the message as it was said.
struct message_overlay {
    std::optional<std::string> content;
    std::optional<std::vector<mention>> mentions;
    std::optional<timestamp> edited_at;
    bool deleted = false;
    std::map<std::string, std::vector<std::string>> reactions;
};
BOOST_DESCRIBE_STRUCT(message_overlay, (), (content, mentions, edited_at, deleted, reactions))

/// The message as it is now.
message_document with_overlay(message_document said, const message_overlay& over);

/// As it was said; nothing when there is no such message.
expected<std::optional<message_document>> find_said(const storage::store& s, const uuid& organization,
                                                    const uuid& message);
/// With what lies over it.
expected<message_document> as_it_is_now(const storage::store& s, const uuid& organization, message_document said);

} // namespace troupe::actors
