#include "actors/mcp/installation_model.hpp"

#include "actors/common/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

using events = std::vector<installation_model::event>;
using decision_result = expected<events>;

bool exists(const installation_state& s) { return !s.id.is_nil() && !s.removed; }

std::string pin_of(const mcp_package& p) {
    return std::string(detail::enum_name(p.type)) + ":" + p.identifier + "@" + p.version;
}

decision_result decide(const installation_state& s, const install_server& c, const runtime::context& context) {
    auto good = check_package(c.wanted.package);
    good = good ? check_values(c.wanted.package, c.wanted.values) : good;
    if (!good) {
        return good.error();
    }
    if (exists(s) && s.wanted.name != c.wanted.name) {
        return problem{code::conflict, fmt::format("\"{}\" is installed already, as {}. Choose another id.",
                                                   c.wanted.id, s.wanted.name)};
    }
    const bool same = exists(s) && s.status != mcp_install_status::failed && to_json(s.wanted) == to_json(c.wanted);
    if (same) {
        return events{};
    }
    events decided{server_wanted{context.self.organization, c.wanted}};
    if (c.wanted.package.type == mcp_package_type::remote) {
        decided.emplace_back(server_installed{});
    }
    return decided;
}

decision_result decide(const installation_state& s, const configure_server& c, const runtime::context&) {
    server_configured now{c.values.value_or(s.wanted.values), c.enabled.value_or(s.enabled),
                          c.network.value_or(s.wanted.network)};
    if (auto good = check_values(s.wanted.package, now.values); !good) {
        return good.error();
    }
    const bool same = now.values == s.wanted.values && now.enabled == s.enabled && now.network == s.wanted.network;
    return same ? events{} : events{std::move(now)};
}

decision_result decide(const installation_state&, const uninstall_server&, const runtime::context&) {
    return events{server_uninstalled{}};
}

decision_result decide(const installation_state& s, const note_installed& c, const runtime::context&) {
    if (s.status != mcp_install_status::installing || c.attempt != s.attempt) {
        return events{};
    }
    const auto before = s.integrity.find(pin_of(s.wanted.package));
    if (before != s.integrity.end() && before->second != c.integrity) {
        return events{server_install_failed{fmt::format(
            "Its registry gives another content for {} than before ({}, now {}). It was not taken: ask whoever "
            "publishes it.",
            pin_of(s.wanted.package), before->second, c.integrity)}};
    }
    return events{server_installed{c.command, c.integrity}};
}

decision_result decide(const installation_state& s, const note_install_failed& c, const runtime::context&) {
    if (s.status != mcp_install_status::installing || c.attempt != s.attempt) {
        return events{};
    }
    return events{server_install_failed{c.error, c.broken_off && s.broken_off + 1 < install_attempts_max}};
}

void apply(installation_state& s, const server_wanted& e, const runtime::event_context& at) {
    if (!exists(s)) {
        auto pins = std::move(s.integrity); // also those of one that was taken away
        s = installation_state{};
        s.integrity = std::move(pins);
        s.id = at.id;
        s.organization = e.organization;
        s.created_by = at.principal;
        s.created_at = at.time;
    }
    s.wanted = e.wanted;
    s.status = mcp_install_status::installing;
    s.error.clear();
    s.broken_off = 0;
    ++s.attempt;
}

void apply(installation_state& s, const server_installed& e, const runtime::event_context&) {
    s.status = mcp_install_status::installed;
    s.command = e.command;
    s.installed_version = s.wanted.version;
    if (!e.integrity.empty()) {
        s.integrity[pin_of(s.wanted.package)] = e.integrity;
    }
}

void apply(installation_state& s, const server_install_failed& e, const runtime::event_context&) {
    if (e.again) {
        ++s.attempt;
        ++s.broken_off;
        return;
    }
    s.status = mcp_install_status::failed;
    s.error = e.error;
}

void apply(installation_state& s, const server_configured& e, const runtime::event_context&) {
    s.wanted.values = e.values;
    s.wanted.network = e.network;
    s.enabled = e.enabled;
}

void apply(installation_state& s, const server_uninstalled&, const runtime::event_context&) { s.removed = true; }

} // namespace

expected<void> check_values(const mcp_package& package, const std::map<std::string, std::string>& values) {
    std::vector<field_error> wrong;
    for (const auto& [name, value] : values) {
        const auto input = std::ranges::find(package.inputs, name, &mcp_input::name);
        if (input == package.inputs.end()) {
            wrong.push_back({"/values/" + name, "is nothing that the server takes"});
        } else if (input->secret && !value.starts_with("secret:")) {
            wrong.push_back({"/values/" + name, "is secret: keep it with PUT /secrets/NAME, and give \"secret:NAME\""});
        } else if (value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos) {
            wrong.push_back({"/values/" + name, "has a line end in it"});
        }
    }
    for (const auto& input : package.inputs) {
        if (input.required && input.fallback.empty() && !values.contains(input.name)) {
            wrong.push_back({"/values/" + input.name, "is needed: " + input.description});
        }
    }
    if (wrong.empty()) {
        return {};
    }
    auto said = wrong.front().pointer + ": " + wrong.front().message;
    return problem{code::invalid_request, std::move(said), std::move(wrong)};
}

namespace {

constexpr std::string_view word_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~+-";

/// As npm names packages and versions: nothing that is a path, a URL or an option.
bool is_word(std::string_view text) {
    return !text.empty() && text.size() <= 214 && text.front() != '.' && text.front() != '-' && text.front() != '_' &&
           text.find_first_not_of(word_letters) == text.npos;
}

bool is_npm_name(std::string_view name) {
    const auto slash = name.find('/');
    return slash == name.npos
               ? is_word(name)
               : name.starts_with('@') && is_word(name.substr(1, slash - 1)) && is_word(name.substr(slash + 1));
}

} // namespace

expected<void> check_package(const mcp_package& package) {
    const auto bad = [](std::string why) {
        return problem{code::invalid_request, std::move(why), {{"/name", "cannot be used"}}};
    };
    const auto& id = package.identifier;
    switch (package.type) {
    case mcp_package_type::remote:
        if (package.transport == "sse") {
            return bad("The server speaks HTTP+SSE only, which is not spoken here. Look for a newer version.");
        }
        return (id.starts_with("https://") || id.starts_with("http://")) && id.find_first_of("@{} \r\n") == id.npos
                   ? expected<void>()
                   : bad("The server's URL cannot be used: " + id);
    case mcp_package_type::npm:
        return is_npm_name(id) && is_word(package.version)
                   ? expected<void>()
                   : bad("The package " + id + "@" + package.version + " has no name and version as npm knows them.");
    default:
        return bad("Packages of the type " + std::string(detail::enum_name(package.type)) +
                   " cannot be installed: only npm and remote. Name such a program under mcp.servers.");
    }
}

uuid installation_id(const uuid& organization, std::string_view name) {
    return derive_uuid({installation_model::kind, to_string(organization), name});
}

expected<std::vector<installation_model::event>> installation_model::decide(const state& s, const command& c,
                                                                            const runtime::context& context) {
    return std::visit(
        [&]<class Command>(const Command& each) -> decision_result {
            if constexpr (!std::is_same_v<Command, install_server>) {
                if (!exists(s)) {
                    return no_such("installed MCP server", context.self.id);
                }
            }
            return actors::decide(s, each, context);
        },
        c);
}

installation_state installation_model::apply(state s, const event& e, const runtime::event_context& at) {
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    s.updated_at = at.time;
    return s;
}

std::vector<runtime::effect> installation_model::resume(const state& s) {
    if (!exists(s) || s.status != mcp_install_status::installing) {
        return {};
    }
    return {runtime::perform_effect{"install/" + std::to_string(s.attempt), "install"}};
}

runtime::entity_view installation_model::view(const state& s, const runtime::view_context&) {
    if (!exists(s)) {
        return {.document = "", .keys = {}, .exists = false};
    }
    mcp_installation_document d;
    d.id = s.wanted.id;
    d.name = s.wanted.name;
    d.version = s.wanted.version;
    d.status = s.status;
    d.enabled = s.enabled;
    d.package = s.wanted.package;
    d.values = s.wanted.values;
    d.idempotent = s.wanted.idempotent;
    d.network = s.wanted.network;
    d.command = s.command;
    if (!s.installed_version.empty()) {
        d.installed_version = s.installed_version;
    }
    if (const auto pin = s.integrity.find(pin_of(s.wanted.package)); pin != s.integrity.end()) {
        d.integrity = pin->second;
    }
    if (!s.error.empty()) {
        d.error = s.error;
    }
    d.created_by = s.created_by;
    d.created_at = s.created_at;
    d.updated_at = s.updated_at;
    return {to_json(d), {{"", runtime::sort_key(s.created_at)}}, true};
}

} // namespace troupe::actors
