#pragma once

#include "schemas/notification.hpp"

/// Commands to an inbox (kind "inbox", with the id of the person, key or agent whose it is) from other features.
namespace troupe {

/// Something that its owner may want to know. Kept unless the owner asked not to hear of such things.
struct notify {
    notification_kind kind = notification_kind::alert;
    task_priority priority = task_priority::medium;
    std::string title;
    std::string text;
    std::optional<uuid> task_id;
    std::optional<uuid> message_id;
    std::string actor; ///< Who caused it: a principal.
};
BOOST_DESCRIBE_STRUCT(notify, (), (kind, priority, title, text, task_id, message_id, actor))

} // namespace troupe

TROUPE_NAMED(troupe::notify)
