#include "net/http/client_address.hpp"

#include "net/http/text.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace troupe::net {

namespace {

std::string_view unquoted(std::string_view text) {
    return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

/// The address of "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80" or "2001:db8::1".
std::optional<ip_bytes> node_address(std::string_view text) {
    if (text.starts_with('['))
        return parse_ip(text.substr(0, text.find(']') + 1));
    if (std::ranges::count(text, ':') == 1)
        text = text.substr(0, text.find(':'));
    return parse_ip(text);
}

/// The value of a parameter in one element of `Forwarded`.
std::string_view parameter(std::string_view element, std::string_view name) {
    while (!element.empty()) {
        const auto end = element.find(';');
        const auto pair = trim(element.substr(0, end));
        const auto mark = pair.find('=');
        if (mark != pair.npos && equal_ignoring_case(pair.substr(0, mark), name))
            return unquoted(pair.substr(mark + 1));
        element = end == element.npos ? std::string_view() : element.substr(end + 1);
    }
    return {};
}

/// The elements of a list, last first.
std::vector<std::string_view> elements_backwards(std::string_view list) {
    std::vector<std::string_view> out;
    while (!list.empty()) {
        const auto comma = list.rfind(',');
        out.push_back(trim(list.substr(comma == list.npos ? 0 : comma + 1)));
        list = comma == list.npos ? std::string_view() : list.substr(0, comma);
    }
    return out;
}

/// Passes over trusted proxies, from the nearest on. What cannot be read ends it at the last that could.
std::string client_in(std::string_view list, bool standard, std::string_view proxy, const network_list& trusted) {
    std::string out(proxy);
    for (const auto element : elements_backwards(list)) {
        const auto address = node_address(standard ? parameter(element, "for") : unquoted(element));
        if (!address)
            break;
        out = ip_text(*address);
        if (!trusted.contains(*address))
            break;
    }
    return out;
}

} // namespace

client_place forwarded_client(const request& r, std::string_view proxy, const network_list& trusted) {
    client_place out{std::string(proxy), false};
    const auto common = r.header("x-forwarded-for");
    const auto standard = r.header("forwarded");
    if (common)
        out.address = client_in(*common, false, proxy, trusted);
    if (standard) {
        auto also = client_in(*standard, true, proxy, trusted);
        if (common && also != out.address)
            also = proxy;
        out.address = std::move(also);
    }
    if (const auto scheme = r.header("x-forwarded-proto"))
        out.secure = equal_ignoring_case(elements_backwards(*scheme).empty() ? "" : elements_backwards(*scheme).front(),
                                         "https");
    else if (standard && !elements_backwards(*standard).empty())
        out.secure = equal_ignoring_case(parameter(elements_backwards(*standard).front(), "proto"), "https");
    return out;
}

} // namespace troupe::net
