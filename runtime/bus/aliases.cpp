#include "runtime/bus/hub.hpp"
#include "schemas/base/json.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace troupe::runtime {

namespace {

/// What belongs to the machinery and not to anybody's work.
constexpr std::string_view unseen_kinds[] = {"name",       "keyring",    "session", "refusals",
                                             "audit_sink", "compliance", "board",   "inbox"};
constexpr std::string_view status_types[] = {"agent_created", "agent_started", "agent_stopped", "agent_paused",
                                             "agent_resumed", "agent_deleted", "task_started",  "task_finished"};
constexpr std::string_view ends[] = {"done", "cancelled", "failed"};

std::string if_shown(bool shown, std::string_view channel) { return shown ? std::string(channel) : std::string(); }

bool is_activity(const seen_event& e) {
    return !e.live_only && std::ranges::find(unseen_kinds, e.entity.kind) == std::end(unseen_kinds) &&
           e.kind != "agent_heartbeat" && e.kind != "agent_beat";
}

bool changes_agent_status(const seen_event& e) {
    return e.entity.kind == "agent" && !e.live_only &&
           std::ranges::find(status_types, e.kind) != std::end(status_types);
}

/// An agent's work on it ended, or a person moved it to where nothing more is done.
bool completes_task(const seen_event& e) {
    if (e.entity.kind != "task" || e.live_only || e.kind != "task_moved") {
        return e.entity.kind == "task" && e.kind == "work_finished";
    }
    const auto event = json::document::parse(e.data);
    return event && std::ranges::find(ends, event->root().text_or("to")) != std::end(ends);
}

/// Whose runs they are; a run never changes its agent.
class agents_of_runs {
public:
    explicit agents_of_runs(const storage::store& s) : store_(s) {}

    /// Empty: it has none, or is not there any more.
    std::string of(const entity_address& run) {
        const std::lock_guard lock(mutex_);
        if (const auto found = known_.find(run); found != known_.end()) {
            return found->second;
        }
        const auto stored = storage::read_document(store_, run);
        if (!stored || !*stored) {
            return {};
        }
        const auto document = json::document::parse((*stored)->json);
        auto agent = document ? document->root().text_or("agent_id") : std::string();
        if (known_.size() >= known_max) {
            known_.clear();
        }
        return known_.emplace(run, std::move(agent)).first->second;
    }

private:
    static constexpr std::size_t known_max = 10'000;
    const storage::store& store_;
    std::mutex mutex_;
    std::map<entity_address, std::string> known_;
};

} // namespace

std::vector<channel_alias> default_aliases(const storage::store& s) {
    const auto agents = std::make_shared<agents_of_runs>(s);
    return {[](const seen_event& e) { return if_shown(is_activity(e), "activities"); },
            [](const seen_event& e) { return if_shown(completes_task(e), "task_completion"); },
            [](const seen_event& e) { return if_shown(changes_agent_status(e), "agent_status"); },
            [agents](const seen_event& e) {
                const auto agent = e.entity.kind == "run" ? agents->of(e.entity) : std::string();
                return if_shown(!agent.empty(), "agents/" + agent + "/logs");
            }};
}

} // namespace troupe::runtime
