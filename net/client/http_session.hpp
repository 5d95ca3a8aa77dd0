#pragma once

#include "net/client/http_client.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::net {

/// One connection over plain http that stays open, request after request: for measuring, and for nothing that needs
/// TLS. Blocking; one thread uses it.
class http_session {
public:
    /// "http://HOST[:PORT]"; anything else is `invalid_request`. `silence_ms`: longer than any answer may take.
    static expected<http_session> make(std::string_view url, std::int64_t silence_ms);
    ~http_session();
    http_session(http_session&&) noexcept;

    /// Also after the connection broke. `connection_failed`.
    expected<void> connect();
    /// Any status is an answer. `connection_failed` when the connection broke: it may be done.
    expected<client_response> send(std::string_view method, std::string_view target,
                                   const std::vector<std::pair<std::string, std::string>>& headers, std::string body);

private:
    struct impl;
    explicit http_session(std::unique_ptr<impl> i);
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::net
