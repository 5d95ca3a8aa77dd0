#include "net/client/http_client.hpp"

#include <charconv>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace troupe::net {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

} // namespace

bool sse_parser::feed(std::string_view piece, const std::function<void(const sse_event&)>& on_event) {
    while (!piece.empty()) {
        if (skip_line_feed_) { // the second half of a CRLF whose CR has ended the line
            skip_line_feed_ = false;
            if (piece.front() == '\n') {
                piece.remove_prefix(1);
                continue;
            }
        }
        const std::size_t end = piece.find_first_of("\r\n");
        const std::string_view part = piece.substr(0, end);
        if (part.size() > line_bytes_max - line_.size())
            return false;
        line_ += part;
        if (end == std::string_view::npos)
            return true;
        skip_line_feed_ = piece[end] == '\r';
        piece.remove_prefix(end + 1);
        if (!end_line(on_event))
            return false;
    }
    return true;
}

bool sse_parser::end_line(const std::function<void(const sse_event&)>& on_event) {
    std::string_view line = line_;
    if (at_start_ && line.starts_with(byte_order_mark))
        line.remove_prefix(byte_order_mark.size());
    at_start_ = false;

    if (line.empty()) {
        if (has_data_) {
            if (current_.event.empty())
                current_.event = "message";
            on_event(current_);
        }
        current_.event.clear();
        current_.data.clear();
        has_data_ = false;
    } else if (line.front() != ':') { // a colon first: a comment
        const std::size_t colon = line.find(':');
        const std::string_view name = line.substr(0, colon);
        std::string_view text = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
        if (text.starts_with(' '))
            text.remove_prefix(1);
        if (name == "data") {
            if (current_.data.size() + text.size() + 1 > line_bytes_max)
                return false;
            if (has_data_)
                current_.data += '\n';
            current_.data += text;
            has_data_ = true;
        } else if (name == "event") {
            current_.event = text;
        } else if (name == "id" && text.find('\0') == std::string_view::npos) {
            current_.id = text;
        } else if (name == "retry") {
            std::int64_t ms = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
            if (error == std::errc() && end == text.data() + text.size() && ms >= 0)
                retry_ms_ = ms;
        }
    }
    line_.clear();
    return true;
}

} // namespace troupe::net
