#include "net/model/reply_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::size_t begin_bytes = 256;
constexpr std::string_view event_begins[] = {":", "data", "event", "id", "retry", "\xEF\xBB\xBF"};

bool looks_like_events(std::string_view text) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of("\r\n")));
    return std::any_of(std::begin(event_begins), std::end(event_begins),
                       [&](std::string_view word) { return text.starts_with(word) || word.starts_with(text); });
}

problem line_too_long() {
    return {code::model_reply_invalid, "A line of the provider's reply is larger than the node accepts."};
}

} // namespace

bool reply_reader::fail(problem p) {
    failed_ = std::move(p);
    return false;
}

void reply_reader::feed(std::string_view data) {
    if (failed_)
        return;
    if (auto fed = reply_.feed(data); !fed)
        failed_ = fed.error();
}

bool reply_reader::take(std::string_view piece) {
    if (piece.size() > bytes_left_)
        return fail({code::model_reply_invalid, "The provider's reply is larger than the node accepts."});
    bytes_left_ -= piece.size();
    if (is_json_ || begin_.size() < begin_bytes) {
        begin_ += piece;
        const auto first = begin_.find_first_not_of(" \t\r\n");
        is_json_ = pieces_ == framing::events && first < std::min(begin_.size(), begin_bytes) && begin_[first] == '{';
    }
    if (is_json_)
        return true; // it was not streamed: read at its end
    return pieces_ == framing::events ? take_events(piece) : take_lines(piece);
}

bool reply_reader::take_events(std::string_view piece) {
    if (!events_.feed(piece, [this](const sse_event& e) { feed(e.data); }))
        return fail(line_too_long());
    return !failed_ && !reply_.is_done();
}

bool reply_reader::take_lines(std::string_view piece) {
    while (!failed_ && !reply_.is_done()) {
        const auto end = piece.find('\n');
        if (line_.size() + std::min(end, piece.size()) > sse_parser::line_bytes_max)
            return fail(line_too_long());
        line_ += piece.substr(0, end);
        if (end == std::string_view::npos)
            return true;
        piece.remove_prefix(end + 1);
        feed(std::exchange(line_, {}));
    }
    return false;
}

void reply_reader::end() {
    if (failed_ || reply_.is_done())
        return;
    if (is_json_) {
        feed(begin_);
    } else if (pieces_ == framing::lines) {
        // What does not read as a line was cut, and the assembler knows that it has no end.
        if (json::document::parse(line_))
            feed(line_);
    } else if (looks_like_events(std::string_view(begin_).substr(0, begin_bytes))) {
        // The last event may lack its end: the same.
        events_.feed("\n\n", [this](const sse_event& e) {
            if (json::document::parse(e.data) || e.data == "[DONE]")
                feed(e.data);
        });
    } else if (!begin_.empty()) {
        fail({code::model_reply_invalid,
              fmt::format("The provider answers with something that is no reply of a model; check its base URL. It "
                          "begins: {}",
                          begin_.substr(0, begin_bytes))});
    }
}

} // namespace troupe::net
