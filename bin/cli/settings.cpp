// Settings of the organization that one works in: values, versions, profiles, templates.
#include "schemas/settings.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "schemas/base/cipher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace troupe::cli {
namespace {

expected<std::string> path_of(context& c, std::string_view below) {
    const auto path = organization_path(c);
    return path ? expected<std::string>(*path + "/settings" + std::string(below)) : path;
}

template <class Document, class Show>
expected<int> show(context& c, std::string_view below, const query_list& query, Show text_of_it) {
    const auto path = path_of(c, below);
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_document<Document>(c, (*node)->get(with_query(*path, query)), text_of_it)
                : expected<int>(node.error());
}

cell value_cell(const json::raw& value) {
    if (value.text == R"({"redacted":true})") {
        return {"(sealed)", tone::faint};
    }
    const auto parsed = json::document::parse(value.text);
    const auto text = parsed ? parsed->root().as_string() : std::nullopt;
    return {text ? std::string(*text) : value.text};
}

std::string shown(context& c, const setting_values& values, const std::vector<std::string>& overridden = {}) {
    std::vector<std::vector<cell>> rows;
    for (const auto& [key, value] : values) {
        const bool own = std::ranges::find(overridden, key) != overridden.end();
        rows.push_back({{key, tone::accent}, value_cell(value), {own ? "of the profile" : "", tone::faint}});
    }
    return rows.empty() ? "Nothing is set.\n"
                        : table(c.out_screen(), {{"SETTING"}, {"VALUE", false, true}, {""}}, rows);
}

std::string shown(context& c, const std::vector<setting_difference>& changes) {
    std::vector<std::vector<cell>> rows;
    for (const auto& d : changes) {
        rows.push_back({{d.place == "values" ? "" : d.place, tone::faint},
                        {d.key, tone::accent},
                        d.before ? value_cell(*d.before) : cell{"-", tone::faint},
                        d.after ? value_cell(*d.after) : cell{"-", tone::faint}});
    }
    return rows.empty()
               ? "Nothing differs.\n"
               : table(c.out_screen(), {{""}, {"SETTING"}, {"BEFORE", false, true}, {"AFTER", false, true}}, rows);
}

expected<int> print_result(context& c, expected<std::string> body) {
    return print_document<settings_result_document>(c, std::move(body), [&](const auto& d) {
        const auto head = d.changes.empty() ? fmt::format("Nothing changes; the version is {}.\n", d.version)
                          : d.dry_run ? fmt::format("This would make version {}; nothing was changed.\n", d.version)
                                      : fmt::format("Version {}.\n", d.version);
        return head + (d.changes.empty() ? "" : shown(c, d.changes));
    });
}

template <class Body>
expected<int> post(context& c, std::string_view below, const Body& body) {
    const auto path = path_of(c, below);
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_result(c, (*node)->post(*path, to_json(body))) : expected<int>(node.error());
}

expected<int> settings_show(context& c) {
    const auto profile = c.args().value("profile");
    const auto key = c.args().operands().empty() ? std::string() : c.args().operand(0);
    const auto at = c.args().number("at", 1, 1'000'000'000);
    if (!at) {
        return c.usage(at.error());
    }
    if (profile && *at) {
        return c.usage({code::invalid_request, "--profile shows how it is now, --at how it was; give one."});
    }
    if (*at) {
        return show<settings_of_version_document>(c, "/versions/" + std::to_string(**at), {}, [&](const auto& d) {
            auto out = shown(c, d.values);
            for (const auto& [name, values] : d.profiles) {
                out += fmt::format("\nprofile {}\n", name) + shown(c, values);
            }
            return out;
        });
    }
    const query_list query = profile ? query_list{{"profile", *profile}} : query_list{};
    if (!key.empty()) {
        const auto path = path_of(c, "/effective");
        auto node = path ? c.node() : expected<api*>(path.error());
        const auto found = node ? (*node)->get_as<effective_settings_document>(with_query(*path, query))
                                : expected<effective_settings_document>(node.error());
        if (!found) {
            return found.error();
        }
        const auto value = found->values.find(key);
        if (value == found->values.end()) {
            return problem{code::not_found, fmt::format("There is no setting '{}'.", key)};
        }
        c.json() ? c.print_json(value->second.text) : c.print(clean(value_cell(value->second).text) + "\n");
        return 0;
    }
    if (profile) {
        return show<effective_settings_document>(c, "/effective", query, [&](const auto& d) {
            for (const auto& name : d.missing_secrets) {
                c.note(fmt::format("The secret {} is not there: `troupe secret set {}`.", clean_line(name),
                                   clean_line(name)));
            }
            return shown(c, d.values, d.overridden);
        });
    }
    return show<settings_document>(c, "", {}, [&](const auto& d) {
        auto out = shown(c, d.values);
        for (const auto& [name, values] : d.profiles) {
            out += fmt::format("\nprofile {}\n", name) + shown(c, values);
        }
        return out;
    });
}

/// JSON where it is some, else a text.
json::raw value_of(const std::string& text) {
    auto made = json::make_raw(text);
    return made ? std::move(*made) : json::raw{json::quoted(text)};
}

expected<int> change(context& c, setting_values values) {
    change_settings_body body{std::move(values), c.args().value("profile"), c.args().value_or("why", ""),
                              c.args().has("force"), c.args().has("dry-run")};
    const wiped_text text(to_json(body));
    const auto path = path_of(c, "");
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_result(c, (*node)->patch(*path, text.text())) : expected<int>(node.error());
}

/// KEY=VALUE words.
expected<setting_values> pairs_of(context& c, std::size_t from) {
    setting_values out;
    for (auto i = from; i < c.args().operands().size(); ++i) {
        const auto& word = c.args().operand(i);
        const auto equals = word.find('=');
        if (equals == std::string::npos || equals == 0) {
            return problem{code::invalid_request, fmt::format("\"{}\": expected KEY=VALUE, as mail.retries=3.", word)};
        }
        out[word.substr(0, equals)] = value_of(word.substr(equals + 1));
    }
    return out;
}

expected<int> settings_set(context& c) {
    const auto sealed = c.args().value("sealed");
    auto values = pairs_of(c, 0);
    if (!values) {
        return c.usage(values.error());
    }
    for (const auto& [key, value] : *values) {
        if (value.is_null()) {
            return c.usage({code::invalid_request, fmt::format("null is no value; `troupe settings unset {}` takes it "
                                                               "away.",
                                                               key)});
        }
    }
    if (values->empty() && !sealed) {
        return c.usage({code::invalid_request, "Give KEY=VALUE, or --sealed KEY."});
    }
    if (sealed) {
        auto text = c.typed() && !c.args().has("from-file")
                        ? expected<std::string>(ask_unseen(fmt::format("Value of {}: ", *sealed)).value_or(""))
                        : text_of(c, c.args().value_or("from-file", "-"));
        if (!text || text->empty()) {
            return c.usage(text ? problem{code::invalid_request, "The value is empty."} : text.error());
        }
        (*values)[*sealed] = json::raw{R"({"secret":)" + json::quoted(*text) + "}"};
        wipe(*text);
    }
    return change(c, std::move(*values));
}

expected<int> settings_unset(context& c) {
    setting_values values;
    for (const auto& key : c.args().operands()) {
        values[key] = json::raw{};
    }
    return change(c, std::move(values));
}

expected<int> settings_versions(context& c) {
    const auto path = path_of(c, "/versions");
    if (!path) {
        return path.error();
    }
    return print_list<settings_version_document>(
        c, *path, {}, "Nothing was ever set. `troupe settings set KEY=VALUE` does.", [&](const auto& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& v : items) {
                rows.push_back({{std::to_string(v.version), tone::accent},
                                {relative_time(v.at, c.now()), tone::faint},
                                {v.by},
                                {v.what + (v.restores ? " to " + std::to_string(*v.restores) : "")},
                                {std::to_string(v.changes)},
                                {v.why}});
            }
            return table(c.out_screen(),
                         {{"VERSION", true}, {"MADE"}, {"BY"}, {"HOW"}, {"CHANGES", true}, {"WHY", false, true}}, rows);
        });
}

expected<int> settings_diff(context& c) {
    query_list query;
    const auto& words = c.args().operands();
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i].empty() || !std::ranges::all_of(words[i], [](char d) { return d >= '0' && d <= '9'; })) {
            return c.usage({code::invalid_request, fmt::format("\"{}\" is no number of a version.", words[i])});
        }
        query.emplace_back(i == 0 ? "from" : "to", words[i]);
    }
    return show<settings_diff_document>(c, "/diff", query, [&](const auto& d) {
        return fmt::format("from version {} to {}\n", d.from, d.to) + shown(c, d.changes);
    });
}

expected<int> settings_rollback(context& c) {
    const auto& word = c.args().operand(0);
    if (word.empty() || word.size() > 18 || !std::ranges::all_of(word, [](char d) { return d >= '0' && d <= '9'; })) {
        return c.usage({code::invalid_request, fmt::format("\"{}\" is no number of a version.", word)});
    }
    return post(c, "/rollback",
                rollback_settings_body{std::stoull(word), c.args().value_or("why", ""), c.args().has("force"),
                                       c.args().has("dry-run")});
}

expected<int> settings_export(context& c) {
    const auto path = path_of(c, "/export");
    auto node = path ? c.node() : expected<api*>(path.error());
    const auto body = node ? (*node)->get(*path) : expected<std::string>(node.error());
    if (!body) {
        return body.error();
    }
    if (c.args().operands().empty() || c.args().operand(0) == "-") {
        c.print_json(*body);
        return 0;
    }
    const auto file = c.search().working_folder / c.args().operand(0);
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << *body << "\n";
    if (!out.flush()) {
        return problem{code::internal, fmt::format("{} cannot be written.", file.string())};
    }
    c.note(fmt::format("Wrote {}.", file.string()));
    return 0;
}

expected<int> settings_import(context& c) {
    const auto text = text_of(c, c.args().operand(0));
    auto document = text ? from_json<settings_export_document>(*text, strictness::input)
                         : expected<settings_export_document>(text.error());
    if (!document) {
        return document.error();
    }
    import_settings_body body;
    body.document = std::move(*document);
    body.mode = c.args().has("replace") ? settings_import_mode::replace : settings_import_mode::merge;
    body.dry_run = c.args().has("dry-run");
    body.why = c.args().value_or("why", "");
    body.force = c.args().has("force");
    return post(c, "/import", body);
}

expected<int> settings_templates(context& c) {
    if (!c.args().operands().empty()) {
        return show<settings_template_document>(
            c, "/templates/" + encode_segment(c.args().operand(0)), {},
            [&](const auto& d) { return (d.description.empty() ? "" : d.description + "\n\n") + shown(c, d.values); });
    }
    const auto path = path_of(c, "/templates");
    if (!path) {
        return path.error();
    }
    return print_list<settings_template_document>(c, *path, {}, "There is no template.", [&](const auto& items) {
        std::vector<std::vector<cell>> rows;
        for (const auto& t : items) {
            rows.push_back({{t.name, tone::accent},
                            {std::to_string(t.values.size())},
                            {t.built_in ? "built in" : "own", tone::faint},
                            {t.description}});
        }
        return table(c.out_screen(), {{"TEMPLATE"}, {"VALUES", true}, {""}, {"WHAT FOR", false, true}}, rows);
    });
}

expected<int> settings_save(context& c) {
    const auto values = pairs_of(c, 1);
    if (!values) {
        return c.usage(values.error());
    }
    const auto path = path_of(c, "/templates/" + encode_segment(c.args().operand(0)));
    auto node = path ? c.node() : expected<api*>(path.error());
    return node
               ? print_result(
                     c, (*node)->put(*path, to_json(put_settings_template_body{*values, c.args().value_or("why", "")})))
               : expected<int>(node.error());
}

expected<int> settings_forget(context& c) {
    const auto path = path_of(c, "/templates/" + encode_segment(c.args().operand(0)));
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_result(c, (*node)->remove(*path)) : expected<int>(node.error());
}

expected<int> settings_apply(context& c) {
    return post(c, "/templates/" + encode_segment(c.args().operand(0)) + "/apply",
                apply_settings_template_body{c.args().value("profile"), c.args().value_or("why", ""),
                                             c.args().has("force"), c.args().has("dry-run")});
}

expected<int> settings_profile(context& c) {
    if (!c.args().operands().empty()) {
        return show<effective_settings_document>(c, "/effective", {{"profile", c.args().operand(0)}},
                                                 [&](const auto& d) { return shown(c, d.values, d.overridden); });
    }
    return show<settings_document>(c, "", {}, [&](const auto& d) {
        std::vector<std::vector<cell>> rows;
        for (const auto& [name, values] : d.profiles) {
            rows.push_back({{name, tone::accent}, {std::to_string(values.size())}});
        }
        return rows.empty() ? std::string("There is no profile. `troupe settings set --profile production KEY=VALUE` "
                                          "makes one.\n")
                            : table(c.out_screen(), {{"PROFILE"}, {"VALUES OF ITS OWN", true}}, rows);
    });
}

expected<int> settings_known(context& c) {
    const auto path = path_of(c, "/known");
    if (!path) {
        return path.error();
    }
    return print_list<known_setting_document>(c, *path, {}, "There is none.", [&](const auto& items) {
        std::vector<std::vector<cell>> rows;
        for (const auto& k : items) {
            rows.push_back({{k.key, tone::accent}, {k.doc}});
        }
        return table(c.out_screen(), {{"SETTING"}, {"WHAT IT DOES", false, true}}, rows);
    });
}

} // namespace

std::vector<command> settings_commands() {
    const flag profile{"profile", "NAME", "For this environment only, as production."};
    const flag why{"why", "TEXT", "Stands with the version."};
    const flag force{"force", "", "Also when the new security policy would keep you out."};
    const flag dry_run{"dry-run", "", "Judge and show, and change nothing."};
    return {
        {"settings show",
         "Settings of the organization that you work in; one of them, or those of an environment. Sealed values are "
         "never shown.",
         {.flags = {{"profile", "NAME", "As they are in this environment."}, {"at", "VERSION", "As they were."}},
          .operands = "[KEY]",
          .operands_max = 1},
         "troupe settings show\ntroupe settings show mail.from --profile production\ntroupe settings show --at 3",
         settings_show},
        {"settings set",
         "Set values. A value is JSON where it is some (3, true, [\"a\"]), else a text; secret:NAME refers to a "
         "secret. "
         "With --sealed the value comes from standard input or a file, is encrypted, and is never shown. "
         "`security.…` is the organization's security policy, see `troupe settings known`.",
         {.flags = {profile,
                    {"sealed", "KEY", "Set this one sealed."},
                    {"from-file", "FILE", "Of --sealed: read the value from a file."},
                    why,
                    force,
                    dry_run},
          .operands = "KEY=VALUE…",
          .operands_max = any_number},
         "troupe settings set mail.from=robot@acme.example mail.retries=3 --why \"new sender\"\n"
         "troupe settings set --profile production mail.key=secret:MAIL\n"
         "pass show mail | troupe settings set --sealed mail.password\n"
         "troupe settings set security.mfa.required=true",
         settings_set},
        {"settings unset",
         "Take values away; in a profile the value of all environments counts again.",
         {.flags = {profile, why, force, dry_run}, .operands = "KEY…", .operands_min = 1, .operands_max = any_number},
         "troupe settings unset mail.retries",
         settings_unset},
        {"settings versions",
         "Who changed the settings, when and why.",
         {.flags = {limit_flag()}},
         "troupe settings versions",
         settings_versions},
        {"settings diff",
         "What differs between two versions; by default what the newest changed.",
         {.operands = "[FROM [TO]]", .operands_max = 2},
         "troupe settings diff\ntroupe settings diff 3\ntroupe settings diff 3 5",
         settings_diff},
        {"settings rollback",
         "Go back to a version: values, profiles and templates. It makes a new version, and loses none.",
         {.flags = {why, force, dry_run}, .operands = "VERSION", .operands_min = 1, .operands_max = 1},
         "troupe settings rollback 3 --dry-run",
         settings_rollback},
        {"settings export",
         "The settings as a file that `import` takes, here or elsewhere. Sealed values are not in it.",
         {.operands = "[FILE]", .operands_max = 1},
         "troupe settings export settings.json",
         settings_export},
        {"settings import",
         "Take a file over that `export` wrote: all of it, or with anything wrong in it nothing. - is standard input.",
         {.flags = {{"replace", "", "Take away what the file does not have."}, why, force, dry_run},
          .operands = "FILE",
          .operands_min = 1,
          .operands_max = 1},
         "troupe settings import settings.json --dry-run",
         settings_import},
        {"settings templates",
         "Templates: those that are built in, and your own; or what one of them sets.",
         {.flags = {limit_flag()}, .operands = "[NAME]", .operands_max = 1},
         "troupe settings templates security-strict",
         settings_templates},
        {"settings save",
         "Make a template, or replace it.",
         {.flags = {why}, .operands = "NAME KEY=VALUE…", .operands_min = 2, .operands_max = any_number},
         "troupe settings save new-team mail.retries=3",
         settings_save},
        {"settings forget",
         "Remove an own template.",
         {.operands = "NAME", .operands_min = 1, .operands_max = 1},
         "troupe settings forget new-team",
         settings_forget},
        {"settings apply",
         "Set the values of a template.",
         {.flags = {profile, why, force, dry_run}, .operands = "NAME", .operands_min = 1, .operands_max = 1},
         "troupe settings apply security-baseline",
         settings_apply},
        {"settings profile",
         "Environments that have values of their own; or all values of one of them.",
         {.operands = "[NAME]", .operands_max = 1},
         "troupe settings profile production",
         settings_profile},
        {"settings known",
         "The settings that mean something to the node: security policies.",
         {.flags = {limit_flag()}},
         "troupe settings known",
         settings_known},
    };
}

} // namespace troupe::cli
