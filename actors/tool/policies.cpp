#include "actors/tool/policies.hpp"

#include "actors/tool/call_patterns.hpp"
#include "actors/tool/fetch_tool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace troupe::actors {

namespace {

/// A rule's name, taken apart.
struct policy_rule {
    std::string_view subject; ///< A tool, a permission, or "*".
    std::string_view member;  ///< That the pattern is about; empty: the call as a whole.
    std::optional<std::string_view> pattern;
};

/// "stage=test" names a member only where the tool has it: "run_command(CC=gcc make)" is a command.
void split_member(policy_rule& rule, const tool_info* tool) {
    const auto equals = rule.pattern->find('=');
    const auto name = rule.pattern->substr(0, equals);
    if (equals != rule.pattern->npos && tool && has_argument(*tool, name)) {
        rule.member = name;
        rule.pattern->remove_prefix(equals + 1);
    }
}

std::optional<policy_rule> read_rule(std::string_view name) {
    const auto open = name.find('(');
    if (open == name.npos) {
        return policy_rule{name, {}, {}};
    }
    if (!name.ends_with(')') || open + 2 >= name.size()) {
        return {};
    }
    policy_rule rule{name.substr(0, open), {}, name.substr(open + 1, name.size() - open - 2)};
    split_member(rule, find_tool(rule.subject));
    return rule;
}

/// 3: the tool, 2: its permission, 1: all tools; 0: not about it.
int closeness(const policy_rule& rule, const tool_info& tool) {
    const bool about_it = rule.subject == tool.name || (!tool.like.empty() && rule.subject == tool.like);
    return about_it ? 3 : rule.subject == tool.permission ? 2 : rule.subject == "*" ? 1 : 0;
}

/// deny before ask before allow.
int strictness_of(tool_policy p) { return p == tool_policy::deny ? 2 : p == tool_policy::ask ? 1 : 0; }

/// What the patterns of a call's rules are held against, read once.
class call_texts {
public:
    call_texts(const tool_info& tool, std::string_view arguments) : tool_(tool), arguments_(arguments) {}

    bool fit(const policy_rule& rule, tool_policy policy) {
        const auto known = texts_.find(rule.member);
        const auto& texts = known != texts_.end()
                                ? known->second
                                : texts_.emplace(rule.member, texts_of(tool_, arguments_, rule.member)).first->second;
        if (policy != tool_policy::allow) {
            return std::ranges::any_of(texts, [&](const auto& t) { return fits_partly(*rule.pattern, t); });
        }
        return !texts.empty() &&
               std::ranges::all_of(texts, [&](const auto& t) { return fits_wholly(*rule.pattern, t); });
    }

private:
    const tool_info& tool_;
    std::string_view arguments_;
    std::map<std::string_view, std::vector<call_text>> texts_;
};

std::size_t literals_in(std::string_view pattern) {
    return static_cast<std::size_t>(std::ranges::count_if(pattern, [](char c) { return c != '*' && c != '?'; }));
}

} // namespace

tool_verdict judge_call(const tool_policies& rules, const tool_info& tool, std::string_view arguments) {
    tool_verdict out;
    std::tuple<int, bool, std::size_t, int> best{};
    call_texts texts(tool, arguments);
    for (const auto& [name, policy] : rules) {
        const auto rule = read_rule(name);
        const auto close = rule ? closeness(*rule, tool) : 0;
        if (close == 0 || (rule->pattern && !texts.fit(*rule, policy))) {
            continue;
        }
        const std::tuple rank{close, rule->pattern.has_value(), rule->pattern ? literals_in(*rule->pattern) : 0,
                              strictness_of(policy)};
        if (rank > best) {
            best = rank;
            out = {policy, name};
        }
    }
    return out;
}

bool is_ruled_out(const tool_policies& rules, const tool_info& tool) {
    std::pair best{0, tool_policy::allow};
    for (const auto& [name, policy] : rules) {
        const auto rule = read_rule(name);
        const auto close = rule ? closeness(*rule, tool) : 0;
        if (close > 0 && !rule->pattern && close > best.first) {
            best = {close, policy};
        }
    }
    const auto lets_some_through = [&](const auto& each) {
        const auto rule = read_rule(each.first);
        return rule && rule->pattern && each.second != tool_policy::deny && closeness(*rule, tool) >= best.first;
    };
    return best.second == tool_policy::deny && std::ranges::none_of(rules, lets_some_through);
}

void add_policies(tool_policies& to, const tool_policies& more) {
    for (const auto& [name, policy] : more) {
        auto& here = to.emplace(name, policy).first->second;
        here = policy == tool_policy::deny ? policy : here;
    }
}

std::optional<std::string> rule_of_call(const tool_info& tool, std::string_view arguments) {
    const auto texts = texts_of(tool, arguments, {});
    if (texts.size() != 1 || texts.front().text.find_first_of("*?[{\\") != std::string::npos) {
        return {};
    }
    auto rule = fmt::format("{}({})", tool.name, texts.front().text);
    return judge_call({{rule, tool_policy::allow}}, tool, arguments).rule == rule ? std::optional(std::move(rule))
                                                                                  : std::nullopt;
}

expected<void> check_policies(const tool_policies& policies) {
    // A node may have it switched off: it can be forbidden all the same.
    std::set<std::string_view> known = {"*", fetch_tool_name, fetch_permission};
    for (const auto& tool : all_tools()) {
        known.insert({tool.name, tool.permission});
    }
    problem wrong{code::invalid_request, ""};
    for (const auto& [name, policy] : policies) {
        const auto rule = read_rule(name);
        if (!rule) {
            wrong.errors.push_back({"/tools/" + detail::escape_pointer(name), "is no rule: a name, or NAME(PATTERN)"});
        } else if (!known.contains(rule->subject) && !find_tool(rule->subject)) {
            wrong.errors.push_back(
                {"/tools/" + detail::escape_pointer(name), "there is no tool and no permission of this name"});
        }
    }
    if (wrong.errors.empty()) {
        return {};
    }
    for (const auto name : known) {
        wrong.detail += (wrong.detail.empty() ? "" : ", ") + std::string(name);
    }
    wrong.detail = "A policy is about a tool that does not exist. There are: " + wrong.detail + ".";
    return wrong;
}

} // namespace troupe::actors
