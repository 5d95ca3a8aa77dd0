#include "net/line_splitter.hpp"

#include <utility>

namespace troupe::net {

bool line_splitter::feed(std::string_view piece, const std::function<bool(std::string_view)>& on_line) {
    while (!piece.empty()) {
        const auto end = piece.find('\n');
        const auto part = piece.substr(0, end);
        if (part.size() > line_bytes_max_ - line_.size())
            return false;
        line_ += part;
        if (end == std::string_view::npos)
            return true;
        piece.remove_prefix(end + 1);
        const auto whole = std::exchange(line_, {});
        if (!whole.empty() && !on_line(whole))
            return false;
    }
    return true;
}

} // namespace troupe::net
