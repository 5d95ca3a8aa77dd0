#pragma once

#include "schemas/base/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// A message that nobody worked on. Kinds in use: "undeliverable" (no such receiver), "unhandled" (it knows no such
/// message), "dropped" (a full queue let it go), "crash" (its receiver died of it), "poison" (it did so
/// again and again, and was set aside), "effect" (its receiver refused it).
struct dead_letter {
    timestamp at;
    std::string kind;
    std::string to;   ///< Path or address of the receiver.
    std::string type; ///< Of the message.
    std::string reason;
    std::uint64_t number = 0; ///< Counts all letters since the start, from 1.
};

/// As `dead_letter_document`.
std::string to_json(const dead_letter& letter);

/// Counts every dead letter and keeps the newest. Thread-safe.
class dead_letters {
public:
    explicit dead_letters(std::size_t kept_max = 1000, std::function<timestamp()> now = system_now);

    /// Long texts are shortened.
    void record(std::string_view kind, std::string_view to, std::string_view type, std::string_view reason);

    /// The newest first; with `before` (not 0) only those with a smaller number.
    [[nodiscard]] std::vector<dead_letter> list(std::size_t limit = 100, std::uint64_t before = 0) const;

    /// How many were counted and are kept no more.
    [[nodiscard]] std::uint64_t forgotten() const;

    /// How many of each kind since the start, kept or not. At most `kinds_max` kinds; further ones count as "other".
    [[nodiscard]] std::map<std::string, std::uint64_t, std::less<>> counts() const;
    static constexpr std::size_t kinds_max = 32;
    /// Those in use, and "other".
    static constexpr std::array<std::string_view, 7> kinds{"undeliverable", "unhandled", "dropped", "crash",
                                                           "poison",        "effect",    "other"};
    [[nodiscard]] std::uint64_t count(std::string_view kind) const;

private:
    const std::size_t kept_max_;
    const std::function<timestamp()> now_;
    mutable std::mutex mutex_;
    std::deque<dead_letter> letters_; ///< The newest at the back, numbered without gaps.
    std::uint64_t recorded_ = 0;
    std::map<std::string, std::uint64_t, std::less<>> counts_;
};

} // namespace troupe::runtime
