#include "actors/mcp_server/mcp_resources.hpp"

#include "actors/mcp_server/route_tools.hpp"
#include "net/http/text.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/ids.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

using net::mcp::rpc_error;
using net::mcp::server_call;
using call_ptr = std::shared_ptr<server_call>;

constexpr std::string_view scheme = "troupe://";
/// Of each kind; clients that want more ask the tools.
constexpr std::string_view listed_max = "25";
constexpr std::string_view completed_max = "100";
constexpr std::size_t completions_max = 100;

struct shelf {
    std::string_view name; ///< "runs": in URIs, and the channel of the live feed.
    std::string_view get;  ///< Operations.
    std::string_view list;
    std::string_view permission;
    std::string_view title; ///< The member of a document that people know it by.
    std::string_view description;
};
constexpr std::array shelves = {
    shelf{"runs", "get_run", "list_runs", "run:read", "goal", "An agent's work on one goal."},
    shelf{"tasks", "get_task", "list_tasks", "task:read", "title", "Something to be done."},
    shelf{"agents", "get_agent", "list_agents", "agent:read", "name", "An agent, and what it does."},
    shelf{"projects", "get_project", "list_projects", "project:read", "name", "A project."},
};

struct place {
    const shelf* of = nullptr;
    std::string id;
    std::string file; ///< Of a project; empty: the document.
};

std::optional<place> find(std::string_view uri) {
    if (!uri.starts_with(scheme)) {
        return std::nullopt;
    }
    uri.remove_prefix(scheme.size());
    const auto slash = uri.find('/');
    const auto of = std::find_if(shelves.begin(), shelves.end(),
                                 [&](const shelf& each) { return each.name == uri.substr(0, slash); });
    if (slash == uri.npos || of == shelves.end()) {
        return std::nullopt;
    }
    const auto rest = uri.substr(slash + 1);
    const auto end = rest.find('/');
    place out{&*of, std::string(rest.substr(0, end)), {}};
    if (end != rest.npos) {
        constexpr std::string_view files = "files/";
        const auto behind = rest.substr(end + 1);
        const auto path = behind.starts_with(files) ? net::percent_decode(behind.substr(files.size()))
                                                    : expected<std::string>(problem{code::not_found, {}});
        if (of->name != "projects" || !path || path->empty()) {
            return std::nullopt;
        }
        out.file = *path;
    }
    return out.id.empty() ? std::nullopt : std::optional(out);
}

std::string params_text(const call_ptr& call, std::string_view pointer) {
    const auto parsed = json::document::parse(call->params().text);
    const auto found = parsed ? parsed->root().pointer(pointer) : std::nullopt;
    return std::string(found ? found->as_string().value_or("") : "");
}

void refuse(const call_ptr& call, const std::string& uri, std::string why) {
    call->answer(rpc_error{call->spoken() == net::mcp::era::modern ? net::mcp::rpc_invalid_params
                                                                   : net::mcp::rpc_resource_not_found,
                           std::move(why),
                           {R"({"uri":)" + json::quoted(uri) + "}"}});
}

/// Of a refusal of the API.
std::string why_of(const net::response& answer) {
    const auto parsed = json::document::parse(answer.body);
    return parsed ? parsed->root().text_or("detail", "It cannot be read.") : "It cannot be read.";
}

/// With padding, in the usual alphabet.
std::string to_base64(std::string_view bytes) {
    auto out = to_base64url(bytes);
    std::replace(out.begin(), out.end(), '-', '+');
    std::replace(out.begin(), out.end(), '_', '/');
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

void show(const call_ptr& call, const std::string& uri, const net::response& answer) {
    const auto body = body_of(answer);
    if (!body) {
        return call->answer(rpc_error{net::mcp::rpc_internal_error, body.error().detail, {}});
    }
    const bool is_text = net::is_utf8(*body);
    std::string out;
    json::object_writer members(out);
    members.field("uri", uri).field("mimeType", is_text && answer.source ? "text/plain" : answer.content_type);
    members.field(is_text ? "text" : "blob", is_text ? *body : to_base64(*body)).end();
    call->answer(json::raw{R"({"contents":[)" + out + "]}"});
}

void read(inner_calls& calls, const call_ptr& call) {
    const auto uri = params_text(call, "/uri");
    const auto at = find(uri);
    if (!at) {
        return refuse(call, uri, "Resource not found");
    }
    inner_request what{std::string(at->of->get), {{"id", at->id}}};
    if (!at->file.empty()) {
        what.operation = "get_file";
        what.params.emplace("path", at->file);
    }
    calls.ask(call->caller(), what, [&calls, call, uri](const net::response& answer) {
        if (answer.status != 200) {
            return refuse(call, uri, why_of(answer));
        }
        if (!answer.source) {
            return show(call, uri, answer);
        }
        calls.post([call, uri, answer] { show(call, uri, answer); });
    });
}

/// Gathers lists of several kinds, one after the other.
struct listing : std::enable_shared_from_this<listing> {
    listing(inner_calls& c, call_ptr of) : calls(c), call(std::move(of)) {}

    void next() {
        if (at == shelves.size()) {
            return call->answer(json::raw{R"({"resources":[)" + items + "]}"});
        }
        const auto& of = shelves[at++];
        inner_request what{std::string(of.list), {}, {{"limit", std::string(listed_max)}}};
        calls.ask(call->caller(), what, [self = shared_from_this(), &of](const net::response& answer) {
            self->take(of, answer);
            self->next();
        });
    }

    /// What the caller may not see is not there.
    void take(const shelf& of, const net::response& answer) {
        const auto parsed = answer.status == 200 ? json::document::parse(answer.body)
                                                 : expected<json::document>(problem{code::not_found, {}});
        const auto found = parsed ? parsed->root().find("items") : std::nullopt;
        if (!found) {
            return;
        }
        found->each_element([&](const json::value& document) {
            const auto id = document.text_or("id");
            items += items.empty() ? "" : ",";
            json::object_writer members(items);
            members.field("uri", std::string(scheme) + std::string(of.name) + "/" + id);
            members.field("name", std::string(of.name) + "/" + id).field("title", document.text_or(of.title));
            members.field("description", of.description).field("mimeType", "application/json").end();
        });
    }

    inner_calls& calls;
    call_ptr call;
    std::size_t at = 0;
    std::string items;
};

std::string templates() {
    std::string out;
    const auto add = [&](const std::string& uri, const std::string& name, std::string_view description,
                         std::string_view type) {
        out += out.empty() ? "" : ",";
        json::object_writer members(out);
        members.field("uriTemplate", uri).field("name", name).field("description", description);
        if (!type.empty()) {
            members.field("mimeType", type);
        }
        members.end();
    };
    for (const auto& each : shelves) {
        add(std::string(scheme) + std::string(each.name) + "/{id}", std::string(each.name), each.description,
            "application/json");
    }
    add(std::string(scheme) + "projects/{id}/files/{+path}", "files", "A file of a project.", "");
    return R"({"resourceTemplates":[)" + out + "]}";
}

/// The ids of a template's kind that begin so; the newest.
void complete(inner_calls& calls, const call_ptr& call) {
    const auto uri = params_text(call, "/ref/uri");
    const auto begin = params_text(call, "/argument/value");
    const auto of = std::find_if(shelves.begin(), shelves.end(), [&](const shelf& each) {
        return uri.starts_with(std::string(scheme) + std::string(each.name) + "/");
    });
    if (of == shelves.end() || params_text(call, "/argument/name") != "id") {
        return call->answer(json::raw{R"({"completion":{"values":[],"hasMore":false}})"});
    }
    inner_request what{std::string(of->list), {}, {{"limit", std::string(completed_max)}}};
    calls.ask(call->caller(), what, [call, begin](const net::response& answer) {
        std::vector<std::string> values;
        const auto parsed = json::document::parse(answer.body);
        if (const auto items = parsed ? parsed->root().find("items") : std::nullopt) {
            items->each_element([&](const json::value& document) {
                auto id = document.text_or("id");
                if (id.starts_with(begin) && values.size() < completions_max) {
                    values.push_back(std::move(id));
                }
            });
        }
        call->answer(json::raw{R"({"completion":{"values":)" + to_json(values) + R"(,"hasMore":false}})"});
    });
}

/// A subscription that may be let go of on a thread of the bus, which its end may have to wait for.
struct held_subscription {
    held_subscription(inner_calls& c, std::unique_ptr<runtime::subscription> s)
        : calls(c), subscription(std::move(s)) {}
    ~held_subscription() {
        calls.post([ended = std::shared_ptr<runtime::subscription>(std::move(subscription))] {});
    }
    held_subscription(const held_subscription&) = delete;
    held_subscription& operator=(const held_subscription&) = delete;

    inner_calls& calls;
    std::unique_ptr<runtime::subscription> subscription;
};

std::shared_ptr<void> watch(inner_calls& calls, runtime::bus& bus, const net::request& caller, const std::string& uri,
                            const std::function<void()>& updated) {
    const auto at = find(uri);
    if (!at || !at->file.empty() || !parse_uuid(at->id) || !calls.may(caller.who, at->of->permission)) {
        return nullptr;
    }
    auto begun = bus.subscribe({caller.who.organization, {std::string(at->of->name) + "/" + at->id}, {}},
                               [updated](const runtime::live_event& e) {
                                   if (!e.id.empty()) { // tokens and the like change no document
                                       updated();
                                   }
                               });
    return begun ? std::make_shared<held_subscription>(calls, std::move(*begun)) : nullptr;
}

// ---- Prompts.

struct prompt_text {
    std::string_view name;
    std::string_view title;
    std::string_view description;
    std::string_view argument;
    std::string_view about_argument;
    std::string_view before; ///< The argument stands between the two.
    std::string_view after;
};
constexpr std::array prompts = {
    prompt_text{
        "start_task", "Start a task", "Plan something, write it down as a task and have an agent do it.", "goal",
        "What is to be reached.", "Have this done with Troupe: ",
        "\n\nLook at list_agents and list_projects, choose, make the task with create_task, give it to the agent "
        "with assign_task, and say what you did. Ask me where the choice is not clear."},
    prompt_text{"review_run", "Review a run", "Look at what a run did and what it changed.", "run", "The run's id.",
                "Review the run ",
                " of Troupe: read it with get_run, its steps with list_steps and its changes with get_run_diff. Say "
                "whether it reached its goal, what is doubtful, and what to do next."},
    prompt_text{
        "decide_approvals", "Decide approvals", "Go through what waits for a person.", "", "",
        "Show me what waits for me in Troupe (list_approvals with status pending), one at a time: what is asked, "
        "by which run, and what speaks for and against it. Decide each with decide_approval as I say; never by "
        "yourself.",
        ""},
};

std::string list_prompts() {
    std::string out;
    for (const auto& each : prompts) {
        out += out.empty() ? "" : ",";
        json::object_writer members(out);
        members.field("name", each.name).field("title", each.title).field("description", each.description);
        if (!each.argument.empty()) {
            members.raw_field("arguments", R"([{"name":)" + json::quoted(each.argument) + R"(,"description":)" +
                                               json::quoted(each.about_argument) + R"(,"required":true}])");
        }
        members.end();
    }
    return R"({"prompts":[)" + out + "]}";
}

void get_prompt(const call_ptr& call) {
    const auto name = params_text(call, "/name");
    const auto found = std::find_if(prompts.begin(), prompts.end(), [&](const auto& p) { return p.name == name; });
    if (found == prompts.end()) {
        return call->answer(rpc_error{net::mcp::rpc_invalid_params, "Unknown prompt: " + name, {}});
    }
    const auto argument = params_text(call, "/arguments/" + std::string(found->argument));
    if (!found->argument.empty() && argument.empty()) {
        return call->answer(
            rpc_error{net::mcp::rpc_invalid_params, "The argument is missing: " + std::string(found->argument), {}});
    }
    const auto text = std::string(found->before) + argument + std::string(found->after);
    call->answer(json::raw{R"({"description":)" + json::quoted(found->description) +
                           R"(,"messages":[{"role":"user","content":{"type":"text","text":)" + json::quoted(text) +
                           "}}]}"});
}

} // namespace

void add_resources(net::mcp::server_offer& offer, inner_calls& calls, runtime::bus* bus) {
    offer.methods.emplace("resources/list",
                          [&calls](const call_ptr& call) { std::make_shared<listing>(calls, call)->next(); });
    offer.methods.emplace("resources/templates/list",
                          [listed = templates()](const call_ptr& call) { call->answer(json::raw{listed}); });
    offer.methods.emplace("resources/read", [&calls](const call_ptr& call) { read(calls, call); });
    offer.methods.emplace("completion/complete", [&calls](const call_ptr& call) { complete(calls, call); });
    if (bus != nullptr) {
        offer.watch = [&calls, bus](const net::request& caller, const std::string& uri,
                                    const std::function<void()>& updated) {
            return watch(calls, *bus, caller, uri, updated);
        };
    }
}

void add_prompts(net::mcp::server_offer& offer) {
    offer.methods.emplace("prompts/list",
                          [listed = list_prompts()](const call_ptr& call) { call->answer(json::raw{listed}); });
    offer.methods.emplace("prompts/get", get_prompt);
}

} // namespace troupe::actors
