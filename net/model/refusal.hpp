#pragma once

#include "net/model/model.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

/// What providers say instead of a reply, and of their limits. Pure; the same for all wires, which differ in words
/// only.
namespace troupe::net {

/// What a refusal means. `body` is what came with it, JSON or not.
problem refusal_of(int status, std::string_view body, std::optional<std::uint32_t> retry_after_s);

/// An error inside a stream that began with 200: its status has to be guessed from what it says.
problem refusal_in_stream(const json::value& error);

/// Lower-case names.
using header_map = std::map<std::string, std::string>;

/// `retry-after-ms`, else `Retry-After` in seconds or as an HTTP date, else, without either, when a limit of which
/// nothing remains is reset. At most a day.
std::optional<std::uint32_t> retry_after(const header_map& headers, timestamp now);

rate_limits limits_of(const header_map& headers, timestamp now);

/// "6m0s", "20ms", "1h2m3.5s", "12" (seconds) or a time of RFC 3339, as milliseconds from now; at most a day.
std::optional<std::int64_t> reset_ms(std::string_view text, timestamp now);

/// Of foreign text in a problem.
std::string shortened(std::string_view text);

} // namespace troupe::net
