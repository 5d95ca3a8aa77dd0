#pragma once

#include "schemas/base/problem.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::runtime {

/// What a million tokens cost, in millionths of the operator's currency unit.
struct token_price {
    std::int64_t input_micros = 0;
    std::int64_t output_micros = 0;

    bool operator==(const token_price&) const = default;
};

/// "0.40" → 400000: at most six digits before the point and behind it, nothing negative.
std::optional<std::int64_t> parse_micros(std::string_view text);

/// By the name of the model. Reads "openai/gpt-4.1-mini=0.40/1.60, NAME=INPUT/OUTPUT": currency units per million
/// tokens with at most six decimals. `config_invalid` names the entry that is wrong.
expected<std::map<std::string, token_price>> parse_prices(std::string_view text);

/// What invoices charge, in millionths of the currency unit, by name: "pro=20.00, task=0.0001". Names are the plans,
/// `task`, `agent` and `storage_gb`. `config_invalid` names the entry that is wrong.
expected<std::map<std::string, std::int64_t>> parse_plan_prices(std::string_view text);

} // namespace troupe::runtime
