#pragma once

#include "actors/search/search_desk.hpp"
#include "net/http/route.hpp"
#include "schemas/document_messages.hpp"

#include <functional>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// What search asks of identity, from any thread.
struct search_callers {
    std::function<expected<void>(const net::principal&, std::string_view permission)> may;
    std::function<document_caller(const net::principal&)> document_caller_of;
};

/// /search: what its caller may read, and nothing else. The desk outlives the routes.
std::vector<net::route> search_routes(search_desk& desk, search_callers callers);

} // namespace troupe::actors
