#include "actors/approval/approval_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "schemas/approval.hpp"

#include <string>

namespace troupe::actors {

std::vector<net::route> approval_routes(const runtime::services& s) {
    using net::verb;
    const std::string kind = "approval";
    const std::string tag = "approvals";
    const std::vector<std::string> filters{"run_id", "status"};
    const auto document = net::reply_of<approval_document>("approval");
    return {
        {.verb = verb::get,
         .path = "/approvals",
         .operation = "list_approvals",
         .summary = "Lists approvals, newest first; status=pending are those that wait.",
         .tag = tag,
         .permission = "approval:read",
         .query = net::list_parameters(filters, {{"status", json_schema<approval_status>()}}),
         .reply = page_of<approval_document>("approval_list"),
         .run = net::list_entities(s, kind, filters)},
        {.verb = verb::get,
         .path = "/approvals/{id}",
         .operation = "get_approval",
         .summary = "Shows an approval.",
         .tag = tag,
         .permission = "approval:read",
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = net::read_entity(s, kind)},
        {.verb = verb::post,
         .path = "/approvals/{id}/decide",
         .operation = "decide_approval",
         .summary = "Decides once; the run goes on with it.",
         .tag = tag,
         .permission = "approval:write",
         .body = net::body_of<decide_approval_body>("decide_approval"),
         .reply = document,
         .errors = {code::not_found, code::conflict},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(s, kind, net::body_as("decide_approval"))},
    };
}

} // namespace troupe::actors
