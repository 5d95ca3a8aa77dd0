#include "runtime/process/network_grant.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace troupe::runtime {

namespace {

constexpr std::size_t hosts_max = 256;
constexpr std::size_t name_bytes_max = 253; // of DNS

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
    out.address = parse_ip(out.name);
    const bool v6 = out.name.find(':') != std::string::npos;
    const bool address = out.address && !out.below && v6 == text.starts_with('[');
    if (!address && (out.address || text.starts_with('[') || !is_name(out.name))) {
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
    const auto address = parse_ip(name);
    return std::any_of(list.begin(), list.end(), [&](const allowed_host& h) {
        if (!fits_port(h, port)) {
            return false;
        }
        if (address || h.address) {
            return address == h.address;
        }
        return h.below ? name.size() > h.name.size() + 1 && name.ends_with("." + h.name) : name == h.name;
    });
}

bool is_allowed_address(const std::vector<allowed_host>& list, const ip_bytes& address, std::uint16_t port) {
    return is_public(address) || std::any_of(list.begin(), list.end(), [&](const allowed_host& h) {
               return h.address == address && fits_port(h, port);
           });
}

} // namespace troupe::runtime
