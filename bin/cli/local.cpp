#include "actors/application/kinds.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "bin/cli/unlock.hpp"
#include "runtime/config/config.hpp"
#include "runtime/entity/rebuild.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>

#include <utility>
#include <variant>

/// Commands that need no node: they read this program, a configuration or a data folder.
namespace troupe::cli {
namespace {

expected<int> version(context& c) {
    c.json() ? c.print_json("{\"version\":" + json::quoted(TROUPE_VERSION) + "}")
             : c.print("troupe " TROUPE_VERSION "\n");
    return 0;
}

std::string code_json(const code_info& info) {
    std::string out;
    json::object_writer w(out);
    w.field("code", info.name)
        .field("status", info.http_status)
        .field("title", info.title)
        .field("cause", info.cause)
        .field("remedy", info.remedy);
    w.end();
    return out;
}

expected<int> problems(context& c) {
    const auto& s = c.out_screen();
    if (c.args().operands().empty()) {
        std::string list;
        std::vector<std::vector<cell>> rows;
        for (const auto& info : all_codes()) {
            list += (list.empty() ? "" : ",") + code_json(info);
            rows.push_back({{std::string(info.name), tone::accent},
                            {std::to_string(info.http_status)},
                            {std::string(info.title)}});
        }
        c.json() ? c.print_json("{\"items\":[" + list + "],\"next_cursor\":null}")
                 : c.print(table(s, {{"CODE"}, {"HTTP", true}, {"TITLE", false, true, 16}}, rows));
        return 0;
    }
    const auto& word = c.args().operand(0);
    const auto named = code_named(word);
    if (!named) {
        std::vector<std::string_view> names;
        for (const auto& info : all_codes()) {
            names.push_back(info.name);
        }
        const auto near = nearest(word, names);
        return problem{code::not_found,
                       near.empty() ? fmt::format("There is no problem code \"{}\". `troupe problems` lists all.", word)
                                    : fmt::format("There is no problem code \"{}\". Did you mean {}?", word, near)};
    }
    const auto& info = explain(*named);
    c.json() ? c.print_json(code_json(info))
             : c.print(details(s, {{"code", {std::string(info.name), tone::accent}},
                                   {"http", {std::to_string(info.http_status)}},
                                   {"title", {std::string(info.title), tone::strong}},
                                   {"cause", {std::string(info.cause)}},
                                   {"remedy", {std::string(info.remedy)}}}));
    return 0;
}

expected<int> completion(context& c) {
    if (c.args().operand(0) != "bash") {
        return c.usage(
            {code::invalid_request, fmt::format("There is no completion for \"{}\": only bash.", c.args().operand(0))});
    }
    c.print(bash_completion());
    return 0;
}

expected<runtime::loaded_config> load_file(const std::optional<std::string>& file) {
    runtime::config_sources sources;
    sources.environment = runtime::config_environment();
    if (file) {
        sources.file = *file;
    }
    return runtime::load_config(sources);
}

expected<runtime::loaded_config> load(context& c) {
    const auto& operands = c.args().operands();
    return load_file(operands.empty() ? c.args().value("config") : std::optional(operands.front()));
}

expected<int> config_check(context& c) {
    const auto loaded = load(c);
    if (!loaded) {
        return loaded.error();
    }
    for (const auto& warning : loaded->warnings) {
        c.note(paint(c.err_screen(), tone::warn, "warning: ") + clean_line(warning));
    }
    c.json() ? c.print_json("{\"ok\":true}")
             : c.print(paint(c.out_screen(), tone::good, "✓") + " The configuration is good.\n");
    return 0;
}

expected<int> config_show(context& c) {
    const auto loaded = load(c);
    if (!loaded) {
        return loaded.error();
    }
    if (!c.json()) {
        c.print(runtime::show_config(*loaded));
        return 0;
    }
    std::string out;
    json::object_writer w(out);
    for (const auto& p : runtime::properties()) {
        std::visit(
            [&](auto member) {
                p.secret ? w.field(p.name, runtime::shown_value(loaded->values, p))
                         : w.field(p.name, loaded->values.*member);
            },
            p.member);
    }
    w.end();
    c.print_json(out);
    return 0;
}

/// What changes for a node that goes from one configuration to another; with one file, from none.
expected<int> config_diff(context& c) {
    const auto& files = c.args().operands();
    const auto to = load_file(files.back());
    const auto from = load_file(files.size() > 1 ? std::optional(files.front()) : std::nullopt);
    if (!from || !to) {
        return from ? to.error() : from.error();
    }
    const auto changes = runtime::config_changes(from->values, to->values);
    if (c.json()) {
        std::string out = "[";
        for (const auto& change : changes) {
            out += out.size() > 1 ? "," : "";
            json::object_writer w(out);
            w.field("name", change.name).field("from", change.from).field("to", change.to);
            w.field("restart", !change.reloadable);
            w.end();
        }
        c.print_json(out + "]");
        return 0;
    }
    for (const auto& change : changes) {
        c.print(fmt::format("{}: {} → {}{}\n", paint(c.out_screen(), tone::accent, change.name),
                            json::quoted(change.from), json::quoted(change.to),
                            change.reloadable ? "" : paint(c.out_screen(), tone::faint, "  (takes a restart)")));
    }
    if (changes.empty()) {
        c.print("No property differs.\n");
    }
    return 0;
}

expected<int> views(context& c, bool mend) {
    const auto folder = c.data_folder();
    if (!folder) {
        return c.usage(
            {code::invalid_request, "Which data folder? Give it: troupe views check DIR, --data DIR or TROUPE_DATA."});
    }
    storage::store_options options;
    options.directory = *folder;
    options.must_exist = true;
    const auto store = storage::store::open(options);
    if (!store) {
        return store.error();
    }
    if (auto opened = unlock(c, **store, false); !opened) {
        return opened.error();
    }
    const bool live = c.err_screen().interactive && !c.json();
    const auto result = runtime::rebuild_views(**store, actors::entity_kinds({}), mend, [&](std::uint64_t entities) {
        if (live) {
            c.progress(fmt::format("{} entities", count_text(entities)));
        }
    });
    if (live) {
        c.progress("");
    }
    if (!result) {
        return result.error();
    }
    const bool good = mend ? result->quarantined.empty() : result->equal();
    if (c.json()) {
        std::string out;
        json::object_writer w(out);
        w.field("ok", good)
            .field("entities", result->entities)
            .field("rows", result->rows)
            .field("missing", result->missing);
        w.field("extra", result->extra).field("different", result->different);
        w.field("quarantined", std::uint64_t{result->quarantined.size()}).field("mended", mend);
        w.end();
        c.print_json(out);
        return good ? 0 : 1;
    }
    const auto wrong = result->missing + result->extra + result->different;
    const std::string verdict = wrong == 0 ? "✓ every view follows from the journal"
                                : mend     ? "✓ mended: every view follows from the journal now"
                                           : "✗ not what the journal says; mend it with `troupe views rebuild`";
    c.print(details(c.out_screen(), {{"data", {folder->string()}},
                                     {"entities", {count_text(result->entities)}},
                                     {"rows",
                                      {fmt::format("{}, {} missing, {} extra, {} different", count_text(result->rows),
                                                   result->missing, result->extra, result->different)}},
                                     {"verdict", {verdict, good ? tone::good : tone::bad}}}));
    for (const auto& entity : result->quarantined) {
        c.note("cannot be replayed: " + entity);
    }
    return good ? 0 : 1;
}

} // namespace

std::vector<command> local_commands() {
    const grammar config_takes{.flags = {{"config", "FILE", "Configuration file (YAML or JSON)."}},
                               .operands = "[FILE]",
                               .operands_min = 0,
                               .operands_max = 1};
    return {
        {"views check",
         "Make every view again from the journal and compare. The node must not run.",
         {.flags = {secrets_key_flag()}, .operands = "[DIR]", .operands_min = 0, .operands_max = 1},
         "troupe views check ./data",
         [](context& c) { return views(c, false); }},
        {"views rebuild",
         "Make every view again from the journal and mend what differs. The node must not run.",
         {.flags = {secrets_key_flag()}, .operands = "[DIR]", .operands_min = 0, .operands_max = 1},
         "troupe views rebuild ./data",
         [](context& c) { return views(c, true); }},
        {"config check", "Check a configuration; every mistake is named with its line.", config_takes,
         "troupe config check troupe.yaml", config_check},
        {"config show", "The configuration that a node would run with, and where each value comes from.", config_takes,
         "troupe config show troupe.yaml", config_show},
        {"config diff",
         "What differs between two configuration files, or between one and none.",
         {.operands = "[FILE] FILE", .operands_min = 1, .operands_max = 2},
         "troupe config diff troupe.yaml\ntroupe config diff /etc/troupe/old.yaml /etc/troupe/new.yaml",
         config_diff},
        {"problems",
         "Explain a problem code: cause and remedy.",
         {.operands = "[CODE]", .operands_min = 0, .operands_max = 1},
         "troupe problems\ntroupe problems conflict",
         problems},
        {"version", "The version of this program.", {}, "troupe version", version},
        {"completion",
         "A completion script for the shell.",
         {.operands = "bash", .operands_min = 1, .operands_max = 1},
         "source <(troupe completion bash)",
         completion},
    };
}

} // namespace troupe::cli
