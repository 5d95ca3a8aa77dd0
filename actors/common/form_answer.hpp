#pragma once

#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <string>
#include <string_view>

/// Forms of one level, which a program outside asks a person to fill in (the `requestedSchema` of MCP's elicitation).
/// Pure.
namespace troupe::actors {

inline constexpr std::size_t form_fields_max = 50;

/// What a person is told of the form: a line for each field, with what it takes. `invalid_request`: it is no form, or
/// it has other than plain fields.
expected<std::string> describe_form(std::string_view schema);

/// The content of the form from what a person wrote: a JSON object with the fields, or the value as it is where only
/// one field is to be filled in. Defaults stand in for what is left out. `invalid_request` with each field that does
/// not fit.
expected<json::raw> fill_form(std::string_view schema, std::string_view answer);

} // namespace troupe::actors
