#include "schemas/base/network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace troupe {

namespace {

constexpr unsigned mapped_bits = 96; // of ::ffff:0:0/96

/// Of IANA's registries of special-purpose addresses. Of IPv6 only 2000::/3 is given out at all.
constexpr std::string_view not_public =
    "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, "
    "192.31.196.0/24, 192.52.193.0/24, 192.88.99.0/24, 192.168.0.0/16, 192.175.48.0/24, 198.18.0.0/15, "
    "198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/3, 2001::/23, 2001:db8::/32, 2002::/16, 2620:4f:8000::/48, 3fff::/20";
constexpr std::string_view given_out = "0.0.0.0/0, 2000::/3";
constexpr std::string_view nat64 = "64:ff9b::/96";

std::string_view trimmed(std::string_view text) {
    const auto from = text.find_first_not_of(" \t");
    return from == text.npos ? std::string_view() : text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

bool is_mapped(const ip_bytes& a) {
    return std::all_of(a.begin(), a.begin() + 10, [](auto b) { return b == 0; }) && a[10] == 0xff && a[11] == 0xff;
}

bool same_bits(const ip_bytes& a, const ip_bytes& b, unsigned bits) {
    const auto whole = bits / 8;
    if (!std::equal(a.begin(), a.begin() + whole, b.begin()))
        return false;
    const auto rest = bits % 8;
    return rest == 0 || (a[whole] >> (8 - rest)) == (b[whole] >> (8 - rest));
}

} // namespace

std::optional<ip_bytes> parse_ip(std::string_view text) {
    if (text.size() > 2 && text.front() == '[' && text.back() == ']')
        text = text.substr(1, text.size() - 2);
    if (text.size() >= INET6_ADDRSTRLEN)
        return std::nullopt;
    const std::string terminated(text);
    ip_bytes out{};
    if (::inet_pton(AF_INET6, terminated.c_str(), out.data()) == 1)
        return out;
    if (::inet_pton(AF_INET, terminated.c_str(), out.data() + 12) != 1)
        return std::nullopt;
    out[10] = out[11] = 0xff;
    return out;
}

std::string ip_text(const ip_bytes& address) {
    std::array<char, INET6_ADDRSTRLEN> out{};
    const bool four = is_mapped(address);
    ::inet_ntop(four ? AF_INET : AF_INET6, address.data() + (four ? 12 : 0), out.data(), out.size());
    return out.data();
}

bool is_loopback(const ip_bytes& address) {
    if (is_mapped(address))
        return address[12] == 127;
    return address[15] == 1 && std::all_of(address.begin(), address.begin() + 15, [](auto b) { return b == 0; });
}

expected<network_list> network_list::parse(std::string_view text) {
    network_list out;
    while (!trimmed(text).empty()) {
        const auto comma = text.find(',');
        const auto item = trimmed(text.substr(0, comma));
        text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
        const auto slash = item.find('/');
        const auto address = parse_ip(item.substr(0, slash));
        network one;
        bool good = address.has_value();
        if (good && slash != item.npos) {
            const auto digits = item.substr(slash + 1);
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), one.bits);
            const auto before = is_mapped(*address) ? mapped_bits : 0;
            good = error == std::errc() && end == digits.data() + digits.size() && one.bits <= 128 - before;
            one.bits += before;
        }
        if (!good)
            return problem{code::invalid_request,
                           "\"" + std::string(item) + "\" is no address and no network, as 192.0.2.1 or 10.0.0.0/8"};
        one.address = *address;
        out.networks_.push_back(one);
    }
    return out;
}

bool network_list::contains(const ip_bytes& address) const {
    return std::ranges::any_of(networks_, [&](const network& n) { return same_bits(n.address, address, n.bits); });
}

bool network_list::contains(std::string_view address) const {
    const auto parsed = parse_ip(address);
    return parsed && contains(*parsed);
}

std::string client_network(std::string_view address) {
    auto bytes = parse_ip(address);
    if (!bytes)
        return std::string(address);
    const bool is_mapped = std::all_of(bytes->begin(), bytes->begin() + 10, [](auto b) { return b == 0; }) &&
                           (*bytes)[10] == 0xff && (*bytes)[11] == 0xff;
    if (!is_mapped)
        std::fill(bytes->begin() + 8, bytes->end(), std::uint8_t{0});
    return ip_text(*bytes);
}

bool is_public(const ip_bytes& address) {
    static const auto others = network_list::parse(not_public).value();
    static const auto all = network_list::parse(given_out).value();
    static const auto carried = network_list::parse(nat64).value();
    if (carried.contains(address)) {
        ip_bytes inner{};
        inner[10] = inner[11] = 0xff;
        std::copy(address.begin() + 12, address.end(), inner.begin() + 12);
        return is_public(inner);
    }
    return all.contains(address) && !others.contains(address);
}

} // namespace troupe
