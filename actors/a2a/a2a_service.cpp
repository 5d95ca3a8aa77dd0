#include "actors/a2a/a2a_service.hpp"

#include "actors/a2a/a2a_call.hpp"
#include "actors/a2a/a2a_protocol.hpp"

#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

const std::string tag = "a2a";
constexpr std::string_view example =
    R"({"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"018f0000-0000-7000-8000-000000000000"}})";

/// As the protocol has it, which this node does not define.
net::body_type open_object(std::string name, std::string example_json) {
    net::body_type out;
    out.name = std::move(name);
    out.schema = [] { return R"({"type":"object","additionalProperties":true})"; };
    out.example = std::move(example_json);
    return out;
}

std::string address_of(const request& r, const std::string& public_url) {
    const auto host = r.header("host").value_or("localhost");
    const auto base = public_url.empty() ? (r.secure ? "https://" : "http://") + std::string(host) : public_url;
    return base + "/api/v1/agents/";
}

} // namespace

struct a2a_service::parts : a2a_parts {
    std::string public_url;

    void give_card(const request& r, const responder& respond) const {
        calls->ask(r, {.operation = "get_agent", .params = {{"id", std::string(r.param("id"))}}},
                   [this, r, respond](net::response answer) {
                       const auto agent = answer.status == 200
                                              ? from_json<agent_document>(answer.body, strictness::stored)
                                              : expected<agent_document>(problem{});
                       if (!agent) {
                           return respond(std::move(answer));
                       }
                       const auto endpoint = address_of(r, public_url) + to_string(agent->id) + "/a2a";
                       respond({.body = a2a_card(*agent, endpoint, TROUPE_VERSION)});
                   });
    }
};

a2a_service::a2a_service(std::unique_ptr<inner_calls> calls, runtime::bus* live, std::string public_url)
    : parts_(std::make_shared<parts>()) {
    parts_->calls = std::move(calls);
    parts_->live = live;
    parts_->public_url = std::move(public_url);
}

a2a_service::~a2a_service() = default;

std::vector<net::route> a2a_service::routes() {
    const std::vector<net::query_parameter> which{
        {"id", "The agent's id or name.", R"({"type":"string"})", R"("scout")"}};
    return {{.verb = verb::get,
             .path = "/agents/{id}/.well-known/agent-card.json",
             .operation = "get_agent_card",
             .summary = "Gives the card of an agent, as clients of the A2A protocol (1.0) look for it.",
             .tag = tag,
             .permission = "agent:read",
             .in_path = which,
             .reply = open_object("agent_card", R"({"name":"scout"})"),
             .errors = {code::not_found},
             .run = [p = parts_](const request& r, const responder& respond) { p->give_card(r, respond); }},
            {.verb = verb::post,
             .path = "/agents/{id}/a2a",
             .operation = "call_agent",
             .summary = "JSON-RPC of the A2A protocol (1.0): SendMessage, SendStreamingMessage, GetTask, ListTasks, "
                        "CancelTask, SubscribeToTask.",
             .description = "A message becomes a task of the agent, once for each `messageId` of a caller. What an "
                            "operation does needs the permissions of the API's own.",
             .tag = tag,
             .permission = "agent:read",
             .in_path = which,
             .body = open_object("a2a_request", std::string(example)),
             .reply = open_object("a2a_response", R"({"jsonrpc":"2.0","id":1,"result":{}})"),
             .errors = {code::not_found},
             .run = [p = parts_](const request& r, const responder& respond) { answer_a2a(*p, r, respond); },
             .stream = [p = parts_](const request& r, const auto& answer) { answer(stream_a2a(*p, r)); },
             .streams = [](const request& r) { return wants_a2a_stream(r.body); }}};
}

} // namespace troupe::actors
