#pragma once

#include "net/http/http_connection.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::fuzz {

/// The connections of the real edge, over a socket pair and driven by this thread: no port, no waiting.
class wire {
public:
    wire();

    struct talk {
        std::string sent;                                  ///< By the edge.
        std::vector<std::pair<std::string, int>> requests; ///< Operation and status of each, in order.
        std::vector<std::string> handled;                  ///< What handlers were given.
    };
    /// A connection from its beginning to its end: each piece is sent when all before it was dealt with.
    talk run(const std::vector<std::string_view>& pieces);

private:
    std::vector<net::route> routes();
    void drive(int peer, talk& into);

    class quiet_bus;
    std::shared_ptr<quiet_bus> bus_;
    std::shared_ptr<net::edge> edge_;
    std::shared_ptr<net::io_thread> io_;
    talk now_;
};

/// `text` in one piece, or in pieces that follow from the seed.
std::vector<std::string_view> pieces_of(std::string_view text, std::uint32_t seed);

} // namespace troupe::fuzz
