#include "actors/common/activity_text.hpp"

#include "actors/common/text.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace troupe::actors {
namespace {

constexpr std::size_t value_bytes_max = 160;

const std::set<std::string_view> machinery_kinds{"name",       "keyring", "session", "refusals", "audit_sink",
                                                 "compliance", "board",   "inbox",   "account",  "mcp_usage"};
const std::set<std::string_view> machinery_events{
    "debt_cleared",    "agent_heartbeat", "task_placed",   "dependent_noted",  "dependency_noted",
    "subtask_noted",   "message_touched", "task_queued",   "task_dequeued",    "work_time_moved",
    "run_cleaned_up",  "model_call_sent", "context_given", "reservation_made", "message_changed",
    "attempt_counted", "name_confirmed",  "agent_beat",    "beat_run_ended",   "goal_task_moved",
    "goal_task_made",  "attempt_begun",   "answer_wanted", "answer_begun",     "links_checked"};

/// Behind the actor; with "=" in front it is a sentence without one. `{self}` is the entity, `{member}` a member of the
/// event, `{kind:member}` what it names.
const std::map<std::string_view, std::string_view> phrases{
    {"task_created", "created {self}"},
    {"task_updated", "changed {self}"},
    {"task_assigned", "gave {self} to {agent:agent_id}"},
    {"task_moved", "moved {self} from {from} to {to}"},
    {"task_deleted", "deleted {self}"},
    {"task_returned", "put {self} back into the inbox: {error}"},
    {"message_added", "wrote on {self}: {content}"},
    {"file_attached", "put {name} to {self}"},
    {"attachment_removed", "removed a file of {self}"},
    {"message_edited", "changed a message: {content}"},
    {"message_deleted", "took a message back"},
    {"reaction_changed", "reacted with {reaction}"},
    {"attempt_failed", "={self} failed and is tried again: {error}"},
    {"no_other_agent", "=nobody else can do {self}"},
    {"chat_created", "began the chat {self}"},
    {"chat_renamed", "renamed a chat: {title}"},
    {"chat_said", "wrote in {self}: {content}"},
    {"chat_answered", "={self} has an answer"},
    {"answer_stopped", "stopped an answer in {self}"},
    {"chat_deleted", "deleted {self}"},
    {"goal_created", "set the goal {self}"},
    {"goal_planned", "={self} is broken down into tasks"},
    {"planning_failed", "={self} could not be broken down: {error}"},
    {"goal_stalled", "={self} stands still"},
    {"goal_cancelled", "gave up {self}"},
    {"goal_deleted", "deleted the goal {self}"},
    {"agent_restarted", "restarted {self}"},
    {"heartbeat_missed", "={self} gave no sign of life"},
    {"task_given_back", "={self} gave {task:task_id} back: {reason}"},
    {"attempt_ended", "={self} could not end {task:task_id} and will try again"},
    {"work_started", "began to work on {self}"},
    {"work_finished", "ended the work on {self}: {status}"},
    {"agent_created", "made {self}"},
    {"agent_updated", "changed {self}"},
    {"agent_started", "started {self}"},
    {"agent_stopped", "stopped {self}"},
    {"agent_paused", "paused {self}"},
    {"agent_resumed", "resumed {self}"},
    {"agent_deleted", "deleted {self}"},
    {"task_started", "={self} begins {task:task_id}"},
    {"task_finished", "={self} ended {task:task_id}: {status}"},
    {"run_created", "asked for {self}"},
    {"run_started", "={self} begins"},
    {"run_finished", "={self} ended"},
    {"run_failed", "={self} failed: {error}"},
    {"run_cancelled", "cancelled {self}"},
    {"tool_call_started", "={self} calls {name}"},
    {"tool_call_denied", "={self} was denied a call"},
    {"model_call_started", "={self} asks a model"},
    {"model_call_finished", "={self} was answered by a model"},
    {"tool_call_finished", "={self} has the result of a call"},
    {"model_call_failed", "={self} got no answer of a model: {error}"},
    {"project_created", "made {self}"},
    {"project_deleted", "deleted {self}"},
    {"file_saved", "saved {path} in {self}"},
    {"file_deleted", "deleted {path} in {self}"},
    {"approval_opened", "asked for a decision"},
    {"approval_decided", "decided: {decision}"},
    {"document_created", "made {self}"},
    {"document_written", "wrote {self}"},
    {"document_shared", "shared {self}"},
    {"document_updated", "changed {self}"},
    {"document_deleted", "deleted {self}"},
};

/// The text of a member, as "settings.name"; empty: it has none.
std::string member_in(const std::optional<json::value>& event, std::string_view path) {
    auto at = event;
    while (at && !path.empty()) {
        const auto dot = std::min(path.find('.'), path.size());
        at = at->type() == json::kind::object ? at->find(path.substr(0, dot)) : std::nullopt;
        path.remove_prefix(std::min(dot + 1, path.size()));
    }
    if (!at) {
        return {};
    }
    const auto text = at->as_string();
    auto out = std::string(utf8_prefix(text ? std::string(*text) : at->dump(), value_bytes_max));
    std::ranges::replace(out, '\n', ' ');
    return out;
}

std::string named(const name_finder& name_of, std::string_view kind, std::string_view id) {
    auto name = name_of(kind, id);
    return name.empty() ? fmt::format("{} {}", kind, id.substr(0, 8)) : name;
}

std::string actor_name(std::string_view principal, const name_finder& name_of) {
    const auto slash = principal.find('/');
    const auto sort = principal.substr(0, slash);
    if (slash == std::string_view::npos) {
        return principal.empty() ? "The node" : principal == "node" ? "The node" : std::string(principal);
    }
    return sort == "key" ? std::string(principal) : named(name_of, sort, principal.substr(slash + 1));
}

std::string words_of(std::string type) {
    std::ranges::replace(type, '_', ' ');
    return type;
}

/// The phrase with all that stands in braces put in.
std::string filled(std::string_view phrase, const activity_event& e, const std::optional<json::value>& event,
                   const name_finder& name_of) {
    std::string out;
    while (!phrase.empty()) {
        const auto open = std::min(phrase.find('{'), phrase.size());
        out += phrase.substr(0, open);
        phrase.remove_prefix(open);
        if (phrase.empty()) {
            break;
        }
        const auto hole = phrase.substr(1, phrase.find('}') - 1);
        phrase.remove_prefix(hole.size() + 2);
        const auto colon = hole.find(':');
        if (hole == "self") {
            out += named(name_of, e.entity.kind, to_string(e.entity.id));
        } else if (colon == std::string_view::npos) {
            out += member_in(event, hole);
        } else {
            out += named(name_of, hole.substr(0, colon), member_in(event, hole.substr(colon + 1)));
        }
    }
    return out;
}

std::string text_of(const activity_event& e, const std::optional<json::value>& event, const name_finder& name_of) {
    const auto found = phrases.find(e.type);
    if (found == phrases.end()) {
        return actor_name(e.principal, name_of) + ": " + words_of(e.type) + " of " +
               named(name_of, e.entity.kind, to_string(e.entity.id));
    }
    const auto phrase = found->second;
    return phrase.starts_with('=') ? filled(phrase.substr(1), e, event, name_of)
                                   : actor_name(e.principal, name_of) + " " + filled(phrase, e, event, name_of);
}

activity_type type_of(const activity_event& e) {
    const auto sort = std::string_view(e.principal).substr(0, e.principal.find('/'));
    if (sort == "user" || sort == "key") {
        return activity_type::user_action;
    }
    return sort == "agent" || sort == "run" || e.entity.kind == "run" ? activity_type::agent_execution
                                                                      : activity_type::system_event;
}

activity_severity severity_of(const activity_event& e, const std::optional<json::value>& event) {
    const auto has = [&](std::string_view part) { return e.type.find(part) != std::string::npos; };
    if (has("failed") || (e.type.ends_with("_finished") && member_in(event, "status") == "failed")) {
        return activity_severity::error;
    }
    return has("returned") || has("denied") || has("expired") || has("unknown") || has("refused")
               ? activity_severity::warning
               : activity_severity::info;
}

std::optional<uuid> id_of(const activity_event& e, const std::optional<json::value>& event, std::string_view kind) {
    return e.entity.kind == kind ? std::optional(e.entity.id) : parse_uuid(member_in(event, std::string(kind) + "_id"));
}

} // namespace

bool is_activity(std::string_view kind, std::string_view event_type) {
    return !event_type.starts_with('$') && !machinery_kinds.contains(kind) && !machinery_events.contains(event_type);
}

activity_document activity_of(const activity_event& e, const name_finder& name_of) {
    const auto parsed =
        e.payload.empty() ? expected<json::document>(problem{code::not_found, ""}) : json::document::parse(e.payload);
    const auto event = parsed ? std::optional(parsed->root()) : std::nullopt;
    activity_document out;
    out.id = fmt::format("{}/{}/{}", e.entity.kind, to_string(e.entity.id), e.number);
    out.at = e.at;
    out.type = type_of(e);
    out.event_type = e.type;
    out.severity = severity_of(e, event);
    out.actor = e.principal;
    out.kind = e.entity.kind;
    out.entity_id = e.entity.id;
    out.task_id = id_of(e, event, "task");
    out.agent_id = id_of(e, event, "agent");
    out.text = text_of(e, event, name_of);
    if (event) {
        out.metadata = json::raw{e.payload};
    }
    return out;
}

} // namespace troupe::actors
