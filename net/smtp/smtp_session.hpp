#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The client's side of SMTP (RFC 5321), for one e-mail to one person. Pure: bytes in, what to do out.
namespace troupe::net {

struct smtp_reply {
    int status = 0; ///< 200 to 599.
    std::vector<std::string> lines;
};

/// Puts replies together, in whatever pieces they come.
class smtp_reply_reader {
public:
    static constexpr std::size_t line_bytes_max =
        2048; ///< The standard has 512; some servers explain themselves at length.
    static constexpr std::size_t lines_max = 100;

    /// Takes from `bytes` what belongs to the reply that is under way, which it gives once it is complete. A problem:
    /// this is no SMTP server, and the reader is of no more use.
    expected<std::optional<smtp_reply>> take(std::string_view& bytes);

private:
    expected<bool> end_line();

    std::string line_;
    smtp_reply reply_;
};

/// What a mail needs beside its text.
struct smtp_mail {
    std::string from; ///< Both as `is_mail_address` has them.
    std::string to;
    std::string message; ///< Header and body (mime_message.hpp).
};

struct smtp_login {
    std::string client_name = "localhost"; ///< What it calls itself.
    std::string user = {};                 ///< Empty: it does not log in.
    std::string password = {};
    bool is_secured = false;  ///< The connection has TLS from the start.
    bool trusts_wire = false; ///< The password may go over a connection without TLS: it does not leave the machine.
};

enum class smtp_step : std::uint8_t {
    send,      ///< Send the bytes, then wait for a reply.
    start_tls, ///< Shake hands, then send the bytes and wait for a reply.
    finish,    ///< The server has the mail. The bytes say goodbye; no answer matters.
};
struct smtp_action {
    smtp_step step = smtp_step::send;
    std::string bytes;
};

class smtp_session {
public:
    smtp_session(smtp_login login, smtp_mail mail) : login_(std::move(login)), mail_(std::move(mail)) {}

    /// The server's next reply; the first is its greeting. `invalid_request`: this mail will never be taken;
    /// `unavailable`: another time it may be.
    expected<smtp_action> take(const smtp_reply& reply);

private:
    enum class waits_for : std::uint8_t {
        greeting,
        hello,
        tls,
        user,
        password,
        login,
        sender,
        receiver,
        data,
        content
    };

    smtp_action greet();
    expected<smtp_action> greeted(const smtp_reply& reply);
    expected<smtp_action> log_in();
    smtp_action name_sender();
    smtp_action send(waits_for next, std::string bytes);

    smtp_login login_;
    smtp_mail mail_;
    waits_for at_ = waits_for::greeting;
    std::vector<std::string> offers_; ///< Of the server, in upper case: "AUTH PLAIN LOGIN".
};

/// "name@host" in ASCII without quotes, spaces and controls: nothing that could end a command or a header.
bool is_mail_address(std::string_view text);

/// A message as it is sent after DATA: lines end with CR LF, leading dots are doubled, and one alone ends it.
std::string smtp_content(std::string_view message);

} // namespace troupe::net
