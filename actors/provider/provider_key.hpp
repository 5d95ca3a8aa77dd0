#pragma once

#include "schemas/base/problem.hpp"

#include <functional>
#include <string>
#include <string_view>

/// Where the keys of providers come from.
namespace troupe::actors {

/// "secret:NAME", "env:NAME" or "file:PATH".
bool is_key_reference(std::string_view text);

/// Finds the key each time anew, so that one that was changed needs no restart. What is not there is `model_refused`:
/// it is for people to set, no retry helps. The problem names the place, never the key.
std::function<expected<std::string>()> key_finder(std::string provider, std::string reference,
                                                  std::function<expected<std::string>(std::string_view)> find_secret);

} // namespace troupe::actors
