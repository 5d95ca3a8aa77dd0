// The compliance monitor: of an organization, or of the node.
#include "schemas/compliance.hpp"
#include "bin/cli/commands.hpp"
#include "bin/cli/download.hpp"
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

namespace troupe::cli {
namespace {

/// How long `evaluate` waits for the outcome; the evaluation goes on without it.
constexpr std::chrono::seconds wait_max{120};
constexpr std::chrono::milliseconds look_every{250};

expected<std::string> path_of(context& c, std::string_view below) {
    if (c.args().has("node")) {
        return "/system/compliance" + std::string(below);
    }
    const auto path = organization_path(c);
    return path ? expected<std::string>(*path + "/compliance" + std::string(below)) : path;
}

tone tone_of(compliance_result r) {
    switch (r) {
    case compliance_result::pass:
        return tone::good;
    case compliance_result::warn:
        return tone::warn;
    case compliance_result::fail:
        return tone::bad;
    case compliance_result::not_applicable:
        break;
    }
    return tone::faint;
}

std::string_view symbol_of(compliance_result r) {
    return r == compliance_result::pass   ? "✓"
           : r == compliance_result::warn ? "!"
           : r == compliance_result::fail ? "✗"
                                          : "·";
}

tone tone_of_score(std::uint32_t score) {
    constexpr std::uint32_t good = 90;
    constexpr std::uint32_t bad = 60;
    return score >= good ? tone::good : score < bad ? tone::bad : tone::warn;
}

std::string subjects_of(const compliance_check& check) {
    std::string out;
    for (const auto& s : check.subjects) {
        out += (out.empty() ? "" : ", ") + s.name.value_or(s.id);
    }
    const auto more = check.subjects_total - check.subjects.size();
    return check.subjects_total > check.subjects.size() ? fmt::format("{} and {} more", out, more) : out;
}

std::string show_check(context& c, const compliance_check& check) {
    const auto& s = c.out_screen();
    auto out = paint(s, tone_of(check.result), symbol_of(check.result)) + " " + paint(s, tone::strong, check.title) +
               paint(s, tone::faint, fmt::format("  {}, {}", check.id, detail::enum_name(check.severity))) + "\n";
    std::string evidence;
    if (c.args().has("evidence")) {
        for (const auto& e : check.evidence) {
            evidence += (evidence.empty() ? "" : "\n") + e.name + ": " + e.value;
        }
    }
    return out + details(s, {{"  so", {check.finding}},
                             {"  of", {subjects_of(check)}},
                             {"  do", {check.remedy, tone::accent}},
                             {"  evidence", {evidence, tone::faint}}});
}

std::string subject_of(context& c, const compliance_document& d) {
    constexpr std::string_view of_organization = "organization/";
    return d.subject.starts_with(of_organization)
               ? organization_name(c, parse_uuid(std::string_view(d.subject).substr(of_organization.size())))
               : "the " + d.subject;
}

std::string show_compliance(context& c, const compliance_document& d) {
    const auto& s = c.out_screen();
    std::vector<std::pair<std::string, cell>> head{{"of", {subject_of(c, d), tone::accent}}};
    if (d.latest) {
        const auto& e = *d.latest;
        head.insert(head.end(),
                    {{"score", {fmt::format("{} of 100", e.score), tone_of_score(e.score)}},
                     {"checks",
                      {fmt::format("{} pass, {} warn, {} fail, {} do not apply", e.passed, e.warnings, e.failed,
                                   e.not_applicable)}},
                     {"evaluated", {fmt::format("{}, number {}", relative_time(e.at, c.now()), e.number)}}});
    } else {
        head.push_back({"score", {"not evaluated yet: troupe compliance evaluate", tone::warn}});
    }
    head.push_back({"next",
                    {d.evaluating ? fmt::format("number {} is under way", *d.evaluating)
                     : d.next_at  ? relative_time(*d.next_at, c.now())
                                  : std::string("when asked")}});
    auto out = details(s, head);
    if (d.latest) {
        for (const auto& check : d.latest->checks) {
            out += "\n" + show_check(c, check);
        }
    }
    return out;
}

expected<int> show_at(context& c, api& node, const std::string& path) {
    return print_document<compliance_document>(c, node.get(path), [&](const auto& d) { return show_compliance(c, d); });
}

expected<int> compliance_show(context& c) {
    const auto path = path_of(c, "");
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? show_at(c, **node, *path) : expected<int>(node.error());
}

expected<int> compliance_evaluate(context& c) {
    const auto path = path_of(c, "");
    auto node = path ? c.node() : expected<api*>(path.error());
    if (!node) {
        return node.error();
    }
    auto body = (*node)->post(*path + "/evaluate", "");
    const auto until = std::chrono::steady_clock::now() + wait_max;
    for (;;) {
        const auto document = body ? from_json<compliance_document>(*body, strictness::stored)
                                   : expected<compliance_document>(body.error());
        if (!document) {
            return document.error();
        }
        if (!document->evaluating) {
            return show_at(c, **node, *path);
        }
        if (std::chrono::steady_clock::now() > until) {
            c.note(fmt::format("Evaluation {} goes on: `troupe compliance show` shows it when it is done.",
                               *document->evaluating));
            return show_at(c, **node, *path);
        }
        std::this_thread::sleep_for(look_every);
        body = (*node)->get(*path);
    }
}

expected<int> compliance_history(context& c) {
    const auto path = path_of(c, "/history");
    if (!path) {
        return path.error();
    }
    return print_list<compliance_summary>(
        c, *path, {}, "Nothing was evaluated yet: `troupe compliance evaluate` begins.", [&](const auto& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& e : items) {
                rows.push_back({{std::to_string(e.number), tone::accent},
                                {relative_time(e.at, c.now()), tone::faint},
                                {std::to_string(e.score), tone_of_score(e.score)},
                                {std::to_string(e.passed)},
                                {std::to_string(e.warnings)},
                                {std::to_string(e.failed)},
                                {e.reason == compliance_reason::schedule ? "schedule" : e.requested_by, tone::faint}});
            }
            return table(c.out_screen(),
                         {{"NUMBER", true},
                          {"WHEN"},
                          {"SCORE", true},
                          {"PASS", true},
                          {"WARN", true},
                          {"FAIL", true},
                          {"WHY", false, true}},
                         rows);
        });
}

expected<int> compliance_export(context& c) {
    const auto number = c.args().number("number", 1, 1'000'000'000);
    if (!number) {
        return c.usage(number.error());
    }
    query_list query{{"format", c.args().value_or("format", "csv")}};
    if (*number) {
        query.emplace_back("number", std::to_string(**number));
    }
    const auto path = path_of(c, "/export");
    if (!path) {
        return path.error();
    }
    const auto file = c.args().value_or("out", "-");
    const auto done = download_to(c, with_query(*path, query), file);
    if (done && file != "-") {
        c.note("Written to " + file + ".");
    }
    return done ? expected<int>(0) : expected<int>(done.error());
}

} // namespace

std::vector<command> compliance_commands() {
    const flag of_node{"node", "", "Of the node itself: its administrators, keys, backups and encryption."};
    const flag evidence{"evidence", "", "With the figures that each judgement is made of."};
    return {
        {"compliance show",
         "What the compliance monitor found last: checks, score, and what to do.",
         {.flags = {of_node, evidence}},
         "troupe compliance show\ntroupe compliance show --node --evidence",
         compliance_show},
        {"compliance evaluate",
         "Evaluate now, and show what was found.",
         {.flags = {of_node, evidence}},
         "troupe compliance evaluate",
         compliance_evaluate},
        {"compliance history",
         "The scores of earlier evaluations, the newest first.",
         {.flags = {of_node, limit_flag()}},
         "troupe compliance history --node",
         compliance_history},
        {"compliance export",
         "An evaluation with its evidence as a file.",
         {.flags = {of_node,
                    {"format", "FORMAT", "csv or json; csv by default.", 'f'},
                    {"number", "N", "An earlier evaluation; the last one without it."},
                    {"out", "FILE", "Where to; standard output without it.", 'o'}}},
         "troupe compliance export --out november.csv\ntroupe compliance export --node --format json --number 7",
         compliance_export},
    };
}

} // namespace troupe::cli
