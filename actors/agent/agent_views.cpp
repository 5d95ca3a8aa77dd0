#include "actors/agent/agent_model.hpp"
#include "schemas/name_messages.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

/// It is to show that it is there, and did not.
bool is_silent(const agent_state& s) {
    return s.settings.heartbeat && s.settings.heartbeat->external && s.beats_missed >= s.settings.heartbeat->missed_max;
}

agent_status status_of(const agent_state& s) {
    if (s.stopped) {
        return agent_status::offline;
    }
    if (s.error || is_silent(s)) {
        return agent_status::error;
    }
    if (!s.running.empty()) {
        return agent_status::busy;
    }
    return s.paused && !s.queue.empty() ? agent_status::blocked : agent_status::idle;
}

/// "agent:technical:main": the role, or else the kind, and the name in lower case without blanks.
std::string session_key_of(const agent_settings& settings) {
    auto key = "agent:" + (settings.role.empty() ? settings.kind : settings.role) + ":" + settings.name;
    std::ranges::replace(key, ' ', '-');
    return fold_name(key);
}

agent_document document_of(const agent_state& s) {
    agent_document d;
    d.id = s.id;
    d.session_key = session_key_of(s.settings);
    d.settings = s.settings;
    d.status = status_of(s);
    d.paused = s.paused;
    for (const auto& [run, task] : s.running) {
        d.running.push_back(task.task_id);
    }
    for (const auto& [key, task] : s.queue) {
        d.queued.push_back(task.task_id);
    }
    d.completed = s.completed;
    d.failed = s.failed;
    d.created_by = s.created_by;
    d.created_at = s.created_at;
    d.updated_at = s.updated_at;
    d.heartbeat_at = s.heartbeat_at;
    d.error = s.error;
    if (!d.error && is_silent(s)) {
        d.error = "It missed " + std::to_string(s.beats_missed) + " heartbeats. See whether its program runs; POST " +
                  "/agents/{id}/heartbeat shows that it does.";
    }
    d.heartbeat_due = s.beat_due;
    if (s.settings.heartbeat) {
        d.heartbeats = s.beats;
        d.heartbeats_missed = s.beats_missed;
    }
    return d;
}

} // namespace

runtime::entity_view agent_model::view(const state& s, const runtime::view_context&) {
    if (s.id.is_nil() || s.deleted) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(s.created_at);
    std::vector<runtime::index_key> keys{{"", sort},
                                         {"status=" + std::string(detail::enum_name(status_of(s))), sort},
                                         {"name=" + s.settings.name, sort},
                                         {"name=" + session_key_of(s.settings), sort}};
    if (const auto folded = fold_name(s.settings.name); folded != s.settings.name) {
        keys.push_back({"name=" + folded, sort});
    }
    return {to_json(document_of(s)), std::move(keys), true};
}

} // namespace troupe::actors
