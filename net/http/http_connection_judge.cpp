// What a request's header alone decides: framing, route, caller, size and type of the body to come.
#include "net/http/http_connection.hpp"
#include "net/http/message_check.hpp"
#include "net/http/reply_text.hpp"
#include "net/http/text.hpp"
#include "net/websocket/live_socket.hpp"
#include "schemas/base/network.hpp"

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
    if (auto refusal = judge_headers())
        return refusal;
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

/// Headers that every route takes.
std::optional<response> http_connection::judge_headers() {
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
    return std::nullopt;
}

/// Answers and closes, as `status` unless that is the problem's own.
response http_connection::refused_message(std::string why, int status) const {
    auto out = to_response({code::malformed_http, std::move(why)}, request_);
    return status == 0 ? out : with_status(std::move(out), status);
}

/// The message itself, and what it asks for.
std::optional<response> http_connection::judge_framing(std::string_view& path, std::string_view& query) {
    const auto& message = parser_->get();
    if (misdirected_)
        return refused_message("This port speaks https and got plain HTTP: use https://.");
    if (!repeated_.empty())
        return refused_message("The header " + std::string(repeated_) + " may come only once.");
    if (const auto coding = request_.header("transfer-encoding")) {
        // Not chunked at last means that nobody can tell where the body ends.
        if (is_old_ || !parser_->chunked())
            return refused_message("Transfer-Encoding has to be chunked, in HTTP/1.1: this node knows no other.");
        if (!equal_ignoring_case(*coding, "chunked"))
            return refused_message("Transfer-Encoding has to be chunked alone: this node knows no other.", 501);
    }
    // The parser takes "5, 5" as well.
    if (request_.header("content-length").value_or("0").find_first_not_of("0123456789") != std::string_view::npos)
        return refused_message("Content-Length is one number.");
    const auto host = request_.header("host");
    if (!host && !is_old_)
        return refused_message("The Host header is missing: HTTP/1.1 asks for it.");
    if (host && !is_host(*host))
        return refused_message("The Host header is no name and no address, with or without a port.");
    const std::string_view target(message.target().data(), message.target().size());
    const auto parts = split_target(target);
    if (!parts.good || (parts.path == "*" && message.method() != http::verb::options))
        return refused_message("The target of the request is neither a path nor an http URL.");
    if (host && !parts.authority.empty() && !equal_ignoring_case(parts.authority, *host))
        return refused_message("The URL and the Host header name different hosts.");
    if (const auto expected = request_.header("expect");
        expected && !is_old_ && !equal_ignoring_case(*expected, "100-continue"))
        return refused_message("Expect can be 100-continue only.", 417);
    if (way_ == entrance::redirect)
        return redirected(host ? *host : parts.authority, target.substr(target.find(parts.path)));
    path = parts.path;
    query = parts.query;
    return std::nullopt;
}

/// To the same path over TLS.
response http_connection::redirected(std::string_view host, std::string_view target) const {
    if (host.empty())
        return refused_message("Send a Host header: this port only says where the node speaks https.");
    const auto colon = host.find(':', host.starts_with('[') ? host.find(']') : 0);
    std::string where = "https://" + std::string(host.substr(0, colon));
    if (edge_->tls_port != 443)
        where += ":" + std::to_string(edge_->tls_port);
    response out;
    out.status = 308;
    out.headers.emplace_back("Location", where + (target.starts_with('/') ? std::string(target) : "/"));
    return out;
}

/// Route, query and caller.
std::optional<response> http_connection::judge_path(std::string_view path, std::string_view query) {
    const auto method = parser_->get().method();
    const auto wanted = verb_of(method);
    const bool options = method == http::verb::options;
    if (options && path == "*")
        return answer_options("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
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
        if (options)
            return answer_options(std::move(found->allow));
        auto r = to_response({code::method_not_allowed, "This path answers to " + found->allow + " only."}, request_);
        r.headers.emplace_back("Allow", std::move(found->allow));
        return r;
    }
    route_ = found->target;
    request_.verb = *wanted;
    request_.params = std::move(found->params);
    // A browser sends cookies along with what a form or a script of any page posts, and asks for no leave.
    if (request_.verb != verb::get && is_foreign_page() && request_.header("cookie") &&
        !request_.header("authorization") && !request_.header("x-api-key"))
        return to_response({code::forbidden, "Pages of this origin may not write here: name it in edge.cors.origins."},
                           request_);
    if (!route_->permission.empty()) {
        if (auto refusal = judge_caller(&route_->permission))
            return refusal;
    } else if (route_->open) {
        if (auto late = within(edge_->by_address.take(client_network(request_.address), now_us())))
            return late;
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

/// A browser asks so before it lets a page of another origin write.
response http_connection::answer_options(std::string allow) {
    if (request_.header("access-control-request-method") &&
        edge_->origins.allows(request_.header("origin").value_or("")))
        edge_->origins.append_preflight(more_lines_, allow);
    response out;
    out.status = 204;
    out.headers.emplace_back("Allow", std::move(allow));
    return out;
}

/// Whether a browser asks for a page that is neither this node's nor one of the configured origins.
bool http_connection::is_foreign_page() const {
    const auto origin = request_.header("origin");
    return origin && !edge_->origins.allows(*origin) &&
           !is_same_origin(*origin, request_.header("host").value_or(""), request_.secure);
}

/// Without a permission any known caller will do.
std::optional<response> http_connection::judge_caller(const std::string* permission) {
    const auto& hooks = edge_->hooks;
    if (!hooks.authenticate)
        return to_response({code::unauthenticated, "This node knows no keys yet."}, request_);
    auto who = hooks.authenticate(request_);
    if (!who)
        return judge_stranger(who.error());
    request_.who = std::move(*who);
    if (auto late = judge_rate(); late || permission == nullptr)
        return late;
    if (!hooks.authorize)
        return to_response({code::forbidden, "This node grants no permissions yet."}, request_);
    if (auto may = hooks.authorize(request_.who, *permission); !may)
        return to_response(may.error(), request_);
    return std::nullopt;
}

/// Who tries keys is slowed down by its address; a refusal that names the caller is none of that.
std::optional<response> http_connection::judge_stranger(const problem& why) {
    if (why.code == code::unauthenticated) {
        if (auto late = within(edge_->by_address.take(client_network(request_.address), now_us())))
            return late;
    }
    auto out = to_response(why, request_);
    if (out.status == 401 && route_ != nullptr && route_->challenge) {
        std::erase_if(out.headers, [](const auto& header) { return header.first == "WWW-Authenticate"; });
        out.headers.emplace_back("WWW-Authenticate", route_->challenge(request_));
    }
    return out;
}

/// Neither the caller nor its organization may send more than its share.
std::optional<response> http_connection::judge_rate() {
    if (!edge_->by_caller.is_on() && !edge_->by_organization.is_on())
        return std::nullopt;
    const auto now = now_us();
    const auto own = edge_->by_caller.take(request_.who.name, now);
    if (!own.allowed)
        return within(own); // what is refused takes nothing from the others
    const auto all = edge_->by_organization.take(to_string(request_.who.organization), now);
    return within(all.is_tighter_than(own) ? all : own);
}

/// Tells what is left, as draft-ietf-httpapi-ratelimit-headers had it when clients took it up; 429 when nothing is.
std::optional<response> http_connection::within(const rate_verdict& found) {
    if (found.limit == 0)
        return std::nullopt;
    more_lines_ += "RateLimit-Limit: " + std::to_string(found.limit) +
                   "\r\nRateLimit-Remaining: " + std::to_string(found.remaining) +
                   "\r\nRateLimit-Reset: " + std::to_string(found.reset_s) + "\r\n";
    if (found.allowed)
        return std::nullopt;
    return to_response({code::rate_limited,
                        "Too many requests: come again in " + std::to_string(found.reset_s) + " seconds.",
                        {},
                        static_cast<std::uint32_t>(found.reset_s)},
                       request_);
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
    if (is_foreign_page()) // any page may open a WebSocket, and the browser sends its cookies along
        return to_response({code::forbidden, "Pages of this origin may not open a WebSocket here: name it in "
                                             "edge.cors.origins."},
                           request_);
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
    if (const auto coding = request_.header("content-encoding");
        coding && !equal_ignoring_case(*coding, "identity") && !parser_->is_done())
        return to_response({code::unsupported_media_type, "The body is encoded (Content-Encoding): send it plain."},
                           request_);
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
