#include "runtime/process/network_grant.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>

namespace troupe::runtime {

namespace {

constexpr std::size_t hosts_max = 256;
constexpr std::size_t name_bytes_max = 253; // of DNS

/// Bits that an address has in common with others of its network.
struct network {
    const char* address;
    unsigned bits;
};

/// All that is no host of the public internet: of this machine, private, shared by providers, documentation, multicast.
constexpr network special[] = {{"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
                               {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
                               {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
                               {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},   {"2001::", 23},
                               {"2001:db8::", 32},  {"2002::", 16},      {"3fff::", 20}};
constexpr network unicast = {"2000::", 3}; // what is given out of IPv6
constexpr network mapped = {"::ffff:0:0", 96};

constexpr unsigned mapped_bits = 96;

bool is_in(std::string_view address, const network& n) {
    const auto base = address_bytes(n.address);
    const bool v4 = std::strchr(n.address, '.') != nullptr;
    const auto bits = n.bits + (v4 ? mapped_bits : 0);
    for (unsigned bit = 0; bit < bits; ++bit) {
        const auto mask = static_cast<unsigned char>(0x80U >> bit % 8);
        if (((static_cast<unsigned char>(address[bit / 8]) ^ static_cast<unsigned char>(base[bit / 8])) & mask) != 0) {
            return false;
        }
    }
    return true;
}

bool is_public(std::string_view address) {
    return (is_in(address, mapped) || is_in(address, unicast)) &&
           std::none_of(std::begin(special), std::end(special), [&](const network& n) { return is_in(address, n); });
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

bool is_name(std::string_view text) {
    const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; };
    return !text.empty() && text.size() <= name_bytes_max && text.front() != '.' && text.back() != '.' &&
           text.find("..") == text.npos && std::all_of(text.begin(), text.end(), fits);
}

bool fits_port(const allowed_host& h, std::uint16_t port) {
    return h.port == port || (h.port == 0 && (port == 80 || port == 443));
}

problem wrong(std::string_view entry) {
    return {
        code::config_invalid,
        fmt::format("\"{}\" is no host: write NAME, *.NAME or an address, with :PORT behind it where it is neither 80 "
                    "nor 443; an address of IPv6 in brackets",
                    entry)};
}

} // namespace

std::string address_bytes(const std::string& text) {
    std::array<char, 16> bytes{};
    if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
        return {bytes.data(), bytes.size()};
    }
    bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};
    const bool v4 = ::inet_pton(AF_INET, text.c_str(), bytes.data() + mapped_bits / 8) == 1;
    return v4 ? std::string(bytes.data(), bytes.size()) : std::string();
}

expected<allowed_host> parse_allowed_host(std::string_view text) {
    allowed_host out;
    auto name = text;
    std::optional<std::string_view> port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos || (end + 1 < text.size() && text[end + 1] != ':')) {
            return wrong(text);
        }
        name = text.substr(1, end - 1);
        port = end + 1 < text.size() ? std::optional(text.substr(end + 2)) : std::nullopt;
    } else if (const auto colon = text.find(':'); colon != text.npos) {
        name = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    if (port) {
        const auto [end, failed] = std::from_chars(port->data(), port->data() + port->size(), out.port);
        if (failed != std::errc{} || end != port->data() + port->size() || out.port == 0) {
            return wrong(text);
        }
    }
    out.below = name.starts_with("*.");
    out.name = lower(out.below ? name.substr(2) : name);
    out.address = address_bytes(out.name);
    const bool v6 = out.name.find(':') != std::string::npos;
    const bool address = !out.address.empty() && !out.below && v6 == text.starts_with('[');
    if (!address && (!out.address.empty() || text.starts_with('[') || !is_name(out.name))) {
        return wrong(text);
    }
    return out;
}

expected<network_grant> parse_network_grant(std::string_view text) {
    network_grant out;
    if (text == "none" || text == "all") {
        out.all = text == "all";
        return out;
    }
    for (std::size_t at = 0; at <= text.size();) {
        const auto comma = std::min(text.find(',', at), text.size());
        auto entry = text.substr(at, comma - at);
        while (entry.starts_with(' ')) {
            entry.remove_prefix(1);
        }
        while (entry.ends_with(' ')) {
            entry.remove_suffix(1);
        }
        if (auto host = parse_allowed_host(entry); !host) {
            return host.error();
        }
        out.hosts.emplace_back(entry);
        at = comma + 1;
    }
    if (out.hosts.size() > hosts_max) {
        return problem{code::config_invalid, fmt::format("there are more than {} hosts", hosts_max)};
    }
    return out;
}

bool is_allowed(const std::vector<allowed_host>& list, std::string_view host, std::uint16_t port) {
    auto name = lower(host);
    if (name.ends_with('.')) {
        name.pop_back();
    }
    const auto address = address_bytes(name);
    return std::any_of(list.begin(), list.end(), [&](const allowed_host& h) {
        if (!fits_port(h, port)) {
            return false;
        }
        if (!address.empty() || !h.address.empty()) {
            return address == h.address;
        }
        return h.below ? name.size() > h.name.size() + 1 && name.ends_with("." + h.name) : name == h.name;
    });
}

bool is_allowed_address(const std::vector<allowed_host>& list, std::string_view address, std::uint16_t port) {
    return is_public(address) || std::any_of(list.begin(), list.end(), [&](const allowed_host& h) {
               return h.address == address && fits_port(h, port);
           });
}

} // namespace troupe::runtime
