#include "actors/task/rank.hpp"

#include <cstdint>

namespace troupe::actors {
namespace {

constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr std::size_t base = digits.size();
constexpr std::size_t time_digits = 9;   ///< Of milliseconds: for over 3,000 years.
constexpr std::size_t number_digits = 5; ///< For 60 million; what is left out above only orders within a millisecond.

std::size_t digit_at(std::string_view rank, std::size_t i) { return i < rank.size() ? digits.find(rank[i]) : 0; }

std::string fixed(std::uint64_t number, std::size_t width) {
    std::string out(width, '0');
    for (auto place = out.rbegin(); place != out.rend(); ++place, number /= base) {
        *place = digits[number % base];
    }
    return out;
}

} // namespace

std::string rank_of(timestamp at, std::uint64_t number) {
    return fixed(static_cast<std::uint64_t>(at.ms < 0 ? 0 : at.ms), time_digits) + fixed(number, number_digits) +
           digits[base / 2]; // so that it does not end in "0"
}

std::string rank_between(std::string_view above, std::string_view below) {
    std::string out;
    bool open = below.empty() || above >= below; // what was taken so far is less than the same digits of `below`
    for (std::size_t i = 0;; ++i) {
        const auto low = digit_at(above, i);
        const auto high = open ? base : digit_at(below, i);
        if (high > low + 1) {
            return out + digits[(low + high) / 2];
        }
        out += digits[low];
        open = open || high > low || i > below.size();
    }
}

} // namespace troupe::actors
