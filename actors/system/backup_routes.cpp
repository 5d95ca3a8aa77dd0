#include "actors/system/backup_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "runtime/backup/backup_desk.hpp"
#include "schemas/backup.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace troupe::actors {

namespace {

using net::request;
using net::responder;
using net::response;
using net::route;
using net::verb;

constexpr std::string_view permission = "system:admin";
const std::vector<net::query_parameter> which{
    {"id", "Its id.", R"({"type":"string"})", R"("20261121T071441Z-3f2a91c0")"}};

/// Of backups, newest first, those after the one that the cursor names.
response page_of(const std::vector<backup_entry>& all, std::string_view cursor, std::size_t limit) {
    auto at = all.begin();
    if (!cursor.empty()) {
        const auto last = std::ranges::find(all, cursor, &backup_entry::id);
        at = last == all.end() ? last : last + 1;
    }
    std::vector<std::string> items;
    for (; at != all.end() && items.size() < limit; ++at) {
        items.push_back(to_json(*at));
    }
    response out;
    out.body = net::list_body(items, at == all.end() ? std::nullopt : std::optional((at - 1)->id));
    return out;
}

route make(const runtime::services& s) {
    return {.verb = verb::post,
            .path = "/backups",
            .operation = "create_backup",
            .summary = "Makes a backup of this node while it works; answers when it is on disk. One that takes longer "
                       "than a request may goes on: ask again with the same Idempotency-Key.",
            .tag = "backups",
            .permission = std::string(permission),
            .reply = net::reply_of<backup_detail>("backup"),
            .success = 201,
            .errors = {code::conflict, code::overloaded, code::storage_full, code::storage_failed},
            .reply_headers = {"Location"},
            .run = [&s](const request& r, const responder& respond) {
                // The key is the caller's: another principal's is another one.
                const auto key = r.header("idempotency-key");
                s.backups->create(key ? r.who.name + "/" + std::string(*key) : std::string(),
                                  [r, respond](const expected<backup_detail>& made) {
                                      if (!made) {
                                          respond(net::to_response(made.error(), r));
                                          return;
                                      }
                                      response out{201, to_json(*made)};
                                      out.headers.emplace_back("Location", "/api/v1/backups/" + made->id);
                                      respond(std::move(out));
                                  });
            }};
}

route list(const runtime::services& s) {
    return {.verb = verb::get,
            .path = "/backups",
            .operation = "list_backups",
            .summary = "The backups of this node, newest first.",
            .tag = "backups",
            .permission = std::string(permission),
            .query = net::page_parameters(),
            .reply = actors::page_of<backup_entry>("backup_list"),
            .errors = {code::storage_failed},
            .run = [&s](const request& r, const responder& respond) {
                const auto limit = net::page_limit(r);
                if (!limit) {
                    respond(net::to_response(limit.error(), r));
                    return;
                }
                s.backups->list([r, respond, limit = *limit](const expected<std::vector<backup_entry>>& all) {
                    respond(all ? page_of(*all, r.query_value("cursor").value_or(""), limit)
                                : net::to_response(all.error(), r));
                });
            }};
}

route show(const runtime::services& s) {
    return {.verb = verb::get,
            .path = "/backups/{id}",
            .operation = "get_backup",
            .summary = "The manifest of a backup, with every file and its hash.",
            .tag = "backups",
            .permission = std::string(permission),
            .in_path = which,
            .reply = net::reply_of<backup_detail>("backup"),
            .errors = {code::not_found, code::journal_damaged},
            .run = [&s](const request& r, const responder& respond) {
                s.backups->find(std::string(r.param("id")), [r, respond](const expected<backup_detail>& found) {
                    respond(found ? response{200, to_json(*found)} : net::to_response(found.error(), r));
                });
            }};
}

route remove(const runtime::services& s) {
    return {.verb = verb::del,
            .path = "/backups/{id}",
            .operation = "delete_backup",
            .summary = "Deletes a backup; what it shares with others stays with them.",
            .tag = "backups",
            .permission = std::string(permission),
            .in_path = which,
            .success = 204,
            .errors = {code::not_found, code::conflict, code::storage_failed},
            .run = [&s](const request& r, const responder& respond) {
                s.backups->remove(std::string(r.param("id")), [r, respond](const expected<void>& gone) {
                    respond(gone ? response{204} : net::to_response(gone.error(), r));
                });
            }};
}

} // namespace

std::vector<route> backup_routes(const runtime::services& s) { return {make(s), list(s), show(s), remove(s)}; }

} // namespace troupe::actors
