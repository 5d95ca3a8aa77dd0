#include "actors/notification/quiet.hpp"

#include <cstdint>
#include <string_view>

namespace troupe::actors {
namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t day_minutes = 24 * 60;

/// Minutes of "HH:MM", up to `hours_max`:59.
std::optional<std::int64_t> minutes_of(std::string_view text, int hours_max) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : -100; };
    if (text.size() != 5 || text[2] != ':') {
        return std::nullopt;
    }
    const int hours = digit(0) * 10 + digit(1);
    const int minutes = digit(3) * 10 + digit(4);
    return hours < 0 || hours > hours_max || minutes < 0 || minutes > 59 ? std::nullopt
                                                                         : std::optional(hours * 60LL + minutes);
}

std::optional<std::int64_t> offset_of(std::string_view text) {
    if (text.empty() || (text.front() != '+' && text.front() != '-')) {
        return std::nullopt;
    }
    const auto minutes = minutes_of(text.substr(1), 14);
    return minutes && text.front() == '-' ? std::optional(-*minutes) : minutes;
}

} // namespace

std::vector<field_error> check_quiet(const quiet_hours& q) {
    std::vector<field_error> out;
    const auto start = minutes_of(q.start, 23);
    const auto end = minutes_of(q.end, 23);
    if (!start) {
        out.push_back({"/quiet/start", "has to be a time of the day as 22:00"});
    }
    if (!end) {
        out.push_back({"/quiet/end", "has to be a time of the day as 07:00"});
    }
    if (start && start == end) {
        out.push_back({"/quiet/end", "has to be another time than the start"});
    }
    if (!offset_of(q.offset)) {
        out.push_back({"/quiet/offset", "has to be as +02:00 or -05:30"});
    }
    return out;
}

timestamp after_quiet(const std::optional<quiet_hours>& q, timestamp t) {
    if (!q || !check_quiet(*q).empty()) {
        return t;
    }
    const auto start = *minutes_of(q->start, 23);
    const auto end = *minutes_of(q->end, 23);
    const auto shift_ms = *offset_of(q->offset) * minute_ms;
    const auto day_ms = day_minutes * minute_ms;
    const auto in_day_ms = ((t.ms + shift_ms) % day_ms + day_ms) % day_ms;
    const auto since_start_ms = (in_day_ms - start * minute_ms + day_ms) % day_ms;
    const auto length_ms = ((end - start + day_minutes) % day_minutes) * minute_ms;
    return since_start_ms < length_ms ? t + (length_ms - since_start_ms) : t;
}

} // namespace troupe::actors
