// What an organization may use, has used, and what it costs.
#include "schemas/usage.hpp"
#include "actors/usage/usage_report.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "schemas/quota.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::cli {
namespace {

using actors::money_text;

std::string number(std::int64_t n) { return count_text(static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0))); }

std::string amount(std::string_view name, std::int64_t n) {
    return name == "storage_bytes" ? bytes_text(static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0))) : number(n);
}

expected<std::string> path_of(context& c, std::string_view below) {
    const auto path = c.args().operands().empty()
                          ? organization_path(c)
                          : expected<std::string>("/organizations/" + encode_segment(c.args().operand(0)));
    return path ? expected<std::string>(*path + std::string(below)) : path;
}

std::string show_limits(context& c, const limits_document& d) {
    std::vector<std::vector<cell>> rows;
    for (const auto& l : d.limits) {
        const bool full = l.max && l.used >= *l.max;
        rows.push_back({{l.name, tone::accent},
                        {amount(l.name, l.used), full ? tone::bad : tone::plain},
                        {l.max ? amount(l.name, *l.max) : "none"},
                        {l.own ? "its own" : "of the plan", tone::faint},
                        {l.resets_at ? relative_time(*l.resets_at, c.now()) : "", tone::faint}});
    }
    auto out = details(c.out_screen(), {{"plan", {std::string(detail::enum_name(d.plan)), tone::accent}},
                                        {"status", {std::string(detail::enum_name(d.status))}},
                                        {"trial ends", {d.trial_ends_at ? to_string(*d.trial_ends_at) : ""}}});
    return out + "\n" +
           table(c.out_screen(), {{"LIMIT"}, {"USED", true}, {"ALLOWED", true}, {"FROM"}, {"RESETS"}}, rows);
}

expected<int> org_limits(context& c) {
    const auto path = path_of(c, "/limits");
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_document<limits_document>(c, (*node)->get(*path),
                                                  [&](const auto& d) { return show_limits(c, d); })
                : expected<int>(node.error());
}

std::string show_usage(context& c, const usage_document& d) {
    std::vector<std::vector<cell>> rows;
    const auto row = [&](const std::string& day, const usage_figures& f, tone t) {
        rows.push_back({{day, t},
                        {number(f.tasks)},
                        {number(f.runs)},
                        {number(f.agents_most)},
                        {amount("storage_bytes", f.storage_bytes_most)},
                        {number(f.model_calls)},
                        {number(f.tokens)},
                        {money_text(f.cost_micros)}});
    };
    for (const auto& day : d.days) {
        row(day.day, day, tone::plain);
    }
    row("all", d.total, tone::accent);
    auto out = table(c.out_screen(),
                     {{"DAY"},
                      {"TASKS", true},
                      {"RUNS", true},
                      {"AGENTS", true},
                      {"FILES", true},
                      {"CALLS", true},
                      {"TOKENS", true},
                      {d.currency, true}},
                     rows);
    rows.clear();
    for (const auto& m : d.total.models) {
        rows.push_back({{m.model, tone::accent},
                        {number(m.tokens_in)},
                        {number(m.tokens_out)},
                        {number(m.tokens_lost)},
                        {money_text(m.cost_micros)}});
    }
    if (!rows.empty()) {
        out += "\n" + table(c.out_screen(),
                            {{"MODEL"}, {"TOKENS IN", true}, {"OUT", true}, {"LOST", true}, {d.currency, true}}, rows);
    }
    return out;
}

expected<int> org_usage(context& c) {
    query_list query;
    for (const auto* name : {"from", "to"}) {
        if (const auto day = c.args().value(name)) {
            if (!parse_day(*day)) {
                return c.usage(
                    {code::invalid_request, fmt::format("--{} {}: expected a day, as 2026-11-21.", name, *day)});
            }
            query.emplace_back(name, *day);
        }
    }
    const auto path = path_of(c, "/usage");
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_document<usage_document>(c, (*node)->get(with_query(*path, query)),
                                                 [&](const auto& d) { return show_usage(c, d); })
                : expected<int>(node.error());
}

std::string show_invoice(context& c, const invoice_document& d) {
    std::vector<std::vector<cell>> rows;
    for (const auto& line : d.lines) {
        rows.push_back({{line.text},
                        {number(line.quantity)},
                        {line.unit, tone::faint},
                        {line.price_micros ? money_text(*line.price_micros) : ""},
                        {money_text(line.amount_micros)}});
    }
    rows.push_back({{"total", tone::accent}, {""}, {""}, {""}, {money_text(d.total_micros), tone::accent}});
    return details(c.out_screen(), {{"organization", {d.organization, tone::accent}},
                                    {"period", {d.period + (d.status == invoice_status::open ? ", not over yet" : "")}},
                                    {"plan", {std::string(detail::enum_name(d.plan))}}}) +
           "\n" +
           table(c.out_screen(),
                 {{"WHAT", false, true}, {"QUANTITY", true}, {"UNIT"}, {"PRICE", true}, {d.currency, true}}, rows);
}

expected<int> org_invoice(context& c) {
    const auto day = day_text(day_of(c.now()));
    const auto period = c.args().value_or("period", day.substr(0, 7));
    if (!actors::parse_period(period)) {
        return c.usage({code::invalid_request, fmt::format("--period {}: expected a month, as 2026-11.", period)});
    }
    const auto path = path_of(c, "/invoices/" + period);
    auto node = path ? c.node() : expected<api*>(path.error());
    if (!node) {
        return node.error();
    }
    if (!c.args().has("csv")) {
        return print_document<invoice_document>(c, (*node)->get(*path),
                                                [&](const auto& d) { return show_invoice(c, d); });
    }
    const auto text = (*node)->get(*path + "?format=csv", "text/csv");
    if (!text) {
        return text.error();
    }
    c.print(*text);
    return 0;
}

} // namespace

std::vector<command> usage_commands() {
    return {
        {"org limits",
         "What an organization may use, and uses now; by default the one you work in.",
         {.operands = "[ORG]", .operands_max = 1},
         "troupe org limits",
         org_limits},
        {"org usage",
         "What an organization used, by day (UTC): by default the last 30 days.",
         {.flags = {{"from", "DAY", "The first day, as 2026-11-01."}, {"to", "DAY", "The last day; today by default."}},
          .operands = "[ORG]",
          .operands_max = 1},
         "troupe org usage --from 2026-11-01",
         org_usage},
        {"org invoice",
         "The invoice of a month, computed now; this month's so far by default.",
         {.flags = {{"period", "MONTH", "As 2026-11."}, {"csv", "", "As a table for other programs."}},
          .operands = "[ORG]",
          .operands_max = 1},
         "troupe org invoice --period 2026-11 --csv > acme.csv",
         org_invoice},
    };
}

} // namespace troupe::cli
