#include "bin/cli/login_oidc.hpp"

#include "bin/cli/ask.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/clock.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace troupe::cli {
namespace {

constexpr std::int64_t browser_ms = 5000; // a browser that connects sends its request at once
constexpr int look_ms = 200;              // so often Ctrl-C is looked for

problem no_listener() {
    return {code::listen_failed,
            fmt::format("No port of 127.0.0.1 could be taken, which the browser needs to come back: {}.",
                        std::strerror(errno))};
}

/// Whether there is something to read (or somebody to accept) before `until_ms`.
bool readable(int fd, std::int64_t until_ms, const std::stop_token& stop) {
    while (!stop.stop_requested() && monotonic_ms() < until_ms) {
        pollfd p{fd, POLLIN, 0};
        const int found = ::poll(&p, 1, look_ms);
        if (found > 0) {
            return true;
        }
        if (found < 0 && errno != EINTR) {
            return false;
        }
    }
    return false;
}

/// The head of a request; what did come when it is none.
std::string read_head(int fd, const std::stop_token& stop) {
    const auto until = monotonic_ms() + browser_ms;
    std::string out;
    std::array<char, 4096> piece{};
    while (out.size() < loopback_listener::bytes_max && out.find("\r\n\r\n") == std::string::npos &&
           readable(fd, until, stop)) {
        const auto got = ::recv(fd, piece.data(), piece.size(), 0);
        if (got <= 0) {
            break;
        }
        out.append(piece.data(), static_cast<std::size_t>(got));
    }
    return out;
}

/// The query of "GET /?a=1 HTTP/1.1"; empty: none.
std::string query_of(const std::string& head) {
    const auto line = head.substr(0, head.find("\r\n"));
    const auto mark = line.find('?');
    const auto end = line.rfind(" HTTP/1.");
    const bool good = line.starts_with("GET /") && mark != line.npos && end != line.npos && mark < end;
    return good ? line.substr(mark + 1, end - mark - 1) : std::string();
}

void answer(int fd, std::string_view status, std::string_view text) {
    const auto body = fmt::format("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>troupe</title>"
                                  "<p>{}</p></html>\n",
                                  text);
    const auto all = fmt::format("HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n"
                                 "Cache-Control: no-store\r\nConnection: close\r\n\r\n{}",
                                 status, body.size(), body);
    (void)::send(fd, all.data(), all.size(), MSG_NOSIGNAL); // a page that does not arrive costs nothing
}

int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? digit(text[i + 1]) : -1;
        const int low = high >= 0 ? digit(text[i + 2]) : -1;
        if (low >= 0) {
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

} // namespace

std::optional<std::string> value_in_query(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        if (pair.substr(0, equals) == name) {
            return decoded(pair.substr(std::min(equals + 1, pair.size())));
        }
    }
    return std::nullopt;
}

expected<loopback_listener> loopback_listener::open() {
    unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (!fd || ::bind(fd.get(), raw, sizeof address) != 0 || ::listen(fd.get(), 8) != 0 ||
        ::getsockname(fd.get(), raw, &size) != 0) {
        return no_listener();
    }
    return loopback_listener(std::move(fd), ntohs(address.sin_port));
}

std::string loopback_listener::url() const { return fmt::format("http://127.0.0.1:{}/", port_); }

expected<std::string> loopback_listener::wait(std::string_view state, std::int64_t wait_ms,
                                              const std::stop_token& stop) {
    const auto until = monotonic_ms() + wait_ms;
    while (readable(fd_.get(), until, stop)) {
        const unique_fd browser(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!browser) {
            continue; // it went away again
        }
        const auto query = query_of(read_head(browser.get(), stop));
        if (value_in_query(query, "state") == state) {
            answer(browser.get(), "200 OK", "Done here: go back to the terminal.");
            return query;
        }
        answer(browser.get(), "404 Not Found", "Nobody waits for this.");
    }
    return stop.stop_requested()
               ? problem{code::cancelled, "Nobody is logged in: it was interrupted."}
               : problem{code::deadline_exceeded, "Nobody is logged in: the browser did not come back in time."};
}

expected<std::string> log_in_at_issuer(context& c, api& node, const std::string& provider,
                                       const std::string& organization) {
    auto listener = loopback_listener::open();
    if (!listener) {
        return listener.error();
    }
    const auto path = "/auth/oidc/" + encode_segment(provider);
    const oidc_start_body begin{listener->url(), organization.empty() ? std::nullopt : std::optional(organization)};
    const auto body = node.post(path + "/start", to_json(begin));
    const auto started = body ? from_json<oidc_started_document>(*body, strictness::stored)
                              : expected<oidc_started_document>(body.error());
    if (!started) {
        return started.error();
    }
    const auto& url = started->authorization_url;
    const auto state = value_in_query(std::string_view(url).substr(std::min(url.find('?') + 1, url.size())), "state");
    if (!state || !started->binding) {
        return problem{code::internal, "The node did not say how to log in at its issuer."};
    }
    c.note("Open the address below in a browser on this machine, and log in there." +
           (started->check ? " Then continue only if the page shows " + clean_line(*started->check) + "." : "") +
           "\n\n  " + clean_line(url) + "\n");
    const interrupt interrupted;
    const auto query = listener->wait(*state, started->expires_in * 1000, interrupted.token());
    if (!query) {
        return query.error();
    }
    if (const auto error = value_in_query(*query, "error")) {
        return problem{code::forbidden,
                       fmt::format("Nobody is logged in: {} says `{}`.", provider, clean_line(error->substr(0, 100)))};
    }
    const oidc_callback_body back{value_in_query(*query, "code").value_or(""), *state, *started->binding,
                                  value_in_query(*query, "iss")};
    auto answer = node.post(path + "/callback", to_json(back));
    const auto ticket = node.refusal_header("x-login-ticket");
    if (answer || answer.error().code != code::mfa_required || ticket.empty()) {
        return answer;
    }
    auto code_of_factor = c.args().value("code");
    if (!code_of_factor && c.typed()) {
        code_of_factor = ask("Code of the second factor: ");
    }
    if (!code_of_factor) {
        return problem{code::mfa_required, "The account has a second factor, and the issuer asked for none: give "
                                           "--code CODE."};
    }
    return node.post("/auth/oidc/mfa", to_json(oidc_mfa_body{*code_of_factor, ticket}));
}

} // namespace troupe::cli
