#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/mcp_catalogue.hpp"

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A server of the catalogue that an organization has: what was asked for, and what is there. Pure.
///
/// Bringing a package is the performer's work, an attempt after the other, each in a folder of its own; what ran before
/// runs on until a newer one is there. A package that comes with another checksum than the same version had before is
/// refused.
namespace troupe::actors {

inline constexpr std::uint32_t install_attempts_max = 3; ///< That are broken off by crashes.

struct install_server {
    mcp_wanted wanted;
};
BOOST_DESCRIBE_STRUCT(install_server, (), (wanted))
struct configure_server : configure_mcp_body {};
BOOST_DESCRIBE_STRUCT(configure_server, (configure_mcp_body), ())
struct uninstall_server {};
BOOST_DESCRIBE_STRUCT(uninstall_server, (), ())

/// Of the performer.
struct note_installed {
    std::uint32_t attempt = 0;
    std::vector<std::string> command;
    std::string integrity;
};
BOOST_DESCRIBE_STRUCT(note_installed, (), (attempt, command, integrity))
/// `broken_off`: nobody knows how far it came; it is done once more.
struct note_install_failed {
    std::uint32_t attempt = 0;
    std::string error;
    bool broken_off = false;
};
BOOST_DESCRIBE_STRUCT(note_install_failed, (), (attempt, error, broken_off))

struct server_wanted {
    uuid organization;
    mcp_wanted wanted;
};
BOOST_DESCRIBE_STRUCT(server_wanted, (), (organization, wanted))
struct server_installed {
    std::vector<std::string> command;
    std::string integrity;
};
BOOST_DESCRIBE_STRUCT(server_installed, (), (command, integrity))
struct server_install_failed {
    std::string error;
    bool again = false;
};
BOOST_DESCRIBE_STRUCT(server_install_failed, (), (error, again))
struct server_configured {
    std::map<std::string, std::string> values;
    bool enabled = true;
    bool network = false;
};
BOOST_DESCRIBE_STRUCT(server_configured, (), (values, enabled, network))
struct server_uninstalled {};
BOOST_DESCRIBE_STRUCT(server_uninstalled, (), ())

struct installation_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    mcp_wanted wanted;
    std::uint32_t attempt = 0;
    std::uint32_t broken_off = 0; ///< In a row.
    mcp_install_status status = mcp_install_status::installing;
    std::string error;
    bool enabled = true;
    bool removed = false;
    std::vector<std::string> command;
    std::string installed_version;
    std::map<std::string, std::string> integrity; ///< By package and version.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(installation_state, (),
                      (id, organization, wanted, attempt, broken_off, status, error, enabled, removed, command,
                       installed_version, integrity, created_by, created_at, updated_at))

struct installation_model {
    static constexpr std::string_view kind = "mcp_installation";
    using state = installation_state;
    using command =
        std::variant<install_server, configure_server, uninstall_server, note_installed, note_install_failed>;
    using event =
        std::variant<server_wanted, server_installed, server_install_failed, server_configured, server_uninstalled>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

/// What is wrong with the values for a package: names that it does not have, secrets in the clear, what is missing.
expected<void> check_values(const mcp_package& package, const std::map<std::string, std::string>& values);

/// Whether such a package can be installed here; `invalid_request` and `unavailable` say why not.
expected<void> check_package(const mcp_package& package);

/// The id of the entity that keeps the server of that name.
uuid installation_id(const uuid& organization, std::string_view name);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::install_server)
TROUPE_NAMED(troupe::actors::configure_server)
TROUPE_NAMED(troupe::actors::uninstall_server)
TROUPE_NAMED(troupe::actors::note_installed)
TROUPE_NAMED(troupe::actors::note_install_failed)
TROUPE_NAMED(troupe::actors::server_wanted)
TROUPE_NAMED(troupe::actors::server_installed)
TROUPE_NAMED(troupe::actors::server_install_failed)
TROUPE_NAMED(troupe::actors::server_configured)
TROUPE_NAMED(troupe::actors::server_uninstalled)
