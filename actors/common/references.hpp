#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "schemas/base/problem.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What the body of a request names has to be there.
namespace troupe::actors {

/// The document of something in the organization of the request; `invalid_request` at /KIND_id when there is none.
expected<std::string> read_named(const runtime::services& s, const net::request& r, std::string_view kind,
                                 const uuid& id);

/// The same for what may be left out, without the document.
expected<void> check_named(const runtime::services& s, const net::request& r, std::string_view kind,
                           const std::optional<uuid>& id);

} // namespace troupe::actors
