#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/usage.hpp"
#include "storage/usage.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// From what was counted to what is shown and charged. Pure.
namespace troupe::actors {

usage_figures figures_of(const storage::usage_of_day& day);
/// Sums, and the most of what is held.
void add_figures(usage_figures& to, const usage_figures& more);

/// A month: its first and last day.
struct billing_period {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::string text; ///< "2026-11"
};
std::optional<billing_period> parse_period(std::string_view text);

/// What charges: by name as of `runtime::parse_plan_prices`.
using plan_prices = std::map<std::string, std::int64_t>;

/// The lines of a month and their sum. Only what has a price or was charged has a line.
invoice_document make_invoice(const organization_document& of, const billing_period& period, const usage_figures& used,
                              const plan_prices& prices, std::string currency, timestamp now);

/// One row a line, and one for the total. Text that a spreadsheet would compute is quoted.
std::string invoice_csv(const invoice_document& invoice);

/// "12.345600" → "12.3456": at least two decimals.
std::string money_text(std::int64_t micros);

} // namespace troupe::actors
