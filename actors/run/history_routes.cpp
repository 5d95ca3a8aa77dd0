#include "actors/run/history_routes.hpp"

#include "actors/common/model.hpp"
#include "actors/common/references.hpp"
#include "actors/common/routes.hpp"
#include "actors/run/run_compare.hpp"
#include "actors/run/run_history.hpp"
#include "actors/run/run_replay.hpp"
#include "actors/tool/policies.hpp"
#include "net/http/handlers.hpp"
#include "schemas/run_history.hpp"
#include "schemas/run_messages.hpp"
#include "storage/views.hpp"

#include <charconv>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::verb;

const std::string kind{run_model::kind};

/// Steps of each run that a comparison looks at.
constexpr std::size_t compared_steps_max = 10'000;
constexpr std::size_t compared_page = 200;

expected<run_document> read_run_document(const runtime::services& s, const uuid& organization, const uuid& id) {
    const auto stored = storage::read_document(*s.store, {organization, kind, id});
    if (!stored || !*stored) {
        return stored ? no_such(kind, id) : stored.error();
    }
    return from_json<run_document>((*stored)->json, strictness::stored);
}

expected<std::uint32_t> number_in(std::string_view text, std::string_view what) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size()
               ? expected<std::uint32_t>(number)
               : problem{code::invalid_request, std::string(what) + " has to be the number of a step, as 3"};
}

template <class Document>
void answer(const expected<Document>& document, const net::request& r, const net::responder& respond) {
    respond(document ? net::response{.status = 200, .body = to_json(*document)}
                     : net::to_response(document.error(), r));
}

/// Reading whole histories takes its time: not on an io thread.
bool always() { return true; }

// ---- fork

expected<net::command_payload> fork_payload(const runtime::services& s, const net::request& r) {
    auto body = from_json<fork_run_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    const auto id = net::resolve_id(s, r, kind);
    const auto source = id ? read_run_document(s, r.who.organization, *id) : expected<run_document>(id.error());
    if (!source) {
        return source.error();
    }
    const entity_address address{r.who.organization, kind, *id};
    const auto state = state_after(*s.store, address, body->step); // so that whoever asks hears what cannot be
    if (!state) {
        return state.error();
    }
    fork_run out{state->progress.request, *id, body->step, std::move(body->message)};
    auto& run = out.run;
    const auto change = [](auto& value, auto& other) {
        if (other) {
            value = std::move(*other);
        }
    };
    change(run.goal, body->goal);
    change(run.instructions, body->instructions);
    change(run.model, body->model);
    run.project_id = body->project_id ? body->project_id : run.project_id;
    for (const auto& [name, policy] : body->tools) {
        run.tools.insert_or_assign(name, policy);
    }
    const auto limit = [](auto& value, auto other) { value = other == 0 ? value : other; };
    limit(run.limits.steps, body->limits.steps);
    limit(run.limits.tokens, body->limits.tokens);
    limit(run.limits.cost_micros, body->limits.cost_micros);
    limit(run.limits.time_ms, body->limits.time_ms);
    run.task_id.reset(); // the task has its run
    run.parent_run_id.reset();
    run.depth = 0; // it works for whoever asked
    run.created_by = r.who.name;
    if (auto named = check_named(s, r, "project", run.project_id); !named) {
        return named.error();
    }
    if (auto known = check_policies(run.tools); !known) {
        return known.error();
    }
    const auto& past = state->messages;
    if (out.message.empty() && !past.empty() && past.back().role == "assistant") {
        return problem{code::invalid_request,
                       "step " + std::to_string(out.step) + " ended with an answer: say how to go on",
                       {{"/message", "is required after a step that ended with an answer"}}};
    }
    return net::command_payload{std::string(wire_name<fork_run>::value), to_json(out)};
}

// ---- reading

net::handler read_context(const runtime::services& s) {
    return [&s](const net::request& r, const net::responder& respond) {
        const auto id = net::resolve_id(s, r, kind);
        const auto step = number_in(r.param("step"), "the step");
        if (!id || !step) {
            respond(net::to_response(id ? step.error() : id.error(), r));
            return;
        }
        answer(context_at(*s.store, {r.who.organization, kind, *id}, *step), r, respond);
    };
}

expected<std::vector<step_document>> steps_of(const runtime::services& s, const entity_address& run) {
    std::vector<step_document> out;
    storage::item_query query{run, "steps", false, 500, {}};
    while (true) {
        auto page = storage::read_items(*s.store, query);
        if (!page) {
            return page.error();
        }
        for (const auto& json : page->items) {
            auto step = from_json<step_document>(json, strictness::stored);
            if (!step) {
                return step.error();
            }
            out.push_back(std::move(*step));
        }
        if (out.size() > compared_steps_max) {
            return problem{code::payload_too_large, to_string(run) + " has over " + std::to_string(compared_steps_max) +
                                                        " steps: too many to compare"};
        }
        if (!page->next_cursor) {
            return out;
        }
        query.cursor = *page->next_cursor;
    }
}

expected<run_comparison> compare(const runtime::services& s, const net::request& r) {
    const auto left = net::resolve_id(s, r, kind);
    if (!left) {
        return left.error();
    }
    const auto right = parse_uuid(r.query_value("with").value_or(""));
    if (!right) {
        return problem{
            code::invalid_request, "`with` has to be the id of a run", {{"with", "has to be the id of a run"}}};
    }
    const auto a = read_run_document(s, r.who.organization, *left);
    const auto b = read_run_document(s, r.who.organization, *right);
    if (!a || !b) {
        return a ? b.error() : a.error();
    }
    const auto a_steps = steps_of(s, {r.who.organization, kind, *left});
    const auto b_steps = steps_of(s, {r.who.organization, kind, *right});
    if (!a_steps || !b_steps) {
        return a_steps ? b_steps.error() : a_steps.error();
    }
    return compare_runs(*a, *a_steps, *b, *b_steps, r.query_value("after").value_or(""), compared_page);
}

expected<replay_document> replay(const runtime::services& s, const net::request& r) {
    const auto id = net::resolve_id(s, r, kind);
    const auto run = id ? read_run_document(s, r.who.organization, *id) : expected<run_document>(id.error());
    if (!run) {
        return run.error();
    }
    run_replay again(r.who.organization, *id);
    const problem diverged{code::cancelled, "it came to something else"};
    bool identical = true;
    auto read = read_run(*s.store, {r.who.organization, kind, *id}, [&](recorded_command&& c) -> expected<void> {
        identical = again.take(c);
        return identical ? expected<void>() : expected<void>(diverged);
    });
    return read || !identical ? expected<replay_document>(again.result()) : expected<replay_document>(read.error());
}

} // namespace

std::vector<net::route> run_history_routes(const runtime::services& s) {
    const std::string tag = "runs";
    return {{.verb = verb::post,
             .path = "/runs/{id}/fork",
             .operation = "fork_run",
             .summary = "Starts a run that goes on where a step of this one had ended, with other input, model, "
                        "instructions or policies. Nothing is done again; files of the project are as they are now.",
             .tag = tag,
             .permission = "run:write",
             .body = net::body_of<fork_run_body>("fork_run"),
             .reply = net::reply_of<run_document>("run"),
             .success = 201,
             .errors = {code::not_found, code::conflict, code::invalid_request},
             .reply_headers = net::created_headers(),
             .run = net::create_entity(s, kind, "runs", "fork_run",
                                       [&s](const net::request& r) { return fork_payload(s, r); }),
             .blocks = always},
            {.verb = verb::get,
             .path = "/runs/{id}/steps/{step}/context",
             .operation = "get_step_context",
             .summary = "What the model was given at a step: instructions, goal, replies and results, and its tools.",
             .tag = tag,
             .permission = "run:read",
             .reply = net::reply_of<context_document>("step_context"),
             .errors = {code::not_found, code::invalid_request},
             .run = read_context(s),
             .blocks = always},
            {.verb = verb::get,
             .path = "/runs/{id}/compare",
             .operation = "compare_runs",
             .summary = "This run (left) and another one (right), step by step.",
             .tag = tag,
             .permission = "run:read",
             .query = {{.name = "with", .doc = "The other run.", .schema = R"({"type":"string","format":"uuid"})"},
                       {.name = "after", .doc = "Only steps after this key: `next_after` of the page before."}},
             .reply = net::reply_of<run_comparison>("run_comparison"),
             .errors = {code::not_found, code::invalid_request},
             .run = [&s](const net::request& r, const net::responder& respond) { answer(compare(s, r), r, respond); },
             .blocks = always},
            {.verb = verb::get,
             .path = "/runs/{id}/replay",
             .operation = "replay_run",
             .summary = "Decides the run again from what models, tools and people had answered, asks nobody, and says "
                        "whether it comes to the same history, byte for byte.",
             .tag = tag,
             .permission = "run:read",
             .reply = net::reply_of<replay_document>("replay"),
             .errors = {code::not_found},
             .run = [&s](const net::request& r, const net::responder& respond) { answer(replay(s, r), r, respond); },
             .blocks = always}};
}

} // namespace troupe::actors
