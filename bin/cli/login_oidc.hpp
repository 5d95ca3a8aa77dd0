#pragma once

#include "bin/cli/api.hpp"
#include "bin/cli/commands.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/base/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace troupe::cli {

/// Where the browser of this machine brings what an issuer said (RFC 8252, 7.3): a port of the loopback address.
class loopback_listener {
public:
    /// Takes a free port of 127.0.0.1.
    static expected<loopback_listener> open();
    /// "http://127.0.0.1:PORT/"
    [[nodiscard]] std::string url() const;
    /// The query of the first request whose `state` is that one, of at most `bytes_max`; the browser is told to go back
    /// to the terminal. Others are refused. `cancelled`, `deadline_exceeded`.
    expected<std::string> wait(std::string_view state, std::int64_t wait_ms, const std::stop_token& stop);
    static constexpr std::size_t bytes_max = 16 << 10;

private:
    loopback_listener(unique_fd fd, int port) : fd_(std::move(fd)), port_(port) {}
    unique_fd fd_;
    int port_;
};

/// A value of "a=1&b=2", decoded.
std::optional<std::string> value_in_query(std::string_view query, std::string_view name);

/// Logs in at an issuer: says which address to open, waits for the browser, and asks for the second factor where the
/// node wants it. The answer of the node: a login_document.
expected<std::string> log_in_at_issuer(context& c, api& node, const std::string& provider,
                                       const std::string& organization);

} // namespace troupe::cli
