#pragma once

#include "net/http/route.hpp"

#include <string>
#include <utility>

/// What the routes of features share beyond net/http/handlers.hpp.
namespace troupe::actors {

/// A page of described documents, as `net::list_body` writes it.
template <class Document>
net::body_type page_of(std::string name) {
    return {std::move(name),
            [] {
                return R"({"type":"object","properties":{"items":{"type":"array","items":)" +
                       net::document_schema<Document>() +
                       R"(},"next_cursor":{"type":["string","null"]}},"required":["items","next_cursor"]})";
            },
            nullptr};
}

} // namespace troupe::actors
