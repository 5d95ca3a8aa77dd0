#include "net/http/content.hpp"

#include "net/http/reply_text.hpp"
#include "net/http/text.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace troupe::net {

namespace {

/// Up to here the handler reads it itself.
constexpr std::uint64_t read_at_once_bytes = 64 * limits::kib;

struct span_of_bytes {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

/// The one range that is asked for; nothing when none or several are, or when it cannot be read: then all is given.
/// A count of 0: there is nothing in it.
std::optional<span_of_bytes> range_of(std::string_view header, std::uint64_t bytes) {
    constexpr std::string_view unit = "bytes=";
    header = trim(header);
    const auto dash = header.find('-');
    if (!header.starts_with(unit) || dash == std::string_view::npos || header.find(',') != std::string_view::npos)
        return std::nullopt;
    const auto from = trim(header.substr(unit.size(), dash - unit.size()));
    const auto to = trim(header.substr(dash + 1));
    const auto first = number_of(from);
    const auto last = number_of(to);
    if (from.empty() && last) { // the last ones
        const auto count = std::min(*last, bytes);
        return span_of_bytes{bytes - count, count};
    }
    if (!first || (!last && !to.empty()) || (last && *last < *first))
        return std::nullopt;
    if (*first >= bytes)
        return span_of_bytes{};
    return span_of_bytes{*first, std::min(last.value_or(bytes - 1), bytes - 1) - *first + 1};
}

bool names(std::string_view list, std::string_view etag) {
    for (;;) {
        const auto comma = list.find(',');
        auto one = trim(list.substr(0, comma));
        if (one.starts_with("W/"))
            one.remove_prefix(2);
        if (one == etag || one == "*")
            return true;
        if (comma == std::string_view::npos)
            return false;
        list.remove_prefix(comma + 1);
    }
}

} // namespace

response to_response(content c, const request& from) {
    response out;
    out.headers.emplace_back("ETag", c.etag);
    if (const auto known = from.header("if-none-match"); known && names(*known, c.etag)) {
        out.status = 304;
        return out;
    }
    out.headers.emplace_back("Accept-Ranges", "bytes");
    out.content_type = c.type;
    span_of_bytes all{0, c.bytes};
    const auto wanted = from.header("range");
    if (const auto range =
            wanted && from.header("if-range").value_or(c.etag) == c.etag ? range_of(*wanted, c.bytes) : std::nullopt) {
        const auto total = "/" + std::to_string(c.bytes);
        if (range->count == 0) {
            auto refused = with_status(to_response(problem{code::invalid_request,
                                                           "The content has " + std::to_string(c.bytes) +
                                                               " bytes: nothing of it is in that range.",
                                                           {{"Range", "is outside the content"}}},
                                                   from),
                                       416);
            refused.headers.emplace_back("Content-Range", "bytes *" + total);
            return refused;
        }
        all = *range;
        out.status = 206;
        out.headers.emplace_back("Content-Range", "bytes " + std::to_string(all.first) + "-" +
                                                      std::to_string(all.first + all.count - 1) + total);
    }
    if (all.count > read_at_once_bytes) {
        out.source = body_source{all.count, [left = std::make_shared<span_of_bytes>(all), read = std::move(c.read)] {
                                     auto piece = read(left->first, left->count);
                                     left->first += piece ? piece->size() : 0;
                                     left->count -= piece ? std::min<std::uint64_t>(piece->size(), left->count) : 0;
                                     return piece;
                                 }};
        return out;
    }
    while (out.body.size() < all.count) {
        auto piece = c.read(all.first + out.body.size(), all.count - out.body.size());
        if (!piece || piece->empty())
            return to_response(
                piece ? problem{code::internal, "The content is shorter than it should be."} : piece.error(), from);
        out.body += *piece;
    }
    return out;
}

} // namespace troupe::net
