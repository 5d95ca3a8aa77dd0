#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "schemas/document_messages.hpp"

#include <string>
#include <vector>

namespace troupe::actors {

/// The query parameters by which documents are listed.
const std::vector<std::string>& document_filters();

/// The answer to GET /documents: a page of what the caller may read, newest first unless it is sorted otherwise.
net::response list_documents(const runtime::services& s, const net::request& r, const document_caller& caller);

} // namespace troupe::actors
