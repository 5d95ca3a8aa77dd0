#pragma once

#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The messages of the DevTools protocol, by which a browser is driven. Pure: text in, text out.
namespace troupe::net::devtools {

/// What a browser says: the reply to a command, or an event.
struct message {
    std::uint64_t id = 0;           ///< Of the command; 0: an event.
    std::string method;             ///< Of an event: "Page.loadEventFired".
    std::string session;            ///< Of the page that it is about; empty: of the browser.
    std::optional<problem> refusal; ///< Of a command, in the browser's words.
    json::document whole;

    /// Result or parameters. Valid as long as the message.
    [[nodiscard]] json::value content() const;
};

/// A command as it is sent. `parameters` is a JSON object, or empty.
std::string write_command(std::uint64_t id, std::string_view session, std::string_view method,
                          std::string_view parameters);

/// `tool_failed` when it is no message. Halves of characters, which pages may put into any text, become U+FFFD.
expected<message> read_message(std::string_view text);

} // namespace troupe::net::devtools
