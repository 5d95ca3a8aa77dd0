#include "net/model/refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <iterator>
#include <utility>

namespace troupe::net {

namespace {

constexpr std::size_t message_bytes_max = 1000; ///< Of a provider's message in a problem.
constexpr std::int64_t wait_max_ms = 24LL * 3600 * 1000;

/// What an error object says, in the forms that servers use for it.
struct provider_error {
    std::string message;
    std::string kind; ///< Its `type` and `code`, if they are words.
    int status = 0;   ///< Its `code`, if that is a number.
};

provider_error read_error(const json::value& error) {
    provider_error out;
    if (const auto text = error.as_string()) {
        out.message = *text;
        return out;
    }
    out.message = error.text_or("message");
    out.kind = error.text_or("type") + " " + error.text_or("code");
    out.status = static_cast<int>(std::clamp<std::int64_t>(error.int_or("code"), 0, 999));
    if (out.message.empty())
        out.message = error.dump();
    return out;
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
    });
    return out;
}

/// Nothing that time heals, whatever the status: some say so with 429, some with 400.
bool means_no_credit(int status, const provider_error& error) {
    constexpr std::string_view kinds[] = {"insufficient_quota", "insufficient_balance", "billing", "credit"};
    constexpr std::string_view words[] = {"credit balance", "insufficient balance", "insufficient credit",
                                          "out of credit"};
    const auto holds = [](const std::string& text, const auto& list) {
        return std::any_of(std::begin(list), std::end(list),
                           [&](std::string_view word) { return text.find(word) != std::string::npos; });
    };
    return status == 402 || holds(lower(error.kind), kinds) || (status < 500 && holds(lower(error.message), words));
}

problem problem_of(int status, const provider_error& error, std::optional<std::uint32_t> retry_after_s) {
    const auto says = [&](std::string_view word) { return error.kind.find(word) != std::string::npos; };
    const std::string message = error.message.empty() ? "it gave no reason" : shortened(error.message);
    if (means_no_credit(status, error))
        return {
            code::model_refused,
            fmt::format("The account at the provider has no credit left; add some there, or choose another model: {}",
                        message)};
    if (status == 529 || says("overloaded"))
        return {code::model_unavailable, fmt::format("The provider is overloaded: {}", message), {}, retry_after_s};
    if (status == 429 || says("rate_limit"))
        return {
            code::model_rate_limited, fmt::format("The provider asks to slow down: {}", message), {}, retry_after_s};
    if (status == 401 || status == 403 || says("authentication") || says("permission_error") || says("invalid_api_key"))
        return {code::model_refused,
                fmt::format("The provider does not accept the API key ({}). Check its key in the configuration or the "
                            "environment: {}",
                            status, message)};
    if (status == 404 || says("model_not_found") || says("not_found_error"))
        return {code::model_unknown,
                fmt::format("The provider knows no such model, or its base URL is wrong (404): {}", message)};
    if (status >= 500 || status == 408)
        return {code::model_unavailable,
                fmt::format("The provider has a fault ({}): {}", status, message),
                {},
                retry_after_s};
    return {code::model_refused, fmt::format("The provider refuses the request ({}): {}", status, message)};
}

const std::string* find(const header_map& headers, const std::string& name) {
    const auto found = headers.find(name);
    return found == headers.end() ? nullptr : &found->second;
}

/// A number at the beginning of the text, which is taken away.
std::optional<double> take_number(std::string_view& text) {
    double value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (ec != std::errc() || !std::isfinite(value) || value < 0)
        return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

std::optional<double> number_in(const std::string* header) {
    if (header == nullptr)
        return std::nullopt;
    std::string_view text = *header;
    const auto value = take_number(text);
    return text.empty() ? value : std::nullopt;
}

std::int64_t bounded_ms(double ms) {
    return static_cast<std::int64_t>(std::ceil(std::clamp(ms, 0.0, static_cast<double>(wait_max_ms))));
}

/// Go's way to write a duration: numbers with units, one after the other.
std::optional<double> duration_ms(std::string_view text) {
    constexpr std::pair<std::string_view, double> units[] = {{"ms", 1},        {"us", 0.001},    {"µs", 0.001},
                                                             {"ns", 0.000001}, {"s", 1000},      {"m", 60'000},
                                                             {"h", 3'600'000}, {"d", 86'400'000}};
    double sum = 0;
    do {
        const auto number = take_number(text);
        const auto unit =
            std::find_if(std::begin(units), std::end(units), [&](const auto& u) { return text.starts_with(u.first); });
        if (!number || unit == std::end(units))
            return std::nullopt;
        text.remove_prefix(unit->first.size());
        sum += *number * unit->second;
    } while (!text.empty());
    return sum;
}

std::optional<std::int64_t> date_ms(const std::string& text, timestamp now) {
    std::tm date{};
    if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr)
        return std::nullopt;
    return bounded_ms(static_cast<double>(::timegm(&date)) * 1000 - static_cast<double>(now.ms));
}

rate_limit read_limit(const header_map& headers, const std::string& remaining, const std::string& reset,
                      timestamp now) {
    rate_limit out;
    if (const auto number = number_in(find(headers, remaining)); number && *number < 1e15)
        out.remaining = static_cast<std::uint64_t>(*number);
    if (const auto* text = find(headers, reset))
        out.reset_ms = reset_ms(*text, now);
    return out;
}

/// The one that binds first.
void tighten(rate_limit& limit, const rate_limit& other) {
    if (other.remaining && (!limit.remaining || *other.remaining < *limit.remaining))
        limit = other;
}

} // namespace

std::string shortened(std::string_view text) {
    if (text.size() <= message_bytes_max)
        return std::string(text);
    return std::string(text.substr(0, message_bytes_max)) + "…";
}

problem refusal_of(int status, std::string_view body, std::optional<std::uint32_t> retry_after_s) {
    const auto parsed = json::document::parse(body);
    if (!parsed)
        return problem_of(status, {shortened(body), {}, 0}, retry_after_s);
    const auto error = parsed->root().find("error");
    return problem_of(status, read_error(error ? *error : parsed->root()), retry_after_s);
}

problem refusal_in_stream(const json::value& error) {
    const provider_error read = read_error(error);
    if (read.status >= 400 && read.status < 600)
        return problem_of(read.status, read, {});
    const bool ours = read.kind.find("invalid_") != std::string::npos ||
                      read.kind.find("context_length_exceeded") != std::string::npos;
    return problem_of(ours ? 400 : 500, read, {});
}

std::optional<std::int64_t> reset_ms(std::string_view text, timestamp now) {
    const std::string held(text);
    if (const auto seconds = number_in(&held))
        return bounded_ms(*seconds * 1000);
    if (const auto span = duration_ms(text))
        return bounded_ms(*span);
    if (const auto at = parse_timestamp(text))
        return bounded_ms(static_cast<double>(at->ms) - static_cast<double>(now.ms));
    return std::nullopt;
}

rate_limits limits_of(const header_map& headers, timestamp now) {
    const auto read = [&](std::string_view what) {
        auto out = read_limit(headers, fmt::format("x-ratelimit-remaining-{}", what),
                              fmt::format("x-ratelimit-reset-{}", what), now);
        tighten(out, read_limit(headers, fmt::format("anthropic-ratelimit-{}-remaining", what),
                                fmt::format("anthropic-ratelimit-{}-reset", what), now));
        return out;
    };
    rate_limits out{read("requests"), read("tokens")};
    tighten(out.tokens, read("input-tokens"));
    tighten(out.tokens, read("output-tokens"));
    return out;
}

std::optional<std::uint32_t> retry_after(const header_map& headers, timestamp now) {
    const auto seconds = [](std::int64_t ms) { return static_cast<std::uint32_t>((ms + 999) / 1000); };
    if (const auto ms = number_in(find(headers, "retry-after-ms")))
        return seconds(bounded_ms(*ms));
    if (const auto* text = find(headers, "retry-after")) {
        if (const auto s = number_in(text))
            return seconds(bounded_ms(*s * 1000));
        if (const auto ms = date_ms(*text, now))
            return seconds(*ms);
    }
    std::optional<std::uint32_t> out;
    const auto limits = limits_of(headers, now);
    for (const auto& limit : {limits.requests, limits.tokens})
        if (limit.remaining == 0u && limit.reset_ms)
            out = std::max(out.value_or(0), seconds(*limit.reset_ms));
    return out;
}

} // namespace troupe::net
