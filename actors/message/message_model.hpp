#pragma once

#include "actors/common/debts.hpp"
#include "actors/common/messages.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/task_messages.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What became of a message after it was said: edited, taken back, reacted to (kind "message", with the message's id).
/// What was said stands in the task's journal and never changes; this entity is made when somebody first touches it.
/// Pure.
namespace troupe::actors {

inline constexpr std::size_t reactions_max = 50;  ///< Different ones of a message.
inline constexpr std::size_t reacting_max = 1000; ///< People with the same one.

/// Where it was said and by whom, as the route found it: the same in every command to one message.
struct said_message {
    uuid task_id;
    std::string author;
    std::string content;
};
BOOST_DESCRIBE_STRUCT(said_message, (), (task_id, author, content))

/// `mentions`: whom the route found behind the names in the new text.
struct edit_message {
    said_message said;
    std::string content;
    std::vector<mention> mentions;
};
BOOST_DESCRIBE_STRUCT(edit_message, (), (said, content, mentions))
struct delete_message {
    said_message said;
};
BOOST_DESCRIBE_STRUCT(delete_message, (), (said))
struct react {
    said_message said;
    std::string reaction;
    bool remove = false;
};
BOOST_DESCRIBE_STRUCT(react, (), (said, reaction, remove))

/// The first touch.
struct message_touched {
    uuid organization;
    said_message said;
};
BOOST_DESCRIBE_STRUCT(message_touched, (), (organization, said))
struct message_edited {
    std::string content;
    std::vector<mention> mentions;
};
BOOST_DESCRIBE_STRUCT(message_edited, (), (content, mentions))
struct message_deleted {};
BOOST_DESCRIBE_STRUCT(message_deleted, (), ())
struct reaction_changed {
    std::string reaction;
    std::string by;
    bool removed = false;
};
BOOST_DESCRIBE_STRUCT(reaction_changed, (), (reaction, by, removed))

struct message_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    said_message said;
    std::optional<std::string> content; ///< Since the first edit.
    std::vector<mention> mentions;      ///< Of that.
    bool deleted = false;
    std::optional<timestamp> edited_at;
    std::map<std::string, std::set<std::string>> reactions;
    debts owed;
};
BOOST_DESCRIBE_STRUCT(message_state, (),
                      (id, organization, said, content, mentions, deleted, edited_at, reactions, owed))

struct message_model {
    static constexpr std::string_view kind = "message";
    using state = message_state;
    using command = std::variant<edit_message, delete_message, react, debt_settled>;
    using event = std::variant<message_touched, message_edited, message_deleted, reaction_changed, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::edit_message)
TROUPE_NAMED(troupe::actors::delete_message)
TROUPE_NAMED(troupe::actors::react)
TROUPE_NAMED(troupe::actors::message_touched)
TROUPE_NAMED(troupe::actors::message_edited)
TROUPE_NAMED(troupe::actors::message_deleted)
TROUPE_NAMED(troupe::actors::reaction_changed)
