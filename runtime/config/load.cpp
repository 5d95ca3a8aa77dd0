#include "runtime/config/config.hpp"

#include "runtime/config/oidc.hpp"
#include "runtime/config/retention.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <system_error>
#include <utility>

extern char** environ; // NOLINT: POSIX

namespace troupe::runtime {

namespace {

/// TROUPE_* variables of the CLI and the scripts: no properties, and no reason to warn.
constexpr std::array<std::string_view, 4> client_variables = {"TROUPE_URL", "TROUPE_KEY", "TROUPE_CA", "TROUPE_CONFIG"};

/// A file with so many is read no further: a section of aliases can be very much larger than it is long.
constexpr std::size_t errors_max = 100;

/// A file of more is no configuration.
constexpr std::uintmax_t file_bytes_max = 1 << 20;

/// Edits (insert, remove, replace) from `a` to `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

/// The known spelling that `given` most likely means; empty when nothing is near.
template <class Spell>
std::string nearest(std::string_view given, Spell spell) {
    std::string best;
    auto least = std::max<std::size_t>(given.size() / 3, 2) + 1;
    for (const auto& p : properties()) {
        const std::string candidate(spell(p));
        if (const auto distance = edit_distance(given, candidate); distance < least) {
            least = distance;
            best = candidate;
        }
    }
    return best;
}

std::string unknown_property(std::string_view name) {
    const auto meant = nearest(name, [](const property& p) { return p.name; });
    return meant.empty() ? fmt::format("there is no property {}; `troupe config show` lists all", name)
                         : fmt::format("there is no property {}; do you mean {}?", name, meant);
}

bool is_choice(std::string_view choices, std::string_view text) {
    return !text.empty() && text.find('|') == text.npos &&
           fmt::format("|{}|", choices).find(fmt::format("|{}|", text)) != std::string::npos;
}

std::optional<bool> parse_switch(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (text == "true" || text == "yes" || text == "on" || text == "1") {
        return true;
    }
    if (text == "false" || text == "no" || text == "off" || text == "0") {
        return false;
    }
    return {};
}

/// What every program and file takes as a text, and what can be shown and read again.
bool is_text(const std::string& text) {
    const auto shown = json::document::parse(json::quoted(text)); // quoting replaces what is not UTF-8
    return text.find('\0') == std::string::npos && shown && shown->root().as_string() == text;
}

/// Sets the property, or says what is wrong with the text. Never repeats a secret.
std::optional<std::string> assign(config& into, const property& p, const std::string& text) {
    const auto quoted = p.secret ? std::string("the value") : fmt::format("\"{}\"", text);
    if (const auto* flag = std::get_if<bool config::*>(&p.member)) {
        const auto value = parse_switch(text);
        if (!value) {
            return fmt::format("{}: {} is neither true nor false", p.name, quoted);
        }
        into.** flag = *value;
    } else if (const auto* number = std::get_if<std::int64_t config::*>(&p.member)) {
        std::int64_t value = 0;
        const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (end != text.data() + text.size() || (status != std::errc{} && status != std::errc::result_out_of_range)) {
            return fmt::format("{}: {} is no integer{}{}", p.name, quoted, p.unit.empty() ? "" : " of ", p.unit);
        }
        if (status != std::errc{} || value < p.min || value > p.max) {
            return fmt::format("{}: {} is outside {} to {}", p.name, quoted, p.min, p.max);
        }
        into.** number = value;
    } else {
        if (!p.choices.empty() && !is_choice(p.choices, text)) {
            return fmt::format("{}: {} is none of {}", p.name, quoted, p.choices);
        }
        if (std::ssize(text) < p.min || std::ssize(text) > p.max) {
            return text.empty() ? fmt::format("{}: must not be empty", p.name)
                                : fmt::format("{}: is longer than {} bytes", p.name, p.max);
        }
        if (!is_text(text)) {
            return fmt::format("{}: is not UTF-8, or holds a NUL byte", p.name);
        }
        // Empty means "not set" where the bounds allow it.
        if (const auto wrong = p.check && !text.empty() ? p.check(text) : std::nullopt) {
            return fmt::format("{}: {}", p.name, *wrong);
        }
        into.*std::get<std::string config::*>(p.member) = text;
    }
    return {};
}

/// Lays one source after the other over the values and collects what is wrong.
class loader {
public:
    void read_fallbacks(const std::map<std::string, std::string>& environment) {
        for (const auto& p : properties()) {
            const auto found = environment.find(std::string(p.fallback));
            if (found != environment.end() && !found->second.empty()) {
                set(p, found->second, "environment " + found->first);
            }
        }
    }

    void read_file(const std::filesystem::path& path);

    void read_environment(const std::map<std::string, std::string>& environment) {
        for (const auto& entry : environment) {
            const auto& name = entry.first;
            const auto& value = entry.second;
            if (!name.starts_with("TROUPE_") || std::ranges::count(client_variables, name)) {
                continue;
            }
            const auto found =
                std::ranges::find_if(properties(), [&](const property& p) { return environment_name(p) == name; });
            if (found == properties().end()) {
                const auto meant = nearest(name, environment_name);
                loaded_.warnings.push_back(fmt::format("the environment variable {} names no property{}", name,
                                                       meant.empty() ? "" : "; do you mean " + meant + "?"));
            } else if (!value.empty()) {
                set(*found, value, "environment " + name);
            }
        }
    }

    void read_flags(const std::vector<config_flag>& flags) {
        for (const auto& flag : flags) {
            const auto place = "--" + flag.name;
            const auto* p = find_property(flag.name);
            if (!p) {
                add(place, unknown_property(flag.name));
            } else if (p->secret) {
                add(place, fmt::format("{}: everyone on this machine can read a command line; use {} or the file",
                                       p->name, environment_name(*p)));
            } else {
                set(*p, flag.value, place);
            }
        }
    }

    /// What belongs together.
    void check_tls() {
        const auto& v = loaded_.values;
        if (v.edge_tls_certificate_file.empty() != v.edge_tls_key_file.empty()) {
            add("edge.tls", "certificate_file and key_file belong together: give both or neither");
        } else if (v.edge_tls_certificate_file.empty() && !v.edge_tls_redirect_listen.empty()) {
            add("edge.tls.redirect_listen", "there is no https to send to: give certificate_file and key_file");
        }
    }

    void check_linking() {
        const auto& v = loaded_.values;
        const auto providers = parse_oidc_providers(v.identity_oidc);
        const bool links = providers && std::ranges::any_of(*providers, &oidc_provider::link_by_email);
        if (links && v.identity_registration == "open") {
            const auto origin = loaded_.origins.find("identity.oidc");
            add(origin == loaded_.origins.end() ? "identity.oidc" : origin->second,
                "link_by_email does not go with `identity.registration: open`: nobody verifies the addresses of those "
                "who register, so one of them could take a colleague's first login");
        }
    }

    expected<loaded_config> finish() && {
        if (errors_.empty()) {
            if (const auto wrong = check_retention(loaded_.values)) {
                const auto origin = loaded_.origins.find(wrong->property);
                add(origin == loaded_.origins.end() ? wrong->property : origin->second, wrong->message);
            }
            check_tls();
            check_linking();
        }
        if (errors_.empty()) {
            return std::move(loaded_);
        }
        auto detail = fmt::format("The configuration has {}. {}: {}",
                                  errors_.size() == 1 ? "an error" : fmt::format("{} errors", errors_.size()),
                                  errors_.front().pointer, errors_.front().message);
        return problem{.code = code::config_invalid, .detail = std::move(detail), .errors = std::move(errors_)};
    }

private:
    void add(std::string place, std::string message) { errors_.push_back({std::move(place), std::move(message)}); }

    void set(const property& p, const std::string& text, const std::string& place) {
        if (auto wrong = assign(loaded_.values, p, text)) {
            const auto named = fmt::format("{}: ", p.name);
            const bool twice = place == fmt::format("--{}", p.name) && wrong->starts_with(named);
            add(place, twice ? wrong->substr(named.size()) : std::move(*wrong));
        } else {
            loaded_.origins.insert_or_assign(std::string(p.name), place);
        }
    }

    void read_node(const YAML::Node& node, const std::string& name);
    void read_leaf(const YAML::Node& node, const std::string& name, const std::string& place);
    void read_list(const YAML::Node& node, const property& p, const std::string& place);
    [[nodiscard]] std::string place_of(const YAML::Mark& mark) const {
        return fmt::format("{}:{}", file_, mark.line + 1);
    }

    loaded_config loaded_;
    std::vector<field_error> errors_;
    std::string file_;
    std::map<std::string, std::string> seen_; ///< Properties of the file, with their places.
};

/// As JSON: scalars are texts, but for a plain true, false and null. False: it is too large, or an alias of its own
/// parent.
bool append_json(std::string& out, const YAML::Node& node, std::size_t bytes_max, int depth) {
    if (depth == 0 || out.size() > bytes_max) {
        return false;
    }
    if (node.IsScalar()) {
        const auto& text = node.Scalar();
        const bool plain = node.Tag() != "!"; // it was quoted
        out += plain && (text == "true" || text == "false") ? text : json::quoted(text);
        return true;
    }
    if (!node.IsMap() && !node.IsSequence()) {
        out += "null";
        return true;
    }
    out += node.IsMap() ? '{' : '[';
    std::string_view comma;
    for (const auto& item : node) {
        out += comma;
        comma = ",";
        if (node.IsMap()) {
            out += json::quoted(item.first.IsScalar() ? item.first.Scalar() : "") + ":";
        }
        if (!append_json(out, node.IsMap() ? item.second : item, bytes_max, depth - 1)) {
            return false;
        }
    }
    out += node.IsMap() ? '}' : ']';
    return true;
}

/// Where "/0/issuer" is, or what is around it.
YAML::Mark mark_of(const YAML::Node& list, std::string_view pointer) {
    YAML::Node at;
    at.reset(list);
    auto mark = list.Mark();
    while (pointer.size() > 1) {
        const auto end = std::min(pointer.find('/', 1), pointer.size());
        const std::string name(pointer.substr(1, end - 1));
        pointer.remove_prefix(end);
        YAML::Node inner;
        if (at.IsSequence()) {
            std::size_t index = 0;
            std::from_chars(name.data(), name.data() + name.size(), index);
            if (index >= at.size()) {
                break;
            }
            inner.reset(at[index]);
            mark = inner.Mark();
        } else {
            bool found = false;
            for (const auto& member : at) {
                if (at.IsMap() && member.first.IsScalar() && member.first.Scalar() == name) {
                    inner.reset(member.second);
                    mark = member.first.Mark();
                    found = true;
                }
            }
            if (!found) {
                break;
            }
        }
        at.reset(inner);
    }
    return mark;
}

void loader::read_list(const YAML::Node& node, const property& p, const std::string& place) {
    constexpr int depth_max = 6; // capabilities of models of providers: no list of ours is deeper
    if (node.size() == 0) {
        return set(p, "", place);
    }
    std::string text;
    if (!append_json(text, node, static_cast<std::size_t>(p.max), depth_max)) {
        return add(place, fmt::format("{}: the list is too long or too deep", p.name));
    }
    const auto wrong = p.check_list(text);
    for (const auto& e : wrong) {
        add(place_of(mark_of(node, e.pointer)), fmt::format("{}{}: {}", p.name, e.pointer, e.message));
    }
    if (wrong.empty()) {
        set(p, text, place);
    }
}

void loader::read_leaf(const YAML::Node& node, const std::string& name, const std::string& place) {
    const auto* p = find_property(name);
    const auto section = name + ".";
    if (!p && std::ranges::any_of(properties(), [&](const property& q) { return q.name.starts_with(section); })) {
        if (!node.IsNull()) { // An empty section, as when all its lines are comments, says nothing.
            add(place, fmt::format("{} is a section: its properties stand in lines of their own below it", name));
        }
        return;
    }
    if (!p) {
        add(place, unknown_property(name));
    } else if (const auto [first, fresh] = seen_.emplace(name, place); !fresh) {
        add(place, fmt::format("{}: is given a second time; the first is at {}", name, first->second));
    } else if (node.IsSequence() && p->check_list != nullptr) {
        read_list(node, *p, place);
    } else if (!node.IsScalar()) {
        add(place, fmt::format("{}: expected a value, got {}", name,
                               node.IsNull()  ? "nothing; for no text write \"\""
                               : node.IsMap() ? "a section"
                                              : "a list"));
    } else {
        set(*p, node.Scalar(), place);
    }
}

void loader::read_node(const YAML::Node& node, const std::string& name) {
    for (const auto& member : node) {
        if (errors_.size() >= errors_max) {
            return;
        }
        const auto place = place_of(member.first.Mark());
        if (!member.first.IsScalar()) {
            add(place, "a property's name has to be a word");
            continue;
        }
        const auto inner = name.empty() ? member.first.Scalar() : name + "." + member.first.Scalar();
        // An alias can point at its own parent: no property lies deeper than this.
        const auto depth = std::ranges::count(inner, '.');
        if (member.second.IsMap() && !find_property(inner) && depth < 4) {
            read_node(member.second, inner);
        } else {
            read_leaf(member.second, inner, place);
        }
    }
}

/// Where the first node of a document is.
struct beginning final : YAML::EventHandler {
    YAML::Mark at = YAML::Mark::null_mark();

    void note(const YAML::Mark& mark) { at = at.is_null() ? mark : at; }
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { note(mark); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { note(mark); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t, const std::string&) override {
        note(mark);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        note(mark);
    }
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
        note(mark);
    }
    void OnMapEnd() override {}
};

void loader::read_file(const std::filesystem::path& path) {
    file_ = path.string();
    std::error_code failure;
    const auto size = std::filesystem::file_size(path, failure);
    if (failure) {
        return add(file_, fmt::format("cannot be read: {}", failure.message()));
    }
    if (size > file_bytes_max) {
        return add(file_, fmt::format("is larger than {} bytes: this is no configuration", file_bytes_max));
    }
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in) {
        return add(file_, "cannot be read: check its permissions");
    }
    if (text.find('\0') != std::string::npos) { // yaml-cpp does not come to an end with some of them
        return add(file_, "holds a NUL byte: it is no text");
    }
    try {
        // Not YAML::LoadAll: where a document ends before its text, as in ", a", it makes empty ones for ever.
        std::istringstream documents(text);
        YAML::Parser parser(documents);
        beginning first;
        beginning second;
        if (parser.HandleNextDocument(first) && parser.HandleNextDocument(second)) {
            return add(place_of(second.at), "a second document starts here: write all in one, without ---");
        }
        const auto root = YAML::Load(text);
        if (root.IsMap()) {
            read_node(root, {});
        } else if (!root.IsNull()) {
            add(place_of(root.Mark()), "expected `name: value` lines at the top");
        }
    } catch (const YAML::Exception& e) {
        return add(e.mark.is_null() ? file_ : place_of(e.mark), fmt::format("this is no YAML: {}", e.msg));
    }
    const auto permissions = std::filesystem::status(path, failure).permissions();
    const auto others = std::filesystem::perms::others_read | std::filesystem::perms::group_read;
    for (const auto& p : properties()) {
        if (p.secret && seen_.contains(std::string(p.name)) && (permissions & others) != std::filesystem::perms::none) {
            loaded_.warnings.push_back(
                fmt::format("{} holds {} and others may read it; do: chmod 600 {}", file_, p.name, file_));
        }
    }
}

} // namespace

std::map<std::string, std::string> config_environment() {
    std::map<std::string, std::string> found;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view text(*entry);
        const auto equals = text.find('=');
        const auto name = text.substr(0, equals);
        if (equals != text.npos &&
            (name.starts_with("TROUPE_") || std::ranges::any_of(properties(), [&](const property& p) {
                 return !p.fallback.empty() && p.fallback == name;
             }))) {
            found.emplace(name, text.substr(equals + 1));
        }
    }
    return found;
}

expected<config_sources> parse_config_arguments(std::span<const std::string> arguments) {
    const auto refuse = [](const std::string& place, std::string message) {
        return problem{.code = code::config_invalid, .detail = message, .errors = {{place, message}}};
    };
    config_sources sources;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const auto& argument = arguments[i];
        if (!argument.starts_with("--") || argument.size() == 2) {
            return refuse(argument,
                          fmt::format("\"{}\" is no flag; flags look like --listen 127.0.0.1:7117", argument));
        }
        const auto equals = std::min(argument.find('='), argument.size());
        const auto name = argument.substr(2, equals - 2);
        const auto* p = find_property(name);
        if (!p && name != "config") {
            return refuse("--" + name, unknown_property(name));
        }
        std::string value;
        const bool next_is_value = i + 1 < arguments.size() && !arguments[i + 1].starts_with("--");
        if (equals < argument.size()) {
            value = argument.substr(equals + 1);
        } else if (next_is_value) {
            value = arguments[++i];
        } else if (p && std::holds_alternative<bool config::*>(p->member)) {
            value = "true";
        } else {
            return refuse("--" + name, fmt::format("--{} needs a value", name));
        }
        if (p) {
            sources.flags.push_back({name, value});
        } else {
            sources.file = value;
        }
    }
    return sources;
}

expected<loaded_config> load_config(const config_sources& sources) {
    loader all;
    all.read_fallbacks(sources.environment);
    if (sources.file) {
        all.read_file(*sources.file);
    }
    all.read_environment(sources.environment);
    all.read_flags(sources.flags);
    return std::move(all).finish();
}

std::string environment_name(const property& p) {
    std::string name = "TROUPE_";
    for (const char c : p.name) {
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return name;
}

} // namespace troupe::runtime
