#include "net/mcp/registry.hpp"

#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace troupe::net::mcp {
namespace {

constexpr std::size_t packages_max = 50;
constexpr std::size_t inputs_max = 100;
constexpr std::size_t text_bytes_max = 4000;

std::string text_in(const json::value& object, std::string_view name) {
    auto out = object.text_or(name);
    return out.size() <= text_bytes_max ? out : std::string();
}

bool is_true(const json::value& object, std::string_view name) {
    const auto found = object.find(name);
    return found && found->dump() == "true";
}

mcp_package_type type_named(const std::string& name) {
    const std::map<std::string, mcp_package_type> known{{"npm", mcp_package_type::npm},
                                                        {"pypi", mcp_package_type::pypi},
                                                        {"oci", mcp_package_type::oci},
                                                        {"nuget", mcp_package_type::nuget},
                                                        {"mcpb", mcp_package_type::mcpb}};
    const auto found = known.find(name);
    return found == known.end() ? mcp_package_type::other : found->second;
}

void read_inputs(const json::value& from, std::string_view list, mcp_input_kind kind, std::vector<mcp_input>& into) {
    const auto found = from.find(list);
    if (!found || found->type() != json::kind::array) {
        return;
    }
    found->each_element([&](json::value one) {
        if (one.type() != json::kind::object || into.size() >= inputs_max) {
            return;
        }
        mcp_input input;
        input.kind = kind;
        input.named = one.text_or("type") == "named";
        input.name = text_in(one, "name");
        if (input.name.empty()) { // of arguments by position only what they are for
            input.name = text_in(one, "valueHint");
        }
        input.description = text_in(one, "description");
        input.required = is_true(one, "isRequired");
        input.secret = is_true(one, "isSecret");
        const auto fixed = text_in(one, "value");
        const bool is_template = fixed.find('{') != fixed.npos; // of variables, which are the person's to give
        input.fallback = fixed.empty() || is_template ? text_in(one, "default") : fixed;
        if (!input.name.empty()) {
            into.push_back(std::move(input));
        }
    });
}

void read_packages(const json::value& server, std::vector<mcp_package>& into) {
    const auto packages = server.find("packages");
    if (!packages || packages->type() != json::kind::array) {
        return;
    }
    packages->each_element([&](json::value one) {
        if (one.type() != json::kind::object || into.size() >= packages_max) {
            return;
        }
        mcp_package p;
        p.type = type_named(one.text_or("registryType"));
        p.identifier = text_in(one, "identifier");
        p.version = text_in(one, "version");
        const auto transport = one.find("transport");
        p.transport = transport && transport->type() == json::kind::object ? text_in(*transport, "type") : "stdio";
        read_inputs(one, "environmentVariables", mcp_input_kind::environment, p.inputs);
        read_inputs(one, "packageArguments", mcp_input_kind::argument, p.inputs);
        if (!p.identifier.empty()) {
            into.push_back(std::move(p));
        }
    });
}

void read_remotes(const json::value& server, std::vector<mcp_package>& into) {
    const auto remotes = server.find("remotes");
    if (!remotes || remotes->type() != json::kind::array) {
        return;
    }
    remotes->each_element([&](json::value one) {
        if (one.type() != json::kind::object || into.size() >= packages_max) {
            return;
        }
        mcp_package p;
        p.type = mcp_package_type::remote;
        p.identifier = text_in(one, "url");
        p.transport = text_in(one, "type");
        read_inputs(one, "headers", mcp_input_kind::header, p.inputs);
        if (!p.identifier.empty()) {
            into.push_back(std::move(p));
        }
    });
}

/// Why it cannot be read, or the server.
expected<mcp_available_document> server_in(const json::value& server, std::string_view source) {
    if (server.type() != json::kind::object) {
        return problem{code::invalid_request, "is no object"};
    }
    mcp_available_document out;
    out.name = text_in(server, "name");
    out.title = text_in(server, "title");
    out.description = text_in(server, "description");
    out.version = text_in(server, "version");
    out.source = source;
    if (out.name.empty() || out.version.empty()) {
        return problem{code::invalid_request, "has no name or no version"};
    }
    read_packages(server, out.packages);
    read_remotes(server, out.packages);
    return out;
}

/// Some registries put it into an envelope, with what they know of it beside.
json::value unwrapped(const json::value& one) {
    const auto inner = one.type() == json::kind::object ? one.find("server") : std::nullopt;
    return inner ? *inner : one;
}

problem no_answer(std::string_view source, std::string_view why) {
    return {code::unavailable, fmt::format("The registry {} gave an answer that cannot be read: {}.", source, why)};
}

} // namespace

expected<registry_page> read_registry_page(std::string_view text, std::string_view source) {
    const auto parsed = json::document::parse(text);
    const auto root = parsed ? std::optional(parsed->root()) : std::nullopt;
    const auto servers = root && root->type() == json::kind::object ? root->find("servers") : std::nullopt;
    if (!servers || servers->type() != json::kind::array) {
        return no_answer(source, parsed ? "it has no list `servers`" : "it is no JSON");
    }
    registry_page out;
    servers->each_element([&](json::value one) {
        if (auto server = server_in(unwrapped(one), source)) {
            out.servers.push_back(std::move(*server));
        }
    });
    if (const auto about = root->find("metadata"); about && about->type() == json::kind::object) {
        out.next_cursor = text_in(*about, "nextCursor");
    }
    return out;
}

expected<mcp_available_document> read_registry_server(std::string_view text, std::string_view source) {
    const auto parsed = json::document::parse(text);
    if (!parsed) {
        return no_answer(source, "it is no JSON");
    }
    auto server = server_in(unwrapped(parsed->root()), source);
    return server ? std::move(server) : expected<mcp_available_document>(no_answer(source, server.error().detail));
}

expected<std::vector<mcp_available_document>> read_catalogue(std::string_view text) {
    const auto parsed = json::document::parse(text);
    if (!parsed || parsed->root().type() != json::kind::array) {
        return problem{code::unavailable, "mcp.catalogue has to be a JSON list of servers, each as server.json."};
    }
    std::vector<mcp_available_document> out;
    std::optional<problem> wrong;
    std::size_t at = 0;
    parsed->root().each_element([&](json::value one) {
        auto server = server_in(unwrapped(one), "catalogue");
        if (!server && !wrong) {
            wrong =
                problem{code::unavailable, fmt::format("mcp.catalogue, server {}: {}.", at + 1, server.error().detail)};
        }
        if (server) {
            out.push_back(std::move(*server));
        }
        ++at;
    });
    return wrong ? expected<std::vector<mcp_available_document>>(*wrong) : std::move(out);
}

} // namespace troupe::net::mcp
