#pragma once

#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Bodies that are never in memory as a whole.
namespace troupe::net {

/// Takes the body of a request while it arrives. One call at a time, on a thread that may block: meanwhile nothing is
/// read from the client's socket. Destroyed without `finish` when the body does not come whole, and then nothing of it
/// may be left to see.
class body_sink {
public:
    virtual ~body_sink() = default;
    /// The next bytes; a problem is the answer to the request.
    virtual expected<void> take(std::string_view piece) = 0;
    /// Nothing comes any more: the body is whole.
    virtual expected<void> finish() = 0;
};

/// Gives a body piece by piece. `next` is called on a thread that may block, one call at a time; it is not called again
/// after it gave all `bytes`, a problem or nothing, which is the end of a body of unknown length.
struct body_source {
    std::optional<std::uint64_t> bytes; ///< Nothing: unknown; only for requests.
    std::function<expected<std::string>()> next;
};

} // namespace troupe::net
