#include "net/smtp/smtp_session.hpp"

#include "net/http/text.hpp"
#include "schemas/base/cipher.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::size_t address_bytes_max = 254;
constexpr std::size_t shown_bytes_max = 300;

problem no_smtp(std::string what) { return {code::unavailable, "It does not speak SMTP: " + std::move(what) + "."}; }

/// What a server said, as one line that can be logged and shown.
std::string said(const smtp_reply& reply) {
    auto out = std::to_string(reply.status);
    for (const auto& line : reply.lines) {
        out += " " + line;
    }
    std::replace_if(
        out.begin(), out.end(), [](unsigned char c) { return c < 32 || c > 126; }, '?');
    return out.substr(0, shown_bytes_max);
}

/// 5xx refuses for good, 4xx for now.
problem refused(std::string_view what, const smtp_reply& reply, bool for_good) {
    return {for_good && reply.status / 100 == 5 ? code::invalid_request : code::unavailable,
            "The server " + std::string(what) + ": " + said(reply)};
}

std::string upper_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return out;
}

/// The words behind an offer's name, or nothing when it is not offered.
std::optional<std::string> offered(const std::vector<std::string>& offers, std::string_view name) {
    for (const auto& offer : offers) {
        const auto end = offer.find_first_of(" =");
        if (std::string_view(offer).substr(0, end) == name) {
            return end == std::string::npos ? std::string() : offer.substr(end + 1);
        }
    }
    return std::nullopt;
}

bool has_word(std::string_view words, std::string_view wanted) {
    while (!words.empty()) {
        const auto word = words.substr(0, words.find(' '));
        if (word == wanted) {
            return true;
        }
        words.remove_prefix(std::min(words.size(), word.size() + 1));
    }
    return false;
}

} // namespace

expected<std::optional<smtp_reply>> smtp_reply_reader::take(std::string_view& bytes) {
    while (!bytes.empty()) {
        const char c = bytes.front();
        bytes.remove_prefix(1);
        if (c != '\n') {
            if (line_.size() == line_bytes_max) {
                return no_smtp("a line is over " + std::to_string(line_bytes_max) + " bytes");
            }
            line_ += c;
            continue;
        }
        const auto last = end_line();
        if (!last) {
            return last.error();
        }
        if (*last) {
            return std::optional(std::exchange(reply_, {}));
        }
    }
    return std::optional<smtp_reply>();
}

/// Whether it was the last of its reply.
expected<bool> smtp_reply_reader::end_line() {
    auto line = std::exchange(line_, {});
    if (!line.empty() && line.back() == '\r') {
        line.pop_back();
    }
    int status = 0;
    const auto* const digits_end = line.data() + std::min<std::size_t>(line.size(), 3);
    const auto [end, error] = std::from_chars(line.data(), digits_end, status);
    const bool whole = error == std::errc() && end == line.data() + 3 && status >= 200 && status <= 599;
    if (!whole || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) {
        return no_smtp("a reply begins with no status");
    }
    if (!reply_.lines.empty() && reply_.status != status) {
        return no_smtp("a reply has more than one status");
    }
    if (reply_.lines.size() == lines_max) {
        return no_smtp("a reply has over " + std::to_string(lines_max) + " lines");
    }
    reply_.status = status;
    reply_.lines.push_back(line.size() > 4 ? line.substr(4) : std::string());
    return line.size() == 3 || line[3] == ' ';
}

smtp_action smtp_session::send(waits_for next, std::string bytes) {
    at_ = next;
    return {smtp_step::send, std::move(bytes)};
}

smtp_action smtp_session::greet() { return send(waits_for::hello, "EHLO " + login_.client_name + "\r\n"); }

smtp_action smtp_session::name_sender() { return send(waits_for::sender, "MAIL FROM:<" + mail_.from + ">\r\n"); }

expected<smtp_action> smtp_session::greeted(const smtp_reply& reply) {
    offers_.clear();
    std::transform(reply.lines.begin(), reply.lines.end(), std::back_inserter(offers_), upper_case);
    if (!login_.is_secured && offered(offers_, "STARTTLS")) {
        return send(waits_for::tls, "STARTTLS\r\n");
    }
    if (const auto size = offered(offers_, "SIZE")) {
        std::uint64_t bytes_max = 0;
        std::from_chars(size->data(), size->data() + size->size(), bytes_max);
        if (bytes_max > 0 && mail_.message.size() > bytes_max) {
            return problem{code::invalid_request,
                           "The server takes e-mails of at most " + std::to_string(bytes_max) + " bytes."};
        }
    }
    return login_.user.empty() ? expected<smtp_action>(name_sender()) : log_in();
}

expected<smtp_action> smtp_session::log_in() {
    if (!login_.is_secured && !login_.trusts_wire) {
        return problem{code::unavailable,
                       "The server offers no STARTTLS, and a password does not go over an open connection."};
    }
    const auto ways = offered(offers_, "AUTH").value_or("");
    if (has_word(ways, "PLAIN")) {
        const auto proof = std::string(1, '\0') + login_.user + std::string(1, '\0') + login_.password;
        return send(waits_for::login, "AUTH PLAIN " + to_base64(proof) + "\r\n");
    }
    if (has_word(ways, "LOGIN")) {
        return send(waits_for::user, "AUTH LOGIN\r\n");
    }
    return problem{code::unavailable, "The server offers no login with a password (AUTH PLAIN or LOGIN)."};
}

expected<smtp_action> smtp_session::take(const smtp_reply& reply) {
    const bool done = reply.status / 100 == 2;
    const bool goes_on = reply.status / 100 == 3;
    switch (at_) {
    case waits_for::greeting:
        return done ? expected<smtp_action>(greet()) : refused("is not ready", reply, false);
    case waits_for::hello:
        return done ? greeted(reply) : refused("refuses EHLO", reply, false);
    case waits_for::tls: {
        if (!done) {
            return refused("refuses STARTTLS", reply, false);
        }
        login_.is_secured = true; // what it offered before was not protected: it is asked again
        auto hello = greet();
        hello.step = smtp_step::start_tls;
        return hello;
    }
    case waits_for::user:
        return goes_on ? expected<smtp_action>(send(waits_for::password, to_base64(login_.user) + "\r\n"))
                       : refused("refuses the login", reply, false);
    case waits_for::password:
        return goes_on ? expected<smtp_action>(send(waits_for::login, to_base64(login_.password) + "\r\n"))
                       : refused("refuses the login", reply, false);
    case waits_for::login:
        return done ? expected<smtp_action>(name_sender()) : refused("refuses the login", reply, false);
    case waits_for::sender:
        return done ? expected<smtp_action>(send(waits_for::receiver, "RCPT TO:<" + mail_.to + ">\r\n"))
                    : refused("refuses the sender", reply, true);
    case waits_for::receiver:
        return done ? expected<smtp_action>(send(waits_for::data, "DATA\r\n"))
                    : refused("refuses the receiver", reply, true);
    case waits_for::data:
        return goes_on ? expected<smtp_action>(send(waits_for::content, smtp_content(mail_.message)))
                       : refused("refuses the e-mail", reply, true);
    case waits_for::content:
        return done ? expected<smtp_action>(smtp_action{smtp_step::finish, "QUIT\r\n"})
                    : refused("refuses the e-mail", reply, true);
    }
    return no_smtp("it says more than it was asked");
}

bool is_mail_address(std::string_view text) {
    const auto at = text.rfind('@');
    const auto usable = [](unsigned char c) {
        return c > 32 && c < 127 && std::string_view("<>()[],;:\\\"@").find(static_cast<char>(c)) == std::string::npos;
    };
    const auto host = text.substr(std::min(text.size(), at + 1));
    return at != std::string_view::npos && at > 0 && at <= 64 && !host.empty() && text.size() <= address_bytes_max &&
           std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), usable) &&
           std::all_of(host.begin(), host.end(),
                       [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '-'; });
}

std::string smtp_content(std::string_view message) {
    std::string out;
    out.reserve(message.size() + message.size() / 32 + 8);
    while (!message.empty()) {
        const auto end = message.find('\n');
        auto line = message.substr(0, end);
        message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        if (!line.empty() && line.front() == '.') {
            out += '.';
        }
        for (const char c : line) {
            out += c == '\r' ? ' ' : c; // alone it is a line's end for some servers, and so a way to end the mail
        }
        out += "\r\n";
    }
    return out += ".\r\n";
}

} // namespace troupe::net
