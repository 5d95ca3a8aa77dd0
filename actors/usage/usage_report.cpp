#include "actors/usage/usage_report.hpp"

#include "actors/common/csv.hpp"
#include "schemas/quota.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace troupe::actors {
namespace {

constexpr std::int64_t bytes_per_gb = 1'000'000'000;

std::int64_t at(const std::map<std::string, std::int64_t>& all, const std::string& name) {
    const auto found = all.find(name);
    return found == all.end() ? 0 : found->second;
}

model_usage& model_of(usage_figures& f, std::string_view name) {
    const auto found = std::ranges::find(f.models, name, &model_usage::model);
    return found == f.models.end() ? f.models.emplace_back(model_usage{std::string(name), 0, 0, 0, 0}) : *found;
}

/// quantity × price / unit; rounded to the nearest millionth, and never beyond what a number holds.
std::int64_t amount_of(std::int64_t quantity, std::int64_t price, std::int64_t unit) {
    __extension__ using wide = __int128;
    const auto amount = (wide{quantity} * price + unit / 2) / unit;
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    return amount > most ? most : static_cast<std::int64_t>(amount);
}

} // namespace

usage_figures figures_of(const storage::usage_of_day& day) {
    usage_figures out;
    out.tasks = at(day.used, "tasks");
    out.runs = at(day.used, "runs");
    out.agents_created = at(day.used, "agents_created");
    out.agents_most = at(day.most, "agents");
    out.storage_bytes_most = at(day.most, "storage_bytes");
    out.model_calls = at(day.used, "model_calls");
    out.tokens = at(day.used, "tokens");
    for (const auto& [what, amount] : day.used) {
        const auto colon = what.find(':');
        if (colon == std::string::npos) {
            continue;
        }
        const auto kind = what.substr(0, colon);
        auto& model = model_of(out, std::string_view(what).substr(colon + 1));
        model.tokens_in += kind == "tokens_in" ? amount : 0;
        model.tokens_out += kind == "tokens_out" ? amount : 0;
        model.tokens_lost += kind == "tokens_lost" ? amount : 0;
        model.cost_micros += kind == "cost_micros" ? amount : 0;
        out.cost_micros += kind == "cost_micros" ? amount : 0;
    }
    std::ranges::sort(out.models, {}, &model_usage::model);
    return out;
}

void add_figures(usage_figures& to, const usage_figures& more) {
    to.tasks += more.tasks;
    to.runs += more.runs;
    to.agents_created += more.agents_created;
    to.agents_most = std::max(to.agents_most, more.agents_most);
    to.storage_bytes_most = std::max(to.storage_bytes_most, more.storage_bytes_most);
    to.model_calls += more.model_calls;
    to.tokens += more.tokens;
    to.cost_micros += more.cost_micros;
    for (const auto& m : more.models) {
        auto& model = model_of(to, m.model);
        model.tokens_in += m.tokens_in;
        model.tokens_out += m.tokens_out;
        model.tokens_lost += m.tokens_lost;
        model.cost_micros += m.cost_micros;
    }
    std::ranges::sort(to.models, {}, &model_usage::model);
}

std::optional<billing_period> parse_period(std::string_view text) {
    const auto first = text.size() == 7 ? parse_day(std::string(text) + "-01") : std::nullopt;
    if (!first) {
        return {};
    }
    auto last = *first + 27;
    while (day_text(last + 1).substr(0, 7) == text) {
        ++last;
    }
    return billing_period{*first, last, std::string(text)};
}

invoice_document make_invoice(const organization_document& of, const billing_period& period, const usage_figures& used,
                              const plan_prices& prices, std::string currency, timestamp now) {
    invoice_document out{of.id,       of.name,
                         period.text, day_of(now) > period.last ? invoice_status::closed : invoice_status::open,
                         of.plan,     std::move(currency),
                         {},          0,
                         now};
    const auto charge = [&](std::string kind, std::string text, std::int64_t quantity, std::string unit,
                            const std::string& price, std::int64_t per) {
        if (const auto found = prices.find(price); found != prices.end() && quantity > 0) {
            out.lines.push_back({std::move(kind), std::move(text), quantity, std::move(unit), found->second,
                                 amount_of(quantity, found->second, per)});
        }
    };
    const std::string plan(detail::enum_name(of.plan));
    charge("plan", "Plan " + plan, 1, "month", plan, 1);
    charge("tasks", "Tasks that were created", used.tasks, "task", "task", 1);
    charge("agents", "Agents, the most at the same time", used.agents_most, "agent", "agent", 1);
    charge("storage", "Files of projects, the most at the same time; the price is of a GB", used.storage_bytes_most,
           "byte", "storage_gb", bytes_per_gb);
    for (const auto& m : used.models) {
        out.lines.push_back({"model",
                             fmt::format("{}: {} tokens in, {} out, {} of calls without an outcome", m.model,
                                         m.tokens_in, m.tokens_out, m.tokens_lost),
                             m.tokens_in + m.tokens_out + m.tokens_lost, "token", std::nullopt, m.cost_micros});
    }
    for (const auto& line : out.lines) {
        out.total_micros += line.amount_micros;
    }
    return out;
}

std::string money_text(std::int64_t micros) {
    const auto magnitude = micros < 0 ? 0 - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros);
    auto out = fmt::format("{}{}.{:06}", micros < 0 ? "-" : "", magnitude / 1'000'000, magnitude % 1'000'000);
    while (out.back() == '0' && out[out.size() - 3] != '.') {
        out.pop_back();
    }
    return out;
}

std::string invoice_csv(const invoice_document& invoice) {
    std::string out = "period,organization,kind,text,quantity,unit,price,amount,currency\r\n";
    const auto row = [&](std::string_view kind, std::string_view text, std::string_view quantity, std::string_view unit,
                         std::string_view price, std::int64_t amount) {
        out += fmt::format("{},{},{},{},{},{},{},{},{}\r\n", csv_text(invoice.period), csv_text(invoice.organization),
                           kind, csv_text(text), quantity, unit, price, money_text(amount), invoice.currency);
    };
    for (const auto& line : invoice.lines) {
        row(line.kind, line.text, std::to_string(line.quantity), line.unit,
            line.price_micros ? money_text(*line.price_micros) : std::string(), line.amount_micros);
    }
    row("total", "", "", "", "", invoice.total_micros);
    return out;
}

} // namespace troupe::actors
