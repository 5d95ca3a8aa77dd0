#include "net/mcp/http_headers.hpp"

#include "net/http/text.hpp"
#include "schemas/base/cipher.hpp"

#include <algorithm>
#include <set>

namespace troupe::net::mcp {
namespace {

constexpr std::size_t header_bytes_max = 8 << 10;
constexpr std::size_t headers_max = 32; ///< Of one tool.
constexpr std::size_t tools_max = 20'000;

const json::raw* params_of(const rpc_message& message) {
    if (const auto* request = std::get_if<rpc_request>(&message))
        return &request->params;
    const auto* notification = std::get_if<rpc_notification>(&message);
    return notification ? &notification->params : nullptr;
}

std::string version_in(const rpc_message& message) {
    const auto* params = params_of(message);
    const auto parsed = params && !params->is_null() ? json::document::parse(params->text)
                                                     : expected<json::document>(problem{code::not_found, {}});
    const auto meta = parsed ? parsed->root().find("_meta") : std::nullopt;
    return meta && meta->type() == json::kind::object ? meta->text_or(meta_version) : std::string();
}

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && text.size() <= 100 && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               marks.find(c) != marks.npos;
    });
}

/// Argument → header, of one tool's schema; nothing when one of them cannot be.
std::optional<std::map<std::string, std::string>> headers_in(const json::value& schema) {
    std::map<std::string, std::string> out;
    std::set<std::string> taken;
    bool good = true;
    if (const auto properties = schema.find("properties"); properties && properties->type() == json::kind::object) {
        properties->each_member([&](std::string_view name, const json::value& v) {
            const auto header = v.type() == json::kind::object ? v.find("x-mcp-header") : std::nullopt;
            if (!header)
                return;
            const auto text = std::string(header->as_string().value_or(""));
            const auto type = v.text_or("type");
            const bool plain = type == "string" || type == "integer" || type == "boolean";
            good = good && plain && is_token(text) && taken.insert(lower_case(text)).second;
            out.emplace(name, text);
        });
    }
    return good && out.size() <= headers_max ? std::optional(std::move(out)) : std::nullopt;
}

} // namespace

void custom_headers::learn(const json::raw& page) {
    const auto parsed = json::document::parse(page.text);
    const auto tools = parsed ? parsed->root().find("tools") : std::nullopt;
    if (!tools || tools->type() != json::kind::array)
        return;
    if (by_tool_.size() > tools_max) // a server that renames them for ever
        by_tool_.clear();
    tools->each_element([&](const json::value& tool) {
        const auto schema = tool.type() == json::kind::object ? tool.find("inputSchema") : std::nullopt;
        if (schema && schema->type() == json::kind::object)
            by_tool_[tool.text_or("name")] = headers_in(*schema).value_or(std::map<std::string, std::string>());
    });
}

void custom_headers::add(std::string_view tool, const json::value& arguments,
                         std::vector<std::pair<std::string, std::string>>& to) const {
    const auto known = by_tool_.find(tool);
    if (known == by_tool_.end())
        return;
    for (const auto& [argument, header] : known->second) {
        const auto value = arguments.find(argument);
        if (!value || value->type() == json::kind::null)
            continue;
        const auto text = value->as_string();
        to.emplace_back("Mcp-Param-" + header, as_header_value(text ? std::string(*text) : value->dump()));
    }
}

bool has_good_headers(const json::raw& input_schema) {
    const auto parsed = json::document::parse(input_schema.text);
    return parsed && (parsed->root().type() != json::kind::object || headers_in(parsed->root()));
}

bool is_modern_message(const rpc_message& message) { return !version_in(message).empty(); }

void add_message_headers(const rpc_message& message, const custom_headers& custom,
                         std::vector<std::pair<std::string, std::string>>& to) {
    auto version = version_in(message);
    if (version.empty())
        return;
    to.emplace_back("MCP-Protocol-Version", std::move(version));
    const auto* request = std::get_if<rpc_request>(&message);
    const auto* notification = std::get_if<rpc_notification>(&message);
    const std::string_view method = request        ? std::string_view(request->method)
                                    : notification ? std::string_view(notification->method)
                                                   : std::string_view();
    if (!method.empty())
        to.emplace_back("Mcp-Method", method);
    const auto member = named_member(method);
    if (!request || member.empty())
        return;
    const auto params = json::document::parse(request->params.text);
    if (!params)
        return;
    const auto name = params->root().text_or(member);
    to.emplace_back("Mcp-Name", as_header_value(name));
    if (const auto arguments = method == "tools/call" ? params->root().find("arguments") : std::nullopt;
        arguments && arguments->type() == json::kind::object)
        custom.add(name, *arguments, to);
}

std::string agreed_version(const json::raw& result) {
    const auto parsed = json::document::parse(result.text);
    auto version = parsed && parsed->root().type() == json::kind::object ? parsed->root().text_or("protocolVersion")
                                                                         : std::string();
    return is_header_value(version) && version.size() <= 64 ? version : std::string();
}

std::optional<rpc_id> cancelled_id(const rpc_notification& told) {
    const auto parsed = json::document::parse(told.params.text);
    const auto id =
        parsed && parsed->root().type() == json::kind::object ? parsed->root().find("requestId") : std::nullopt;
    if (!id)
        return std::nullopt;
    if (const auto number = id->as_int())
        return rpc_id(*number);
    const auto text = id->as_string();
    return text ? std::optional(rpc_id(std::string(*text))) : std::nullopt;
}

bool is_header_value(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

std::string as_header_value(std::string_view text) {
    const bool plain = !text.empty() && text.size() <= header_bytes_max && text.front() != ' ' && text.back() != ' ' &&
                       !text.starts_with("=?base64?") &&
                       std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
    return plain ? std::string(text) : "=?base64?" + to_base64(text.substr(0, header_bytes_max)) + "?=";
}

std::optional<std::string> read_header_value(std::string_view value) {
    constexpr std::string_view begin = "=?base64?";
    constexpr std::string_view end = "?=";
    if (value.size() < begin.size() + end.size() || !value.starts_with(begin) || !value.ends_with(end))
        return std::string(value);
    const auto inner = value.substr(begin.size(), value.size() - begin.size() - end.size());
    return inner.size() % 4 == 0 ? from_base64(inner) : std::nullopt;
}

std::string_view named_member(std::string_view method) {
    if (method == "tools/call" || method == "prompts/get")
        return "name";
    return method == "resources/read" ? "uri" : "";
}

bool names_session(std::string_view body) { return lower_case(body).find("session") != std::string::npos; }

} // namespace troupe::net::mcp
