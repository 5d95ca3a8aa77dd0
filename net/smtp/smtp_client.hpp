#pragma once

#include "net/smtp/smtp_session.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <stop_token>
#include <string>

namespace troupe::net {

struct smtp_server {
    std::string host;
    std::string port;
    bool tls = false;                       ///< From the start; else with STARTTLS where it is offered.
    std::string ca_file;                    ///< Empty: the system's certificates.
    std::int64_t step_time_out_ms = 60'000; ///< Of connecting, and of each reply.
    std::int64_t time_out_ms = 180'000;     ///< The whole of it.
};

/// Gives a mail to the server, which is then answerable for it. Blocks the caller's thread; safe from any.
/// `invalid_request`: it will never be taken; `cancelled`; `connection_failed` and `unavailable`: it may be taken
/// another time. Where the connection broke at the end nobody knows whether it was taken: it is sent again, and its
/// Message-ID says that it is the same.
expected<void> send_mail(const smtp_server& server, smtp_login login, smtp_mail mail, const std::stop_token& stop);

} // namespace troupe::net
