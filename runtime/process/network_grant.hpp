#pragma once

#include "schemas/base/network.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Which hosts commands may reach. No I/O; also compiled into the runner program.
namespace troupe::runtime {

/// One entry of the list.
struct allowed_host {
    std::string name;                     ///< In lower case: a name, or an address without brackets.
    bool below = false;                   ///< `*.name`: all names below it, and not itself.
    std::uint16_t port = 0;               ///< 0: 80 and 443.
    std::optional<ip_bytes> address = {}; ///< When it is one.
};

/// Reads "example.org", "*.example.org", "example.org:8080", "10.0.0.7:5432", "[fd00::1]:80".
expected<allowed_host> parse_allowed_host(std::string_view text);

struct network_grant {
    bool all = false;               ///< The network of the machine.
    std::vector<std::string> hosts; ///< Each as `parse_allowed_host` reads it; empty and not all: no network.
};

/// Reads "none", "all", or a list with commas. `config_invalid` names the entry that is wrong.
expected<network_grant> parse_network_grant(std::string_view text);

/// Whether the list names the host, in any case of letters.
bool is_allowed(const std::vector<allowed_host>& list, std::string_view host, std::uint16_t port);

/// Whether a connection to that address may be made: it is of the public internet, or the list names that
/// very address. A name may lead anywhere.
bool is_allowed_address(const std::vector<allowed_host>& list, const ip_bytes& address, std::uint16_t port);

} // namespace troupe::runtime
