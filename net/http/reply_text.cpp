#include "net/http/reply_text.hpp"

#include "net/http/text.hpp"

#include <algorithm>
#include <array>

namespace troupe::net {

namespace {

void append_value(std::string& out, std::string_view text) {
    for (const char c : text)
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
    append_value(out, name);
    out += ": ";
    append_value(out, value);
    out += "\r\n";
}

/// What browsers are told of every answer, unless its handler says otherwise: it is data, and nobody's page.
struct policy {
    std::string_view name;
    std::string_view line;
};
constexpr std::array policies = {
    policy{"X-Content-Type-Options", "X-Content-Type-Options: nosniff\r\n"},
    policy{"Referrer-Policy", "Referrer-Policy: no-referrer\r\n"},
    policy{"X-Frame-Options", "X-Frame-Options: DENY\r\n"},
    policy{"Content-Security-Policy", "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"},
    policy{"Cross-Origin-Resource-Policy", "Cross-Origin-Resource-Policy: same-origin\r\n"},
};

bool says(const response& r, std::string_view name) {
    return std::ranges::any_of(r.headers, [&](const auto& h) { return equal_ignoring_case(h.first, name); });
}

void append_policies(std::string& out, const response& r) {
    for (const auto& p : policies) {
        if (!says(r, p.name))
            out += p.line;
    }
    if (!says(r, "cache-control")) // with an ETag it may be kept, and has to be asked for again
        out += says(r, "etag") ? "Cache-Control: private, no-cache\r\n" : "Cache-Control: no-store\r\n";
}

} // namespace

std::string_view reason_of(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 206:
        return "Partial Content";
    case 303:
        return "See Other";
    case 308:
        return "Permanent Redirect";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 416:
        return "Range Not Satisfiable";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    case 507:
        return "Insufficient Storage";
    default:
        return "Status";
    }
}

void append_head(std::string& out, const response& r, const reply_frame& frame) {
    out += "HTTP/1.1 ";
    out += std::to_string(r.status);
    out += ' ';
    out += reason_of(r.status);
    out += "\r\nServer: ";
    out += frame.server;
    out += "\r\n";
    out += frame.date_line;
    const bool may_have_body = r.status >= 200 && r.status != 204 && r.status != 304;
    if (may_have_body && !(r.body.empty() && r.content_type == response{}.content_type))
        append_line(out, "Content-Type", r.content_type);
    if (may_have_body && !frame.without_length) {
        out += "Content-Length: ";
        out += std::to_string(r.source ? r.source->bytes.value_or(0) : r.body.size());
        out += "\r\n";
    }
    for (const auto& [name, value] : r.headers)
        append_line(out, name, value);
    out += "X-Request-Id: ";
    out += frame.request_id;
    out += "\r\ntraceparent: ";
    out += frame.traceparent;
    out += "\r\n";
    append_policies(out, r);
    out += frame.more_lines;
    if (frame.close)
        out += "Connection: close\r\n";
    else if (frame.keep_alive)
        out += "Connection: keep-alive\r\n";
    out += "\r\n";
}

response with_status(response problem_response, int status) {
    static constexpr std::string_view member = "\"status\":";
    auto& body = problem_response.body;
    if (const auto at = body.find(member); at != std::string::npos) {
        const auto from = at + member.size();
        const auto end = body.find_first_not_of("0123456789", from);
        body.replace(from, end - from, std::to_string(status));
    }
    problem_response.status = status;
    return problem_response;
}

} // namespace troupe::net
