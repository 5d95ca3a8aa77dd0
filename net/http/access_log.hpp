#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::net {

/// One answered request, for the log of accesses.
struct access_entry {
    std::string method; ///< Empty: it could not be read.
    std::string path;   ///< Without its query, which may hold what nobody else should know.
    int status = 0;
    std::uint64_t bytes = 0; ///< Of the answer's body, when it is known beforehand.
    std::int64_t microseconds = 0;
    std::string_view request_id;
    std::string_view traceparent;
    std::string_view principal;
    std::string_view address;
    std::string_view user_agent;
};

/// method=GET path="/api/v1/tasks" status=200 bytes=17 us=150 request=… trace=… principal="key/admin" address=…
/// agent="…" Whatever a client sent stands in quotes, with everything that is no plain character escaped.
std::string access_line(const access_entry& e);

} // namespace troupe::net
