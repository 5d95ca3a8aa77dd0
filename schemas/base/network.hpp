#pragma once

#include "schemas/base/problem.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// An IP address; IPv4 as its mapped IPv6 address, so that both spellings of it are one.
using ip_bytes = std::array<std::uint8_t, 16>;

/// "192.0.2.1", "2001:db8::1" or "[2001:db8::1]", without a port.
std::optional<ip_bytes> parse_ip(std::string_view text);

/// The shortest text of an address; a mapped IPv4 address as IPv4.
std::string ip_text(const ip_bytes& address);

/// What counts as one client: an IPv4 address, or the /64 that a client of IPv6 has to itself. Text that is no address
/// stays as it is.
std::string client_network(std::string_view address);

/// 127.0.0.0/8 and ::1.
bool is_loopback(const ip_bytes& address);

/// Whether anybody may be asked for there: not this machine, nor networks of its owner (private, shared, link-local,
/// unique local addresses), nor what is no place at all (multicast, documentation, reserved). Addresses that carry an
/// IPv4 address (NAT64) are judged by it.
bool is_public(const ip_bytes& address);

/// Some addresses and networks.
class network_list {
public:
    /// "10.0.0.0/8, 192.0.2.1, 2001:db8::/32"; empty: none. `invalid_request` names what is no address.
    static expected<network_list> parse(std::string_view text);

    [[nodiscard]] bool contains(const ip_bytes& address) const;
    [[nodiscard]] bool contains(std::string_view address) const;
    [[nodiscard]] bool empty() const { return networks_.empty(); }

private:
    struct network {
        ip_bytes address{};
        unsigned bits = 128;
    };
    std::vector<network> networks_;
};

} // namespace troupe
