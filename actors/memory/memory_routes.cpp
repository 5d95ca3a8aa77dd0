#include "actors/memory/memory_routes.hpp"

#include "actors/common/model.hpp"
#include "actors/common/stored.hpp"
#include "actors/memory/memory_model.hpp"
#include "net/http/handlers.hpp"
#include "schemas/agent.hpp"

#include <functional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

/// The memory of the agent that the path names, which has to be there.
expected<entity_address> memory_of(const runtime::services& s, const request& r) {
    const auto id = net::resolve_id(s, r, "agent", "name");
    const auto agent = id ? read_stored<agent_document>(*s.store, {r.who.organization, "agent", *id})
                          : expected<std::optional<agent_document>>(id.error());
    if (!agent || !*agent) {
        return agent ? no_such("agent", *id) : agent.error();
    }
    return memory_address(r.who.organization, *id);
}

void read(const runtime::services& s, const request& r, const responder& respond) {
    const auto memory = memory_of(s, r);
    const auto found = memory ? read_stored<memory_document>(*s.store, *memory)
                              : expected<std::optional<memory_document>>(memory.error());
    respond(found ? net::response{.body = to_json(found->value_or(memory_document{}))}
                  : net::to_response(found.error(), r));
}

net::handler change(const runtime::services& s, std::string_view type, int status,
                    std::function<std::string(const request&)> payload) {
    return [&s, type, status, payload = std::move(payload)](request r, responder respond) {
        const auto memory = memory_of(s, r);
        auto c = memory ? net::make_command(r, *memory, type, payload(r)) : expected<runtime::command>(memory.error());
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        net::submit_and_answer(s, std::move(r), std::move(*c), status, "", std::move(respond));
    };
}

std::string put_payload(const request& r) {
    const auto body = from_json<note_body>(r.body, strictness::input); // the edge has checked it
    return to_json(put_note{std::string(r.param("note")), body ? body->text : std::string()});
}

} // namespace

std::vector<net::route> memory_routes(const runtime::services& s) {
    const std::vector<net::query_parameter> which{
        {"id", "The agent's id or name.", R"({"type":"string"})", R"("scout")"},
        {"note", "What the note is about.", R"({"type":"string","maxLength":100})", R"("database")"}};
    const std::vector<net::query_parameter> agent{which.front()};
    return {{.verb = verb::get,
             .path = "/agents/{id}/memory",
             .operation = "get_agent_memory",
             .summary = "Shows what an agent remembers.",
             .tag = "agents",
             .permission = "agent:read",
             .in_path = agent,
             .reply = net::reply_of<memory_document>("agent_memory"),
             .errors = {code::not_found},
             .run = [&s](const request& r, const responder& respond) { read(s, r, respond); }},
            {.verb = verb::put,
             .path = "/agents/{id}/memory/{note}",
             .operation = "put_agent_note",
             .summary = "Has an agent remember something, in place of the note of that key.",
             .tag = "agents",
             .permission = "agent:write",
             .in_path = which,
             .body = net::body_of<note_body>("note"),
             .reply = net::reply_of<memory_document>("agent_memory"),
             .errors = {code::not_found, code::conflict},
             .reply_headers = net::changed_headers(),
             .run = change(s, wire_name<put_note>::value, 200, put_payload)},
            {.verb = verb::del,
             .path = "/agents/{id}/memory/{note}",
             .operation = "delete_agent_note",
             .summary = "Has an agent forget a note.",
             .tag = "agents",
             .permission = "agent:write",
             .in_path = which,
             .success = 204,
             .errors = {code::not_found},
             .reply_headers = net::changed_headers(),
             .run = change(s, wire_name<remove_note>::value, 204,
                           [](const request& r) { return to_json(remove_note{std::string(r.param("note"))}); })}};
}

} // namespace troupe::actors
