#include "runtime/config/oidc.hpp"

#include "runtime/config/object_list.hpp"
#include "schemas/base/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace troupe::runtime {

namespace {

struct provider_list {
    std::vector<oidc_provider> items;
    static constexpr field_rule rules[] = {{.name = "items", .max = 32}};
};
BOOST_DESCRIBE_STRUCT(provider_list, (), (items))

/// Host and port of an http or https URL, or nothing.
std::optional<std::string_view> authority_of(std::string_view url) {
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (url.starts_with(scheme)) {
            const auto rest = url.substr(scheme.size());
            const auto host = rest.substr(0, rest.find_first_of("/?#"));
            return host.empty() || host.find('@') != host.npos || host.starts_with(':') ? std::nullopt
                                                                                        : std::optional(host);
        }
    }
    return std::nullopt;
}

bool is_domain(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
    return !text.empty() && text.size() <= 253 && text.front() != '.' && std::ranges::all_of(text, letter);
}

void check_lists(const oidc_provider& p, const std::string& at, std::vector<field_error>& wrong) {
    if (std::ranges::find(p.scopes, "openid") == p.scopes.end()) {
        wrong.push_back({at + "/scopes", "has to contain openid"});
    }
    const auto each = [&](const std::vector<std::string>& list, const char* name, auto good, const char* message) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (!good(list[i])) {
                wrong.push_back({fmt::format("{}/{}/{}", at, name, i), message});
            }
        }
    };
    const auto word = [](const std::string& s) { return !s.empty() && s.size() <= 256 && is_visible(s); };
    each(p.scopes, "scopes", word, "is no scope");
    each(p.mfa_acr, "mfa_acr", word, "is no value of acr");
    each(p.domains, "domains", is_domain, "is no domain in small letters, as in example.org");
}

void check(const oidc_provider& p, const std::string& at, std::vector<field_error>& wrong) {
    if (!is_plain_name(p.name)) {
        wrong.push_back({at + "/name", "may have a-z, 0-9, - and _ only: it is part of addresses"});
    }
    if (!is_issuer_url(p.issuer)) {
        wrong.push_back({at + "/issuer", "has to be an https:// address without query and fragment (http:// only on "
                                         "this machine)"});
    }
    if (!is_visible(p.client_id)) {
        wrong.push_back({at + "/client_id", "has a blank or another character that no client id has"});
    }
    if (p.client_secret && !is_reference(*p.client_secret)) { // never repeated
        wrong.push_back({at + "/client_secret", "has to be a reference: secret:NAME, env:NAME or file:PATH"});
    }
    if (p.organization.has_value() != p.role.has_value()) {
        wrong.push_back({at + (p.role ? "/role" : "/organization"), "organization and role belong together"});
    }
    std::error_code missing; // is said as "no file"
    if (p.ca_file && !std::filesystem::is_regular_file(*p.ca_file, missing)) {
        wrong.push_back({at + "/ca_file", "is no file"});
    }
    check_lists(p, at, wrong);
}

} // namespace

bool is_loopback_url(std::string_view text) {
    const auto authority = authority_of(text);
    if (!authority) {
        return false;
    }
    const bool bracketed = authority->starts_with('[');
    const auto end = bracketed ? authority->find(']') : authority->rfind(':');
    const auto host = authority->substr(bracketed ? 1 : 0, bracketed && end != authority->npos ? end - 1 : end);
    const auto address = parse_ip(host);
    return host == "localhost" || (address && is_loopback(*address));
}

bool is_issuer_url(std::string_view text) {
    return authority_of(text) && is_visible(text) && text.find_first_of("?#\\") == text.npos &&
           (text.starts_with("https://") || is_loopback_url(text));
}

expected<std::vector<oidc_provider>> parse_oidc_providers(std::string_view text) {
    auto read = read_object_list<provider_list>(text);
    if (!read) {
        return read.error();
    }
    std::vector<field_error> wrong;
    for (std::size_t i = 0; i < read->items.size(); ++i) {
        check(read->items[i], fmt::format("/{}", i), wrong);
    }
    check_names(read->items, wrong);
    if (!wrong.empty()) {
        return list_problem(std::move(wrong));
    }
    return std::move(read->items);
}

std::vector<field_error> check_oidc_list(std::string_view text) {
    auto providers = parse_oidc_providers(text);
    return providers ? std::vector<field_error>() : std::move(providers.error().errors);
}

std::optional<std::string> check_oidc(std::string_view text) {
    const auto wrong = check_oidc_list(text);
    return wrong.empty() ? std::nullopt : std::optional(wrong.front().pointer + ": " + wrong.front().message);
}

std::optional<std::string> check_public_url(std::string_view text) {
    return is_issuer_url(text) ? std::nullopt
                               : std::optional(fmt::format("\"{}\" is no https://HOST[:PORT][/PATH] (http:// only on "
                                                           "this machine), without query and fragment",
                                                           text));
}

} // namespace troupe::runtime
