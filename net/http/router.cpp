#include "net/http/router.hpp"

#include "net/http/deprecation.hpp"
#include "net/http/text.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace troupe::net {

namespace {

// Longest first: "/api/v1/x" must not be read as "/api" + "/v1/x".
constexpr std::string_view base_paths[] = {"/api/v1", "/api"};

problem refused(const route& r, std::string_view why) {
    return {code::config_invalid,
            "The route " + std::string(name_of(r.verb)) + " " + r.path + " (" + r.operation + ") " + std::string(why)};
}

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> out;
    path.remove_prefix(1); // the leading slash
    for (;;) {
        const auto slash = path.find('/');
        out.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos)
            return out;
        path.remove_prefix(slash + 1);
    }
}

std::optional<std::int64_t> to_int(std::string_view text) {
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(out)
                                                                                     : std::nullopt;
}

} // namespace

struct router::search {
    std::optional<verb> wanted;
    std::vector<std::string> segments;
    std::vector<std::string> values; // of the parameters on the way
    std::array<bool, verbs> allowed{};
    std::uint32_t found = none;
};

expected<router> router::make(std::vector<route> routes) {
    router out;
    out.routes_ = std::move(routes);
    out.extras_.resize(out.routes_.size());
    std::set<std::string_view> operations;
    for (std::uint32_t i = 0; i < out.routes_.size(); ++i) {
        const auto& r = out.routes_[i];
        if (r.path.empty() || r.path.front() != '/' || (r.path.size() > 1 && r.path.back() == '/'))
            return refused(r, "has a path that does not start with '/' or that ends with one.");
        if (r.operation.empty())
            return refused(r, "has no operation.");
        if (!operations.insert(r.operation).second)
            return refused(r, "uses an operation that another route has already.");
        if (!r.run && !r.stream)
            return refused(r, "has neither a handler nor a stream.");
        if (r.verb != verb::get && r.permission.empty() && !r.open)
            return refused(r, "changes something and needs no permission.");
        if (const auto why = deprecation_mistake(r); !why.empty())
            return refused(r, why);
        if (auto added = out.add(i); !added)
            return added.error();
    }
    return out;
}

expected<void> router::add(std::uint32_t index) {
    const auto& r = routes_[index];
    auto& extra = extras_[index];
    std::uint32_t at = r.rooted ? rooted : based;
    const auto segments = split(r.path);
    for (std::size_t i = 0; i < segments.size(); ++i)
        at = child(at, segments[i], i + 1 == segments.size(), extra);
    auto& slot = nodes_[at].route_of[static_cast<std::size_t>(r.verb)];
    if (slot != none)
        return refused(r, "has the same method and path as " + routes_[slot].operation + ".");
    slot = index;
    for (const auto& parameter : r.query) {
        auto rule = make_rule(parameter, r);
        if (!rule)
            return rule.error();
        extra.rules.push_back(std::move(*rule));
    }
    if (r.stream && std::none_of(r.query.begin(), r.query.end(), [](const auto& q) { return q.name == "since"; }))
        extra.rules.push_back({.name = "since", .type = "string"});
    return {};
}

std::uint32_t router::child(std::uint32_t at, std::string_view segment, bool last, extras& into) {
    std::uint32_t found = none;
    const bool parameter = is_parameter(segment);
    const bool rest = parameter && last && segment == "{path}";
    if (parameter) {
        into.parameter_names.emplace_back(segment.substr(1, segment.size() - 2));
        found = rest ? nodes_[at].rest : nodes_[at].parameter;
    } else if (const auto literal = nodes_[at].literals.find(segment); literal != nodes_[at].literals.end()) {
        found = literal->second;
    }
    if (found != none)
        return found;
    found = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back(); // may move the nodes: no reference is held across it
    if (rest)
        nodes_[at].rest = found;
    else if (parameter)
        nodes_[at].parameter = found;
    else
        nodes_[at].literals.emplace(segment, found);
    return found;
}

expected<router::query_rule> router::make_rule(const query_parameter& parameter, const route& of) const {
    const auto schema = json::document::parse(parameter.schema);
    if (!schema)
        return refused(of, "has a query parameter '" + parameter.name + "' whose schema is no JSON.");
    const auto root = schema->root();
    query_rule rule{.name = parameter.name, .type = root.text_or("type", "string")};
    const bool measured_as_text = rule.type == "string";
    rule.min = root.int_or(measured_as_text ? "minLength" : "minimum", rule.min);
    rule.max = root.int_or(measured_as_text ? "maxLength" : "maximum", rule.max);
    if (const auto values = root.find("enum"))
        values->each_element([&](json::value v) { rule.values.emplace_back(v.as_string().value_or("")); });
    return rule;
}

void router::walk(search& s, std::uint32_t at, std::size_t depth) const {
    const auto& n = nodes_[at];
    if (depth == s.segments.size()) {
        for (std::size_t v = 0; v < verbs; ++v)
            s.allowed[v] = s.allowed[v] || n.route_of[v] != none;
        if (s.wanted)
            s.found = n.route_of[static_cast<std::size_t>(*s.wanted)];
        return;
    }
    const auto& segment = s.segments[depth];
    if (const auto literal = n.literals.find(segment); literal != n.literals.end())
        walk(s, literal->second, depth + 1);
    if (s.found != none || segment.empty())
        return;
    if (n.parameter != none) {
        s.values.push_back(segment);
        walk(s, n.parameter, depth + 1);
        if (s.found != none)
            return;
        s.values.pop_back();
    }
    if (n.rest != none) {
        std::string rest = segment;
        for (std::size_t i = depth + 1; i < s.segments.size(); ++i)
            rest += "/" + s.segments[i];
        s.values.push_back(std::move(rest));
        walk(s, n.rest, s.segments.size());
        if (s.found == none)
            s.values.pop_back();
    }
}

/// Whether the path exists in that trie; `bad.detail` is set when it cannot be decoded.
bool router::look(std::uint32_t root, std::optional<verb> v, std::string_view path, routed& out, problem& bad) const {
    search s{.wanted = v, .segments = {}, .values = {}};
    for (const auto part : split(path)) {
        auto decoded = percent_decode(part);
        if (!decoded) {
            bad = decoded.error();
            return false;
        }
        s.segments.push_back(std::move(*decoded));
    }
    walk(s, root, 0);
    if (s.found != none) {
        out.target = &routes_[s.found];
        const auto& names = extras_[s.found].parameter_names;
        for (std::size_t i = 0; i < names.size(); ++i)
            out.params.emplace(names[i], std::move(s.values[i]));
        out.path = path;
        return true;
    }
    for (std::size_t i = 0; i < verbs; ++i) {
        if (!s.allowed[i])
            continue;
        out.allow += std::string(name_of(static_cast<verb>(i))) + ", ";
        if (static_cast<verb>(i) == verb::get)
            out.allow += "HEAD, ";
    }
    if (out.allow.empty())
        return false;
    out.allow += "OPTIONS";
    out.path = path;
    return true;
}

expected<routed> router::find(std::optional<verb> v, std::string_view path) const {
    routed out;
    problem bad;
    if (path.empty() || path.front() != '/')
        return problem{code::malformed_http, "The request target has to start with '/'."};
    for (const auto base : base_paths) {
        if (path.size() > base.size() && path.starts_with(base) && path[base.size()] == '/') {
            if (look(based, v, path.substr(base.size()), out, bad))
                return out;
            if (!bad.detail.empty())
                return bad;
        }
    }
    if (!look(rooted, v, path, out, bad) && !bad.detail.empty())
        return bad;
    return out;
}

std::string router::check(const query_rule& rule, std::string_view value) {
    if (rule.type == "integer") {
        const auto number = to_int(value);
        if (!number)
            return "expected an integer";
        if (*number < rule.min)
            return "must be at least " + std::to_string(rule.min);
        return *number > rule.max ? "must be at most " + std::to_string(rule.max) : "";
    }
    if (rule.type == "boolean")
        return value == "true" || value == "false" ? "" : "expected true or false";
    if (rule.type == "string") {
        if (!rule.values.empty() && std::find(rule.values.begin(), rule.values.end(), value) == rule.values.end()) {
            std::string names;
            for (const auto& v : rule.values)
                names += (names.empty() ? "" : ", ") + v;
            return "expected one of " + names;
        }
        const auto length = static_cast<std::int64_t>(value.size());
        if (length < rule.min)
            return "must have at least " + std::to_string(rule.min) + " bytes";
        return length > rule.max ? "must have at most " + std::to_string(rule.max) + " bytes" : "";
    }
    return "";
}

/// Whether the route passes over what it does not know: others than ours made the URL.
bool router::takes_others(const std::vector<query_rule>& rules) {
    return std::any_of(rules.begin(), rules.end(), [](const auto& r) { return r.name == "*"; });
}

expected<std::map<std::string, std::string>> router::read_query(const route& target, std::string_view query) const {
    std::map<std::string, std::string> out;
    const auto& rules = extras_[static_cast<std::size_t>(&target - routes_.data())].rules;
    problem wrong{code::invalid_request, ""};
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        if (pair.empty())
            continue;
        const auto equals = pair.find('=');
        auto name = percent_decode(pair.substr(0, equals), true);
        auto value =
            percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
        if (!name || !value)
            return !name ? name.error() : value.error();
        const auto rule = std::find_if(rules.begin(), rules.end(), [&](const auto& r) { return r.name == *name; });
        if (rule == rules.end() && takes_others(rules))
            continue;
        std::string mistake = rule == rules.end() ? "unknown query parameter" : check(*rule, *value);
        if (mistake.empty() && !out.emplace(*name, std::move(*value)).second)
            mistake = "is given twice";
        if (!mistake.empty() && wrong.errors.size() < detail::decode_errors::errors_max)
            wrong.errors.push_back({std::move(*name), std::move(mistake)});
    }
    if (wrong.errors.empty())
        return out;
    wrong.detail = wrong.errors.front().pointer + ": " + wrong.errors.front().message;
    return wrong;
}

} // namespace troupe::net
