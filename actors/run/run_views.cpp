#include "actors/common/model.hpp"
#include "actors/run/run_model.hpp"

#include <fmt/format.h>
#include <utility>

namespace troupe::actors {
namespace {

using items = std::vector<runtime::item>;

/// What lists show of a result; the whole text is in the run's events.
constexpr std::size_t shown_bytes_max = 8 << 10;

std::string shown(std::string_view text) {
    if (text.size() <= shown_bytes_max) {
        return std::string(text);
    }
    auto cut = shown_bytes_max;
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) {
        --cut;
    }
    return fmt::format("{}\n[… {} bytes left out …]\n", text.substr(0, cut), text.size() - cut);
}

run_status status_of(const run_progress& p, const std::vector<waiting_for>& waiting) {
    return p.status == run_status::running && !waiting.empty() ? run_status::waiting : p.status;
}

std::vector<waiting_for> waits_of(const run_progress& p) {
    std::vector<waiting_for> waiting;
    if (has_ended(p)) {
        return waiting;
    }
    for (const auto& call : p.calls) {
        if (call.phase == call_phase::asked) {
            waiting.push_back({call.reason, call.approval_id, call.text, call.expires_at});
        }
    }
    if (p.retry_at) {
        waiting.push_back({wait_reason::back_off, {}, p.trouble, p.retry_at, p.trouble_code, p.attempt});
    }
    return waiting;
}

run_document document_of(const run_progress& p, std::vector<waiting_for> waiting) {
    run_document d;
    d.id = p.id;
    d.goal = p.request.goal;
    d.status = status_of(p, waiting);
    d.project_id = p.request.project_id;
    d.agent_id = p.request.agent_id;
    d.task_id = p.request.task_id;
    d.forked_from = p.forked_from;
    d.model = p.model;
    d.step = p.step;
    d.limits = p.limits;
    d.images = p.request.images;
    d.used = p.used;
    d.waiting = std::move(waiting);
    d.result = p.result;
    d.error = p.error;
    d.version_before = p.version_before;
    d.created_by = p.request.created_by;
    d.created_at = p.created_at;
    d.started_at = p.started_at;
    d.finished_at = p.finished_at;
    d.updated_at = p.updated_at;
    d.kind = p.request.kind == "custom" ? std::nullopt : std::optional(p.request.kind); // as before there were others
    d.parameters = p.request.parameters;
    d.result_schema = p.request.result_schema;
    d.output = p.output;
    d.parent_run_id = p.request.parent_run_id;
    return d;
}

step_document model_step(const run_progress& p, step_status status) {
    step_document d;
    d.key = step_key(p.step, 0);
    d.step = p.step;
    d.type = step_type::model;
    d.status = status;
    d.attempt = p.attempt;
    d.started_at = p.step_started_at.value_or(p.updated_at);
    if (status != step_status::started) {
        d.finished_at = p.updated_at;
    }
    return d;
}

step_document call_step(const run_progress& p, std::uint32_t number, step_status status) {
    step_document d;
    d.key = step_key(p.step, number);
    d.step = p.step;
    d.call = number;
    d.type = step_type::tool;
    d.status = status;
    d.started_at = p.updated_at;
    if (number >= 1 && number <= p.calls.size()) {
        const auto& call = p.calls[number - 1];
        d.attempt = std::max(call.attempt, 1U);
        d.tool = call.tool;
        auto arguments = json::make_raw(call.arguments);
        d.arguments = arguments ? *arguments : json::raw{json::quoted(call.arguments)};
        d.started_at = call.started_at.value_or(p.updated_at);
        if (!call.rule.empty()) {
            d.rule = call.rule;
        }
        d.child_run_id = call.child_run_id;
    }
    const bool open = status == step_status::started || status == step_status::asked || status == step_status::unknown;
    if (!open) {
        d.finished_at = p.updated_at;
    }
    return d;
}

items one(const step_document& d) { return {{"steps", d.key, to_json(d)}}; }

items closed(const run_progress& p, std::uint32_t number, step_status status, const std::string& content) {
    auto d = call_step(p, number, status);
    d.content = shown(content);
    return one(d);
}

/// The run ended: steps that were under way have no outcome.
items interrupted(const run_progress& p) {
    const std::string why = "The run ended meanwhile.";
    items out;
    if (p.model_call) {
        auto d = model_step(p, step_status::failed);
        d.error = why;
        out.push_back({"steps", d.key, to_json(d)});
    }
    for (std::uint32_t number = 1; number <= p.calls.size(); ++number) {
        const auto phase = p.calls[number - 1].phase;
        if (phase == call_phase::finished || phase == call_phase::pending) {
            continue;
        }
        auto d = call_step(p, number, phase == call_phase::asked ? step_status::skipped : step_status::failed);
        d.error = why;
        out.push_back({"steps", d.key, to_json(d)});
    }
    return out;
}

items items_of(const run_progress& p, const model_call_started&) { return one(model_step(p, step_status::started)); }

items items_of(const run_progress& p, const model_call_finished& e) {
    auto d = model_step(p, step_status::succeeded);
    d.content = shown(e.content);
    d.input_tokens = e.input_tokens;
    d.output_tokens = e.output_tokens;
    if (!e.route.is_null()) {
        d.details.text = R"({"route":)" + e.route.text + "}";
    }
    return one(d);
}

items items_of(const run_progress& p, const model_call_failed& e) {
    auto d = model_step(p, step_status::failed);
    d.error = e.detail;
    return one(d);
}

items items_of(const run_progress& p, const tool_call_started& e) {
    return one(call_step(p, e.call, step_status::started));
}

items items_of(const run_progress& p, const wait_started& e) { return one(call_step(p, e.call, step_status::started)); }

items items_of(const run_progress& p, const child_started& e) {
    return one(call_step(p, e.call, step_status::started));
}

items items_of(const run_progress& p, const tool_call_finished& e) {
    auto d = call_step(p, e.call, e.is_error ? step_status::failed : step_status::succeeded);
    d.content = shown(e.content);
    d.details = e.details;
    if (e.is_error) {
        d.error = d.content;
    }
    return one(d);
}

items items_of(const run_progress& p, const tool_call_unknown& e) {
    return one(call_step(p, e.call, step_status::unknown));
}

items items_of(const run_progress& p, const approval_requested& e) {
    return closed(p, e.call, step_status::asked, e.text);
}

items items_of(const run_progress& p, const tool_call_denied& e) {
    return closed(p, e.call, step_status::denied, e.content);
}

items items_of(const run_progress& p, const tool_call_skipped& e) {
    return closed(p, e.call, step_status::skipped, e.content);
}

items items_of(const run_progress& p, const run_finished&) { return interrupted(p); }
items items_of(const run_progress& p, const run_failed&) { return interrupted(p); }
items items_of(const run_progress& p, const run_cancelled&) { return interrupted(p); }

template <class Event>
items items_of(const run_progress&, const Event&) {
    return {};
}

} // namespace

runtime::entity_view run_model::view(const state& s, const runtime::view_context&) {
    const auto& p = s.progress;
    if (!exists(p)) {
        return {.document = "", .keys = {}, .exists = false};
    }
    const auto sort = runtime::sort_key(p.created_at);
    const auto document = document_of(p, waits_of(p));
    std::vector<runtime::index_key> keys{{"", sort},
                                         {"status=" + std::string(detail::enum_name(document.status)), sort}};
    const std::pair<std::string_view, std::optional<uuid>> links[] = {
        {"agent_id=", p.request.agent_id},
        {"project_id=", p.request.project_id},
        {"task_id=", p.request.task_id},
        {"parent_run_id=", p.request.parent_run_id},
        {"forked_from=", p.forked_from ? std::optional(p.forked_from->run_id) : std::nullopt}};
    for (const auto& [filter, id] : links) {
        if (id) {
            keys.push_back({std::string(filter) + to_string(*id), sort});
        }
    }
    return {to_json(document), std::move(keys), true};
}

std::vector<runtime::item> run_model::items(const state& after, const event& e, const runtime::event_context&) {
    return std::visit([&](const auto& each) { return items_of(after.progress, each); }, e);
}

} // namespace troupe::actors
