#include "actors/kinds/security_auditor/audit_report.hpp"

#include "actors/kinds/scanned_text.hpp"
#include "actors/tool/glob.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace troupe::actors {

namespace {

using enum audit_level;

constexpr std::array rules = {
    audit_rule{"secret-private-key", error, "A private key",
               "Take it out, make a new one, and keep it outside of the project."},
    audit_rule{"secret-known-format", error, "A key of a known service",
               "Revoke it at the service, then keep the new one in the secrets of the node or in the environment."},
    audit_rule{"secret-in-url", error, "A password in an address", "Take it out of the address and change it."},
    audit_rule{"secret-assigned", warning, "A value that looks like a secret",
               "Read it from the environment or from a store of secrets; if it is none, allow the line."},
    audit_rule{"call-runs-code", error, "Text is run as code", "Read the text as data, with a parser for it."},
    audit_rule{"call-shell", warning, "A shell runs a line",
               "Start the program with a list of arguments, without a shell."},
    audit_rule{"call-deserializes", error, "Objects are made out of foreign bytes",
               "Use a format that holds only data, such as JSON."},
    audit_rule{"call-no-bounds", error, "A copy without a bound", "Use the form that knows the size of its target."},
    audit_rule{"call-weak-hash", note, "A hash that is broken", "Use SHA-256, or a hash made for passwords."},
    audit_rule{"call-no-verification", error, "Certificates are not verified",
               "Verify them; add your own authority where needed."},
    audit_rule{"call-temporary-name", warning, "A name of a temporary file that others can guess",
               "Use the call that makes the file and gives it open."},
    audit_rule{"call-writes-markup", warning, "Markup is written without escaping",
               "Set it as text, or clean it first."},
    audit_rule{"call-unsafe-memory", note, "Memory without the language's checks", "Show in a comment why it holds."},
    audit_rule{"mode-world-writable", warning, "Everybody on the machine may write it",
               "Take the permission away: chmod o-w."},
    audit_rule{"mode-setuid", error, "It runs with its owner's rights", "Take the bit away: chmod ug-s."},
    audit_rule{"dependency-advisory", error, "A dependency with a known weakness", "Go to a version that is fixed."},
};

constexpr std::string_view sarif_schema = "https://json.schemastore.org/sarif-2.1.0.json";

std::size_t index_of(std::string_view id) {
    return static_cast<std::size_t>(std::ranges::find(rules, id, &audit_rule::id) - rules.begin());
}

/// A path as a relative URI.
std::string uri_of(std::string_view path) {
    static constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/";
    std::string out;
    for (const char c : path) {
        out += plain.find(c) != plain.npos ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

template <class Items, class Write>
std::string list_of(const Items& items, Write write) {
    std::string out = "[";
    for (const auto& item : items) {
        out += (out.size() > 1 ? ",\n" : "\n") + write(item);
    }
    return out + "]";
}

std::string text_message(std::string_view text) { return "{\"text\":" + json::quoted(text) + "}"; }

std::string result_of(const audit_finding& f) {
    std::string place =
        "{\"artifactLocation\":{\"uri\":" + json::quoted(uri_of(f.file)) + ",\"uriBaseId\":\"PROJECT\"}";
    if (f.line > 0) {
        place += fmt::format(",\"region\":{{\"startLine\":{}}}", f.line);
    }
    std::string out;
    json::object_writer w(out);
    w.field("ruleId", f.rule).field("ruleIndex", std::uint64_t{index_of(f.rule)});
    w.field("level", detail::enum_name(f.level)).raw_field("message", text_message(f.message));
    w.raw_field("locations", "[{\"physicalLocation\":" + place + "}}]");
    w.raw_field("partialFingerprints", "{\"troupe/v1\":" + json::quoted(f.fingerprint) + "}");
    w.end();
    return out;
}

std::string rule_of(const audit_rule& r) {
    std::string out;
    json::object_writer w(out);
    w.field("id", r.id).raw_field("shortDescription", text_message(r.title)).raw_field("help", text_message(r.advice));
    w.raw_field("defaultConfiguration", "{\"level\":" + json::quoted(detail::enum_name(r.level)) + "}");
    w.end();
    return out;
}

std::string markdown_word(std::string_view text) {
    std::string out;
    for (const char c : without_escapes(text)) {
        out += c == '\n'
                   ? " "
                   : std::string(std::string_view("`|<>*_[]\\").find(c) != std::string_view::npos ? "\\" : "") + c;
    }
    return out;
}

std::string_view heading_of(audit_level level) {
    return level == error ? "Errors" : level == warning ? "Warnings" : "Notes";
}

} // namespace

std::span<const audit_rule> audit_rules() { return rules; }

const audit_rule* find_audit_rule(std::string_view id) {
    const auto index = index_of(id);
    return index < rules.size() ? &rules[index] : nullptr;
}

std::uint64_t count_level(const audit_report& r, audit_level level) {
    return static_cast<std::uint64_t>(std::ranges::count(r.findings, level, &audit_finding::level));
}

std::string to_sarif(const audit_report& r) {
    auto notes = r.notes;
    if (!r.complete) {
        notes.emplace_back("Not everything was looked at: a bound was reached.");
    }
    std::string driver;
    json::object_writer d(driver);
    d.field("name", "Troupe security audit")
        .field("semanticVersion", TROUPE_VERSION)
        .raw_field("rules", list_of(rules, rule_of));
    d.end();
    std::string run;
    json::object_writer w(run);
    w.raw_field("tool", "{\"driver\":" + driver + "}");
    w.raw_field(
        "invocations",
        "[{\"executionSuccessful\":true,\"toolExecutionNotifications\":" + list_of(notes, [](const std::string& n) {
            return "{\"level\":\"note\",\"message\":" + text_message(n) + "}";
        }) + "}]");
    w.raw_field("originalUriBaseIds", R"({"PROJECT":{"description":{"text":"The folder of the project."}}})");
    w.raw_field("results", list_of(r.findings, result_of));
    w.end();
    return "{\"$schema\":" + json::quoted(sarif_schema) + ",\"version\":\"2.1.0\",\"runs\":[" + run + "]}\n";
}

std::string to_markdown(const audit_report& r) {
    auto out = fmt::format(
        "# Security audit\n\n{} errors, {} warnings, {} notes in {} files ({} were not read). {} findings "
        "are allowed by the project.\n",
        count_level(r, error), count_level(r, warning), count_level(r, note), r.files, r.skipped, r.allowed);
    for (const auto& n : r.notes) {
        out += "\n- " + n;
    }
    out += r.notes.empty() ? "" : "\n";
    if (!r.complete) {
        out += "\n**Not everything was looked at: a bound was reached.**\n";
    }
    for (const auto level : {error, warning, note}) {
        if (count_level(r, level) == 0) {
            continue;
        }
        out += fmt::format("\n## {}\n\n", heading_of(level));
        for (const auto& f : r.findings) {
            if (f.level == level) {
                out += fmt::format("- {}{}: {} ({})\n", markdown_word(f.file),
                                   f.line > 0 ? fmt::format(":{}", f.line) : "", markdown_word(f.message), f.rule);
            }
        }
    }
    return out;
}

allow_list allow_list::parse(std::string_view text) {
    allow_list out;
    for (line_reader in(text); in.next();) {
        const auto line = trimmed(std::string_view(in.line()).substr(0, in.line().find('#')));
        if (!line.empty() && out.lines.size() < 1000) {
            out.lines.emplace_back(line);
        }
    }
    return out;
}

bool allow_list::allows(const audit_finding& f) const {
    return std::ranges::any_of(lines, [&](const std::string& line) {
        scanner in(line);
        const auto rule = in.until(" ");
        if (!rule) {
            return line == f.fingerprint;
        }
        return (*rule == "*" || *rule == f.rule) && path_glob(trimmed(in.rest())).fits(f.file);
    });
}

} // namespace troupe::actors
