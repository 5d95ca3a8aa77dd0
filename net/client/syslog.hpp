#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net {

/// Sends syslog messages (RFC 5424) to a server. Not for several threads at once. Syslog has no acknowledgement: what
/// the network or the server loses after it was sent is lost.
class syslog_client {
public:
    virtual ~syslog_client() = default;
    /// Blocks, at most about 10 s. `connection_failed`: some may have been sent.
    virtual expected<void> send(const std::vector<std::string>& messages) = 0;
};

/// "udp://HOST:PORT" (a datagram a message, RFC 5426; what is over 8 KiB is cut) or "tcp://HOST:PORT" (octets counted,
/// RFC 6587; one connection that is kept). `config_invalid` for anything else.
expected<std::unique_ptr<syslog_client>> make_syslog_client(const std::string& place);

/// This machine's name, for messages; "-" when it has none.
std::string syslog_host();
/// Text of a field of the header: printable ASCII without spaces, at most that many bytes; "-" for nothing.
std::string syslog_field(std::string_view text, std::size_t bytes_max);

} // namespace troupe::net
