#pragma once

#include "net/mcp/messages.hpp"
#include "net/mcp/session.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::actors {

/// One list of a server, asked for page by page when the connection opens and when the server says that it is another
/// one. Times as `client_session` takes them. Not thread-safe.
template <class T>
class kept_list {
public:
    static constexpr std::int64_t every_ms = 2'000; ///< At most.
    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

    /// A new connection; `offered`: the server says that it has such a list.
    void begin(bool offered) {
        listing_.reset();
        call_ = 0;
        offered_ = wanted_ = offered;
        begin_ms_ = 0;
    }
    void change() { wanted_ = offered_; }
    [[nodiscard]] bool is_offered() const { return offered_; }
    [[nodiscard]] std::int64_t due_ms() const { return wanted_ && !listing_ ? begin_ms_ : never; }
    [[nodiscard]] bool is_of(net::mcp::call_id call) const { return listing_ && call == call_; }

    /// Asks for the first page when it is due.
    void look(net::mcp::client_session& session, std::int64_t now_ms) {
        if (now_ms < due_ms()) {
            return;
        }
        wanted_ = false;
        begin_ms_ = now_ms + every_ms;
        listing_.emplace();
        if (const auto asked = session.call(T::method, *listing_->next(), now_ms)) {
            call_ = *asked;
        } else {
            listing_.reset();
            wanted_ = true;
        }
    }

    /// The end of a call that `is_of` this list. Nothing: there is a further page to wait for.
    std::optional<expected<std::vector<T>>> take(const net::mcp::finished& e, net::mcp::client_session& session,
                                                 std::int64_t now_ms) {
        auto good = e.result ? listing_->take(*e.result) : expected<void>(e.result.error());
        if (const auto more = good ? listing_->next() : std::nullopt) {
            const auto asked = session.call(T::method, *more, now_ms);
            if (asked) {
                call_ = *asked;
                return {};
            }
            good = asked.error();
        }
        const auto whole = std::exchange(listing_, std::nullopt);
        call_ = 0;
        return good ? expected<std::vector<T>>(whole->items()) : expected<std::vector<T>>(good.error());
    }

private:
    std::optional<net::mcp::listing<T>> listing_; ///< While it is asked for.
    net::mcp::call_id call_ = 0;
    bool offered_ = false;
    bool wanted_ = false;
    std::int64_t begin_ms_ = 0;
};

} // namespace troupe::actors
