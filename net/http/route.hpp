#pragma once

#include "net/body.hpp"
#include "net/http/own_form.hpp"
#include "runtime/bus/filter.hpp"
#include "schemas/base/client.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// A route is data. Router, authorization, validation and OpenAPI read the same declaration. No Beast in here.
namespace troupe {
struct credentials; ///< What the identity feature knows of a caller (actors/identity/credentials.hpp).
}

namespace troupe::net {

enum class verb : std::uint8_t { get, post, put, patch, del };
std::string_view name_of(verb v);

/// Who asks, as the edge found out.
struct principal {
    std::string name = {}; ///< "user/<id>", "key/<id>"; empty: nobody.
    uuid organization = {};
    bool admin = false; ///< Of the node: may do everything in every organization.
    /// What the answers of `authorize` and of the routes of identity follow from; null: nobody, or a test's caller.
    std::shared_ptr<const troupe::credentials> credentials = {};
};

/// A request as a handler sees it: routed, authenticated, its body validated against the route's type.
struct request {
    troupe::net::verb verb = verb::get;
    std::string path;                           ///< Without prefix and query: "/tasks/018f…".
    std::map<std::string, std::string> params;  ///< From the template: {"id": …}. A trailing {path} takes slashes.
    std::map<std::string, std::string> query;   ///< Decoded.
    std::map<std::string, std::string> headers; ///< Lower-case names.
    std::string body;
    std::shared_ptr<body_sink> received = {}; ///< In place of `body` for a route with `receive`: finished.
    principal who;
    std::string address;          ///< The client's IP, as text; behind a trusted proxy the one that the proxy names.
    bool secure = false;          ///< The client came over TLS, to this node or to a trusted proxy.
    std::string id;               ///< Request id: taken from `X-Request-Id` or made; returned in the answer.
    std::string trace;            ///< traceparent, taken or made.
    std::int64_t deadline_ms = 0; ///< Monotonic.

    [[nodiscard]] std::string_view param(std::string_view name) const;
    [[nodiscard]] std::optional<std::string_view> header(std::string_view lower_name) const;
    [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
    /// The value of that cookie as it was sent, without quotes around it; of several the first.
    [[nodiscard]] std::optional<std::string_view> cookie(std::string_view name) const;
    /// As the client says; empty when it does not. Anything may stand in there.
    [[nodiscard]] std::string_view user_agent() const;
    /// Address and program, as commands carry them.
    [[nodiscard]] client_info client() const;
};

struct response {
    int status = 200;
    std::string body = {}; ///< JSON unless `content_type` says otherwise.
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers = {}; ///< A name may come again: `Set-Cookie`.
    std::optional<code> refusal = {};       ///< What a problem says; for those who count and audit.
    std::optional<body_source> source = {}; ///< In place of `body`, with its length. After a problem of it the
                                            ///< connection is cut, which tells the client that the rest is missing.
};

/// The problem as a response, with `Retry-After` where it has one.
response to_response(const problem& p, const request& from);

/// Answers a request: called exactly once, from any thread.
using responder = std::function<void(response)>;

/// Does the work of a route. Must not block, unless the route says so: long work answers later through the responder.
using handler = std::function<void(request, responder)>;

/// Makes the sink of a body that is about to come, or refuses before anything of it is read. Must not block.
using receiver = std::function<expected<std::shared_ptr<body_sink>>(const request&)>;

/// Writes to the one reader of a stream. From any thread. False: the reader has gone, or was too slow.
using stream_writer = std::function<bool(own_text)>;

/// A live stream in place of one answer (`text/event-stream`).
struct stream_spec {
    std::vector<std::string> channels = {};
    std::string since = {}; ///< See `runtime::subscription_request`; the edge fills it from `Last-Event-ID` or `since`.
    runtime::event_filter filter = {}; ///< The edge fills it from `kind`, `entity` and `where`.
    own_form form = {};                ///< Instead of envelopes: for clients that speak another protocol.
    std::string broken = {};           ///< With a form: what a reader is sent last when the stream ends before its end.
    std::function<void()> opened = {}; ///< Called once all that comes from now on will be seen. Must not block.
    std::function<void(stream_writer)> fed = {}; ///< In place of channels: is handed, once, what writes to the reader.
    std::function<void()> closed = {};           ///< With `fed`: the reader has gone. Not when the node stops.
    std::vector<std::pair<std::string, std::string>> headers = {}; ///< Of its answer, beside the usual ones.
    std::optional<response> instead = {};                          ///< There is no stream: this is the answer.
};
/// Decides what a stream shows, or refuses. May answer later.
using stream_handler = std::function<void(request, std::function<void(expected<stream_spec>)>)>;

/// What a route takes or gives: a JSON Schema, made on demand, and how to check a body against the type.
struct body_type {
    std::string name; ///< "create_task": the schema's name in OpenAPI.
    std::function<std::string()> schema;
    std::function<expected<void>(std::string_view)> check; ///< Nothing: no check (replies, raw bodies).
    std::size_t bytes_max = limits::body_bytes_max;
    std::string content_type = "application/json";
    std::vector<std::string> other_types = {}; ///< Content types that a reply may have instead.
    std::string example = {};                  ///< JSON; empty: one is made from the schema.
};

/// A body that is a described struct, decoded strictly.
template <class T>
body_type body_of(std::string name, std::size_t bytes_max = limits::body_bytes_max) {
    return {std::move(name), [] { return json_schema<T>(); },
            [](std::string_view text) -> expected<void> {
                auto decoded = from_json<T>(text, strictness::input);
                return decoded ? expected<void>() : expected<void>(decoded.error());
            },
            bytes_max};
}

/// The schema of a document that the node writes: all that is not optional is there.
template <class T>
std::string document_schema() {
    auto out = json_schema<T>();
    std::string always;
    boost::mp11::mp_for_each<detail::members_of<T>>([&](auto d) {
        using member = std::remove_cvref_t<decltype(std::declval<T&>().*d.pointer)>;
        if constexpr (!detail::is_optional<member>::value)
            always += (always.empty() ? "" : ",") + json::quoted(d.name);
    });
    if (!detail::ruled<T> && !always.empty()) // rules say themselves what is required
        out.insert(out.size() - 1, R"(,"required":[)" + always + "]");
    return out;
}

/// A reply that is a described document.
template <class T>
body_type reply_of(std::string name) {
    return {std::move(name), [] { return document_schema<T>(); }, nullptr};
}

/// A query parameter that the route reads; others are refused with their name.
struct query_parameter {
    std::string name;
    std::string doc;
    std::string schema = R"({"type":"string"})"; ///< JSON Schema.
    std::string example = {};                    ///< JSON; empty: one is made from the schema.
};

struct route {
    troupe::net::verb verb = verb::get;
    std::string path;             ///< Under the base path: "/tasks/{id}/messages". "{path}" at the end takes slashes.
    std::string operation;        ///< OpenAPI operationId, unique.
    std::string summary = {};     ///< One sentence.
    std::string description = {}; ///< What else there is to know; Markdown.
    std::string tag = {};
    std::string permission = {}; ///< "task:write"; empty: open to everyone (only GET, or where `open` says so).
    std::vector<query_parameter> query = {};
    std::vector<query_parameter> in_path = {}; ///< Parameters of the path of which there is more to say than a name.
    std::optional<body_type> body = {};
    std::optional<body_type> reply = {};
    int success = 200;
    std::vector<code> errors = {}; ///< Beyond those that every route may give.
    /// Headers that a success may have: "ETag", "Location", "Idempotent-Replayed". With an ETag a GET knows
    /// `If-None-Match`, and what changes something `If-Match`.
    std::vector<std::string> reply_headers = {};
    bool ranges = false;               ///< A GET of a content that knows `Range`.
    std::string deprecated_since = {}; ///< "2026-11-21": answers carry `Deprecation`. Empty: it is not deprecated.
    std::string sunset = {};           ///< The day on which it goes: answers carry `Sunset`. Later than the other.
    handler run = {};
    /// Whether `run` and `stream` may block now: they are called on a thread of those for bodies then. Nothing: it
    /// never does.
    std::function<bool()> blocks = {};
    receiver receive = {};      ///< The body goes to this sink while it arrives; `body` bounds it and says its type.
    stream_handler stream = {}; ///< Instead of, or beside `run`: chosen when the client accepts text/event-stream.
    /// Chooses by the request with its body instead. Nothing: by what the client accepts.
    std::function<bool(const request&)> streams = {};
    /// What `WWW-Authenticate` says to a caller that is not known. Nothing: "Bearer".
    std::function<std::string(const request&)> challenge = {};
    bool open = false;   ///< Changes something and asks for no permission: logging in.
    bool rooted = false; ///< Answers at the path itself, without base path (`/health`, `/metrics`).
};

} // namespace troupe::net
