#include "actors/run/run_performer.hpp"

#include "actors/common/agent_lookup.hpp"
#include "actors/kinds/kind.hpp"
#include "actors/run/context_fold.hpp"
#include "actors/run/live_output.hpp"
#include "actors/run/run_children.hpp"
#include "actors/run/run_context.hpp"
#include "actors/run/run_history.hpp"
#include "actors/run/run_images.hpp"
#include "actors/tool/tool.hpp"
#include "schemas/base/log.hpp"
#include "storage/log_reader.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

using runtime::effect_context;
using runtime::perform_effect;
using commands = std::vector<runtime::self_command>;

constexpr std::int64_t past_patience_ms = 5000;

/// Of the diff that goes into a result's details.
constexpr std::size_t diff_bytes_max = 64 << 10;

template <class Command>
commands one(const Command& c) {
    return {{std::string(wire_name<Command>::value), to_json(c), {}}};
}

std::string name_of(const problem& p) { return std::string(explain(p.code).name); }

/// What its calls cost is held against a limit.
bool counts_money(const create_run& wish) {
    return wish.limits.cost_micros > 0 || (wish.limits_per_day && wish.limits_per_day->cost_micros > 0);
}

/// Trying the whole effect again later may help, and does no harm.
bool is_transient(const problem& p) {
    return p.code == code::overloaded || p.code == code::unavailable || p.code == code::deadline_exceeded ||
           p.code == code::storage_full || p.code == code::cancelled;
}

/// Adds a member to an object that is kept as text.
void add_text(json::raw& object, std::string_view name, std::string_view text) {
    if (object.text.empty() || object.text.back() != '}') {
        object.text = "{}";
    }
    object.text.pop_back();
    object.text += (object.text.size() > 1 ? "," : "") + json::quoted(name) + ":" + json::quoted(text) + "}";
}

bool has_member(const json::raw& object, std::string_view name) {
    const auto parsed = json::document::parse(object.text);
    return parsed && parsed->root().find(name);
}

reply_end end_of(net::finish_reason reason) {
    switch (reason) {
    case net::finish_reason::tool_calls:
        return reply_end::tool_calls;
    case net::finish_reason::length:
        return reply_end::length;
    case net::finish_reason::content_filter:
        return reply_end::content_filter;
    case net::finish_reason::stop:
        break;
    }
    return reply_end::stop;
}

/// One node's performer, shared by all runs and called from many threads.
class performer {
public:
    explicit performer(run_services services) : services_(std::move(services)) {
        for (std::uint32_t shard = 0; shard < services_.store->who().shards; ++shard) {
            before_.push_back(storage::last_time(*services_.store, shard));
        }
    }

    commands perform(const perform_effect& e, const run_state& s, effect_context& ctx) {
        if (e.type == run_effects::start) {
            return start(s.progress, ctx);
        }
        if (e.type == run_effects::call_model) {
            return call_model(e, s, ctx);
        }
        if (e.type == run_effects::call_tool) {
            return call_tool(e, s.progress, ctx);
        }
        if (e.type == run_effects::clean_up) {
            return clean_up(s.progress, ctx);
        }
        log_for("run").error("{} owes an effect of the unknown type '{}'", to_string(ctx.self()), e.type);
        return {};
    }

private:
    static entity_address project_of(const run_progress& p, const effect_context& ctx) {
        return {ctx.self().organization, "project", p.request.project_id.value_or(uuid{})};
    }

    /// The rehearsal of a kind that has a script of its own is that.
    [[nodiscard]] expected<chosen_model> find_model_of(const create_run& wish) const {
        auto chosen = services_.find_model(wish.model);
        const auto* kind = find_kind(wish.kind);
        const bool own = chosen && chosen->name == "rehearsal" && kind && !kind->rehearsal.empty();
        return own ? services_.find_model("rehearsal:kind/" + wish.kind) : chosen;
    }

    commands start(const run_progress& p, effect_context& ctx) {
        const auto chosen = find_model_of(p.request);
        if (!chosen) {
            return one(record_start_failure{name_of(chosen.error()), chosen.error().detail});
        }
        begin_run begin{chosen->name, 0, services_.default_limits ? services_.default_limits() : budget{}, {}};
        const auto price = services_.price ? services_.price(chosen->name) : model_price{};
        if (!price && counts_money(p.request)) {
            return one(record_start_failure{name_of(problem{code::invalid_request, {}}),
                                            "The run has a limit of money, but the price of " + chosen->name +
                                                " is not known. Set model.prices in the configuration, or leave limits "
                                                "of money (cost_micros) out."});
        }
        begin.price = price.value_or(model_price{});
        if (services_.rules) {
            auto rules = services_.rules(ctx.self().organization, p.request.kind);
            if (!rules && is_transient(rules.error())) {
                return {};
            }
            if (!rules) { // a rule that nobody understands may be the one that denies
                return one(record_start_failure{name_of(rules.error()), rules.error().detail});
            }
            begin.tool_rules = std::move(*rules);
        }
        commands out;
        if (p.forked_from) {
            auto past = past_of(p, ctx);
            if (!past && (is_transient(past.error()) || may_come(past.error(), p))) {
                return {};
            }
            if (!past) {
                return one(record_start_failure{name_of(past.error()), past.error().detail});
            }
            out = one(*past);
        }
        if (p.request.project_id) {
            const auto folder = services_.folders->prepare(project_of(p, ctx), true, ctx);
            if (!folder && is_transient(folder.error())) {
                return {};
            }
            if (!folder) {
                return one(record_start_failure{name_of(folder.error()), folder.error().detail});
            }
            begin.version_before = folder->version;
        }
        out.push_back(one(begin).front());
        return out;
    }

    /// Another node's steps may come to this one's tables a moment later than the wish to go on from them.
    static bool may_come(const problem& why, const run_progress& p) {
        const bool not_there = why.code == code::not_found || why.code == code::conflict;
        return not_there && system_now() - p.created_at < past_patience_ms;
    }

    /// The context of the run that it was forked from, and what the model is told then.
    [[nodiscard]] expected<give_context> past_of(const run_progress& p, const effect_context& ctx) const {
        const entity_address source{ctx.self().organization, std::string(run_model::kind), p.forked_from->run_id};
        auto state = state_after(*services_.store, source, p.forked_from->step);
        if (!state) {
            return state.error();
        }
        give_context out{std::move(state->messages)};
        if (!p.fork_message.empty()) {
            out.messages.push_back({"user", p.fork_message, {}, {}, {}, {}, false});
        } else if (!out.messages.empty() && out.messages.back().role == "assistant") {
            return problem{code::invalid_request, "Step " + std::to_string(p.forked_from->step) +
                                                      " ended with an answer. Say with `message` how to go on, or fork "
                                                      "from an earlier step."};
        }
        return out;
    }

    // ---- models

    commands call_model(const perform_effect& e, const run_state& s, effect_context& ctx) {
        const auto& p = s.progress;
        if (!p.model_call) {
            return {};
        }
        if (p.model_call->sent) {
            return one(record_model_failure{p.step,
                                            p.attempt,
                                            std::string(explain(code::unknown_outcome).name),
                                            "The node stopped during this call; what it used counts as spent.",
                                            {},
                                            false});
        }
        no_more_repeats(ctx.self().id);
        if (p.attempt == 1) {
            forget_commands(p, p.step - 1, ctx);
        }
        const auto chosen = services_.find_model(p.model);
        if (!chosen) {
            return one(failure(p, chosen.error(), false));
        }
        if (auto shorter = make_room(s, *chosen)) {
            return std::move(*shorter);
        }
        const auto images = load_images(*services_.store, s);
        if (!images) {
            return one(failure(p, images.error(), false));
        }
        // An id of its own: the answer to an earlier mark under the same effect must not look like ours.
        const auto marked =
            ctx.tell_self({std::string(wire_name<mark_model_call>::value), to_json(mark_model_call{p.step, p.attempt}),
                           e.key + "/mark/" + to_string(make_uuid())});
        if (!marked) {
            log_for("run").info("{} does not call its model: {}", to_string(ctx.self()), marked.error().detail);
            return {};
        }
        auto request = request_of(s, chosen->provider, *images);
        request.model = chosen->provider_name;
        request.reasoning = chosen->reasoning;
        request.context_tokens = chosen->context_tokens;
        if (chosen->output_tokens_max > 0) {
            request.output_tokens_max = std::min(request.output_tokens_max, chosen->output_tokens_max);
        }
        if (chosen->context_tokens > 0) { // it fits: `make_room` saw to it
            const auto left =
                chosen->context_tokens - std::min<std::uint64_t>(estimate_input_tokens(p), chosen->context_tokens - 1);
            request.output_tokens_max = std::min(request.output_tokens_max, static_cast<std::uint32_t>(left));
        }
        request.caller = to_string(ctx.self().organization);
        request.priced = counts_money(p.request);
        token_stream tokens(ctx, p.step, p.attempt);
        const auto reply =
            chosen->model->complete(request, ctx.stop(), [&](std::string_view text) { tokens.add(text); });
        tokens.finish();
        if (!reply && (ctx.stop().stop_requested() || reply.error().code == code::cancelled)) {
            return {}; // the run ended, or the node drains: then the call is lost
        }
        return reply ? one(outcome(p, *reply, *chosen)) : one(failure(p, reply.error(), tokens.any()));
    }

    /// What becomes of a call that is too long for its model; nothing where it fits.
    static std::optional<commands> make_room(const run_state& s, const chosen_model& chosen) {
        const auto& p = s.progress;
        if (chosen.context_tokens == 0) {
            return {};
        }
        const auto room = room_of(chosen.context_tokens, p.model_call->output_tokens_max);
        const auto needed = estimate_input_tokens(p);
        if (needed <= room) {
            return {};
        }
        const auto plan = plan_fold(s.messages, bytes_to_free(p, room));
        if (!plan.messages.empty()) {
            return one(fold_context{p.step, p.attempt, plan.messages, plan.freed_bytes});
        }
        return one(
            failure(p,
                    {code::model_refused,
                     fmt::format("The run's context has about {} tokens, {} takes {} with its answer, and nothing "
                                 "of it can be folded any more. Fork the run from an earlier step, or choose a "
                                 "model with more room.",
                                 needed, p.model, chosen.context_tokens)},
                    false));
    }

    static record_model_failure failure(const run_progress& p, const problem& why, bool streamed) {
        return {p.step, p.attempt, name_of(why), why.detail, why.retry_after_s, streamed};
    }

    record_model_reply outcome(const run_progress& p, const net::model_reply& reply, const chosen_model& chosen) const {
        record_model_reply out{p.step,
                               p.attempt,
                               reply.content,
                               reply.reasoning,
                               {},
                               reply.usage.input,
                               reply.usage.output,
                               end_of(reply.finish),
                               reply.model,
                               reply.reasoning_state,
                               chosen.provider,
                               reply.usage.cached_input,
                               reply.usage.reasoning,
                               {},
                               {}};
        if (!reply.answered_by.empty()) {
            const auto answered = services_.find_model(reply.answered_by);
            out.provider = answered ? answered->provider : "";
            out.price = (services_.price ? services_.price(reply.answered_by) : std::nullopt).value_or(model_price{});
            out.route.text = reply.choice;
        }
        for (const auto& call : reply.tool_calls) {
            out.tool_calls.push_back({call.id, call.name, call.arguments});
        }
        return out;
    }

    // ---- tools

    static std::string command_key(const uuid& run, std::uint32_t step, std::uint32_t call, std::uint32_t attempt) {
        return to_string(run) + "/" + std::to_string(step) + "/" + std::to_string(call) + "/" + std::to_string(attempt);
    }

    /// The keys of the last calls' commands, which belong to `step`.
    std::vector<std::string> commands_of(const run_progress& p, std::uint32_t step, const effect_context& ctx) const {
        std::vector<std::string> keys;
        for (std::uint32_t number = 1; services_.commands && number <= p.calls.size(); ++number) {
            const auto& call = p.calls[number - 1];
            const auto* tool = find_tool(call.tool);
            for (std::uint32_t attempt = 1; tool && tool->safety == repeat_safety::recorded && attempt <= call.attempt;
                 ++attempt) {
                keys.push_back(command_key(ctx.self().id, step, number, attempt));
            }
        }
        return keys;
    }

    /// The calls of the step before have their outcomes in the journal: the runner's files have done their work.
    void forget_commands(const run_progress& p, std::uint32_t step, const effect_context& ctx) {
        for (const auto& key : commands_of(p, step, ctx)) {
            services_.commands->forget(key);
        }
    }

    /// After the end of a run nothing goes on in its name, not even what a node that died has left.
    commands clean_up(const run_progress& p, effect_context& ctx) {
        // The calls are those of the last reply; a model call that was open at the end is one step further.
        const auto step = p.replied ? p.step : p.step - 1;
        std::stop_source stopped;
        stopped.request_stop();
        for (const auto& key : commands_of(p, step, ctx)) {
            // What comes back does not matter any more; only a runner that does not end does.
            (void)services_.commands->run(key, {}, stopped.get_token(), {});
            if (const auto state = services_.commands->state_of(key); !state) {
                log_for("run").error("{}: a command of the ended run may go on: {}", to_string(ctx.self()),
                                     state.error().detail);
                return {};
            }
        }
        const bool open = std::ranges::any_of(p.calls, [](const auto& c) { return c.phase == call_phase::started; });
        if (open && p.request.project_id) {
            const auto turn = services_.folders->take_turn(project_of(p, ctx), ctx.stop());
            record_tool_result unread;
            if (!turn || !save(p, ctx, unread)) {
                return {};
            }
        }
        forget_commands(p, step, ctx);
        no_more_repeats(ctx.self().id);
        return one(record_clean_up{});
    }

    /// Whether this call may have been performed before: by this process, or by one before it. Record times never go
    /// back in a log, so an intent that is no later than what the log held at the start is not of this process.
    bool is_repeat(const entity_address& run, const std::string& key, const call_state& call) {
        const std::scoped_lock lock(mutex_);
        const bool ours = !begun_[run.id].insert(key).second;
        return ours || !call.intent_at || *call.intent_at <= before_[services_.store->shard_of(run)];
    }

    /// Whether another node had this call to perform: what it began nobody sees here.
    [[nodiscard]] bool began_elsewhere(const call_state& call) const {
        return call.intent_node != uuid() && call.intent_node != services_.store->who().replica;
    }

    /// The next model call: no tool call of the run is performed again.
    void no_more_repeats(const uuid& run) {
        const std::scoped_lock lock(mutex_);
        begun_.erase(run);
    }

    commands call_tool(const perform_effect& e, const run_progress& p, effect_context& ctx) {
        const auto ref = from_json<call_reference>(e.payload, strictness::stored);
        if (!ref || ref->step != p.step || ref->call < 1 || ref->call > p.calls.size()) {
            return {};
        }
        const auto& call = p.calls[ref->call - 1];
        if (names_agent(call.tool)) {
            return find_agent(p, *ref, ctx);
        }
        const auto key = command_key(ctx.self().id, ref->step, ref->call, ref->attempt);
        const auto* tool = find_tool(call.tool);
        const bool writes = tool && tool->writes;
        const auto turn = writes ? services_.folders->take_turn(project_of(p, ctx), ctx.stop()) : nullptr;
        if (writes && !turn) {
            return {}; // the run ended, or the node drains
        }
        const auto folder = p.request.project_id ? services_.folders->prepare(project_of(p, ctx), false, ctx)
                                                 : expected<working_folders::prepared>(working_folders::prepared{});
        if (!folder && is_transient(folder.error())) {
            return {};
        }
        const bool elsewhere = began_elsewhere(call);
        const bool repeat = is_repeat(ctx.self(), key, call) || elsewhere;
        record_tool_result out{ref->step, ref->call, ref->attempt, {}, false, false, {}};
        if (elsewhere && tool && tool->safety == repeat_safety::recorded) { // the runner's record is there, not here
            return end_elsewhere(call.intent_node, key, std::move(out));
        }
        if (!folder) {
            out.content = "The project cannot be used: " + folder.error().detail;
            out.is_error = true;
            out.unknown = repeat && tool && may_have_happened(*tool);
            return one(out);
        }
        auto result = perform_tool(call.tool, call.arguments, environment(p, ctx, *ref, key, folder->path, repeat));
        out.content = std::move(result.content);
        out.is_error = result.is_error;
        out.unknown = result.unknown;
        out.details = std::move(result.details);
        if (writes && !save(p, ctx, out)) {
            return {};
        }
        return one(out);
    }

    /// The agent that the call names is what the journal says of it now; the run decides what becomes of the call.
    [[nodiscard]] commands find_agent(const run_progress& p, const call_reference& ref,
                                      const effect_context& ctx) const {
        const auto& call = p.calls[ref.call - 1];
        const auto arguments = json::document::parse(call.arguments);
        const auto name = arguments ? arguments->root().text_or("agent") : std::string();
        const auto agent = find_working_agent(*services_.store, ctx.self().organization, name);
        if (!agent && is_transient(agent.error())) {
            return {};
        }
        return agent ? one(record_agent{ref.step, ref.call, ref.attempt,
                                        wish_for_agent(p, call, agent->id, agent->settings)})
                     : one(record_tool_result{ref.step, ref.call, ref.attempt, agent.error().detail, true, false, {}});
    }

    /// The command was begun by the node that had the run before, if at all. It goes on no longer, and what it wrote in
    /// the folder there is not saved: so it is no success, whatever it said.
    commands end_elsewhere(const uuid& replica, const std::string& key, record_tool_result out) const {
        const auto ended = services_.end_elsewhere ? services_.end_elsewhere(replica, key)
                                                   : problem{code::unknown_outcome, "it began at another node"};
        if (!ended && ended.error().code != code::unknown_outcome) {
            log_for("run").info("what became of command {} at another node is asked again: {}", key,
                                ended.error().detail);
            return {};
        }
        out.is_error = true;
        out.unknown = !ended;
        if (ended) {
            auto told = shown(*ended);
            out.content =
                "The run moved to another node meanwhile. What the command wrote in the project is not kept; look at "
                "what is there, and run it again where that does no harm.\n" +
                told.content;
            out.details = std::move(told.details);
        } else {
            out.content = "Another node had this call to perform, and was lost: " + ended.error().detail;
        }
        return one(out);
    }

    tool_environment environment(const run_progress& p, effect_context& ctx, const call_reference& ref,
                                 const std::string& key, const std::filesystem::path& folder, bool repeat) const {
        tool_environment where;
        where.project = folder;
        where.commands = services_.commands;
        where.limits = services_.command_limits;
        where.key = key;
        where.network = services_.command_network;
        where.repeat = repeat;
        where.run = ctx.self();
        where.browsers = services_.browsers;
        where.processes = services_.processes;
        where.deployments = services_.deployments;
        where.agent = agent_with_limits(p);
        where.project_id = p.request.project_id;
        where.store = services_.store;
        where.ask = [&ctx](runtime::command c) { return ctx.ask(std::move(c)); };
        where.stop = ctx.stop();
        where.changed_elsewhere = [this, project = project_of(p, ctx), by = to_string(ctx.self()),
                                   since = p.started_at.value_or(p.created_at)](const std::string& path) {
            return services_.folders->changed_elsewhere(project, path, by, since);
        };
        where.recall = [this, run = ctx.self()](std::uint32_t message) {
            return original_message(*services_.store, run, message);
        };
        where.on_output = [live = std::make_shared<output_stream>(ctx, ref.step, ref.call)](
                              bool is_stderr, std::string_view text) { live->add(is_stderr, text); };
        return where;
    }

    /// Saves what the call wrote, and tells of it in the result. False: not now, the whole call is tried again.
    bool save(const run_progress& p, effect_context& ctx, record_tool_result& out) {
        const auto saved = services_.folders->save(project_of(p, ctx), to_string(ctx.self()), ctx);
        if (!saved) {
            if (is_transient(saved.error())) {
                return false;
            }
            out.content += "\nThe files could not be saved in the project: " + saved.error().detail + "\n";
            out.is_error = true;
            return true;
        }
        for (const auto& refused : saved->refused) {
            out.content += "\n" + refused.path + " was not saved: " + refused.detail + "\n";
            // A command that left a file which cannot be kept did what it was to do all the same.
            out.is_error = out.is_error || refused.code == explain(code::conflict).name;
        }
        if (!saved->changes.empty() && !has_member(out.details, "diff")) {
            const auto diff = diff_of(*services_.store, ctx.self().organization, saved->changes, diff_bytes_max);
            if (diff && !diff->empty()) {
                add_text(out.details, "diff", *diff);
            } else if (!diff) {
                log_for("run").warn("{}: no diff of what it wrote: {}", to_string(ctx.self()), diff.error().detail);
            }
        }
        return true;
    }

    const run_services services_;
    std::vector<timestamp> before_; ///< Of each shard: the time of the last record when this process began.
    std::mutex mutex_;
    std::map<uuid, std::set<std::string>> begun_; ///< Of each run: keys of the calls of its step that were performed.
};

} // namespace

runtime::performer_of<run_model> make_run_performer(run_services services) {
    return [shared = std::make_shared<performer>(std::move(services))](
               const perform_effect& e, const run_state& s, effect_context& ctx) { return shared->perform(e, s, ctx); };
}

} // namespace troupe::actors
