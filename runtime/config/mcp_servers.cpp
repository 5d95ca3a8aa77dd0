#include "runtime/config/mcp_servers.hpp"

#include "runtime/config/checks.hpp"
#include "runtime/config/object_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace troupe::runtime {

namespace {

constexpr std::uint32_t time_ms_max = 3'600'000;

struct written_oauth {
    std::string client_id;
    std::string client_secret;
    std::vector<std::string> scopes;
    static constexpr field_rule rules[] = {
        {.name = "client_id", .max = 2000}, {.name = "client_secret", .max = 2000}, {.name = "scopes", .max = 50}};
};
BOOST_DESCRIBE_STRUCT(written_oauth, (), (client_id, client_secret, scopes))

/// As it is written: a file has numbers and truth values as text.
struct written_server {
    std::string name;
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;
    std::vector<std::string> idempotent;
    json::raw sandbox;
    json::raw network;
    json::raw time_out_ms;
    std::string url;
    std::map<std::string, std::string> headers;
    std::optional<written_oauth> oauth;
    std::vector<std::string> roots;
    static constexpr field_rule rules[] = {{.name = "name", .required = true, .min = 1, .max = 24},
                                           {.name = "command", .max = 100},
                                           {.name = "environment", .max = 50},
                                           {.name = "idempotent", .max = 200},
                                           {.name = "url", .max = 2000},
                                           {.name = "headers", .max = 50},
                                           {.name = "roots", .max = 50}};
};
BOOST_DESCRIBE_STRUCT(written_server, (),
                      (name, command, environment, idempotent, sandbox, network, time_out_ms, url, headers, oauth,
                       roots))

struct written_servers {
    std::vector<written_server> items;
    static constexpr field_rule rules[] = {{.name = "items", .max = 64}};
};
BOOST_DESCRIBE_STRUCT(written_servers, (), (items))

bool read_flag(const json::raw& written, bool otherwise, const std::string& at, std::vector<field_error>& wrong) {
    const auto& text = written.text;
    const bool yes = text == "true" || text == "\"true\"";
    if (!written.is_null() && !yes && text != "false" && text != "\"false\"") {
        wrong.push_back({at, "has to be true or false"});
    }
    return written.is_null() ? otherwise : yes;
}

/// What a server at an address has no use for, or cannot have.
void check_remote(const written_server& s, const std::string& at, std::vector<field_error>& wrong) {
    if (s.url.find('@') != s.url.npos) { // it may hold a password
        wrong.push_back({at + "/url", "holds a user name; use headers instead"});
    } else if (const auto bad = check_url(s.url)) {
        wrong.push_back({at + "/url", *bad});
    }
    const bool local = !s.command.empty() || !s.environment.empty() || !s.sandbox.is_null() || !s.network.is_null();
    if (local) {
        wrong.push_back({at + "/url", "goes without command, environment, sandbox and network"});
    }
    for (const auto& [name, value] : s.headers) {
        const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'; };
        const bool named = !name.empty() && std::all_of(name.begin(), name.end(), plain);
        if (!named || value.find_first_of(std::string_view("\r\n\0", 3)) != value.npos) {
            wrong.push_back({at + "/headers/" + name, "is no header"});
        }
    }
}

mcp_server read_server(written_server s, const std::string& at, std::vector<field_error>& wrong) {
    if (!is_plain_name(s.name)) {
        wrong.push_back({at + "/name", "may have a-z, 0-9, - and _ only"});
    }
    if (s.url.empty() && (s.command.empty() || s.command.front().empty())) {
        wrong.push_back({at + "/command", "needs a program, or the server a url"});
    }
    if (!s.url.empty()) {
        check_remote(s, at, wrong);
    } else if (s.oauth) {
        wrong.push_back({at + "/oauth", "goes with a url"});
    }
    for (const auto& [name, value] : s.environment) { // the value may be a key
        if (name.empty() || name.find('=') != name.npos || value.find('\0') != value.npos) {
            wrong.push_back({at + "/environment/" + name, "is no variable"});
        }
    }
    for (std::size_t i = 0; i < s.roots.size(); ++i) {
        if (!s.roots[i].starts_with('/') || s.roots[i].find('\0') != std::string::npos) {
            wrong.push_back(
                {fmt::format("{}/roots/{}", at, i), "has to be a folder, from / on, as the server sees it"});
        }
    }
    const auto time_out = read_count(s.time_out_ms, time_ms_max);
    if (!time_out && !s.time_out_ms.is_null()) {
        wrong.push_back({at + "/time_out_ms", fmt::format("has to be a number from 1 to {}", time_ms_max)});
    }
    return {std::move(s.name),
            std::move(s.command),
            std::move(s.environment),
            std::move(s.idempotent),
            read_flag(s.sandbox, true, at + "/sandbox", wrong),
            read_flag(s.network, false, at + "/network", wrong),
            time_out.value_or(mcp_server::time_out_ms_default),
            std::move(s.url),
            std::move(s.headers),
            s.oauth ? std::move(s.oauth->client_id) : std::string(),
            s.oauth ? std::move(s.oauth->client_secret) : std::string(),
            s.oauth ? std::move(s.oauth->scopes) : std::vector<std::string>(),
            std::move(s.roots)};
}

} // namespace

expected<std::vector<mcp_server>> parse_mcp_servers(std::string_view text) {
    auto read = read_object_list<written_servers>(text);
    if (!read) {
        return read.error();
    }
    std::vector<mcp_server> out;
    std::vector<field_error> wrong;
    check_names(read->items, wrong);
    for (std::size_t i = 0; i < read->items.size(); ++i) {
        out.push_back(read_server(std::move(read->items[i]), fmt::format("/{}", i), wrong));
    }
    if (!wrong.empty()) {
        return list_problem(std::move(wrong));
    }
    return out;
}

std::vector<field_error> check_mcp_server_list(std::string_view text) {
    auto servers = parse_mcp_servers(text);
    return servers ? std::vector<field_error>() : std::move(servers.error().errors);
}

std::optional<std::string> check_mcp_servers(std::string_view text) {
    const auto wrong = check_mcp_server_list(text);
    return wrong.empty() ? std::nullopt : std::optional(wrong.front().pointer + ": " + wrong.front().message);
}

} // namespace troupe::runtime
