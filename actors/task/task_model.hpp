#pragma once

#include "actors/common/debts.hpp"
#include "actors/common/upcast.hpp"
#include "actors/task/rank.hpp"
#include "actors/task/task_v4.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/task.hpp"
#include "schemas/task_messages.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A task: a card on the board, and work for the agent that it is assigned to. Pure.
///
/// Each assignment has a number. While it is live, the agent has the task queued or in work and moves it; what the
/// agent says of an older assignment is ignored. A move by a person ends the assignment: the agent is told to stop.
///
/// Tasks hang together by what they tell each other through their debts: a part tells its parent where it is, a task
/// tells those that wait for it that it is done. Whether ways lead in a circle nobody can decide alone: the routes look
/// before, and the task looks once more when it was tied to others. Of two requests that closed a circle together, the
/// one that is seen last sees both, and takes its ties back.
namespace troupe::actors {

// ---- commands of people; bodies of the API where they have one

/// `no_due`: it has to be done at no time any more.
struct update_task : update_task_body {
    static constexpr int version = 3;
    bool no_due = false;
};
BOOST_DESCRIBE_STRUCT(update_task, (update_task_body), (no_due))
struct assign_task : assign_task_body {};
BOOST_DESCRIBE_STRUCT(assign_task, (assign_task_body), ())
/// `rank`: where the route put it among those of its column; empty: behind all.
struct move_task : move_task_body {
    static constexpr int version = 2;
    std::string rank = {};
};
BOOST_DESCRIBE_STRUCT(move_task, (move_task_body), (rank))
/// Once more what failed, was cancelled or is blocked: by its agent, else by whoever takes it from the inbox.
struct retry_task {};
BOOST_DESCRIBE_STRUCT(retry_task, (), ())
/// Of its own look, after it was tied to others: which of these ties close a circle that another request, at the same
/// moment, closed the other half of.
struct note_links_checked {
    std::uint32_t number = 0; ///< As `task_state::links_tied` was.
    std::vector<uuid> depends_on;
    bool parent = false;
    std::string way; ///< For people.
};
BOOST_DESCRIBE_STRUCT(note_links_checked, (), (number, depends_on, parent, way))
/// A file whose content is stored already.
struct attach_file {
    std::string name;
    std::string media_type;
    std::uint64_t bytes = 0;
    std::string sha256;
};
BOOST_DESCRIBE_STRUCT(attach_file, (), (name, media_type, bytes, sha256))
struct remove_attachment {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(remove_attachment, (), (number))
struct delete_task {};
BOOST_DESCRIBE_STRUCT(delete_task, (), ())
/// Of its own alarm: the time of an assignment's next attempt has come.
struct attempt_due {
    std::uint32_t assignment = 0;
};
BOOST_DESCRIBE_STRUCT(attempt_due, (), (assignment))
/// Of its own look for another agent. Without one nobody can do it just now.
struct another_agent {
    std::uint32_t assignment = 0; ///< The one that ended.
    std::optional<uuid> agent_id;
    std::string reasons;
};
BOOST_DESCRIBE_STRUCT(another_agent, (), (assignment, agent_id, reasons))

// ---- events

/// Without an agent: an assignment is an event of its own.
struct task_created {
    static constexpr int version = 4;
    using previous = v3::task_created;
    uuid organization;
    std::string title;
    std::string description;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<budget> limits;
    std::optional<json::raw> parameters;
    std::uint64_t number = 0; ///< On the board of its organization; 0: none.
    std::vector<uuid> assignees = {};
    std::optional<uuid> parent_id = {};
    std::vector<uuid> depends_on = {};
    std::vector<std::string> capabilities = {};
    std::optional<uuid> goal_id = {};
};
BOOST_DESCRIBE_STRUCT(task_created, (),
                      (organization, title, description, priority, labels, due, project_id, limits, parameters, number,
                       assignees, parent_id, depends_on, capabilities, goal_id))
/// What changed.
struct task_updated : update_task_body {
    static constexpr int version = 3;
    using previous = v4::task_updated;
    bool no_due = false;
};
BOOST_DESCRIBE_STRUCT(task_updated, (update_task_body), (no_due))
struct task_assigned {
    uuid agent_id;
};
BOOST_DESCRIBE_STRUCT(task_assigned, (), (agent_id))
/// By a person.
struct task_moved {
    task_status from = task_status::inbox;
    task_status to = task_status::inbox;
};
BOOST_DESCRIBE_STRUCT(task_moved, (), (from, to))
/// Within its column.
struct task_placed {
    std::string rank;
};
BOOST_DESCRIBE_STRUCT(task_placed, (), (rank))
struct message_added {
    static constexpr int version = 3;
    using previous = v4::message_added;
    uuid id;
    std::string author;
    message_type type = message_type::comment;
    std::string content;
    std::optional<uuid> reply_to;
    std::vector<mention> mentions = {};
    std::vector<attachment_document> attachments = {};
};
BOOST_DESCRIBE_STRUCT(message_added, (), (id, author, type, content, reply_to, mentions, attachments))
struct file_attached : attach_file {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(file_attached, (attach_file), (number))
struct attachment_removed {
    std::uint64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(attachment_removed, (), (number))
struct links_checked {
    std::uint32_t number = 0;
};
BOOST_DESCRIBE_STRUCT(links_checked, (), (number))
/// A message was edited, taken back or reacted to: see the message itself.
struct message_changed {
    uuid message_id;
};
BOOST_DESCRIBE_STRUCT(message_changed, (), (message_id))
/// Another task waits for this one, or does no longer.
struct dependent_noted {
    uuid task_id;
    bool waits = true;
};
BOOST_DESCRIBE_STRUCT(dependent_noted, (), (task_id, waits))
/// A task for which this one waits is done, or not any more, or gone.
struct dependency_noted {
    uuid task_id;
    bool done = false;
    bool gone = false;
};
BOOST_DESCRIBE_STRUCT(dependency_noted, (), (task_id, done, gone))
/// A part of this task came, went or moved.
struct subtask_noted {
    std::optional<task_status> from;
    std::optional<task_status> to;
};
BOOST_DESCRIBE_STRUCT(subtask_noted, (), (from, to))
struct task_deleted {};
BOOST_DESCRIBE_STRUCT(task_deleted, (), ())
/// The agent began.
struct work_started {
    uuid run_id;
};
BOOST_DESCRIBE_STRUCT(work_started, (), (run_id))
/// The agent's run ended; `status` is where the task went.
struct work_finished {
    static constexpr int version = 2;
    using previous = v1::work_finished;
    uuid run_id;
    task_status status = task_status::failed;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::optional<json::raw> output;
};
BOOST_DESCRIBE_STRUCT(work_finished, (), (run_id, status, result, error, output))
/// The agent does not take it, or gives it back: it is in the inbox again.
struct task_returned {
    std::string error;
};
BOOST_DESCRIBE_STRUCT(task_returned, (), (error))
/// The agent's run failed, or was broken off; the agent gets the task again at `again_at`.
struct attempt_failed {
    uuid run_id;
    std::uint32_t attempts = 0;
    timestamp again_at;
    std::string error;
};
BOOST_DESCRIBE_STRUCT(attempt_failed, (), (run_id, attempts, again_at, error))
struct attempt_begun {};
BOOST_DESCRIBE_STRUCT(attempt_begun, (), ())
/// Nobody else can do it: people are asked.
struct no_other_agent {
    std::string reasons;
};
BOOST_DESCRIBE_STRUCT(no_other_agent, (), (reasons))

// ---- state

inline constexpr std::size_t attachments_max = 100; ///< Of a task.
inline constexpr std::string_view attachments_collection = "attachments";

struct task_state {
    static constexpr int version = 5;
    using previous = v4::task_state;
    uuid id;
    uuid organization;
    bool deleted = false;
    std::string title;
    std::string description;
    task_status status = task_status::inbox;
    task_priority priority = task_priority::medium;
    std::vector<std::string> labels;
    std::optional<timestamp> due;
    std::optional<uuid> project_id;
    std::optional<budget> limits;
    std::optional<uuid> agent_id;
    std::uint32_t assignment = 0; ///< Number of the newest one.
    bool live = false;            ///< It is with the agent.
    std::optional<uuid> run_id;
    std::optional<std::string> result;
    std::optional<std::string> error;
    std::uint64_t messages = 0; ///< Only their number: they are items of a collection.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    debts owed;
    std::optional<json::raw> parameters;
    std::optional<json::raw> output;
    std::uint64_t number = 0;
    std::vector<uuid> assignees;
    std::optional<uuid> parent_id;
    std::vector<uuid> depends_on;
    std::vector<uuid> unmet;      ///< Of those, the ones that are not done: no agent begins before.
    std::vector<uuid> dependents; ///< They wait for this one.
    subtask_counts subtasks;
    std::string rank; ///< Empty: it has no number, and nobody put it anywhere; it stands behind the others.
    std::vector<std::string> capabilities; ///< With any, another agent that has them takes over from one that fails.
    std::optional<uuid> goal_id;
    std::uint32_t attempts = 0; ///< Of this assignment that failed.
    std::optional<timestamp> again_at;
    std::vector<uuid> tried; ///< Agents that failed at it since somebody chose one.
    bool looking = false;    ///< For another agent.
    std::vector<attachment_document> attachments;
    std::uint64_t attached = 0;      ///< The number of the newest one, also when it was removed.
    std::uint32_t links_tied = 0;    ///< Changes that tied it to others.
    std::uint32_t links_checked = 0; ///< Of these, those of which it is known that they closed no circle.
};
BOOST_DESCRIBE_STRUCT(task_state, (),
                      (id, organization, deleted, title, description, status, priority, labels, due, project_id, limits,
                       agent_id, assignment, live, run_id, result, error, messages, created_by, created_at, updated_at,
                       owed, parameters, output, number, assignees, parent_id, depends_on, unmet, dependents, subtasks,
                       rank, capabilities, goal_id, attempts, again_at, tried, looking, attachments, attached,
                       links_tied, links_checked))

namespace v1 {

inline auto upcast(const task_created& old) { return with_defaults<v2::task_created>(old); }
inline auto upcast(const work_finished& old) { return with_defaults<troupe::actors::work_finished>(old); }
inline auto upcast(const task_state& old) { return with_defaults<v2::task_state>(old); }

} // namespace v1

namespace v3 {

inline auto upcast(const task_created& old) { return with_defaults<troupe::actors::task_created>(old); }

} // namespace v3

namespace v4 {

inline auto upcast(const task_updated& old) { return with_defaults<troupe::actors::task_updated>(old); }
inline auto upcast(const message_added& old) { return with_defaults<troupe::actors::message_added>(old); }
inline auto upcast(const task_state& old) { return with_defaults<troupe::actors::task_state>(old); }

} // namespace v4

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::update_task)
TROUPE_NAMED(troupe::actors::assign_task)
TROUPE_NAMED(troupe::actors::move_task)
TROUPE_NAMED(troupe::actors::retry_task)
TROUPE_NAMED(troupe::actors::note_links_checked)
TROUPE_NAMED(troupe::actors::attach_file)
TROUPE_NAMED(troupe::actors::remove_attachment)
TROUPE_NAMED(troupe::actors::delete_task)
TROUPE_NAMED(troupe::actors::attempt_due)
TROUPE_NAMED(troupe::actors::another_agent)
TROUPE_NAMED(troupe::actors::attempt_failed)
TROUPE_NAMED(troupe::actors::attempt_begun)
TROUPE_NAMED(troupe::actors::no_other_agent)
TROUPE_NAMED(troupe::actors::task_created)
TROUPE_NAMED(troupe::actors::task_updated)
TROUPE_NAMED(troupe::actors::task_assigned)
TROUPE_NAMED(troupe::actors::task_moved)
TROUPE_NAMED(troupe::actors::task_placed)
TROUPE_NAMED(troupe::actors::message_added)
TROUPE_NAMED(troupe::actors::message_changed)
TROUPE_NAMED(troupe::actors::file_attached)
TROUPE_NAMED(troupe::actors::attachment_removed)
TROUPE_NAMED(troupe::actors::links_checked)
TROUPE_NAMED(troupe::actors::dependent_noted)
TROUPE_NAMED(troupe::actors::dependency_noted)
TROUPE_NAMED(troupe::actors::subtask_noted)
TROUPE_NAMED(troupe::actors::task_deleted)
TROUPE_NAMED(troupe::actors::work_started)
TROUPE_NAMED(troupe::actors::work_finished)
TROUPE_NAMED(troupe::actors::task_returned)

namespace troupe::actors {

struct task_model {
    static constexpr std::string_view kind = "task";
    using state = task_state;
    using command = std::variant<create_task, update_task, assign_task, move_task, retry_task, add_message, delete_task,
                                 note_task_started, note_task_finished, return_task, note_dependent, note_dependency,
                                 note_subtask, note_message_changed, debt_settled, note_task_attempt, settle_task,
                                 attempt_due, another_agent, attach_file, remove_attachment, note_links_checked>;
    using event = std::variant<task_created, task_updated, task_assigned, task_moved, task_placed, message_added,
                               message_changed, task_deleted, work_started, work_finished, task_returned,
                               dependent_noted, dependency_noted, subtask_noted, debt_cleared, attempt_failed,
                               attempt_begun, no_other_agent, file_attached, attachment_removed, links_checked>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// Collection "messages": `message_document` by its zero-padded number; "replies/ID": those to that message;
    /// "attachments": `attachment_document`, likewise.
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
    /// Tasks that were created.
    static std::vector<usage_amount> uses(const state& after, const event&);
    /// Contents of its attachments, and how large they are.
    static std::vector<std::string_view> blobs(const state&);
    static std::vector<usage_amount> holds(const state&);
    /// The message of a `message_added`, the attachment of a `file_attached`, else the task's document.
    static std::string answer(const state& after, const std::vector<event>&, const runtime::view_context&);
};

} // namespace troupe::actors
