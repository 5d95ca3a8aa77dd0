#pragma once

#include "schemas/base/described.hpp"
#include "schemas/organization.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What an organization may use, has used, and what it costs. Money is in millionths of the currency unit.
namespace troupe {

/// One limit and its use.
struct limit_document {
    std::string name;                   ///< "tasks_per_day"
    std::optional<std::int64_t> max;    ///< Null: no limit.
    std::int64_t used = 0;              ///< With what is just being made, and what open model calls have reserved.
    std::optional<timestamp> resets_at; ///< Of limits by the day.
    bool own = false;                   ///< The organization's own, not its plan's.
};
BOOST_DESCRIBE_STRUCT(limit_document, (), (name, max, used, resets_at, own))

/// GET /organizations/{id}/limits
struct limits_document {
    uuid organization_id;
    organization_plan plan = organization_plan::free;
    organization_status status = organization_status::active;
    std::optional<timestamp> trial_ends_at;
    std::vector<limit_document> limits;
};
BOOST_DESCRIBE_STRUCT(limits_document, (), (organization_id, plan, status, trial_ends_at, limits))

/// Tokens of one model. Lost are those of calls without an outcome, at what was reserved for them.
struct model_usage {
    std::string model;
    std::int64_t tokens_in = 0;
    std::int64_t tokens_out = 0;
    std::int64_t tokens_lost = 0;
    std::int64_t cost_micros = 0; ///< At the prices of the time of each call.
};
BOOST_DESCRIBE_STRUCT(model_usage, (), (model, tokens_in, tokens_out, tokens_lost, cost_micros))

/// Of some days together.
struct usage_figures {
    std::int64_t tasks = 0; ///< Created.
    std::int64_t runs = 0;  ///< Created.
    std::int64_t agents_created = 0;
    std::int64_t agents_most = 0; ///< That were there at the same time.
    std::int64_t storage_bytes_most = 0;
    std::int64_t model_calls = 0; ///< Requests that left.
    std::int64_t tokens = 0;
    std::int64_t cost_micros = 0;
    std::vector<model_usage> models;
};
BOOST_DESCRIBE_STRUCT(usage_figures, (),
                      (tasks, runs, agents_created, agents_most, storage_bytes_most, model_calls, tokens, cost_micros,
                       models))

struct usage_day_document : usage_figures {
    std::string day; ///< "2026-11-21", of UTC.
};
BOOST_DESCRIBE_STRUCT(usage_day_document, (usage_figures), (day))

/// GET /organizations/{id}/usage
struct usage_document {
    uuid organization_id;
    std::string from;
    std::string to;
    std::string currency;
    usage_figures total;
    std::vector<usage_day_document> days; ///< Each day of the time, oldest first.
};
BOOST_DESCRIBE_STRUCT(usage_document, (), (organization_id, from, to, currency, total, days))

BOOST_DEFINE_ENUM_CLASS(invoice_status, open, closed)

struct invoice_line {
    std::string kind; ///< "plan", "tasks", "agents", "storage", "model"
    std::string text;
    std::int64_t quantity = 0;
    std::string unit;
    std::optional<std::int64_t> price_micros; ///< Of a unit; null where prices were those of each call.
    std::int64_t amount_micros = 0;
};
BOOST_DESCRIBE_STRUCT(invoice_line, (), (kind, text, quantity, unit, price_micros, amount_micros))

/// GET /organizations/{id}/invoices/{period}: computed when it is asked for.
struct invoice_document {
    uuid organization_id;
    std::string organization;
    std::string period;                               ///< "2026-11"
    invoice_status status = invoice_status::open;     ///< Of a period that is over nothing more comes in.
    organization_plan plan = organization_plan::free; ///< As it is now.
    std::string currency;
    std::vector<invoice_line> lines;
    std::int64_t total_micros = 0;
    timestamp computed_at;
};
BOOST_DESCRIBE_STRUCT(invoice_document, (),
                      (organization_id, organization, period, status, plan, currency, lines, total_micros, computed_at))

} // namespace troupe
