#include "actors/approval/approval_routes.hpp"

#include "actors/common/members.hpp"
#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "schemas/approval.hpp"

#include <string>
#include <utility>

namespace troupe::actors {

namespace {

/// Whom it is given to has to be a member of the organization.
net::to_command to_member(const runtime::services& s) {
    return [&s](const net::request& r) -> expected<net::command_payload> {
        const auto body = from_json<delegate_approval_body>(r.body, strictness::input);
        if (!body) {
            return body.error();
        }
        if (auto member = check_members(*s.store, r.who.organization, {body->to}, "/to"); !member) {
            return member.error();
        }
        return net::command_payload{"delegate_approval", to_json(*body)};
    };
}

net::to_command decided_by_who_may(permission_check may) {
    return [may = std::move(may)](const net::request& r) -> expected<net::command_payload> {
        const auto body = from_json<decide_approval_body>(r.body, strictness::input);
        if (!body) {
            return body.error();
        }
        if (body->remember == remember_scope::agent) {
            if (auto allowed = may(r.who, "agent:write"); !allowed) {
                return allowed.error();
            }
        }
        return net::command_payload{"decide_approval", to_json(*body)};
    };
}

} // namespace

std::vector<net::route> approval_routes(const runtime::services& s, permission_check may) {
    using net::verb;
    const std::string kind = "approval";
    const std::string tag = "approvals";
    const std::vector<std::string> filters{"run_id", "assigned_to", "status"};
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
         .run = net::change_entity(s, kind, decided_by_who_may(std::move(may)))},
        {.verb = verb::post,
         .path = "/approvals/{id}/delegate",
         .operation = "delegate_approval",
         .summary = "Asks a member to decide; others still may.",
         .tag = tag,
         .permission = "approval:write",
         .body = net::body_of<delegate_approval_body>("delegate_approval"),
         .reply = document,
         .errors = {code::not_found, code::conflict},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(s, kind, to_member(s))},
    };
}

} // namespace troupe::actors
