#pragma once

#include "schemas/base/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

enum class dead_letter_kind : std::uint8_t {
    undeliverable, ///< The receiver does not exist any more.
    unhandled,     ///< The receiver knows no such message.
    dropped,       ///< An event that a full queue let go.
};
inline constexpr std::size_t dead_letter_kinds = 3;
std::string_view to_string(dead_letter_kind k);

/// A message that nobody worked on.
struct dead_letter {
    timestamp at;
    dead_letter_kind kind = dead_letter_kind::undeliverable;
    std::string to;   ///< Path or address of the receiver.
    std::string type; ///< Of the message.
    std::string reason;
};

/// {"at","kind","to","type","reason"}
std::string to_json(const dead_letter& letter);

/// Counts every dead letter and keeps the newest. Thread-safe.
class dead_letters {
public:
    explicit dead_letters(std::size_t kept_max = 1000, std::function<timestamp()> now = system_now);

    /// Long texts are shortened.
    void record(dead_letter_kind kind, std::string_view to, std::string_view type, std::string_view reason);

    /// The newest first.
    [[nodiscard]] std::vector<dead_letter> list(std::size_t limit = 100) const;

    /// Of that kind since the start, kept or not.
    [[nodiscard]] std::uint64_t count(dead_letter_kind kind) const;

private:
    const std::size_t kept_max_;
    const std::function<timestamp()> now_;
    mutable std::mutex mutex_;
    std::deque<dead_letter> letters_; ///< The newest at the back.
    std::array<std::uint64_t, dead_letter_kinds> counts_{};
};

} // namespace troupe::runtime
