#include "schemas/base/described.hpp"

namespace troupe::detail {
namespace {

constexpr auto no_min = std::numeric_limits<std::int64_t>::min();
constexpr auto no_max = std::numeric_limits<std::int64_t>::max();

} // namespace

void check_rule(const field_rule& rule, std::int64_t measure, std::string_view what, const std::string& pointer,
                decode_errors& errors) {
    const auto bound = [&](std::string_view relation, std::int64_t limit) {
        auto message = (what.empty() ? "must be " : "must have ") + std::string(relation) + " " + std::to_string(limit);
        if (!what.empty()) {
            message += " " + std::string(what) + ", has " + std::to_string(measure);
        }
        errors.add(pointer, std::move(message));
    };
    if (measure < rule.min && measure == 0 && !what.empty()) {
        errors.add(pointer, "must not be empty");
    } else if (measure < rule.min) {
        bound("at least", rule.min);
    } else if (measure > rule.max) {
        bound("at most", rule.max);
    }
}

std::string escape_pointer(std::string_view name) {
    std::string out;
    for (const char c : name) {
        switch (c) {
        case '~':
            out += "~0";
            break;
        case '/':
            out += "~1";
            break;
        default:
            out += c;
        }
    }
    return out;
}

void schema_rule(std::string& out, const field_rule* rule, std::string_view what) {
    if (!rule) {
        return;
    }
    const auto member = [&](std::string_view name, std::string_view json) {
        if (!out.ends_with('{')) {
            out += ',';
        }
        out.append("\"").append(name).append("\":").append(json);
    };
    if (!rule->doc.empty()) {
        member("description", json::quoted(rule->doc));
    }
    const bool number = what == "number";
    const std::string suffix = what == "length" ? "Length" : what == "items" ? "Items" : "Properties";
    if (!what.empty() && rule->min != no_min) {
        member(number ? "minimum" : "min" + suffix, std::to_string(rule->min));
    }
    if (!what.empty() && rule->max != no_max) {
        member(number ? "maximum" : "max" + suffix, std::to_string(rule->max));
    }
    if (!rule->example.empty()) {
        member("examples", "[" + std::string(rule->example) + "]");
    }
}

} // namespace troupe::detail
