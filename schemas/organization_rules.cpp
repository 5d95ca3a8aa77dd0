#include "schemas/organization_rules.hpp"

#include <utility>
#include <vector>

namespace troupe {
namespace {

constexpr std::size_t rules_max = 100;
constexpr std::string_view expected_rules = "expected rules of tools, as {\"run_command(git push*)\":\"ask\"}: allow, "
                                            "ask or deny";

/// Empty: good.
std::string read_rules(const json::value& v, std::map<std::string, tool_policy>& out) {
    if (v.type() != json::kind::object || v.size() > rules_max) {
        return std::string(expected_rules) + "; at most 100";
    }
    std::string wrong;
    v.each_member([&](std::string_view name, json::value policy) {
        const auto known = detail::enum_value<tool_policy>(policy.as_string().value_or(""));
        if (name.empty() || !known) {
            wrong = std::string(expected_rules) + "; '" + std::string(name) + "' is none";
            return;
        }
        out.emplace(name, *known);
    });
    return wrong;
}

std::string read_kinds(const json::value& v, organization_rules& out) {
    if (v.type() != json::kind::object || v.size() > rules_max) {
        return "expected rules by kind of agent, as {\"deployer\":{\"execute\":\"ask\"}}; at most 100";
    }
    std::string wrong;
    v.each_member([&](std::string_view kind, json::value rules) {
        if (auto bad = read_rules(rules, out.kinds[std::string(kind)]); !bad.empty()) {
            wrong = std::string(kind) + ": " + bad;
        }
    });
    return wrong;
}

} // namespace

expected<organization_rules> parse_organization_rules(const setting_values& values, std::string_view pointer) {
    organization_rules out;
    std::vector<field_error> errors;
    for (const auto key : {tool_rules_key, kind_rules_key}) {
        const auto raw = values.find(std::string(key));
        if (raw == values.end()) {
            continue;
        }
        const auto parsed = json::document::parse(raw->second.text);
        const auto wrong = !parsed                 ? std::string("is no JSON")
                           : key == tool_rules_key ? read_rules(parsed->root(), out.all)
                                                   : read_kinds(parsed->root(), out);
        if (!wrong.empty()) {
            errors.push_back({std::string(pointer) + "/" + std::string(key), wrong});
        }
    }
    if (errors.empty()) {
        return out;
    }
    const auto detail = errors.front().pointer + ": " + errors.front().message;
    return problem{code::invalid_request, detail, std::move(errors)};
}

} // namespace troupe
