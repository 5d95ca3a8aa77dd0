#include "runtime/config/fetch_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace troupe::runtime {

namespace {

network_list known(std::string_view text) { return network_list::parse(text).value(); }

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out.ends_with('.') ? out.substr(0, out.size() - 1) : out;
}

std::string_view trimmed(std::string_view text) {
    const auto from = text.find_first_not_of(" \t");
    return from == text.npos ? std::string_view() : text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// The last label has a letter: 10.0.0 is a mistyped address.
bool is_host(std::string_view text) {
    const auto last = text.substr(text.rfind('.') + 1);
    return !text.empty() && text.size() <= 253 && text.front() != '.' && text.find("..") == text.npos &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.'; }) &&
           std::ranges::any_of(last, [](unsigned char c) { return std::isalpha(c); });
}

} // namespace

expected<fetch_policy> fetch_policy::parse(std::string_view text) {
    fetch_policy out;
    std::string networks;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto item = trimmed(text.substr(0, comma));
        text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
        if (item.empty()) {
            continue;
        }
        if (item == "public") {
            out.public_ = true;
        } else if (item.starts_with("*.") && is_host(item.substr(2))) {
            out.hosts_.push_back(lower(item.substr(1)));
        } else if (item.find('/') == item.npos && !parse_ip(item) && is_host(item)) {
            out.hosts_.push_back(lower(item));
        } else if (auto network = network_list::parse(item)) {
            networks += (networks.empty() ? "" : ", ") + std::string(item);
        } else {
            return problem{
                code::config_invalid,
                fmt::format("\"{}\" is neither `public` nor a host, an address or a network as 10.0.0.0/8", item)};
        }
    }
    out.networks_ = known(networks);
    return out;
}

bool fetch_policy::names(std::string_view host) const {
    const auto asked = lower(host);
    return std::ranges::any_of(
        hosts_, [&](const std::string& one) { return one.starts_with('.') ? asked.ends_with(one) : asked == one; });
}

bool fetch_policy::may_look_up(std::string_view host) const { return public_ || !networks_.empty() || names(host); }

bool fetch_policy::may_connect(std::string_view host, const ip_bytes& address) const {
    return (public_ && is_public(address)) || networks_.contains(address) || names(host);
}

std::optional<std::string> check_fetch(std::string_view text) {
    const auto read = fetch_policy::parse(text);
    return read ? std::nullopt : std::optional(read.error().detail);
}

} // namespace troupe::runtime
