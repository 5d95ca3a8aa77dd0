#include "runtime/config/config.hpp"

#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <type_traits>

namespace troupe::runtime {

namespace {

constexpr std::string_view mask = "********";

std::string plain_value(const config& values, const property& p) {
    return std::visit(
        [&](auto member) -> std::string {
            if constexpr (std::is_same_v<decltype(member), std::string config::*>) {
                return values.*member;
            } else {
                return fmt::format("{}", values.*member);
            }
        },
        p.member);
}

bool is_text(const property& p) { return std::holds_alternative<std::string config::*>(p.member); }

/// What a value may be, for people.
std::string bounds_of(const property& p) {
    if (!p.choices.empty()) {
        std::string list;
        for (const char c : p.choices) {
            list += c == '|' ? std::string(", ") : std::string(1, c);
        }
        return list;
    }
    if (std::holds_alternative<bool config::*>(p.member)) {
        return "true, false";
    }
    if (is_text(p)) {
        return p.min > 0 ? "text" : "text, may be empty";
    }
    const auto unit = p.unit.empty() ? std::string() : fmt::format(" {}", p.unit);
    return p.max == std::numeric_limits<std::int64_t>::max() ? fmt::format("from {}{}", p.min, unit)
                                                             : fmt::format("{} to {}{}", p.min, p.max, unit);
}

} // namespace

std::string shown_value(const config& values, const property& p) {
    auto value = plain_value(values, p);
    return p.secret && !value.empty() ? std::string(mask) : value;
}

std::string show_config(const loaded_config& loaded) {
    std::string out;
    std::string section; // "model.openai." while its properties are written
    for (const auto& p : properties()) {
        const auto dot = p.name.rfind('.');
        const auto above = dot == p.name.npos ? std::string_view{} : p.name.substr(0, dot);
        // A property is no section: `sandbox.network` stands beside `sandbox`, in a line of its own.
        const bool sectioned = !above.empty() && find_property(above) == nullptr;
        const auto prefix = sectioned ? p.name.substr(0, dot + 1) : std::string_view{};
        // Opens the sections that the last line was not in already.
        std::size_t depth = 0;
        for (std::size_t at = 0, end = 0; (end = prefix.find('.', at)) != prefix.npos; at = end + 1, ++depth) {
            if (!section.starts_with(prefix.substr(0, end + 1))) {
                out += fmt::format("{:{}}{}:\n", "", 2 * depth, prefix.substr(at, end - at));
            }
        }
        section = prefix;
        const auto origin = loaded.origins.find(p.name);
        const auto source = origin == loaded.origins.end() ? std::string("default") : origin->second;
        const auto key = p.name.substr(prefix.size());
        const auto value = shown_value(loaded.values, p);
        if (p.secret) {
            out += fmt::format("{:{}}# {}: {} # {}\n", "", 2 * depth, key, value.empty() ? "not set" : value, source);
        } else {
            out +=
                fmt::format("{:{}}{}: {} # {}\n", "", 2 * depth, key, is_text(p) ? json::quoted(value) : value, source);
        }
    }
    return out;
}

std::vector<config_change> config_changes(const config& from, const config& to) {
    std::vector<config_change> changes;
    for (const auto& p : properties()) {
        if (plain_value(from, p) != plain_value(to, p)) {
            changes.push_back({std::string(p.name), shown_value(from, p), shown_value(to, p), p.reloadable});
        }
    }
    return changes;
}

config reloaded_config(const config& running, const config& fresh) {
    auto next = running;
    for (const auto& p : properties()) {
        if (p.reloadable) {
            std::visit([&](auto member) { next.*member = fresh.*member; }, p.member);
        }
    }
    return next;
}

std::string describe_config() {
    std::string out = "| property | default | values | reload | meaning |\n|---|---|---|---|---|\n";
    const config defaults;
    for (const auto& p : properties()) {
        const auto value = plain_value(defaults, p);
        out +=
            fmt::format("| `{}`<br>`{}` | {} | {} | {} | {}{} |\n", p.name, environment_name(p),
                        value.empty() ? "" : "`" + value + "`", bounds_of(p), p.reloadable ? "yes" : "restart", p.doc,
                        p.secret             ? " Secret: never shown."
                        : p.fallback.empty() ? ""
                                             : fmt::format(" Without a value, `{}` is used.", p.fallback));
    }
    return out;
}

} // namespace troupe::runtime
