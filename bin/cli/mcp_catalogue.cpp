#include "schemas/mcp_catalogue.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <map>
#include <thread>
#include <utility>

/// Servers of the Model Context Protocol that can be had, and what is installed of them.
namespace troupe::cli {
namespace {

constexpr std::chrono::milliseconds look_every{300};

std::string types_of(const mcp_available_document& s) {
    std::vector<std::string> out;
    for (const auto& p : s.packages) {
        out.emplace_back(detail::enum_name(p.type));
    }
    return fmt::format("{}", fmt::join(out, " "));
}

expected<int> search(context& c) {
    query_list query;
    if (!c.args().operands().empty()) {
        query.emplace_back("search", c.args().text_from(0));
    }
    return print_list<mcp_available_document>(
        c, "/mcp/servers/available", query, "No server is found. See mcp.registries in the configuration.",
        [&](const auto& servers) {
            std::vector<std::vector<cell>> rows;
            for (const auto& s : servers) {
                rows.push_back({{clean_line(s.name), tone::accent},
                                {clean_line(s.version)},
                                {types_of(s)},
                                {s.installed_as ? "installed as " + *s.installed_as : "", tone::good},
                                {clean_line(s.description), tone::faint}});
            }
            return table(c.out_screen(), {{"SERVER"}, {"VERSION"}, {"PACKAGES"}, {""}, {"WHAT", false, true, 12}},
                         rows);
        });
}

std::string show(context& c, const mcp_installation_document& i) {
    std::vector<std::string> values;
    for (const auto& [name, value] : i.values) {
        values.push_back(name + "=" + value);
    }
    const auto status = std::string(detail::enum_name(i.status)) + (i.enabled ? "" : ", disabled");
    return details(
        c.out_screen(),
        {{"server", {i.id, tone::accent}},
         {"of", {clean_line(i.name)}},
         {"version", {clean_line(i.version)}},
         {"status", {status, i.status == mcp_install_status::failed ? tone::bad : tone::good}},
         {"error", {clean_line(i.error.value_or("")), tone::bad}},
         {"package", {clean_line(std::string(detail::enum_name(i.package.type)) + " " + i.package.identifier)}},
         {"checksum", {clean_line(i.integrity.value_or("")), tone::faint}},
         {"values", {clean_line(fmt::format("{}", fmt::join(values, " ")))}},
         {"network", {i.network ? "yes" : ""}}});
}

std::string path_of(const std::string& id, std::string_view end) {
    return "/mcp/servers/" + encode_segment(id) + std::string(end);
}

/// Waits until the package is there, or is not to be had.
expected<int> wait_and_show(context& c, api& node, const std::string& id) {
    for (;;) {
        auto body = node.get(path_of(id, "/installation"));
        const auto now = body ? from_json<mcp_installation_document>(*body, strictness::stored)
                              : expected<mcp_installation_document>(body.error());
        if (!now) {
            return now.error();
        }
        if (now->status != mcp_install_status::installing) {
            const auto printed = print_document<mcp_installation_document>(c, std::move(body),
                                                                           [&](const auto& i) { return show(c, i); });
            return printed && now->status == mcp_install_status::failed ? expected<int>(1) : printed;
        }
        std::this_thread::sleep_for(look_every);
    }
}

/// NAME=VALUE of each --set.
expected<std::map<std::string, std::string>> values_of(context& c) {
    std::map<std::string, std::string> out;
    for (const auto& text : c.args().values("set")) {
        const auto at = text.find('=');
        if (at == std::string::npos || at == 0) {
            return problem{code::invalid_request, "--set takes NAME=VALUE; of a secret NAME=secret:KEPT."};
        }
        out[text.substr(0, at)] = text.substr(at + 1);
    }
    return out;
}

expected<int> install(context& c) {
    install_mcp_body wish;
    wish.name = c.args().operand(0);
    wish.version = c.args().value_or("version", "");
    wish.id = c.args().value_or("id", "");
    wish.idempotent = c.args().values("idempotent");
    wish.network = c.args().has("network");
    if (const auto type = c.args().value("type")) {
        wish.type = detail::enum_value<mcp_package_type>(*type);
        if (!wish.type) {
            return c.usage({code::invalid_request, "--type takes npm or remote."});
        }
    }
    auto values = values_of(c);
    if (!values) {
        return c.usage(values.error());
    }
    wish.values = std::move(*values);
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto made = (*node)->post("/mcp/servers/install", to_json(wish));
    const auto shown = made ? from_json<mcp_installation_document>(*made, strictness::stored)
                            : expected<mcp_installation_document>(made.error());
    return shown ? wait_and_show(c, **node, shown->id) : expected<int>(shown.error());
}

expected<int> configure(context& c) {
    configure_mcp_body wish;
    wish.id = c.args().operand(0);
    auto values = values_of(c);
    if (!values) {
        return c.usage(values.error());
    }
    if (!values->empty()) {
        wish.values = std::move(*values);
    }
    if (c.args().has("network") || c.args().has("no-network")) {
        wish.network = c.args().has("network");
    }
    auto node = c.node();
    return node ? print_document<mcp_installation_document>(c, (*node)->post("/mcp/configure", to_json(wish)),
                                                            [&](const auto& i) { return show(c, i); })
                : expected<int>(node.error());
}

expected<int> order(context& c, std::string_view what) {
    auto node = c.node();
    return node ? print_document<mcp_installation_document>(c, (*node)->post(path_of(c.args().operand(0), what), ""),
                                                            [&](const auto& i) { return show(c, i); })
                : expected<int>(node.error());
}

expected<int> enable(context& c) { return order(c, "/enable"); }
expected<int> disable(context& c) { return order(c, "/disable"); }

expected<int> upgrade(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto& id = c.args().operand(0);
    const auto asked =
        (*node)->post(path_of(id, "/upgrade"), to_json(upgrade_mcp_body{c.args().value_or("version", "")}));
    return asked ? wait_and_show(c, **node, id) : expected<int>(asked.error());
}

expected<int> uninstall(context& c) {
    auto node = c.node();
    return node ? print_done(c, (*node)->remove(path_of(c.args().operand(0), "")),
                             fmt::format("{} is taken away.", clean_line(c.args().operand(0))))
                : expected<int>(node.error());
}

expected<int> installation(context& c) {
    auto node = c.node();
    return node ? print_document<mcp_installation_document>(c,
                                                            (*node)->get(path_of(c.args().operand(0), "/installation")),
                                                            [&](const auto& i) { return show(c, i); })
                : expected<int>(node.error());
}

} // namespace

std::vector<command> mcp_catalogue_commands() {
    const grammar one{.operands = "SERVER", .operands_min = 1, .operands_max = 1};
    const flag set{"set", "NAME=VALUE", "What it takes; of a secret NAME=secret:KEPT.", 0, true};
    return {
        {"mcp search",
         "Servers that can be installed, of the operator's catalogue and of registries.",
         {.flags = {limit_flag()}, .operands = "[WORD]", .operands_max = any_number},
         "troupe mcp search weather",
         search},
        {"mcp install",
         "Install a server, and wait until it is there.",
         {.flags = {set,
                    {"version", "V", "Pinned; the newest by default."},
                    {"id", "ID", "What it is called here."},
                    {"type", "TYPE", "npm or remote; the first that can be installed by default."},
                    {"idempotent", "TOOL", "A tool that may be called again after a crash; \"*\" is all.", 0, true},
                    {"network", "", "It reaches the network from its sandbox."}},
          .operands = "NAME",
          .operands_min = 1,
          .operands_max = 1},
         "troupe mcp install io.github.someone/weather --set API_KEY=secret:WEATHER --network",
         install},
        {"mcp installation", "What was installed: package, version, checksum, values.", one,
         "troupe mcp installation weather", installation},
        {"mcp configure",
         "Change what an installed server takes; it is started anew.",
         {.flags = {set,
                    {"network", "", "It reaches the network from its sandbox."},
                    {"no-network", "", "It does not."}},
          .operands = "SERVER",
          .operands_min = 1,
          .operands_max = 1},
         "troupe mcp configure weather --set API_KEY=secret:OTHER",
         configure},
        {"mcp upgrade",
         "Bring another version of an installed server, and wait until it is there.",
         {.flags = {{"version", "V", "The newest by default."}},
          .operands = "SERVER",
          .operands_min = 1,
          .operands_max = 1},
         "troupe mcp upgrade weather",
         upgrade},
        {"mcp enable", "Let an installed server run.", one, "troupe mcp enable weather", enable},
        {"mcp disable", "End an installed server until it is enabled.", one, "troupe mcp disable weather", disable},
        {"mcp uninstall", "Take an installed server away.", one, "troupe mcp uninstall weather", uninstall},
    };
}

} // namespace troupe::cli
