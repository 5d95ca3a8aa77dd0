#include "schemas/base/clock.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace troupe {
namespace {

std::atomic<const std::atomic<std::int64_t>*> virtual_ms = nullptr;

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::int64_t year_0_ms = -62'167'219'200'000;    ///< 0000-01-01T00:00:00.000Z
constexpr std::int64_t year_9999_ms = 253'402'300'799'999; ///< 9999-12-31T23:59:59.999Z

/// Writes `number` with leading zeros in `width` digits.
void put(char* at, int width, std::int64_t number) {
    for (int i = width - 1; i >= 0; --i, number /= 10) {
        at[i] = static_cast<char>('0' + number % 10);
    }
}

/// Takes characters off the front of a text; once anything does not fit, `failed` stays.
struct scanner {
    std::string_view rest;
    bool failed = false;

    int number(std::size_t digits, int min, int max) {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            value = value * 10 + digit();
        }
        failed = failed || value < min || value > max;
        return value;
    }
    int digit() {
        if (rest.empty() || rest.front() < '0' || rest.front() > '9') {
            failed = true;
            return 0;
        }
        const int value = rest.front() - '0';
        rest.remove_prefix(1);
        return value;
    }
    /// Takes the next character if it is one of `wanted`; '\0' if not.
    char one_of(std::string_view wanted) {
        if (rest.empty() || wanted.find(rest.front()) == std::string_view::npos) {
            return '\0';
        }
        const char c = rest.front();
        rest.remove_prefix(1);
        return c;
    }
    void demand(std::string_view wanted) { failed = one_of(wanted) == '\0' || failed; }
};

int fraction_ms(scanner& in) {
    if (!in.one_of(".")) {
        return 0;
    }
    int ms = 0;
    int count = 0;
    for (; !in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9'; ++count) {
        const int digit = in.digit();
        ms = count < 3 ? ms * 10 + digit : ms; // finer than a millisecond: cut off
    }
    in.failed = in.failed || count == 0 || count > 9;
    for (; count < 3; ++count) {
        ms *= 10;
    }
    return ms;
}

std::int64_t offset_ms(scanner& in) {
    const char sign = in.one_of("Zz+-");
    if (sign == '+' || sign == '-') {
        const int hours = in.number(2, 0, 23);
        in.demand(":");
        const int minutes = in.number(2, 0, 59);
        return (sign == '-' ? -1 : 1) * (hours * 60 + minutes) * 60'000LL;
    }
    in.failed = in.failed || sign == '\0';
    return 0;
}

} // namespace

std::string to_string(timestamp t) {
    // Four digits of year are all that RFC 3339 has; what lies beyond shows as the nearest time that it can say.
    const auto ms = std::clamp(t.ms, year_0_ms, year_9999_ms);
    const auto days = ms >= 0 ? ms / day_ms : (ms - day_ms + 1) / day_ms;
    const auto of_day = ms - days * day_ms;
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
    char text[] = "0000-00-00T00:00:00.000Z";
    put(text, 4, static_cast<int>(date.year()));
    put(text + 5, 2, static_cast<unsigned>(date.month()));
    put(text + 8, 2, static_cast<unsigned>(date.day()));
    put(text + 11, 2, of_day / 3'600'000);
    put(text + 14, 2, of_day / 60'000 % 60);
    put(text + 17, 2, of_day / 1000 % 60);
    put(text + 20, 3, of_day % 1000);
    return {text, sizeof text - 1};
}

std::optional<timestamp> parse_timestamp(std::string_view text) {
    scanner in{text};
    const int year = in.number(4, 0, 9999);
    in.demand("-");
    const int month = in.number(2, 1, 12);
    in.demand("-");
    const int day = in.number(2, 1, 31);
    in.demand("Tt");
    const int hour = in.number(2, 0, 23);
    in.demand(":");
    const int minute = in.number(2, 0, 59);
    in.demand(":");
    const int second = in.number(2, 0, 59);
    const int fraction = fraction_ms(in);
    const auto offset = offset_ms(in);
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (in.failed || !in.rest.empty() || !date.ok()) {
        return std::nullopt;
    }
    const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
    const auto ms = days * day_ms + ((hour * 60LL + minute) * 60 + second) * 1000 + fraction - offset;
    if (ms < year_0_ms || ms > year_9999_ms) {
        return std::nullopt;
    }
    return timestamp{ms};
}

void use_virtual_time(const std::atomic<std::int64_t>* now_ms) { virtual_ms = now_ms; }

timestamp system_now() {
    if (const auto* now = virtual_ms.load(std::memory_order_acquire)) {
        return {now->load(std::memory_order_relaxed)};
    }
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()};
}

std::int64_t boot_ms() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
}

timestamp trusted_clock::read(timestamp wall, std::int64_t boot, std::int64_t awake) {
    const auto offset = wall.ms - boot;
    const auto trusted = offset_ms_.load(std::memory_order_relaxed);
    const auto step = offset - trusted;
    const bool refused = step > step_max_ms || step < -step_max_ms;
    if (refused) {
        refused_ms_.store(step, std::memory_order_relaxed);
    } else {
        if (refused_ms() != 0) {
            refused_ms_.store(0, std::memory_order_relaxed);
        }
        if (step != 0) {
            offset_ms_.store(offset, std::memory_order_relaxed);
        }
    }
    const timestamp out{refused ? boot + trusted : wall.ms};
    const auto seen = awake_offset_ms_.load(std::memory_order_relaxed);
    const auto uneven = out.ms - awake - seen;
    if (uneven > step_min_ms || uneven < -step_min_ms) {
        even_since_ms_.store(out.ms, std::memory_order_release); // before anybody takes the step for granted
    }
    if (uneven != 0) {
        awake_offset_ms_.store(out.ms - awake, std::memory_order_relaxed);
    }
    return out;
}

std::int64_t monotonic_ms() {
    if (const auto* now = virtual_ms.load(std::memory_order_acquire)) {
        return now->load(std::memory_order_relaxed);
    }
    const auto since_boot = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since_boot).count();
}

} // namespace troupe
