// What a request's header alone decides: framing, route, caller, size and type of the body to come.
#include "net/http/http_connection.hpp"
#include "net/http/reply_text.hpp"
#include "net/http/text.hpp"
#include "net/websocket/live_socket.hpp"

#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace troupe::net {

namespace {

namespace http = boost::beast::http;

std::optional<verb> verb_of(http::verb v) {
    switch (v) {
    case http::verb::get:
    case http::verb::head:
        return verb::get;
    case http::verb::post:
        return verb::post;
    case http::verb::put:
        return verb::put;
    case http::verb::patch:
        return verb::patch;
    case http::verb::delete_:
        return verb::del;
    default:
        return std::nullopt;
    }
}

bool is_json(std::string_view content_type) {
    const auto type = lower_case(trim(content_type.substr(0, content_type.find(';'))));
    return type == "application/json" || (type.starts_with("application/") && type.ends_with("+json"));
}

bool is_plain_socket_path(std::string_view path) { return path == "/ws" || path == "/api/v1/ws" || path == "/api/ws"; }

/// The path of "http://host/path?query", or the target as it is.
std::string_view origin_form(std::string_view target) {
    const auto scheme = target.find("://");
    if (target.starts_with('/') || scheme == std::string_view::npos)
        return target;
    const auto path = target.find('/', scheme + 3);
    return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
}

} // namespace

/// Methods that nobody defined would let clients make names.
std::string_view http_connection::method_name(http::verb v) {
    switch (v) {
    case http::verb::get:
    case http::verb::head:
    case http::verb::post:
    case http::verb::put:
    case http::verb::patch:
    case http::verb::delete_:
    case http::verb::options: {
        const auto name = http::to_string(v);
        return {name.data(), name.size()};
    }
    default:
        return "_OTHER";
    }
}

std::optional<response> http_connection::judge() {
    const auto& message = parser_->get();
    is_head_ = message.method() == http::verb::head;
    std::string_view path;
    std::string_view query;
    if (auto refusal = judge_framing(path, query)) {
        close_after_ = unread_ = true;
        return refusal;
    }
    allowed_ms_ = edge_->settings.request_time_out_ms;
    std::int64_t wanted_ms = allowed_ms_;
    if (const auto asked = request_.header("x-request-timeout-ms")) {
        const auto [end, error] = std::from_chars(asked->data(), asked->data() + asked->size(), wanted_ms);
        if (error != std::errc() || end != asked->data() + asked->size() || wanted_ms < 1)
            return to_response({code::invalid_request,
                                "X-Request-Timeout-Ms: expected a number of milliseconds over 0",
                                {{"X-Request-Timeout-Ms", "expected a number of milliseconds over 0"}}},
                               request_);
    }
    allowed_ms_ = std::min(wanted_ms, allowed_ms_);
    if (const auto key = request_.header("idempotency-key"); key && key->size() > limits::command_id_bytes_max)
        return to_response({code::invalid_request,
                            "Idempotency-Key: must have at most 255 bytes",
                            {{"Idempotency-Key", "must have at most 255 bytes"}}},
                           request_);
    const bool upgrades =
        message.method() == http::verb::get && has_token(request_.header("upgrade").value_or(""), "websocket");
    if (upgrades || (is_plain_socket_path(path) && message.method() == http::verb::get)) {
        auto refusal = judge_socket(path, query);
        is_socket_ = !refusal;
        return refusal;
    }
    if (auto decided = judge_path(path, query))
        return decided;
    return judge_body();
}

/// The message itself, and what it asks for.
std::optional<response> http_connection::judge_framing(std::string_view& path, std::string_view& query) const {
    const auto& message = parser_->get();
    // Not chunked at last means that nobody can tell where the body ends.
    if (request_.header("transfer-encoding") && !parser_->chunked())
        return to_response({code::malformed_http, "Transfer-Encoding has to be chunked: this node knows no other."},
                           request_);
    if (message.version() == 11 && !request_.header("host"))
        return to_response({code::malformed_http, "The Host header is missing: HTTP/1.1 asks for it."}, request_);
    const auto target = origin_form({message.target().data(), message.target().size()});
    const auto mark = target.find('?');
    path = target.substr(0, mark);
    query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    return std::nullopt;
}

/// Route, query and caller.
std::optional<response> http_connection::judge_path(std::string_view path, std::string_view query) {
    const auto method = parser_->get().method();
    const auto wanted = verb_of(method);
    const bool options = method == http::verb::options;
    if (options && path == "*") {
        response all;
        all.status = 204;
        all.headers.emplace_back("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        return all;
    }
    auto found = edge_->router.find(wanted, path);
    if (!found) {
        return to_response(found.error(), request_);
    }
    request_.path = found->path.empty() ? std::string(path) : std::move(found->path);
    if (found->target == nullptr) {
        if (found->allow.empty())
            return to_response(
                {code::not_found, "There is nothing at this path: see /api/v1/openapi.json for what is there."},
                request_);
        response r;
        if (options)
            r.status = 204;
        else
            r = to_response({code::method_not_allowed, "This path answers to " + found->allow + " only."}, request_);
        r.headers.emplace_back("Allow", std::move(found->allow));
        return r;
    }
    route_ = found->target;
    request_.verb = *wanted;
    request_.params = std::move(found->params);
    if (!route_->permission.empty()) {
        if (auto refusal = judge_caller(&route_->permission))
            return refusal;
    }
    auto values = edge_->router.read_query(*route_, query);
    if (!values)
        return to_response(values.error(), request_);
    request_.query = std::move(*values);
    wants_stream_ = route_->stream && !is_head_ &&
                    (!route_->run || has_token(request_.header("accept").value_or(""), "text/event-stream"));
    if (is_head_ && !route_->run) { // a stream has no length to tell
        response empty;
        empty.content_type = "text/event-stream";
        return empty;
    }
    return std::nullopt;
}

/// Without a permission any known caller will do.
std::optional<response> http_connection::judge_caller(const std::string* permission) {
    const auto& hooks = edge_->hooks;
    if (!hooks.authenticate)
        return to_response({code::unauthenticated, "This node knows no keys yet."}, request_);
    auto who = hooks.authenticate(request_);
    if (!who)
        return to_response(who.error(), request_);
    request_.who = std::move(*who);
    if (permission == nullptr)
        return std::nullopt;
    if (!hooks.authorize)
        return to_response({code::forbidden, "This node grants no permissions yet."}, request_);
    if (auto may = hooks.authorize(request_.who, *permission); !may)
        return to_response(may.error(), request_);
    return std::nullopt;
}

/// An upgrade to WebSocket, at one of the plain paths or at a stream's.
std::optional<response> http_connection::judge_socket(std::string_view path, std::string_view query) {
    request_.path = path;
    const std::string* permission = nullptr; // each channel has its own check
    if (!is_plain_socket_path(path)) {
        auto found = edge_->router.find(verb::get, path);
        if (found && found->target == nullptr && path.starts_with("/ws/"))
            found = edge_->router.find(verb::get, "/api/v1" + std::string(path));
        if (!found)
            return to_response(found.error(), request_);
        if (found->target == nullptr || !found->target->stream)
            return to_response({code::not_found, "There is no WebSocket at this path: connect to /api/v1/ws."},
                               request_);
        route_ = found->target;
        permission = route_->permission.empty() ? nullptr : &route_->permission;
        request_.params = std::move(found->params);
        request_.path = std::move(found->path);
        auto values = edge_->router.read_query(*route_, query);
        if (!values)
            return to_response(values.error(), request_);
        request_.query = std::move(*values);
    }
    const auto& headers = request_;
    if (!has_token(headers.header("upgrade").value_or(""), "websocket") ||
        !has_token(headers.header("connection").value_or(""), "upgrade") ||
        headers.header("sec-websocket-version").value_or("") != "13" ||
        headers.header("sec-websocket-key").value_or("").size() != 24 || parser_->get().version() != 11) {
        auto r = with_status(to_response({code::malformed_http,
                                          "This path speaks WebSocket (version 13): connect with a WebSocket client."},
                                         request_),
                             426);
        r.headers.emplace_back("Upgrade", "websocket");
        r.headers.emplace_back("Sec-WebSocket-Version", "13");
        return r;
    }
    if (!parser_->is_done() || buffer_.size() > 0)
        return to_response({code::malformed_http, "Nothing may follow the upgrade before it is answered."}, request_);
    if (const auto key = key_in_subprotocols(headers.header("sec-websocket-protocol").value_or("")))
        request_.headers.try_emplace("authorization", "Bearer " + std::string(*key));
    if (edge_->draining)
        return to_response({code::unavailable, "This node is stopping: connect to another, or later.", {}, 1},
                           request_);
    return judge_caller(permission);
}

/// Size and type of the body to come.
std::optional<response> http_connection::judge_body() {
    const auto bytes_max = route_->body ? route_->body->bytes_max : limits::body_bytes_max;
    if (const auto length = parser_->content_length(); length && *length > bytes_max)
        return to_response({code::payload_too_large, "The body has " + std::to_string(*length) +
                                                         " bytes, this route takes " + std::to_string(bytes_max) +
                                                         ": send less, or upload it as a file."},
                           request_);
    parser_->body_limit(bytes_max);
    if (route_->receive)
        return open_sink();
    if (!route_->body || !is_json(route_->body->content_type))
        return std::nullopt;
    if (const auto type = request_.header("content-type"); type && !is_json(*type))
        return to_response(
            {code::unsupported_media_type, "The body has to be JSON: send Content-Type: application/json."}, request_);
    return std::nullopt;
}

} // namespace troupe::net
