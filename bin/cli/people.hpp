#pragma once

#include "bin/cli/commands.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What the commands about people, organizations and keys share.
namespace troupe::cli {

/// --org, else TROUPE_ORG, else empty.
std::string given_organization(context& c);

/// "Acme (acme)" where the caller may know it, else the id; empty without an id.
std::string organization_name(context& c, const std::optional<uuid>& id);

/// "/organizations/{the one that the command works in}". `conflict`: the caller belongs to none.
expected<std::string> organization_path(context& c);

/// A time to come: "90d", "12h", "30m", "2w", "1y", a day or an RFC 3339 time. `invalid_request` names the flag.
expected<timestamp> parse_time_ahead(std::string_view flag, std::string_view text, timestamp now);

/// A document with a secret that is shown once, as JSON: the document with one more member.
std::string with_member(std::string json, std::string_view name, std::string_view value);

} // namespace troupe::cli
