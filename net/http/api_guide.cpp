#include "net/http/api_guide.hpp"

namespace troupe::net {

const std::string_view api_guide =
    R"(The API of a Troupe node: agents, tasks, runs, projects and the node itself.

## Authentication

Send an API key as `Authorization: Bearer KEY` or `X-Api-Key: KEY`. The first one stands in `admin.key` in the node's data directory. Operations say which permission they need.

## Errors

Errors are problems as in RFC 9457 (`application/problem+json`). Programs branch on `code`, which is stable; `detail` tells a person what to do, `errors` names every place that is wrong. `GET /api/v1/problems/{code}` explains a code. Any request may also be refused before its operation is reached: 400 (not HTTP, or a path that cannot be decoded), 405, 408 (it did not arrive in time), 413, 431, 505.

## Repeats

A request with an `Idempotency-Key` can be repeated safely for 24 hours: it is done once, and its repeat gets the same answer, marked with `Idempotent-Replayed: true`. The same key with another request is `idempotency_mismatch`. After a 503 or 504, or a lost connection, repeat with the same key; wait as long as `Retry-After` says.

## Concurrent changes

Documents have an `ETag`. Send it as `If-Match` with a change, and the change is refused with 412 when somebody else was faster. Send it as `If-None-Match` with a read, and nothing is sent when nothing changed.

## Lists

Lists are `{items, next_cursor}`, newest first where nothing else is said. Pass `next_cursor` on as `cursor` for the next page; it is null on the last one.

## Time limits

`X-Request-Timeout-Ms` lowers the 30 seconds that a request may take. What is not done by then is answered with 504; it may still happen.

## Requests and traces

Every answer has an `X-Request-Id` (the client's own, or a new one), which the log has too, and a `traceparent` (W3C Trace Context). An incoming `traceparent` is gone on with.

## Live events

`/api/v1/ws` is a WebSocket on which channels are subscribed; streams also answer as `text/event-stream`. `GET /api/v1/asyncapi.json` describes channels and messages.

## Versions

The version is in the path: `/api/v1`. `/api` without a version is the newest one. Within a version only additions are made: new operations, new optional members of requests, new members of answers, new values of `code` and of the `kind` of events. Clients have to pass over members and values that they do not know. Everything else is a new version, and the one before is served for at least twelve months beside it.

An operation that will go is deprecated first: it is marked in this description, and its answers carry `Deprecation` with the day since when (RFC 9745) and a `Link` to this section. When the day on which it goes is known, they carry `Sunset` too (RFC 8594), at least six months ahead. After that day it may be gone with any release, which its release notes say; it is answered with 404 then. What is deprecated works unchanged until then.

Releases of Troupe before 1.0 may shorten these times; their release notes say so.
)";

} // namespace troupe::net
