#pragma once

#include "net/http/route.hpp"
#include "runtime/entity/entity.hpp"
#include "runtime/services.hpp"
#include "storage/views.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Builders for the two kinds of routes: a command to an entity, and a read of documents. All handlers are thread-safe
/// and do not block on anything but RocksDB reads.
namespace troupe::net {

/// Finds the entity that a path names: the `{id}` as UUID or, for kinds with a human key, by the index filter
/// `name_filter`=value ("name=scout"). `not_found` otherwise.
expected<uuid> resolve_id(const runtime::services& s, const request& r, std::string_view kind,
                          std::string_view name_filter = {});

/// The id of an entity to be created: from the `Idempotency-Key` (organization, principal, operation, key) as UUIDv8,
/// so that a retry reaches the same entity; without one a fresh UUIDv7.
uuid id_for_create(const request& r, std::string_view operation);

/// A command in the name of the caller: principal, correlation, trace, client and deadline are taken from the request.
/// Its id and its expected version are the business of who makes it.
runtime::command caller_command(const request& r, entity_address to, std::string_view type, std::string payload);

/// The same with `Idempotency-Key`, `If-Match` and a hash of the request. The payload has to be the JSON of the command
/// type.
expected<runtime::command> make_command(const request& r, entity_address to, std::string_view type,
                                        std::string payload);

/// Submits, and answers with the outcome's document, its ETag and `status`; a problem as problem+json.
/// With `location` (a path under /api/v1) a 201 carries it.
void submit_and_answer(const runtime::services& s, request r, runtime::command c, int status, std::string location,
                       responder respond);

/// The version that a command made, of its answer; nothing for a refusal, a repeat and a read.
std::optional<std::uint64_t> version_made(const response& answer);

/// How a body becomes a command. Decodes again what the edge has validated.
struct command_payload {
    std::string type;
    std::string payload;
};
using to_command = std::function<expected<command_payload>(const request&)>;

/// For routes whose handlers read or put contents: they may have to ask other nodes, if there are any.
std::function<bool()> blocks_on_contents(const runtime::services& s);

/// The headers of what these handlers answer, for the route's declaration.
std::vector<std::string> read_headers();
std::vector<std::string> changed_headers();
std::vector<std::string> created_headers();

/// POST that creates: the id from `id_for_create`, 201 with Location "/<plural>/<id>".
handler create_entity(const runtime::services& s, std::string kind, std::string plural, std::string operation,
                      to_command make);

/// POST, PUT, PATCH, DELETE on an existing entity `{id}`.
handler change_entity(const runtime::services& s, std::string kind, to_command make, int status = 200,
                      std::string name_filter = {});

/// A command whose payload is the request's body as it is (body and command have the same members).
to_command body_as(std::string type);
/// A command without members.
to_command empty_command(std::string type);

/// GET of the document `{id}`, with ETag; `If-None-Match` gives 304.
handler read_entity(const runtime::services& s, std::string kind, std::string name_filter = {});

/// Parameters of a list that no index knows: documents are looked at one by one.
struct further_filters {
    std::vector<std::string> names;
    std::function<bool(const request&, std::string_view document)> keep = {}; ///< Asked when one of them is given.
};

/// GET of a list: ?limit=&cursor=&sort=created_at|-created_at and equality filters, one of which is read from the index
/// (the first that is given), the others from the documents.
handler list_entities(const runtime::services& s, std::string kind, std::vector<std::string> filters,
                      further_filters more = {});
/// The query parameters that `list_entities` reads, for the route's declaration.
/// `schemas`: of filters that take no free text, as {"status", json_schema<task_status>()}.
std::vector<query_parameter> list_parameters(const std::vector<std::string>& filters,
                                             const std::map<std::string, std::string>& schemas = {});

/// GET of a collection inside `{id}`: ?limit=&cursor=, oldest first unless `newest_first`; 404 when the entity is not
/// there.
handler list_items(const runtime::services& s, std::string kind, std::string collection, bool newest_first = false,
                   std::string name_filter = {});
std::vector<query_parameter> page_parameters();

/// limit and cursor of a request, checked.
expected<std::size_t> page_limit(const request& r);

/// {"items":[…],"next_cursor":…}
std::string list_body(const std::vector<std::string>& items, const std::optional<std::string>& next_cursor);

} // namespace troupe::net
