#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "schemas/document_messages.hpp"

#include <functional>
#include <vector>

namespace troupe::actors {

/// In whose name a caller of the API works on documents. From any thread.
using find_document_caller = std::function<document_caller(const net::principal&)>;

/// /documents: Markdown with versions. A private one is not there for whoever may not read it.
/// The services outlive the routes.
std::vector<net::route> document_routes(const runtime::services& s, find_document_caller caller_of);

} // namespace troupe::actors
