#include "net/http/route.hpp"

#include "net/http/text.hpp"

#include <algorithm>

namespace troupe::net {

namespace {

std::optional<std::string_view> find_in(const std::map<std::string, std::string>& map, std::string_view name) {
    // The maps are small; a transparent comparator is not part of the contract.
    const auto found = std::find_if(map.begin(), map.end(), [&](const auto& entry) { return entry.first == name; });
    return found == map.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

} // namespace

std::string_view name_of(verb v) {
    switch (v) {
    case verb::get:
        return "GET";
    case verb::post:
        return "POST";
    case verb::put:
        return "PUT";
    case verb::patch:
        return "PATCH";
    case verb::del:
        return "DELETE";
    }
    return "";
}

std::string_view request::param(std::string_view name) const { return find_in(params, name).value_or(""); }

std::optional<std::string_view> request::header(std::string_view lower_name) const {
    return find_in(headers, lower_name);
}

std::optional<std::string_view> request::query_value(std::string_view name) const { return find_in(query, name); }

std::optional<std::string_view> request::cookie(std::string_view name) const {
    std::string_view rest = header("cookie").value_or("");
    while (!rest.empty()) {
        const auto end = rest.find(';');
        const auto pair = trim(rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        const auto mark = pair.find('=');
        if (mark == std::string_view::npos || trim(pair.substr(0, mark)) != name)
            continue;
        const auto value = trim(pair.substr(mark + 1));
        const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
        return quoted ? value.substr(1, value.size() - 2) : value;
    }
    return std::nullopt;
}

std::string_view request::user_agent() const { return header("user-agent").value_or(""); }

client_info request::client() const {
    return {address, std::string(user_agent().substr(0, limits::user_agent_bytes_max)), who.organization};
}

response to_response(const problem& p, const request& from) {
    response out;
    out.status = explain(p.code).http_status;
    out.body = to_problem_json(p, from.id.empty() ? std::string() : "urn:troupe:request:" + from.id);
    out.content_type = "application/problem+json";
    out.refusal = p.code;
    if (p.retry_after_s)
        out.headers.emplace_back("Retry-After", std::to_string(*p.retry_after_s));
    if (out.status == 401)
        out.headers.emplace_back("WWW-Authenticate", "Bearer");
    return out;
}

} // namespace troupe::net
