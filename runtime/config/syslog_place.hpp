#pragma once

#include "schemas/base/problem.hpp"

#include <string>
#include <string_view>

namespace troupe::runtime {

/// A server of syslog, "udp://HOST:PORT" or "tcp://HOST:PORT".
struct syslog_place {
    bool is_udp = false;
    std::string host; ///< Without the brackets of an IPv6 address.
    std::string port;
};

/// `config_invalid` for anything else.
expected<syslog_place> parse_syslog_place(std::string_view text);

} // namespace troupe::runtime
