#include "actors/identity/oidc_pages.hpp"

#include "net/http/html.hpp"
#include "schemas/base/log.hpp"

namespace troupe::actors {

using net::request;
using net::response;

namespace {

/// `title` and `text` are HTML.
void make_page(response& out, const std::string& title, const std::string& text) {
    out.content_type = "text/html; charset=utf-8";
    out.headers.emplace_back("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    out.body = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + title +
               "</title></head><body><h1>" + title + "</h1>" + text + "</body></html>\n";
}

} // namespace

response refusal_page(const problem& p, const request& r) {
    auto out = net::to_response(p, r);
    out.headers.emplace_back("Cache-Control", "no-store");
    if (r.header("accept").value_or("").find("text/html") == std::string_view::npos) {
        return out;
    }
    const auto title = net::escape_html(explain(p.code).title);
    const auto again = "/api/v1/auth/oidc/" + net::escape_html(r.param("provider")) + "/start";
    make_page(out, title,
              "<p>" + net::escape_html(p.detail) + "</p><p>" +
                  (p.code == code::not_found ? "" : "<a href=\"" + again + "\">Begin again</a></p><p>") + "Request " +
                  net::escape_html(r.id) + "</p>");
    return out;
}

response question_page(const std::string& to, const std::string& check) {
    response out{200};
    out.headers.emplace_back("Cache-Control", "no-store");
    make_page(out, "Log in a program?",
              "<p>A program on this machine wants to log in as you; continue only if you just ran <code>troupe "
              "login</code>, and it shows the same letters as this page:</p><p><strong>" +
                  check + "</strong></p><p><a href=\"" + net::escape_html(to) +
                  "\">Continue</a></p><p>Otherwise close this page: somebody wants to use your login.</p>");
    return out;
}

problem without_reason(const problem& p, std::string_view provider, const request& r) {
    if (p.code != code::unavailable) {
        return p;
    }
    return {code::unavailable, "logging in with '" + std::string(provider) +
                                   "' does not work now. Try again, or log in in another way; an administrator finds "
                                   "the reason in the node's log, by the request " +
                                   r.id + "."};
}

void log_refusal(const problem& p, const request& r) {
    log_for("identity").warn("{} (from {}, request {})", p.detail, r.address, r.id);
}

} // namespace troupe::actors
