#pragma once

#include "actors/common/debts.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/base/described.hpp"
#include "schemas/chat.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A chat: what people say, and what the agent answers. Pure.
///
/// One answer is made at a time. It is a run of the agent, whose id follows from the chat and the message that it
/// answers, so that it is made once; the run tells the chat how it ended. What is said meanwhile is answered by the
/// next one, all together.
namespace troupe::actors {

inline constexpr std::size_t turns_max = 60;              ///< That an answer looks back on.
inline constexpr std::size_t turn_bytes_max = 128 * 1024; ///< All of them together.
inline constexpr std::string_view chat_messages_collection = "messages";

// ---- commands

struct create_chat : create_chat_body {};
BOOST_DESCRIBE_STRUCT(create_chat, (create_chat_body), ())
struct update_chat : update_chat_body {};
BOOST_DESCRIBE_STRUCT(update_chat, (update_chat_body), ())
struct say : say_body {};
BOOST_DESCRIBE_STRUCT(say, (say_body), ())
/// The answer that is being made is not wanted any more.
struct stop_answer {};
BOOST_DESCRIBE_STRUCT(stop_answer, (), ())
struct delete_chat {};
BOOST_DESCRIBE_STRUCT(delete_chat, (), ())
/// Of its performer: the run is there, or why it cannot be.
struct note_answer_begun {
    uuid run_id;
    std::string problem; ///< Empty: it is there.
};
BOOST_DESCRIBE_STRUCT(note_answer_begun, (), (run_id, problem))

// ---- events

struct chat_created : create_chat_body {
    uuid organization;
};
BOOST_DESCRIBE_STRUCT(chat_created, (create_chat_body), (organization))
struct chat_renamed {
    std::string title;
};
BOOST_DESCRIBE_STRUCT(chat_renamed, (), (title))
struct chat_said {
    std::string author;
    std::string content;
};
BOOST_DESCRIBE_STRUCT(chat_said, (), (author, content))
struct answer_wanted {
    uuid run_id;
};
BOOST_DESCRIBE_STRUCT(answer_wanted, (), (run_id))
struct answer_begun {};
BOOST_DESCRIBE_STRUCT(answer_begun, (), ())
/// With an error there is none.
struct chat_answered {
    uuid run_id;
    std::string content;
    std::string error;
};
BOOST_DESCRIBE_STRUCT(chat_answered, (), (run_id, content, error))
struct answer_stopped {};
BOOST_DESCRIBE_STRUCT(answer_stopped, (), ())
struct chat_deleted {};
BOOST_DESCRIBE_STRUCT(chat_deleted, (), ())
/// A run was there only when nobody wanted its answer any more.
struct answer_unwanted {
    uuid run_id;
};
BOOST_DESCRIBE_STRUCT(answer_unwanted, (), (run_id))

// ---- state

struct chat_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    bool deleted = false;
    create_chat_body about;
    std::uint64_t messages = 0;
    std::vector<chat_turn> turns; ///< The newest.
    std::optional<uuid> run_id;   ///< Of the answer that is being made.
    bool begun = false;           ///< That run is there.
    std::uint64_t unanswered = 0; ///< Said by people since it was wanted.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    debts owed;
};
BOOST_DESCRIBE_STRUCT(chat_state, (),
                      (id, organization, deleted, about, messages, turns, run_id, begun, unanswered, created_by,
                       created_at, updated_at, owed))

struct chat_model {
    static constexpr std::string_view kind = "chat";
    using state = chat_state;
    using command = std::variant<create_chat, update_chat, say, stop_answer, delete_chat, note_answer_begun, run_ended,
                                 debt_settled>;
    using event = std::variant<chat_created, chat_renamed, chat_said, answer_wanted, answer_begun, chat_answered,
                               answer_stopped, chat_deleted, answer_unwanted, debt_cleared>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// Collection "messages": `chat_message` by its zero-padded number.
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
    /// The message of a `chat_said`, else the chat's document.
    static std::string answer(const state& after, const std::vector<event>&, const runtime::view_context&);
};

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_chat)
TROUPE_NAMED(troupe::actors::update_chat)
TROUPE_NAMED(troupe::actors::say)
TROUPE_NAMED(troupe::actors::stop_answer)
TROUPE_NAMED(troupe::actors::delete_chat)
TROUPE_NAMED(troupe::actors::note_answer_begun)
TROUPE_NAMED(troupe::actors::chat_created)
TROUPE_NAMED(troupe::actors::chat_renamed)
TROUPE_NAMED(troupe::actors::chat_said)
TROUPE_NAMED(troupe::actors::answer_wanted)
TROUPE_NAMED(troupe::actors::answer_begun)
TROUPE_NAMED(troupe::actors::chat_answered)
TROUPE_NAMED(troupe::actors::answer_stopped)
TROUPE_NAMED(troupe::actors::chat_deleted)
TROUPE_NAMED(troupe::actors::answer_unwanted)
