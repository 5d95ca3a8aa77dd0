#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net::mcp {

/// One connection to a server, whatever carries its messages. Used by one thread.
class transport {
public:
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;
    /// Ends the connection with all that belongs to it. May block for seconds.
    virtual ~transport() = default;

    /// What came since, a message each.
    virtual std::vector<std::string> take_lines() = 0;
    /// Why it is over; none: it is not.
    [[nodiscard]] virtual std::optional<std::string> ended() const = 0;
    virtual void send(std::string_view line) = 0;
    /// False: something is left to be sent, to be tried again in a moment.
    virtual bool flush() = 0;
};

} // namespace troupe::net::mcp
