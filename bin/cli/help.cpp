#include "bin/cli/commands.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace troupe::cli {
namespace {

constexpr std::string_view exit_codes =
    "Exit codes: 0 ok, 1 failed (also a run that failed), 2 wrong usage, 3 no node, 4 not found, 5 refused.\n";

std::string heading(const screen& s, std::string_view text) { return "\n" + paint(s, tone::strong, text) + "\n"; }

/// Two columns, the second one wrapped under itself.
std::string pairs(const screen& s, const std::vector<std::pair<std::string, std::string>>& rows) {
    std::size_t first = 0;
    for (const auto& row : rows) {
        first = std::max(first, display_width(row.first));
    }
    std::string out;
    for (const auto& [name, text] : rows) {
        std::string lead = "  " + paint(s, tone::accent, name) + std::string(first - display_width(name) + 2, ' ');
        for (const auto& line : wrap(text, s.width > first + 24 ? s.width - first - 4 : 0)) {
            out += lead + line + "\n";
            lead = std::string(first + 4, ' ');
        }
    }
    return out;
}

std::string flag_name(const flag& f) {
    const auto letter = f.letter != 0 ? fmt::format("-{}, ", f.letter) : std::string();
    return fmt::format("{}--{}{}{}", letter, f.name, f.value.empty() ? "" : " ", f.value);
}

std::vector<std::pair<std::string, std::string>> flag_rows(std::span<const flag> flags) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& f : flags) {
        rows.emplace_back(flag_name(f), std::string(f.doc) + (f.repeated ? " May be repeated." : ""));
    }
    return rows;
}

std::string usage_line(const command& c) {
    return fmt::format("troupe {}{}{}{}", c.name, c.takes.flags.empty() ? "" : " [flags]",
                       c.takes.operands.empty() ? "" : " ", c.takes.operands);
}

std::string command_help(const command& c, const screen& s) {
    std::string out;
    for (const auto& line : wrap(c.summary, s.width)) {
        out += line + "\n";
    }
    out += heading(s, "Usage") + "  " + usage_line(c) + "\n";
    if (!c.takes.flags.empty()) {
        out += heading(s, "Flags") + pairs(s, flag_rows(c.takes.flags));
    }
    out += heading(s, "Flags of every command") + pairs(s, flag_rows(global_flags()));
    if (!c.examples.empty()) {
        out += heading(s, "Examples");
        for (const auto& line : lines_of(c.examples)) {
            out += "  " + line + "\n";
        }
    }
    return out;
}

std::string group_help(std::string_view group, const screen& s) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& c : all_commands()) {
        if (c.name == group || c.name.starts_with(std::string(group) + " ")) {
            rows.emplace_back(fmt::format("{}{}{}", c.name, c.takes.operands.empty() ? "" : " ", c.takes.operands),
                              c.summary);
        }
    }
    return pairs(s, rows) + fmt::format("\nMore about one: troupe {} COMMAND --help\n", group);
}

std::string whole_help(const screen& s) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& c : all_commands()) {
        rows.emplace_back(c.name, c.summary);
    }
    return "troupe: a durable runtime for AI agents. `troupe serve` runs a node, everything else asks one.\n" +
           heading(s, "Commands") + pairs(s, rows) + heading(s, "Flags of every command") +
           pairs(s, flag_rows(global_flags())) + heading(s, "First steps") +
           "  troupe serve\n  troupe run start --project . \"Add a test for the parser\"\n  troupe status\n\n" +
           std::string(exit_codes) + "More about one: troupe COMMAND --help\n";
}

} // namespace

std::string help_text(std::string_view name, const screen& s) {
    if (name.empty()) {
        return whole_help(s);
    }
    const auto found = std::ranges::find(all_commands(), name, &command::name);
    return found == all_commands().end() ? group_help(name, s) : command_help(*found, s);
}

std::string bash_completion() {
    std::set<std::string> firsts;
    std::map<std::string, std::set<std::string>> next; // words that follow, by those before
    std::string flag_cases;
    std::string common;
    for (const auto& f : global_flags()) {
        common += fmt::format(" --{}", f.name);
    }
    for (const auto& c : all_commands()) {
        firsts.insert(c.name.substr(0, c.name.find(' ')));
        for (auto at = c.name.find(' '); at != std::string::npos; at = c.name.find(' ', at + 1)) {
            next[c.name.substr(0, at)].insert(c.name.substr(at + 1, c.name.find(' ', at + 1) - at - 1));
        }
        std::string flags;
        for (const auto& f : c.takes.flags) {
            flags += fmt::format(" --{}", f.name);
        }
        flag_cases += fmt::format("        '{}') flags=\"$flags{}\";;\n", c.name, flags);
    }
    std::string word_cases;
    for (const auto& [before, words] : next) {
        word_cases += fmt::format("            '{}') choices=\"{}\";;\n", before, fmt::join(words, " "));
    }
    return fmt::format(R"(# bash completion for troupe:  source <(troupe completion bash)
_troupe() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local name="${{COMP_WORDS[1]:-}}" at=2 choices flags="{}"
    case "$before" in
        --data|--config|--project|--password-file|--current-file) COMPREPLY=($(compgen -f -- "$word")); return;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{}" -- "$word")); return
    fi
    while :; do
        choices=""
        case "$name" in
{}        esac
        if [ -z "$choices" ] || [[ "${{COMP_WORDS[at]:-}}" == -* ]]; then break; fi
        if [ "$COMP_CWORD" -eq "$at" ]; then
            COMPREPLY=($(compgen -W "$choices" -- "$word")); return
        fi
        name="$name ${{COMP_WORDS[at]:-}}" at=$((at + 1))
    done
    case "$name" in
{}    esac
    if [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}}
complete -F _troupe troupe
)",
                       common.substr(1), fmt::join(firsts, " "), word_cases, flag_cases);
}

} // namespace troupe::cli
