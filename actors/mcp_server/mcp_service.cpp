#include "actors/mcp_server/mcp_service.hpp"

#include "actors/mcp_server/follow_run.hpp"
#include "actors/mcp_server/mcp_resources.hpp"
#include "actors/mcp_server/route_tools.hpp"

#include <utility>

namespace troupe::actors {
namespace {

using net::mcp::rpc_error;
using net::mcp::server_call;
using call_ptr = std::shared_ptr<server_call>;

const std::string metadata_path = "/.well-known/oauth-protected-resource";

constexpr std::string_view instructions =
    "Troupe runs agents. A project has files, a task is something to be done, a run is an agent's work on one goal. "
    "create_run starts one (with wait it comes back at the end); follow_run waits for one. A run that waits for "
    "approval or has a question shows in list_approvals; decide_approval answers it.";

/// "https://node.example"
std::string origin_of(const net::request& r) {
    return (r.secure ? "https://" : "http://") + std::string(r.header("host").value_or("localhost"));
}

std::string text_of(const json::value& in, std::string_view name) { return in.text_or(name); }

json::raw arguments_of(const json::value& params) {
    const auto given = params.find("arguments");
    return {given ? given->dump() : "{}"};
}

/// Without the member of that name.
json::raw without(const json::raw& object, std::string_view name) {
    std::string out;
    json::object_writer members(out);
    if (const auto parsed = json::document::parse(object.text)) {
        parsed->root().each_member([&](std::string_view n, const json::value& v) {
            if (n != name) {
                members.raw_field(n, v.dump());
            }
        });
    }
    members.end();
    return {std::move(out)};
}

/// create_run has one argument more than its operation, and follow_run is of nobody else.
std::vector<net::mcp::tool> all_tools(const inner_calls& calls) {
    auto out = route_tools(calls);
    for (auto& each : out) {
        if (each.name == "create_run") {
            const std::string_view mark = R"("properties":{)";
            each.inputSchema.text.insert(
                each.inputSchema.text.find(mark) + mark.size(),
                R"("wait":{"type":"boolean","description":"Answer when the run has ended, or waits for a person. )"
                R"(Cancelling the call then cancels the run."},)");
        }
    }
    auto& follow = out.emplace_back();
    follow.name = "follow_run";
    follow.title = "Wait for a run";
    follow.description = "Answers when the run has ended, or waits for a person; tells progress meanwhile.";
    follow.inputSchema.text = R"({"type":"object","properties":{"id":{"type":"string","description":"The run's."}},)"
                              R"("required":["id"],"additionalProperties":false})";
    follow.annotations = json::raw{R"({"readOnlyHint":true,"openWorldHint":false})"};
    return out;
}

void call_tool(inner_calls& calls, runtime::bus* bus, const call_ptr& call) {
    const auto params = json::document::parse(call->params().text).value();
    const auto name = text_of(params.root(), "name");
    const auto arguments = arguments_of(params.root());
    const auto parsed = json::document::parse(arguments.text).value();
    if (!call->state().empty()) { // only those ask that follow a run
        return continue_run(calls, bus, call);
    }
    if (!call->answers().empty()) { // it would start a second run
        return call->answer(rpc_error{net::mcp::rpc_invalid_params, "requestState is missing.", {}});
    }
    if (name == "follow_run") {
        return follow_run(calls, bus, call, {text_of(parsed.root(), "id")});
    }
    const bool creates = name == "create_run";
    const auto what = to_request(calls, name, creates ? without(arguments, "wait") : arguments);
    if (!what) {
        return call->answer(rpc_error{net::mcp::rpc_invalid_params, "Unknown tool: " + name, {}});
    }
    const auto wait = parsed.root().find("wait");
    const bool waits = creates && wait && wait->as_bool() == true;
    calls.ask(call->caller(), *what, [&calls, bus, call, waits](const net::response& answer) {
        if (waits && answer.status < 300) {
            const auto made = json::document::parse(answer.body);
            return follow_run(calls, bus, call, {made ? text_of(made->root(), "id") : "", true});
        }
        if (!answer.source) {
            return call->answer(to_tool_result(answer));
        }
        calls.post([call, answer] { call->answer(to_tool_result(answer)); });
    });
}

/// RFC 9728. Keys and session tokens of this node are taken, in the header; where they come from is not for strangers.
net::route metadata(const std::string& path, const std::string& operation) {
    net::route out{.verb = net::verb::get, .path = path, .operation = operation};
    out.summary = "What OAuth clients need to know of `/mcp` (RFC 9728).";
    out.tag = "mcp";
    out.open = true;
    out.rooted = true;
    out.reply = net::body_type{"protected_resource",
                               [] {
                                   return R"({"type":"object","properties":{"resource":{"type":"string"},)"
                                          R"("resource_name":{"type":"string"},"bearer_methods_supported":)"
                                          R"({"type":"array","items":{"type":"string"}}},"required":["resource"]})";
                               },
                               nullptr};
    out.run = [](const net::request& r, const net::responder& respond) {
        std::string body;
        json::object_writer members(body);
        members.field("resource", origin_of(r) + "/mcp").field("resource_name", "Troupe");
        members.raw_field("bearer_methods_supported", R"(["header"])").end();
        respond({.body = std::move(body)});
    };
    return out;
}

} // namespace

mcp_service::mcp_service(std::unique_ptr<inner_calls> calls, runtime::bus* bus, std::string origins)
    : calls_(std::move(calls)), bus_(bus) {
    net::mcp::endpoint_settings of_endpoint;
    of_endpoint.permission = "mcp:read";
    of_endpoint.allowed_origins = std::move(origins);
    of_endpoint.challenge = [](const net::request& r) {
        return "Bearer resource_metadata=\"" + origin_of(r) + metadata_path + "/mcp\"";
    };
    endpoint_ = std::make_unique<net::mcp::server_endpoint>(make_offer(), std::move(of_endpoint));
}

mcp_service::~mcp_service() = default;

net::mcp::server_offer mcp_service::make_offer() {
    net::mcp::server_offer offer;
    offer.settings.name = "troupe";
    offer.settings.title = "Troupe";
    offer.settings.version = TROUPE_VERSION;
    offer.settings.instructions = instructions;
    offer.settings.resources_change = bus_ != nullptr;
    const auto listed = R"({"tools":)" + to_json(all_tools(*calls_)) + "}";
    offer.methods.emplace("tools/list", [listed](const call_ptr& call) { call->answer(json::raw{listed}); });
    offer.methods.emplace("tools/call", [this](const call_ptr& call) { call_tool(*calls_, bus_, call); });
    add_resources(offer, *calls_, bus_);
    add_prompts(offer);
    return offer;
}

std::vector<net::route> mcp_service::routes() {
    auto out = endpoint_->routes();
    out.push_back(metadata(metadata_path, "get_protected_resource"));
    out.push_back(metadata(metadata_path + "/mcp", "get_mcp_protected_resource"));
    return out;
}

} // namespace troupe::actors
