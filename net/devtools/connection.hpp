#pragma once

#include "net/devtools/message.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

namespace troupe::net::devtools {

/// A connection to a browser on this machine. Thread-safe. A thread of its own reads what the browser says.
class connection {
public:
    /// Events, on the connection's thread. It may `send`, and must not `call`.
    using event_handler = std::function<void(const message&)>;

    /// `url` as the browser tells it: "ws://127.0.0.1:PORT/devtools/browser/…". `connection_failed`,
    /// `invalid_request`. Blocks its caller.
    static expected<std::unique_ptr<connection>> open(std::string_view url, event_handler on_event,
                                                      std::int64_t time_out_ms);

    /// Ends it, and returns when no handler runs any more. Not from the handler.
    ~connection();

    /// Sends a command and waits for its reply. Problems: what the browser refuses is `tool_failed`;
    /// `deadline_exceeded`; `cancelled`; `connection_failed` when the browser has ended: it may have been done.
    expected<message> call(std::string_view session, std::string_view method, std::string_view parameters,
                           std::int64_t time_out_ms, const std::stop_token& stop);

    /// Sends a command whose reply nobody waits for.
    void send(std::string_view session, std::string_view method, std::string_view parameters = {});

    [[nodiscard]] bool is_open() const;

private:
    struct impl;
    explicit connection(std::shared_ptr<impl> i);
    std::shared_ptr<impl> impl_;
};

} // namespace troupe::net::devtools
