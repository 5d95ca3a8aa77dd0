#pragma once

#include "net/client/http_client.hpp"
#include "net/model/wire.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::net {

/// Feeds a body, however it was cut into pieces, to what puts the reply together. Pure.
class reply_reader {
public:
    reply_reader(framing pieces, reply_assembler& reply, std::size_t bytes_max)
        : pieces_(pieces), reply_(reply), bytes_left_(bytes_max) {}

    /// False: there is nothing more to read.
    bool take(std::string_view piece);
    /// After the end of the body.
    void end();

    [[nodiscard]] const std::optional<problem>& failure() const { return failed_; }

private:
    bool fail(problem p);
    bool take_events(std::string_view piece);
    bool take_lines(std::string_view piece);
    void feed(std::string_view data);

    framing pieces_;
    reply_assembler& reply_;
    std::size_t bytes_left_;
    sse_parser events_;
    std::string begin_; ///< The first bytes; all of them when it is one JSON document instead of events.
    bool is_json_ = false;
    std::string line_; ///< The one that is not whole yet.
    std::optional<problem> failed_;
};

} // namespace troupe::net
