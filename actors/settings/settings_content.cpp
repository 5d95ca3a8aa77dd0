#include "actors/settings/settings_content.hpp"

#include "schemas/organization_rules.hpp"

#include <algorithm>
#include <array>

namespace troupe::actors {
namespace {

constexpr std::string_view sealed_begin = R"({"sealed":")";
constexpr std::string_view reference_begin = "secret:";

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_name_char(char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; }

std::size_t depth_of(const json::value& v) {
    std::size_t deepest = 0;
    const auto look = [&](const json::value& inner) { deepest = std::max(deepest, depth_of(inner)); };
    v.each_element(look);
    v.each_member([&](std::string_view, json::value inner) { look(inner); });
    const bool nests = v.type() == json::kind::array || v.type() == json::kind::object;
    return deepest + (nests ? 1 : 0);
}

/// Whether {"secret":…} stands inside of it.
bool has_inner_secret(const json::value& v, bool outermost = true) {
    bool found = !outermost && v.type() == json::kind::object && v.size() == 1 && v.find("secret").has_value();
    v.each_element([&](json::value inner) { found = found || has_inner_secret(inner, false); });
    v.each_member([&](std::string_view, json::value inner) { found = found || has_inner_secret(inner, false); });
    return found;
}

bool is_redacted(const json::raw& value) { return value.text == R"({"redacted":true})"; }

std::string pointer_of(std::string_view place, std::string_view key) {
    return "/" + std::string(place) + "/" + std::string(key);
}

/// Collects what is wrong with a change.
class checker {
public:
    void add(std::string pointer, std::string message) {
        if (errors_.size() < 20) {
            errors_.push_back({std::move(pointer), std::move(message)});
        }
    }
    [[nodiscard]] expected<void> done() {
        if (errors_.empty()) {
            return {};
        }
        const auto detail = errors_.front().pointer + ": " + errors_.front().message;
        return problem{code::invalid_request, detail, std::move(errors_)};
    }

private:
    std::vector<field_error> errors_;
};

void check_place(std::string_view place, checker& wrong) {
    const auto name = place.substr(place.find('/') + 1);
    if (place == base_place) {
        return;
    }
    if (!is_settings_name(name)) {
        wrong.add("/" + std::string(place), "a name has 1 to 40 of a-z, 0-9, - and _, a letter or digit first");
    } else if (place.starts_with(template_places) && find_built_in_template(name) != nullptr) {
        wrong.add("/" + std::string(place), "is a built-in template and stays as it is: choose another name");
    }
}

void check_value(std::string_view place, std::string_view key, const json::raw& value, checker& wrong) {
    const auto at = pointer_of(place, key);
    if (!is_setting_key(key)) {
        return wrong.add(at, "a key has at most 128 of a-z, 0-9, - and _, in parts that dots separate, as mail.from");
    }
    if (place.starts_with(profile_places) && is_security_key(key)) {
        return wrong.add(at, "the security policy is the same in every environment: set it without a profile");
    }
    if (place.starts_with(template_places) && sealed_text(value)) {
        return wrong.add(at, "a template holds no sealed value: refer to a secret with \"secret:NAME\"");
    }
    if (value.text.size() > setting_bytes_max) {
        return wrong.add(at, "has " + std::to_string(value.text.size()) + " bytes; a value has at most " +
                                 std::to_string(setting_bytes_max));
    }
    const auto parsed = json::document::parse(value.text);
    if (!parsed || depth_of(parsed->root()) > setting_depth_max) {
        wrong.add(at, "is nested too deeply; at most " + std::to_string(setting_depth_max) + " levels");
    }
}

void check_sizes(const settings_content& content, checker& wrong) {
    std::size_t bytes = 0;
    for (const auto& [place, values] : content) {
        if (values.size() > static_cast<std::size_t>(settings_values_max)) {
            wrong.add("/" + place, "has more than " + std::to_string(settings_values_max) + " values");
        }
        for (const auto& [key, value] : values) {
            bytes += key.size() + value.text.size();
        }
    }
    if (bytes > settings_bytes_max) {
        wrong.add("/values", "all settings together have " + std::to_string(bytes) + " bytes; at most " +
                                 std::to_string(settings_bytes_max));
    }
    if (places_below(content, profile_places).size() > profiles_max) {
        wrong.add("/profiles", "there are more than " + std::to_string(profiles_max));
    }
    if (places_below(content, template_places).size() > templates_max) {
        wrong.add("/templates", "there are more than " + std::to_string(templates_max));
    }
}

void check_policies(const settings_content& content, checker& wrong) {
    const auto check = [&wrong](const auto& good) {
        for (const auto& e : good ? std::vector<field_error>() : good.error().errors) {
            wrong.add(e.pointer, e.message);
        }
    };
    for (const auto& [place, values] : content) {
        check(parse_security_policy(values, "/" + place));
        check(parse_organization_rules(values, "/" + place));
    }
}

bool is_exact(const std::vector<std::string>& exactly, std::string_view place) {
    return std::ranges::any_of(exactly, [&](const auto& p) { return p == all_places || p == place; });
}

setting_values values_of(std::initializer_list<std::pair<std::string, std::string>> list) {
    setting_values out;
    for (const auto& [key, text] : list) {
        out[key] = json::raw{text};
    }
    return out;
}

} // namespace

expected<settings_content> planned(const settings_content& now, const wanted_settings& wanted) {
    checker wrong;
    auto out = now;
    std::erase_if(out, [&](const auto& place) { return is_exact(wanted.exactly, place.first); });
    for (const auto& c : wanted.changes) {
        check_place(c.place, wrong);
        if (!c.value) {
            out[c.place].erase(c.key);
            continue;
        }
        auto value = *c.value;
        if (is_redacted(value)) {
            const auto present = values_in(now, c.place);
            const auto kept = present.find(c.key);
            if (kept == present.end() || !sealed_text(kept->second)) {
                wrong.add(pointer_of(c.place, c.key), "there is no sealed value here that could be kept: give it as "
                                                      "{\"secret\":\"…\"}");
                continue;
            }
            value = kept->second;
        }
        check_value(c.place, c.key, value, wrong);
        out[c.place][c.key] = std::move(value);
    }
    std::erase_if(out, [](const auto& place) { return place.second.empty(); });
    check_sizes(out, wrong);
    check_policies(out, wrong);
    const auto good = wrong.done();
    return good ? expected<settings_content>(std::move(out)) : good.error();
}

std::vector<setting_difference> differences(const settings_content& before, const settings_content& after) {
    std::map<std::pair<std::string, std::string>, setting_difference> all;
    const auto gather = [&](const settings_content& from, std::optional<json::raw> setting_difference::*side) {
        for (const auto& [place, values] : from) {
            for (const auto& [key, value] : values) {
                auto& d = all[{place, key}];
                d.place = place;
                d.key = key;
                d.*side = value;
            }
        }
    };
    gather(before, &setting_difference::before);
    gather(after, &setting_difference::after);
    std::vector<setting_difference> out;
    for (auto& [at, d] : all) {
        if (d.before != d.after) {
            out.push_back(std::move(d));
        }
    }
    return out;
}

void apply_difference(settings_content& to, const setting_difference& d) {
    if (d.after) {
        to[d.place][d.key] = *d.after;
        return;
    }
    const auto place = to.find(d.place);
    if (place != to.end()) {
        place->second.erase(d.key);
        if (place->second.empty()) {
            to.erase(place);
        }
    }
}

effective_settings effective(const settings_content& content, const std::optional<std::string>& profile) {
    effective_settings out{values_in(content, base_place), {}};
    if (profile) {
        for (const auto& [key, value] : values_in(content, std::string(profile_places) + *profile)) {
            out.values[key] = value;
            out.overridden.push_back(key);
        }
    }
    return out;
}

bool is_settings_name(std::string_view name) {
    return !name.empty() && name.size() <= 40 && is_letter_or_digit(name.front()) &&
           std::ranges::all_of(name, is_name_char);
}

bool is_setting_key(std::string_view key) {
    if (key.empty() || key.size() > setting_key_bytes_max) {
        return false;
    }
    for (bool first = true; const char c : key) {
        if (first ? !is_letter_or_digit(c) : c != '.' && !is_name_char(c)) {
            return false;
        }
        first = c == '.';
    }
    return key.back() != '.';
}

json::raw sealed_value(std::string_view text) {
    return json::raw{std::string(sealed_begin) + std::string(text) + R"("})"};
}

std::optional<std::string> sealed_text(const json::raw& value) {
    if (!value.text.starts_with(sealed_begin) || value.text.size() < sealed_begin.size() + 2) {
        return std::nullopt;
    }
    return value.text.substr(sealed_begin.size(), value.text.size() - sealed_begin.size() - 2);
}

std::optional<std::string> reference_of(const json::raw& value) {
    const auto parsed = json::document::parse(value.text);
    const auto text = parsed ? parsed->root().as_string() : std::nullopt;
    return text && text->starts_with(reference_begin) ? std::optional(std::string(text->substr(reference_begin.size())))
                                                      : std::nullopt;
}

expected<std::optional<std::string>> text_to_seal(const json::raw& value, const std::string& pointer) {
    const auto parsed = json::document::parse(value.text);
    if (!parsed) {
        return parsed.error();
    }
    const auto refuse = [&](std::string message) {
        return problem{code::invalid_request, pointer + ": " + message, {{pointer, message}}};
    };
    const auto root = parsed->root();
    if (root.find("sealed")) {
        return refuse("`sealed` is the node's word: give a value as {\"secret\":\"…\"} to have it sealed");
    }
    if (has_inner_secret(root)) {
        return refuse("only a value of its own is sealed: give the secret a key of its own");
    }
    const auto secret = root.find("secret");
    if (!secret) {
        return std::optional<std::string>();
    }
    const auto text = secret->as_string();
    if (root.size() != 1 || !text || text->empty() || text->size() > setting_bytes_max / 2) {
        return refuse("a value to be sealed is {\"secret\":\"…\"}, a text of 1 to " +
                      std::to_string(setting_bytes_max / 2) + " bytes, and nothing else");
    }
    return std::optional(std::string(*text));
}

setting_values values_in(const settings_content& content, std::string_view place) {
    const auto found = content.find(std::string(place));
    return found == content.end() ? setting_values() : found->second;
}

std::map<std::string, setting_values> places_below(const settings_content& content, std::string_view prefix) {
    std::map<std::string, setting_values> out;
    for (const auto& [place, values] : content) {
        if (place.starts_with(prefix)) {
            out[place.substr(prefix.size())] = values;
        }
    }
    return out;
}

setting_values security_values(const settings_content& content) {
    auto out = values_in(content, base_place);
    std::erase_if(out, [](const auto& v) { return !is_security_key(v.first); });
    return out;
}

setting_values taken_over(const json::raw& old) {
    setting_values out;
    const auto parsed = json::document::parse(old.text);
    if (!parsed) {
        return out;
    }
    std::size_t bytes = 0;
    parsed->root().each_member([&](std::string_view name, json::value v) {
        const json::raw value{v.dump()};
        bytes += name.size() + value.text.size();
        const bool fits = is_setting_key(name) && !is_security_key(name) && value.text.size() <= setting_bytes_max &&
                          depth_of(v) <= setting_depth_max && bytes <= settings_bytes_max && !value.is_null() &&
                          !v.find("sealed") && out.size() < static_cast<std::size_t>(settings_values_max);
        if (fits) {
            out[std::string(name)] = value;
        }
    });
    return out;
}

std::span<const built_in_template> built_in_templates() {
    static const std::array<built_in_template, 3> all{{
        {"security-baseline", "Longer passwords that do not come back, and a login at least once a week.",
         values_of({{"security.password.length_min", "12"},
                    {"security.password.history", "3"},
                    {"security.session.lifetime_minutes", "10080"}})},
        {"security-admins", "As security-baseline, and a second factor for owners and administrators.",
         values_of({{"security.password.length_min", "12"},
                    {"security.password.history", "3"},
                    {"security.session.lifetime_minutes", "10080"},
                    {"security.mfa.roles", R"(["owner","admin"])"}})},
        {"security-strict",
         "A second factor for everybody, long passwords, a login each working day, and again after half an hour of "
         "rest.",
         values_of({{"security.password.length_min", "14"},
                    {"security.password.history", "10"},
                    {"security.session.lifetime_minutes", "720"},
                    {"security.session.idle_minutes", "30"},
                    {"security.mfa.required", "true"}})},
    }};
    return all;
}

const built_in_template* find_built_in_template(std::string_view name) {
    const auto all = built_in_templates();
    const auto found = std::ranges::find(all, name, &built_in_template::name);
    return found == all.end() ? nullptr : &*found;
}

} // namespace troupe::actors
