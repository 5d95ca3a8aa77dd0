#pragma once

#include "net/devtools/message.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

/// What a page says beside what it shows: its console and its requests. Pure; the newest entries are kept.
namespace troupe::actors {

class page_log {
public:
    static constexpr std::size_t console_max = 100;
    static constexpr std::size_t network_max = 200;

    /// Takes what events tell; others change nothing.
    void take(const net::devtools::message& event);
    /// A line of the console's of our own: a dialog, a download.
    void say(std::string_view level, std::string_view text);

    /// A line an entry, oldest first. Empty: there is none.
    [[nodiscard]] std::string console() const;
    [[nodiscard]] std::string network() const;

private:
    struct request {
        std::string id;
        std::string method;
        std::string url;
        std::string type;
        std::string outcome; ///< A status, or why it failed; empty: not answered yet.
    };

    void take_request(const json::value& of);
    void answer(const json::value& of, std::string outcome);

    std::deque<std::string> console_;
    std::deque<request> network_;
    std::size_t console_left_out_ = 0;
    std::size_t network_left_out_ = 0;
};

} // namespace troupe::actors
