#include "actors/provider/rehearsal_script.hpp"

#include "actors/provider/rehearsal.hpp"
#include "schemas/base/json.hpp"

// A tenth of the library's own limit: an expression that explodes gives up soon, and not after seconds.
#ifndef BOOST_REGEX_MAX_STATE_COUNT // fuzzing gives up sooner
#define BOOST_REGEX_MAX_STATE_COUNT 10'000'000
#endif
#include <boost/regex.hpp>
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <iterator>
#include <set>

namespace troupe::actors::rehearsal {

namespace {

constexpr std::size_t depth_max = 32;
/// Aliases make a short text large: bounds what one script may grow to.
constexpr std::size_t nodes_max = 20'000;

} // namespace

// ---- patterns and templates

struct pattern::expression {
    boost::regex compiled;
};

boost::system::result<pattern, std::string> pattern::compile(const std::string& text) {
    try {
        static const boost::regex named_group(R"(\(\?(?:P?<|')([A-Za-z_]\w*)[>'])");
        pattern out;
        out.expression_ = std::make_shared<const expression>(expression{boost::regex(text, boost::regex::perl)});
        for (boost::sregex_iterator at(text.begin(), text.end(), named_group), end; at != end; ++at)
            out.names_.push_back((*at)[1]);
        return out;
    } catch (const std::exception& e) {
        return std::string(e.what());
    }
}

bool pattern::find(std::string_view text, captures& into) const {
    try {
        boost::cmatch match;
        const auto flags = boost::match_default | boost::match_not_dot_newline;
        if (!boost::regex_search(text.data(), text.data() + text.size(), match, expression_->compiled, flags))
            return false;
        for (const auto& name : names_)
            if (match[name].matched)
                into[name] = match[name].str();
        return true;
    } catch (const std::exception&) { // the library gives up on expressions that explode
        return false;
    }
}

namespace {

/// Visits the pieces of a template: literal text, or the name in a `${name}`. Stops when `visit` says false.
bool each_piece(std::string_view text, const std::function<bool(bool is_name, std::string_view)>& visit) {
    while (!text.empty()) {
        const std::size_t at = text.find("${");
        if (at == std::string_view::npos)
            return visit(false, text);
        const bool escaped = at > 0 && text[at - 1] == '$';
        const std::size_t end = escaped ? at + 1 : text.find('}', at);
        if (!visit(false, text.substr(0, escaped ? at - 1 : at)))
            return false;
        if (escaped) {
            if (!visit(false, "${"))
                return false;
        } else if (end == std::string_view::npos) {
            return visit(false, text.substr(at));
        } else if (!visit(true, text.substr(at + 2, end - at - 2))) {
            return false;
        }
        text.remove_prefix(end + 1);
    }
    return true;
}

/// Whether JSON reads the text as something that is no string.
bool is_json_scalar(std::string_view text) {
    if (text.empty() || text.front() == '{' || text.front() == '[' || text.front() == '"')
        return false;
    return json::document::parse(text).has_value();
}

} // namespace

std::optional<std::string> text_template::fill(const captures& from) const {
    std::string out;
    const bool complete = each_piece(text, [&](bool is_name, std::string_view piece) {
        const auto found = is_name ? from.find(piece) : from.end();
        if (is_name && found == from.end())
            return false;
        out += is_name ? std::string_view(found->second) : piece;
        return true;
    });
    return complete ? std::optional(std::move(out)) : std::nullopt;
}

std::vector<std::string> text_template::names() const {
    std::vector<std::string> out;
    each_piece(text, [&](bool is_name, std::string_view piece) {
        if (is_name)
            out.emplace_back(piece);
        return true;
    });
    return out;
}

bool argument::write(std::string& json, const captures& from) const {
    if (const auto* one = std::get_if<leaf>(&value)) {
        const auto filled = one->text.fill(from);
        if (!filled)
            return false;
        if (one->plain && is_json_scalar(*filled))
            json += *filled;
        else
            json::append_string(json, *filled);
        return true;
    }
    const auto* elements = std::get_if<list>(&value);
    json += elements ? '[' : '{';
    bool first = true;
    const auto separate = [&] { json += std::exchange(first, false) ? "" : ","; };
    if (elements) {
        for (const auto& element : *elements) {
            separate();
            if (!element.write(json, from))
                return false;
        }
    } else {
        for (const auto& [name, member] : std::get<members>(value)) {
            separate();
            json::append_string(json, name);
            json += ':';
            if (!member.write(json, from))
                return false;
        }
    }
    json += elements ? ']' : '}';
    return true;
}

// ---- reading YAML

namespace {

/// Reads the tree and collects what is wrong with it.
class reader {
public:
    explicit reader(const std::string& file) : file_(file) {}

    expected<script> read(const YAML::Node& root) {
        script out;
        members(root, "a script", [&](const std::string& name, const YAML::Node& node) {
            if (name == "name")
                out.name = text(node);
            else if (name == "delay_ms")
                out.delay_ms = number(node, 0, 10'000);
            else if (name == "rules")
                elements(node, "rules",
                         [&](const YAML::Node& one) { out.rules.push_back(read_rule(one, out.rules.size() + 1)); });
            else
                return false;
            return true;
        });
        if (out.rules.empty() && errors_.empty())
            error(root, "a script needs 'rules', a list of at least one rule");
        check_names(out);
        if (errors_.empty())
            return out;
        std::stable_sort(errors_.begin(), errors_.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
        problem wrong{code::script_invalid, {}};
        for (auto& [line, message] : errors_)
            wrong.errors.push_back({fmt::format("{}:{}", file_, line), std::move(message)});
        wrong.detail =
            fmt::format("The rehearsal script has {} error{}; the first is at {}: {}.", wrong.errors.size(),
                        wrong.errors.size() == 1 ? "" : "s", wrong.errors[0].pointer, wrong.errors[0].message);
        return wrong;
    }

private:
    void error(const YAML::Node& node, std::string message) {
        errors_.emplace_back(node.Mark().line + 1, std::move(message));
    }

    /// Visits a mapping; `visit` says whether it knows the name.
    void members(const YAML::Node& node, std::string_view what,
                 const std::function<bool(const std::string&, const YAML::Node&)>& visit) {
        if (!node.IsMap())
            return error(node, fmt::format("{} has to be a mapping (name: value)", what));
        std::set<std::string> seen;
        for (const auto& member : node) {
            const std::string name = text(member.first);
            if (!seen.insert(name).second)
                error(member.first, fmt::format("'{}' is there twice", name));
            else if (!visit(name, member.second))
                error(member.first, fmt::format("{} has no '{}'", what, name));
        }
    }

    void elements(const YAML::Node& node, std::string_view what, const std::function<void(const YAML::Node&)>& visit) {
        if (!node.IsSequence())
            return error(node, fmt::format("{} has to be a list", what));
        for (const auto& one : node)
            visit(one);
    }

    std::string text(const YAML::Node& node) {
        if (node.IsScalar())
            return node.Scalar();
        error(node, "has to be a text");
        return {};
    }

    std::vector<std::string> texts(const YAML::Node& node, std::string_view what) {
        std::vector<std::string> out;
        elements(node, what, [&](const YAML::Node& one) { out.push_back(text(one)); });
        return out;
    }

    std::int64_t number(const YAML::Node& node, std::int64_t min, std::int64_t max) {
        std::int64_t value = 0;
        if (!node.IsScalar() || !YAML::convert<std::int64_t>::decode(node, value) || value < min || value > max) {
            error(node, fmt::format("has to be a number from {} to {}", min, max));
            return min;
        }
        return value;
    }

    bool flag(const YAML::Node& node) {
        bool value = false;
        if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value))
            error(node, "has to be true or false");
        return value;
    }

    pattern expression(const YAML::Node& node) {
        auto compiled = pattern::compile(text(node));
        if (!compiled) {
            error(node, fmt::format("is no regular expression: {}", compiled.error()));
            return {};
        }
        for (const auto& name : compiled->names()) {
            if (std::find(std::begin(builtin_captures), std::end(builtin_captures), name) != std::end(builtin_captures))
                error(node, fmt::format("'{}' is always there and cannot be captured", name));
            known_.insert(name);
        }
        return *std::move(compiled);
    }

    text_template filled_text(const YAML::Node& node) {
        text_template out{text(node)};
        for (auto& name : out.names())
            used_.emplace_back(node.Mark().line + 1, std::move(name));
        return out;
    }

    argument read_argument(const YAML::Node& node, std::size_t depth) {
        if (++nodes_ > nodes_max || depth > depth_max) {
            if (nodes_ == nodes_max + 1 || depth > depth_max)
                error(node, "the arguments are too large or too deep");
            return {argument::leaf{}};
        }
        if (node.IsNull())
            return {argument::leaf{{"null"}, true}};
        if (node.IsScalar())
            return {argument::leaf{filled_text(node), node.Tag() == "?"}};
        if (node.IsSequence()) {
            argument::list out;
            for (const auto& one : node)
                out.push_back(read_argument(one, depth + 1));
            return {std::move(out)};
        }
        argument::members out;
        members(node, "arguments", [&](const std::string& name, const YAML::Node& member) {
            out.emplace_back(name, read_argument(member, depth + 1));
            return true;
        });
        return {std::move(out)};
    }

    condition read_condition(const YAML::Node& node) {
        condition out;
        members(node, "'when'", [&](const std::string& name, const YAML::Node& value) {
            if (name == "step")
                out.step = static_cast<std::size_t>(number(value, 1, 1'000'000));
            else if (name == "after")
                after_.emplace_back(value.Mark().line + 1, out.after.emplace(text(value)));
            else if (name == "goal_contains")
                out.goal_contains = text(value);
            else if (name == "goal_matches")
                out.goal_matches = expression(value);
            else if (name == "parameters_match")
                out.parameters_match = expression(value);
            else if (name == "message_contains")
                out.message_contains = text(value);
            else if (name == "last_tool")
                out.last_tool = text(value);
            else if (name == "last_result_contains")
                out.last_result_contains = text(value);
            else if (name == "last_result_matches")
                out.last_result_matches = expression(value);
            else if (name == "last_is_error")
                out.last_is_error = flag(value);
            else if (name == "captured")
                for (auto& one : out.captured = texts(value, "'captured'"))
                    used_.emplace_back(value.Mark().line + 1, one);
            else if (name == "tools_available")
                out.tools_available = texts(value, "'tools_available'");
            else
                return false;
            return true;
        });
        return out;
    }

    capture_rule read_capture(const YAML::Node& node) {
        capture_rule out;
        bool has_pattern = false;
        members(node, "a capture", [&](const std::string& name, const YAML::Node& value) {
            if (name == "from") {
                const std::string from = text(value);
                if (from == "goal")
                    out.from = source::goal;
                else if (from == "any_result")
                    out.from = source::any_result;
                else if (from != "result")
                    error(value, "has to be result, any_result or goal");
            } else if (name == "matches") {
                has_pattern = true;
                out.matches = expression(value);
                if (out.matches.names().empty())
                    error(value, "captures nothing; name a group: (?<name>…)");
            } else {
                return false;
            }
            return true;
        });
        if (!has_pattern)
            error(node, "a capture needs 'matches'");
        return out;
    }

    call read_call(const YAML::Node& node) {
        call out;
        members(node, "a call", [&](const std::string& name, const YAML::Node& value) {
            if (name == "tool")
                out.tool = text(value);
            else if (name == "arguments" && value.IsMap())
                out.arguments = read_argument(value, 1);
            else if (name == "arguments")
                error(value, "has to be a mapping (name: value)");
            else
                return false;
            return true;
        });
        if (out.tool.empty())
            error(node, "a call needs 'tool'");
        return out;
    }

    rule read_rule(const YAML::Node& node, std::size_t number) {
        rule out;
        out.name = fmt::format("rule {}", number);
        members(node, "a rule", [&](const std::string& name, const YAML::Node& value) {
            if (name == "name")
                out.name = text(value);
            else if (name == "when")
                out.when = read_condition(value);
            else if (name == "once")
                out.once = flag(value);
            else if (name == "capture")
                elements(value, "'capture'", [&](const YAML::Node& one) { out.capture.push_back(read_capture(one)); });
            else if (name == "say")
                out.say = filled_text(value);
            else if (name == "call")
                elements(value, "'call'", [&](const YAML::Node& one) { out.calls.push_back(read_call(one)); });
            else
                return false;
            return true;
        });
        if (!out.say && out.calls.empty())
            error(node, "a rule needs 'say', 'call' or both");
        if (!names_.insert(out.name).second)
            error(node, fmt::format("another rule is called '{}'", out.name));
        return out;
    }

    /// Names that are used have to be somewhere in the script: a typing error would never match.
    void check_names(const script&) {
        for (const auto& [line, name] : used_)
            if (!known_.contains(name))
                errors_.emplace_back(
                    line, fmt::format("nothing in this script captures '{}' (write $${{ for a plain ${{)", name));
        for (const auto& [line, name] : after_)
            if (!names_.contains(name))
                errors_.emplace_back(line, fmt::format("there is no rule '{}'", name));
    }

    const std::string& file_;
    std::vector<std::pair<int, std::string>> errors_;
    std::vector<std::pair<int, std::string>> used_;
    std::vector<std::pair<int, std::string>> after_;
    std::set<std::string> known_{std::begin(builtin_captures), std::end(builtin_captures)};
    std::set<std::string> names_;
    std::size_t nodes_ = 0;
};

} // namespace

expected<script> parse_script(std::string_view yaml, const std::string& file) {
    if (yaml.size() > rehearsal_script_bytes_max)
        return problem{code::script_invalid,
                       fmt::format("The rehearsal script {} is over {} bytes.", file, rehearsal_script_bytes_max)};
    try {
        return reader(file).read(YAML::Load(std::string(yaml)));
    } catch (const YAML::Exception& e) {
        const std::string place = fmt::format("{}:{}", file, e.mark.line + 1);
        return problem{code::script_invalid,
                       fmt::format("The rehearsal script is no YAML at {}: {}.", place, e.msg),
                       {{place, e.msg}}};
    }
}

} // namespace troupe::actors::rehearsal
