#pragma once

#include "net/http/route.hpp"

#include <string>
#include <string_view>
#include <utility>

/// What the routes of features share beyond net/http/handlers.hpp.
namespace troupe::actors {

/// The schema of a page of documents, as `net::list_body` writes it. `more`: further members, each `,"name":schema`.
inline std::string page_schema(const std::string& document, std::string_view more = {}) {
    return R"({"type":"object","properties":{"items":{"type":"array","items":)" + document +
           R"(},"next_cursor":{"type":["string","null"],"description":"For the next page; null on the last one.",)"
           R"("examples":["eyJ2IjoxfQ"]})" +
           std::string(more) + R"(},"required":["items","next_cursor"]})";
}

/// People, organizations and what belongs to the node live in `system`, whatever organization a request is about.
inline net::handler in_system(net::handler run) {
    return [run = std::move(run)](net::request r, net::responder respond) {
        r.who.organization = system_organization;
        run(std::move(r), std::move(respond));
    };
}

/// For a 204 to a command that answers with a document all the same.
inline net::responder without_body(net::responder respond) {
    return [respond = std::move(respond)](net::response answer) {
        if (answer.status < 400) {
            answer.body.clear();
        }
        respond(std::move(answer));
    };
}

/// A page of described documents.
template <class Document>
net::body_type page_of(std::string name) {
    return {std::move(name), [] { return page_schema(net::document_schema<Document>()); }, nullptr};
}

} // namespace troupe::actors
