#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace troupe::net {

/// Cuts a stream into its lines, whatever the pieces it comes in. Empty ones are left out. Pure.
class line_splitter {
public:
    explicit line_splitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}
    /// False: a line is too long, or `on_line` returned false; the splitter is of no more use then.
    bool feed(std::string_view piece, const std::function<bool(std::string_view)>& on_line);

private:
    std::size_t line_bytes_max_;
    std::string line_;
};

} // namespace troupe::net
