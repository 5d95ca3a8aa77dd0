#include "actors/mcp_server/route_tools.hpp"

#include "net/http/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <utility>

namespace troupe::actors {
namespace {

using net::verb;

/// What one answer may put before a model.
constexpr std::size_t text_bytes_max = 1 << 20;

struct offered {
    std::string_view operation; ///< And the tool's name.
    std::string_view title;
    bool destroys = false;
};
constexpr std::array tools = {
    offered{"list_agents", "Agents"},
    offered{"get_agent", "An agent"},
    offered{"create_agent", "New agent"},
    offered{"start_agent", "Start an agent"},
    offered{"pause_agent", "Pause an agent"},
    offered{"resume_agent", "Resume an agent"},
    offered{"stop_agent", "Stop an agent", true},
    offered{"list_tasks", "Tasks"},
    offered{"get_task", "A task"},
    offered{"create_task", "New task"},
    offered{"update_task", "Change a task"},
    offered{"assign_task", "Assign a task"},
    offered{"move_task", "Move a task"},
    offered{"list_messages", "What was said about a task"},
    offered{"add_message", "Say something about a task"},
    offered{"list_runs", "Runs"},
    offered{"get_run", "A run"},
    offered{"list_steps", "What a run did"},
    offered{"get_run_diff", "What a run changed"},
    offered{"create_run", "Start a run"},
    offered{"cancel_run", "Cancel a run", true},
    offered{"list_approvals", "Approvals"},
    offered{"get_approval", "An approval"},
    offered{"decide_approval", "Decide an approval", true},
    offered{"list_projects", "Projects"},
    offered{"get_project", "A project"},
    offered{"create_project", "New project"},
    offered{"list_files", "Files of a project"},
    offered{"get_file", "A file"},
    offered{"create_file", "New file"},
};

std::vector<std::string> names_in(std::string_view path) {
    std::vector<std::string> out;
    for (auto open = path.find('{'); open != path.npos; open = path.find('{')) {
        const auto close = path.find('}', open);
        out.emplace_back(path.substr(open + 1, close - open - 1));
        path.remove_prefix(close + 1);
    }
    return out;
}

bool is_object(const json::value& v) { return v.type() == json::kind::object; }

/// The schema of a query parameter with what is said about it.
std::string with_description(const std::string& schema, const std::string& text) {
    const auto end = schema.rfind('}');
    const bool has_one = schema.find("\"description\"") != schema.npos;
    return text.empty() || has_one
               ? schema
               : schema.substr(0, end) + (end > 1 ? "," : "") + "\"description\":" + json::quoted(text) + "}";
}

std::string input_schema(const net::route& r) {
    std::string properties;
    std::vector<std::string> required;
    json::object_writer members(properties);
    for (const auto& name : names_in(r.path)) {
        members.raw_field(name, R"({"type":"string"})");
        required.push_back(name);
    }
    for (const auto& each : r.query) {
        members.raw_field(each.name, with_description(each.schema, each.doc));
    }
    if (const auto body = r.body && r.body->schema ? json::document::parse(r.body->schema())
                                                   : expected<json::document>(problem{code::not_found, {}})) {
        if (const auto own = body->root().find("properties")) {
            own->each_member([&](std::string_view name, const json::value& v) { members.raw_field(name, v.dump()); });
        }
        if (const auto own = body->root().find("required")) {
            own->each_element([&](const json::value& v) { required.emplace_back(v.as_string().value_or("")); });
        }
    }
    members.end();
    return R"({"type":"object","properties":)" + properties + R"(,"required":)" + to_json(required) +
           R"(,"additionalProperties":false})";
}

std::string hints(const net::route& r, const offered& of) {
    std::string out;
    json::object_writer members(out);
    members.field("readOnlyHint", r.verb == verb::get);
    if (r.verb != verb::get) {
        members.field("destructiveHint", of.destroys);
    }
    members.field("idempotentHint", r.verb == verb::get || r.verb == verb::put);
    members.field("openWorldHint", false).end();
    return out;
}

std::string as_text(const json::value& v) {
    const auto text = v.as_string();
    return text ? std::string(*text) : v.dump();
}

} // namespace

std::vector<net::mcp::tool> route_tools(const inner_calls& calls) {
    std::vector<net::mcp::tool> out;
    for (const auto& each : tools) {
        const auto* to = calls.find(each.operation);
        if (to == nullptr) {
            continue;
        }
        auto& made = out.emplace_back();
        made.name = each.operation;
        made.title = std::string(each.title);
        made.description = to->description.empty() ? to->summary : to->summary + " " + to->description;
        made.inputSchema.text = input_schema(*to);
        made.annotations = json::raw{hints(*to, each)};
    }
    return out;
}

std::optional<inner_request> to_request(const inner_calls& calls, std::string_view tool, const json::raw& arguments) {
    const bool is_offered = std::any_of(tools.begin(), tools.end(), [&](const auto& t) { return t.operation == tool; });
    const auto* to = is_offered ? calls.find(tool) : nullptr;
    if (to == nullptr) {
        return std::nullopt;
    }
    inner_request out{std::string(tool)};
    const auto in_path = names_in(to->path);
    std::string rest;
    json::object_writer body(rest);
    if (const auto parsed = json::document::parse(arguments.text); parsed && is_object(parsed->root())) {
        parsed->root().each_member([&](std::string_view name, const json::value& v) {
            const auto called_so = [&](const auto& parameter) { return parameter.name == name; };
            if (std::find(in_path.begin(), in_path.end(), name) != in_path.end()) {
                out.params.emplace(name, as_text(v));
            } else if (std::any_of(to->query.begin(), to->query.end(), called_so) || !to->body) {
                out.query.emplace(name, as_text(v)); // an unknown one is refused with its name
            } else {
                body.raw_field(name, v.dump());
            }
        });
    }
    body.end();
    if (to->body) {
        out.body = std::move(rest);
    }
    return out;
}

expected<std::string> body_of(const net::response& answer) {
    if (!answer.source) {
        return answer.body;
    }
    std::string out;
    while (out.size() < answer.source->bytes.value_or(0)) {
        auto piece = answer.source->next();
        if (!piece) {
            return piece.error();
        }
        out += *piece;
        if (piece->empty() || out.size() > text_bytes_max) {
            break;
        }
    }
    return out;
}

json::raw to_tool_result(const net::response& answer) {
    const auto body = body_of(answer);
    auto text = body ? *body : body.error().detail;
    const bool failed = !body || answer.status >= 400;
    const bool cut = text.size() > text_bytes_max;
    if (!net::is_utf8(text)) {
        text = "This is no text: " + std::to_string(text.size()) + " bytes.";
    } else if (cut) {
        text = "This is too long to show: over " + std::to_string(text_bytes_max) + " bytes. Ask for less.";
    }
    const auto parsed = json::document::parse(text);
    const bool is_document = parsed && is_object(parsed->root()) && !failed;
    std::string out;
    json::object_writer members(out);
    members.raw_field("content", R"([{"type":"text","text":)" + json::quoted(text.empty() ? "Done." : text) + "}]");
    if (is_document) {
        members.raw_field("structuredContent", text);
    }
    members.field("isError", failed).end();
    return {std::move(out)};
}

} // namespace troupe::actors
