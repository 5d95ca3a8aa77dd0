#include "actors/system/system_routes.hpp"
#include "actors/system/why.hpp"
#include "net/http/handlers.hpp"
#include "runtime/entity/host.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/task.hpp"
#include "storage/poison.hpp"
#include "storage/views.hpp"

#include <utility>

namespace troupe::actors {

namespace {

constexpr std::size_t asked_shown = 20; ///< Of the newest questions of a run.
constexpr std::size_t steps_shown = 8;
constexpr std::size_t project_runs_shown = 20;
constexpr std::size_t poison_shown = 20;
constexpr std::size_t timers_shown = 8;

/// Gathers what `explain_waiting` needs: some reads of documents, each bounded.
class fact_reader {
public:
    fact_reader(const system_parts& parts, entity_address a)
        : parts_(parts), s_(parts.node->parts()), a_(std::move(a)) {}

    why_facts read(std::string_view document) {
        facts_.now = system_now();
        facts_.node = condition();
        facts_.troubles = s_.troubles->of(a_);
        if (auto poison = storage::read_poison_of(*s_.store, a_, poison_shown)) {
            facts_.poison = std::move(*poison);
        }
        facts_.timers = storage::read_timers_of(*s_.store, a_, timers_shown);
        if (a_.kind == "run") {
            if (const auto run = from_json<run_document>(document, strictness::stored)) {
                about_run(*run);
            }
        } else if (a_.kind == "task") {
            if (const auto task = from_json<task_document>(document, strictness::stored)) {
                facts_.agent = linked<agent_document>("agent", task->agent_id);
                facts_.run = linked<run_document>("run", task->run_id);
                if (facts_.run) {
                    read_approvals(*facts_.run);
                }
            }
        } else if (a_.kind == "project") {
            read_project_runs();
        }
        return std::move(facts_);
    }

private:
    template <class Document>
    std::optional<Document> linked(std::string kind, const std::optional<uuid>& id) const {
        if (!id) {
            return std::nullopt;
        }
        const auto stored = storage::read_document(*s_.store, {a_.organization, std::move(kind), *id});
        if (!stored || !*stored) {
            return std::nullopt;
        }
        auto decoded = from_json<Document>((*stored)->json, strictness::stored);
        return decoded ? std::optional(std::move(*decoded)) : std::nullopt;
    }

    node_condition condition() const {
        const auto statistics = parts_.node->statistics();
        node_condition out;
        out.draining = !parts_.ready();
        out.commands_outstanding = statistics.commands_outstanding;
        out.commands_max = static_cast<std::uint64_t>(s_.settings->limits_outstanding_commands);
        out.bytes_outstanding = statistics.bytes_outstanding;
        out.bytes_max = static_cast<std::uint64_t>(s_.settings->limits_outstanding_bytes);
        out.performing = statistics.performing;
        out.performing_max = runtime::performing_max;
        out.free_bytes = s_.store->free_bytes();
        out.free_bytes_min = static_cast<std::uint64_t>(s_.settings->storage_free_bytes_min);
        out.sandbox = parts_.sandbox_problem;
        const auto router = s_.tree->to_json(
            "/nodes/" + s_.settings->cluster_name + "/shards/" + std::to_string(s_.store->shard_of(a_)), 0);
        const auto parsed = router ? json::document::parse(*router) : expected<json::document>(problem{});
        out.router = parsed ? parsed->root().text_or("status", "running") : "not there";
        out.router_failure = parsed && out.router != "running" ? parsed->root().text_or("last_failure") : "";
        return out;
    }

    void about_run(const run_document& run) {
        facts_.agent = linked<agent_document>("agent", run.agent_id);
        read_approvals(run);
        const bool over = run.status == run_status::succeeded || run.status == run_status::failed ||
                          run.status == run_status::cancelled;
        if (over) {
            return;
        }
        if (parts_.model_problem) {
            facts_.model = parts_.model_problem(run.model);
        }
        read_asked(run);
        const auto steps = storage::read_items(
            *s_.store, {.entity = a_, .collection = "steps", .descending = true, .limit = steps_shown, .cursor = {}});
        for (const auto& item : steps ? steps->items : std::vector<std::string>()) {
            if (auto step = from_json<step_document>(item, strictness::stored)) {
                facts_.steps.push_back(std::move(*step));
            }
        }
    }

    void read_approvals(const run_document& run) {
        for (const auto& w : run.waiting) {
            if (auto approval = linked<approval_document>("approval", w.approval_id)) {
                facts_.approvals.push_back(std::move(*approval));
            }
        }
    }

    void read_asked(const run_document& run) {
        storage::list_query query;
        query.organization = a_.organization;
        query.kind = "approval";
        query.filter = "run_id=" + to_string(run.id);
        query.limit = asked_shown;
        const auto page = storage::read_list(*s_.store, query);
        for (const auto& stored : page ? page->items : std::vector<storage::stored_document>()) {
            auto approval = from_json<approval_document>(stored.json, strictness::stored);
            const bool waits = approval && std::ranges::any_of(run.waiting, [&](const waiting_for& w) {
                                   return w.approval_id == approval->id;
                               });
            if (approval && approval->status == approval_status::pending && !waits) {
                facts_.asked.push_back(std::move(*approval));
            }
        }
    }

    /// Of its newest runs those that are not over.
    void read_project_runs() {
        storage::list_query query;
        query.organization = a_.organization;
        query.kind = "run";
        query.filter = "project_id=" + to_string(a_.id);
        query.limit = project_runs_shown;
        const auto page = storage::read_list(*s_.store, query);
        for (const auto& stored : page ? page->items : std::vector<storage::stored_document>()) {
            auto run = from_json<run_document>(stored.json, strictness::stored);
            if (run && (run->status == run_status::queued || run->status == run_status::running ||
                        run->status == run_status::waiting)) {
                facts_.project_runs.push_back(std::move(*run));
            }
        }
    }

    const system_parts& parts_;
    const runtime::services& s_;
    entity_address a_;
    why_facts facts_;
};

void why(const system_parts& parts, const net::request& r, const net::responder& respond) {
    const auto& s = parts.node->parts();
    const auto kind = std::string(r.param("kind"));
    const auto id = net::resolve_id(s, r, kind, "name");
    if (!id) {
        respond(net::to_response(id.error(), r));
        return;
    }
    const entity_address a{r.who.organization, kind, *id};
    const auto document = storage::read_document(*s.store, a);
    if (!document) {
        respond(net::to_response(document.error(), r));
        return;
    }
    const auto json = *document ? (*document)->json : std::string();
    const auto facts = fact_reader(parts, a).read(json);
    if (!*document && facts.poison.empty() && facts.troubles.empty()) {
        respond(net::to_response({code::not_found, "there is no " + kind + " " + to_string(*id)}, r));
        return;
    }
    net::response out;
    out.body = to_json(explain_waiting(kind, *id, json, facts));
    respond(std::move(out));
}

} // namespace

net::route why_route(const system_parts& parts) {
    return {.verb = net::verb::get,
            .path = "/why/{kind}/{id}",
            .operation = "why",
            .summary = "What an entity waits for.",
            .tag = "system",
            .permission = "run:read",
            .in_path = {{"kind", "The entity's kind.", R"({"type":"string"})", R"("run")"},
                        {"id", "Its id; of an agent also its name.", R"({"type":"string"})",
                         R"("018f6e2c-7b1a-7c3d-9e4f-5a6b7c8d9e0f")"}},
            .reply = net::reply_of<why_document>("why"),
            .errors = {code::not_found},
            .run = [&parts](const net::request& r, const net::responder& respond) { why(parts, r, respond); }};
}

} // namespace troupe::actors
