#include "actors/task/working_board.hpp"

#include "actors/common/activity_log.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/text.hpp"
#include "actors/task/task_model.hpp"
#include "schemas/agent.hpp"
#include "schemas/base/versions.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace troupe::actors {
namespace {

using enum task_status;

constexpr std::int64_t settling_ms = 250; ///< What was decided before is committed and shown by then.
constexpr std::size_t column_max = 500;
constexpr std::size_t ended_max = 50; ///< Of done, failed and cancelled ones.
constexpr std::size_t agents_max = 500;
constexpr std::size_t recent_max = 10;
constexpr std::size_t doing_bytes_max = 120;

struct column {
    task_status status;
    std::size_t limit;
    bool newest; ///< The last ones of the column; else the first.
};
constexpr column columns[] = {{inbox, column_max, false},       {assigned, column_max, false},
                              {in_progress, column_max, false}, {review, column_max, false},
                              {done, ended_max, true},          {blocked, column_max, false},
                              {failed, ended_max, true},        {cancelled, ended_max, true}};

/// Session keys by the ids of agents.
class agent_names {
public:
    agent_names(const storage::store& s, const uuid& organization) : store_(s), organization_(organization) {}

    const std::string& of(const std::optional<uuid>& id) {
        auto [place, fresh] = known_.try_emplace(id.value_or(uuid{}));
        if (fresh && id) {
            const auto agent = read_stored<agent_document>(store_, {organization_, "agent", *id});
            place->second = agent && *agent ? (*agent)->session_key : "agent:" + to_string(*id);
        }
        return place->second;
    }

private:
    const storage::store& store_;
    uuid organization_;
    std::map<uuid, std::string> known_;
};

expected<storage::list_page> read_column(const storage::store& s, const uuid& organization, const column& c) {
    storage::list_query query;
    query.organization = organization;
    query.kind = task_model::kind;
    query.filter = "board=" + std::string(detail::enum_name(c.status));
    query.descending = c.newest;
    query.limit = c.limit;
    return storage::read_list(s, query);
}

/// Older tasks have no number, so no text can speak of them.
std::optional<placed_task> placed(const task_document& t, std::uint64_t version, agent_names& names) {
    if (!t.key) {
        return std::nullopt;
    }
    return placed_task{
        t.id,
        version,
        {*t.key, t.status, t.status == inbox ? "" : names.of(t.agent_id), working_title(t.title, t.status), 0}};
}

struct shown_tasks {
    std::vector<placed_task> tasks; ///< In the order of the board.
    bool more = false;
};

expected<shown_tasks> read_tasks(const storage::store& s, const uuid& organization, agent_names& names) {
    shown_tasks out;
    for (const auto& c : columns) {
        auto page = read_column(s, organization, c);
        if (!page) {
            return page.error();
        }
        out.more = out.more || page->next_cursor;
        if (c.newest) {
            std::ranges::reverse(page->items);
        }
        for (const auto& item : page->items) {
            const auto task = from_json<task_document>(item.json, strictness::stored);
            if (!task) {
                return task.error();
            }
            if (auto one = placed(*task, item.version, names)) {
                out.tasks.push_back(std::move(*one));
            }
        }
    }
    return out;
}

std::string status_word(agent_status s) {
    switch (s) {
    case agent_status::busy:
        return "ACTIVE";
    case agent_status::idle:
        return "IDLE";
    case agent_status::blocked:
        return "BLOCKED";
    case agent_status::error:
        return "ERROR";
    case agent_status::offline:
        return "OFFLINE";
    }
    return {};
}

std::string doing(const storage::store& s, const uuid& organization, const agent_document& a) {
    if (!a.running.empty()) {
        const auto task =
            read_stored<task_document>(s, {organization, std::string(task_model::kind), a.running.front()});
        const auto title = task && *task ? working_title((*task)->title, in_progress) : std::string("working");
        return std::string(utf8_prefix(title, doing_bytes_max)) +
               (a.running.size() > 1 ? fmt::format(" (and {} more)", a.running.size() - 1) : "");
    }
    return a.queued.empty() ? "Awaiting tasks" : fmt::format("{} queued", a.queued.size());
}

expected<std::vector<working_agent>> read_agents(const storage::store& s, const uuid& organization) {
    storage::list_query query;
    query.organization = organization;
    query.kind = "agent";
    query.descending = false;
    query.limit = agents_max;
    const auto page = storage::read_list(s, query);
    if (!page) {
        return page.error();
    }
    std::vector<working_agent> out;
    for (const auto& item : page->items) {
        const auto agent = from_json<agent_document>(item.json, strictness::stored);
        if (!agent) {
            return agent.error();
        }
        out.push_back({agent->session_key, status_word(agent->status), doing(s, organization, *agent)});
    }
    return out;
}

std::string clock_of(timestamp at) {
    return fmt::format("{:%H:%M}", fmt::gmtime(static_cast<std::time_t>(at.ms / 1000)));
}

bool is_ended(task_status s) { return s == done || s == failed || s == cancelled; }

struct past_task {
    working_task task;
    bool there = false; ///< At that time; else it is as it came.
    std::string rank = {};
};

/// The task as it was at that time.
expected<past_task> read_past(const storage::store& s, const uuid& organization, const placed_task& now, timestamp at,
                              agent_names& names) {
    const entity_address a{organization, std::string(task_model::kind), now.id};
    task_state state;
    const auto read = storage::read_history(s, a, 0, [&](storage::record&& r) -> expected<void> {
        if (r.type.starts_with('$') || (r.time > at && r.entity_seq > 1)) {
            return {};
        }
        const auto event = read_stored_named<task_model::event>(r.type, r.version, r.payload);
        if (!event) {
            return event.error();
        }
        state = task_model::apply(std::move(state), *event, {r.entity.id, r.entity_seq, r.time, r.principal});
        return {};
    });
    if (!read) { // retention cut its history: then nobody changed it lately
        return read.error().code == code::not_found ? expected<past_task>(past_task{now.task, true, {}}) : read.error();
    }
    past_task out{now.task, state.created_at <= at, state.rank};
    out.task.status = state.status;
    out.task.agent = state.status == inbox ? "" : names.of(state.agent_id);
    out.task.title = working_title(state.title, state.status);
    return out;
}

bool differ(const working_task& a, const working_task& b) {
    return a.status != b.status || a.agent != b.agent || a.title != b.title;
}

} // namespace

expected<working_state> read_working(const runtime::services& s, const uuid& organization) {
    working_state out;
    out.updated = {system_now().ms - settling_ms};
    agent_names names(*s.store, organization);
    auto tasks = read_tasks(*s.store, organization, names);
    auto agents = tasks ? read_agents(*s.store, organization) : expected<std::vector<working_agent>>(tasks.error());
    const auto recent = agents ? read_activities(s, organization, {recent_max, "", {{{"kind", "task"}}, ""}})
                               : expected<activity_page>(agents.error());
    if (!recent) {
        return recent.error();
    }
    for (auto& t : tasks->tasks) {
        out.tasks.push_back(std::move(t.task));
    }
    out.more = tasks->more;
    out.agents = std::move(*agents);
    for (const auto& one : recent->items) {
        out.recent.push_back(clock_of(one.at) + " - " + one.text);
    }
    return out;
}

expected<working_state> read_working_past(const runtime::services& s, const uuid& organization, timestamp at) {
    agent_names names(*s.store, organization);
    const auto tasks = read_tasks(*s.store, organization, names);
    if (!tasks) {
        return tasks.error();
    }
    working_state out;
    out.updated = at;
    out.more = tasks->more;
    std::multimap<std::string, working_task> by_rank; // as they stood in their columns
    for (const auto& now : tasks->tasks) {
        auto past = read_past(*s.store, organization, now, at, names);
        if (!past) {
            return past.error();
        }
        if (past->there) {
            by_rank.emplace(std::move(past->rank), std::move(past->task));
        }
    }
    for (auto& [rank, task] : by_rank) {
        out.tasks.push_back(std::move(task));
    }
    return out;
}

expected<working_sides> read_sides(const runtime::services& s, const uuid& organization, const working_text& edited) {
    agent_names names(*s.store, organization);
    auto tasks = read_tasks(*s.store, organization, names);
    if (!tasks) {
        return tasks.error();
    }
    working_sides out;
    for (auto& t : tasks->tasks) {
        auto key = t.task.key;
        out.now.emplace(std::move(key), std::move(t));
    }
    std::map<std::string, const working_task*> said;
    for (const auto& t : edited.tasks) {
        said.emplace(t.key, &t);
    }
    for (const auto& [key, placed_now] : out.now) {
        const auto mine = said.find(key);
        if (mine != said.end() && !differ(*mine->second, placed_now.task)) {
            out.base.emplace(key, placed_now.task); // nothing to find out
            continue;
        }
        auto past = read_past(*s.store, organization, placed_now, edited.updated, names);
        if (!past) {
            return past.error();
        }
        const bool stood_there = past->there && !is_ended(past->task.status) && !tasks->more;
        if (mine != said.end() || stood_there) {
            out.base.emplace(key, std::move(past->task));
        }
    }
    return out;
}

} // namespace troupe::actors
