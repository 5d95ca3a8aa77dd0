#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Servers of the Model Context Protocol that can be had, and those that were installed.
namespace troupe {

/// remote: it runs elsewhere. npm: a package that the node keeps. The others cannot be installed yet.
BOOST_DEFINE_ENUM_CLASS(mcp_package_type, remote, npm, pypi, oci, nuget, mcpb, other)
BOOST_DEFINE_ENUM_CLASS(mcp_input_kind, environment, header, argument)

/// A value that a server takes.
struct mcp_input {
    std::string name;
    std::string description;
    mcp_input_kind kind = mcp_input_kind::environment;
    bool required = false;
    bool secret = false;  ///< Given as "secret:NAME" only.
    std::string fallback; ///< Where none is given; empty: it is left out.
    bool named = false;   ///< An argument that stands behind its name.
};
BOOST_DESCRIBE_STRUCT(mcp_input, (), (name, description, kind, required, secret, fallback, named))

/// One way to have a server.
struct mcp_package {
    mcp_package_type type = mcp_package_type::other;
    std::string identifier; ///< Of the package; of a remote server its URL.
    std::string version;
    std::string transport; ///< "stdio", "streamable-http", "sse"
    std::vector<mcp_input> inputs;
};
BOOST_DESCRIBE_STRUCT(mcp_package, (), (type, identifier, version, transport, inputs))

/// An item of GET /mcp/servers/available
struct mcp_available_document {
    std::string name; ///< "io.github.someone/weather"
    std::string title;
    std::string description;
    std::string version;
    std::string source; ///< "catalogue", or the registry that has it.
    std::vector<mcp_package> packages;
    std::optional<std::string> installed_as = {};
    std::optional<timestamp> as_of = {}; ///< The registry could not be asked: what it said then.
};
BOOST_DESCRIBE_STRUCT(mcp_available_document, (),
                      (name, title, description, version, source, packages, installed_as, as_of))

/// POST /mcp/servers/install
struct install_mcp_body {
    std::string name;
    std::string version;
    std::string id;
    std::optional<mcp_package_type> type;
    std::map<std::string, std::string> values;
    std::vector<std::string> idempotent;
    bool network = false;
    static constexpr field_rule rules[] = {
        {.name = "name",
         .required = true,
         .min = 1,
         .max = 300,
         .doc = "As GET /mcp/servers/available lists it.",
         .example = "\"io.github.someone/weather\""},
        {.name = "version", .max = 100, .doc = "Pinned; the newest when left out."},
        {.name = "id", .max = 24, .doc = "What it is called here: a-z, 0-9, - and _. Made of its name when left out."},
        {.name = "type", .doc = "Which of its packages; when left out the first that can be installed."},
        {.name = "values",
         .max = 100,
         .doc = "What it takes, by name. What is secret: \"secret:NAME\".",
         .example = R"({"API_KEY":"secret:WEATHER"})"},
        {.name = "idempotent", .max = 200, .doc = "Tools that may be called again after a crash; \"*\" is all."},
        {.name = "network", .doc = "Whether a package reaches the network from its sandbox."}};
};
BOOST_DESCRIBE_STRUCT(install_mcp_body, (), (name, version, id, type, values, idempotent, network))

/// POST /mcp/configure
struct configure_mcp_body {
    std::string id;
    std::optional<std::map<std::string, std::string>> values;
    std::optional<bool> enabled;
    std::optional<bool> network;
    static constexpr field_rule rules[] = {
        {.name = "id",
         .required = true,
         .min = 1,
         .max = 24,
         .doc = "Of an installed server.",
         .example = "\"weather\""},
        {.name = "values", .doc = "What it takes, by name, in place of all that it had."},
        {.name = "enabled", .doc = "Whether it runs."},
        {.name = "network", .doc = "Whether a package reaches the network from its sandbox."}};
};
BOOST_DESCRIBE_STRUCT(configure_mcp_body, (), (id, values, enabled, network))

/// POST /mcp/servers/{id}/upgrade
struct upgrade_mcp_body {
    std::string version;
    static constexpr field_rule rules[] = {
        {.name = "version", .max = 100, .doc = "The newest when left out.", .example = "\"1.2.0\""}};
};
BOOST_DESCRIBE_STRUCT(upgrade_mcp_body, (), (version))

BOOST_DEFINE_ENUM_CLASS(mcp_install_status, installing, installed, failed)

/// What was asked for.
struct mcp_wanted {
    std::string id;
    std::string name;
    std::string version;
    mcp_package package;
    std::map<std::string, std::string> values;
    std::vector<std::string> idempotent;
    bool network = false;
};
BOOST_DESCRIBE_STRUCT(mcp_wanted, (), (id, name, version, package, values, idempotent, network))

/// GET /mcp/servers/{id}/installation
struct mcp_installation_document {
    std::string id;
    std::string name;
    std::string version;
    mcp_install_status status = mcp_install_status::installing;
    bool enabled = true;
    mcp_package package;
    std::map<std::string, std::string> values;
    std::vector<std::string> idempotent;
    bool network = false;
    std::vector<std::string> command;             ///< As it is started, from its folder; empty: it runs elsewhere.
    std::optional<std::string> installed_version; ///< That runs; another one while it is upgraded.
    std::optional<std::string> integrity;         ///< Checksum of the package, as its registry gives it.
    std::optional<std::string> error;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    static constexpr field_rule rules[] = {
        {.name = "values", .doc = "What it takes, by name.", .example = R"({"API_KEY":"secret:WEATHER"})"}};
};
BOOST_DESCRIBE_STRUCT(mcp_installation_document, (),
                      (id, name, version, status, enabled, package, values, idempotent, network, command,
                       installed_version, integrity, error, created_by, created_at, updated_at))

} // namespace troupe
