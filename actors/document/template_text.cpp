#include "actors/document/template_text.hpp"

#include "schemas/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

namespace troupe::actors {
namespace {

constexpr std::size_t name_bytes_max = 64;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= name_bytes_max && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.';
    });
}

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return text.substr(0, text.find_last_not_of(' ') + 1);
}

problem missing_values(const std::set<std::string>& names) {
    problem out{code::invalid_request, "The template needs values that are not given."};
    for (const auto& name : names) {
        out.errors.push_back({"/values/" + name, "is missing"});
    }
    return out;
}

} // namespace

expected<std::string> fill_template(std::string_view text, const std::map<std::string, std::string>& values) {
    std::string out;
    std::set<std::string> missing;
    while (!text.empty()) {
        const auto open = text.find("{{");
        out += text.substr(0, open);
        if (open == std::string_view::npos) {
            break;
        }
        text.remove_prefix(open);
        const auto close = text.substr(0, name_bytes_max + 16).find("}}");
        const auto name = close == std::string_view::npos ? std::string_view() : trimmed(text.substr(2, close - 2));
        if (!is_name(name)) {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        text.remove_prefix(close + 2);
        const auto value = values.find(std::string(name));
        if (value == values.end()) {
            missing.emplace(name);
        } else {
            out += value->second;
        }
        if (out.size() > document_bytes_max) {
            break;
        }
    }
    if (!missing.empty()) {
        return missing_values(missing);
    }
    if (out.size() > document_bytes_max) {
        return problem{code::invalid_request,
                       fmt::format("With its values the template is longer than {} bytes.", document_bytes_max),
                       {{"/values", "are too long"}}};
    }
    return out;
}

} // namespace troupe::actors
