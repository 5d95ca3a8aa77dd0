#include "runtime/supervision/dead_letters.hpp"

#include "schemas/base/json.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime {

namespace {
/// Per text: a thousand letters stay under 2 MB.
constexpr std::size_t text_bytes_max = 500;
} // namespace

std::string_view to_string(dead_letter_kind k) {
    switch (k) {
    case dead_letter_kind::undeliverable:
        return "undeliverable";
    case dead_letter_kind::unhandled:
        return "unhandled";
    case dead_letter_kind::dropped:
        return "dropped";
    }
    return "";
}

std::string to_json(const dead_letter& letter) {
    std::string out;
    json::object_writer w(out);
    w.field("at", to_string(letter.at)).field("kind", to_string(letter.kind)).field("to", letter.to);
    w.field("type", letter.type).field("reason", letter.reason);
    w.end();
    return out;
}

dead_letters::dead_letters(std::size_t kept_max, std::function<timestamp()> now)
    : kept_max_(kept_max), now_(std::move(now)) {}

void dead_letters::record(dead_letter_kind kind, std::string_view to, std::string_view type, std::string_view reason) {
    const auto cut = [](std::string_view text) { return std::string(text.substr(0, text_bytes_max)); };
    dead_letter letter{.at = now_(), .kind = kind, .to = cut(to), .type = cut(type), .reason = cut(reason)};
    const std::lock_guard lock(mutex_);
    ++counts_[static_cast<std::size_t>(kind)];
    letters_.push_back(std::move(letter));
    if (letters_.size() > kept_max_) {
        letters_.pop_front();
    }
}

std::vector<dead_letter> dead_letters::list(std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(limit, letters_.size()));
    return {letters_.rbegin(), letters_.rbegin() + count};
}

std::uint64_t dead_letters::count(dead_letter_kind kind) const {
    const std::lock_guard lock(mutex_);
    return counts_[static_cast<std::size_t>(kind)];
}

} // namespace troupe::runtime
