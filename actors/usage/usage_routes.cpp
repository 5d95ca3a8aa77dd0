#include "actors/usage/usage_routes.hpp"

#include "actors/common/day_range.hpp"
#include "actors/usage/usage_report.hpp"
#include "runtime/config/prices.hpp"
#include "schemas/quota.hpp"
#include "schemas/usage.hpp"
#include "storage/usage.hpp"
#include "storage/views.hpp"

#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

expected<organization_document> organization_of(const runtime::services& s, const request& r) {
    const auto found = storage::read_document(*s.store, {system_organization, "organization", r.who.organization});
    if (!found || !*found) {
        return found ? problem{code::not_found, "there is no such organization"} : found.error();
    }
    return from_json<organization_document>((*found)->json, strictness::stored);
}

expected<limits_document> limits_of(const runtime::services& s, const request& r) {
    const auto of = organization_of(s, r);
    if (!of) {
        return of.error();
    }
    const auto now = system_now();
    const auto allowed = s.store->usage().allowed(of->id);
    const auto used = allowed ? s.store->usage().standing(of->id, now)
                              : expected<std::map<std::string, std::int64_t>>(allowed.error());
    if (!used) {
        return used.error();
    }
    limits_document out{of->id, of->plan, of->status, of->trial_ends_at, {}};
    const auto own = of->limits.value_or(quota_limits{});
    for (const auto& kind : quota_kinds()) {
        const auto max = (allowed->limits.*kind.member).value_or(no_quota);
        out.limits.push_back({std::string(kind.name), max == no_quota ? std::nullopt : std::optional(max),
                              used->at(std::string(kind.counts)),
                              kind.daily ? std::optional(day_begin(day_of(now) + 1)) : std::nullopt,
                              (own.*kind.member).has_value()});
    }
    return out;
}

expected<usage_document> usage_of(const runtime::services& s, const request& r) {
    const auto days = days_in(r);
    if (!days) {
        return days.error();
    }
    const auto of = organization_of(s, r);
    const auto counted = of ? storage::read_usage(*s.store, of->id, days->from, days->to)
                            : expected<std::map<std::uint32_t, storage::usage_of_day>>(of.error());
    if (!counted) {
        return counted.error();
    }
    usage_document out{of->id, day_text(days->from), day_text(days->to), s.settings->plans_currency, {}, {}};
    const auto today = day_of(system_now());
    for (const auto& [day, usage] : *counted) {
        usage_day_document shown{figures_of(day > today ? storage::usage_of_day{} : usage), day_text(day)};
        add_figures(out.total, shown);
        out.days.push_back(std::move(shown));
    }
    return out;
}

expected<invoice_document> invoice_of(const runtime::services& s, const request& r) {
    const auto period = parse_period(r.param("period"));
    const auto now = system_now();
    if (!period || period->first > day_of(now)) {
        return problem{code::invalid_request,
                       "a period is a month that has begun, as 2026-11",
                       {{"period", period ? "has not begun" : "is no month"}}};
    }
    const auto of = organization_of(s, r);
    const auto prices = of ? runtime::parse_plan_prices(s.settings->plans_prices) : expected<plan_prices>(of.error());
    const auto counted = prices
                             ? storage::read_usage(*s.store, of->id, period->first, std::min(period->last, day_of(now)))
                             : expected<std::map<std::uint32_t, storage::usage_of_day>>(prices.error());
    if (!counted) {
        return counted.error();
    }
    usage_figures all;
    for (const auto& [day, usage] : *counted) {
        add_figures(all, figures_of(usage));
    }
    return make_invoice(*of, *period, all, *prices, s.settings->plans_currency, now);
}

/// A document, or why there is none.
template <class Read>
net::handler show(const runtime::services& s, Read read) {
    return [&s, read](const request& r, const responder& respond) {
        const auto document = read(s, r);
        respond(document ? net::response{200, to_json(*document)} : net::to_response(document.error(), r));
    };
}

net::handler show_invoice(const runtime::services& s) {
    return [&s](const request& r, const responder& respond) {
        const auto invoice = invoice_of(s, r);
        if (!invoice) {
            return respond(net::to_response(invoice.error(), r));
        }
        const bool csv = r.query_value("format") == "csv";
        respond({200, csv ? invoice_csv(*invoice) : to_json(*invoice), csv ? "text/csv" : "application/json"});
    };
}

} // namespace

std::vector<net::route> usage_routes(const runtime::services& s) {
    const std::string tag = "organizations";
    const net::query_parameter organization{"id", "Id or slug.", R"({"type":"string"})", R"("acme")"};
    auto invoice = net::reply_of<invoice_document>("invoice");
    invoice.other_types = {"text/csv"};
    return {
        {.verb = verb::get,
         .path = "/organizations/{id}/limits",
         .operation = "get_limits",
         .summary = "What the organization may use, and uses now.",
         .description = "A limit of the organization's own stands in place of its plan's (`plans.*` of the "
                        "configuration). Over a limit a command is refused with `quota_exceeded`.",
         .tag = tag,
         .permission = "organization:read",
         .in_path = {organization},
         .reply = net::reply_of<limits_document>("limits"),
         .errors = {code::not_found},
         .run = show(s, limits_of)},
        {.verb = verb::get,
         .path = "/organizations/{id}/usage",
         .operation = "get_usage",
         .summary = "What the organization used, by day (UTC) and in all; by default the last 30 days.",
         .description = "Counted in the same write as the events that used it. Figures of a day that is over do not "
                        "change any more.",
         .tag = tag,
         .permission = "usage:read",
         .query = day_parameters(),
         .in_path = {organization},
         .reply = net::reply_of<usage_document>("usage"),
         .errors = {code::not_found},
         .run = show(s, usage_of)},
        {.verb = verb::get,
         .path = "/organizations/{id}/invoices/{period}",
         .operation = "get_invoice",
         .summary = "The invoice of a month, with a line for each kind.",
         .description = "Computed when it is asked for: quantities as they were counted and model calls at their price "
                        "of then; the plan, its fee and the other prices (`plans.prices`) as they are now.",
         .tag = tag,
         .permission = "billing:read",
         .query = {{"format", "`csv` for a table.", R"({"type":"string","enum":["json","csv"]})", R"("json")"}},
         .in_path = {organization, {"period", "A month of UTC.", R"({"type":"string"})", R"("2026-11")"}},
         .reply = std::move(invoice),
         .errors = {code::not_found},
         .run = show_invoice(s)},
    };
}

} // namespace troupe::actors
