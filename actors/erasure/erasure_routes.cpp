#include "actors/erasure/erasure_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "schemas/erasure_messages.hpp"

namespace troupe::actors {

std::vector<net::route> erasure_routes(const runtime::services& s) {
    const std::string kind{erasure_kind};
    return {
        {.verb = net::verb::get,
         .path = "/system/erasures",
         .operation = "list_erasures",
         .summary = "Lists the people and organizations that were erased, newest first.",
         .tag = "system",
         .permission = "system:admin",
         .query = net::list_parameters({"status"}),
         .reply = page_of<erasure_document>("erasure_list"),
         .run = in_system(net::list_entities(s, kind, {"status"}))},
        {.verb = net::verb::get,
         .path = "/system/erasures/{id}",
         .operation = "get_erasure",
         .summary = "Shows how far the erasure of a person or organization is, by its id.",
         .tag = "system",
         .permission = "system:admin",
         .in_path = {{"id", "Of the person or organization.", R"({"type":"string","format":"uuid"})",
                      R"("018f0000-0000-7000-8000-000000000001")"}},
         .reply = net::reply_of<erasure_document>("erasure"),
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = in_system(net::read_entity(s, kind))},
    };
}

} // namespace troupe::actors
