#include "bin/cli/args.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <utility>

namespace troupe::cli {
namespace {

constexpr std::array common_flags = {
    flag{"url", "URL", "The node to speak to (TROUPE_URL)."},
    flag{"key", "KEY", "The API key (TROUPE_KEY)."},
    flag{"org", "ORG", "The organization to work in, by its slug or id (TROUPE_ORG)."},
    flag{"ca", "FILE", "Certificates (PEM) to check an https node against (TROUPE_CA); else the system's."},
    flag{"data", "DIR", "Data folder of the node on this machine (TROUPE_DATA, ./.troupe upwards)."},
    flag{"json", "", "Print the API's JSON; streams as JSON lines."},
    flag{"help", "", "Show help.", 'h'},
};

const flag* find_long(const grammar& g, std::string_view name) {
    const auto named = [&](const flag& f) { return f.name == name; };
    if (const auto own = std::ranges::find_if(g.flags, named); own != g.flags.end()) {
        return &*own;
    }
    const auto common = std::ranges::find_if(common_flags, named);
    return common == common_flags.end() ? nullptr : common;
}

const flag* find_letter(const grammar& g, char letter) {
    const auto lettered = [&](const flag& f) { return f.letter == letter; };
    if (const auto own = std::ranges::find_if(g.flags, lettered); own != g.flags.end()) {
        return &*own;
    }
    const auto common = std::ranges::find_if(common_flags, lettered);
    return common == common_flags.end() ? nullptr : common;
}

problem unknown_flag(const grammar& g, std::string_view word, std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& f : g.flags) {
        names.push_back(f.name);
    }
    for (const auto& f : common_flags) {
        names.push_back(f.name);
    }
    const auto near = nearest(name, names);
    return {code::invalid_request, near.empty() ? fmt::format("Unknown flag {}.", word)
                                                : fmt::format("Unknown flag {}. Did you mean --{}?", word, near)};
}

/// Optimal string alignment distance: an insertion, deletion, change or swap of neighbours costs 1.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> now(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            now[j] = std::min({last[j] + 1, now[j - 1] + 1, change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = std::min(now[j], before[j - 2] + 1);
            }
        }
        std::swap(before, last);
        std::swap(last, now);
    }
    return last[b.size()];
}

/// A flag as it was written: its declaration, how it was spelled, and "=VALUE" if that was there.
struct written_flag {
    const flag* declared = nullptr;
    std::optional<std::string> value;
};

expected<written_flag> read_flag(const grammar& g, const std::string& word) {
    if (word.starts_with("--")) {
        const auto equals = word.find('=');
        const auto name = std::string_view(word).substr(2, equals == std::string::npos ? equals : equals - 2);
        const auto* declared = find_long(g, name);
        if (!declared) {
            return unknown_flag(g, "--" + std::string(name), name);
        }
        return written_flag{declared,
                            equals == std::string::npos ? std::nullopt : std::optional(word.substr(equals + 1))};
    }
    const auto* declared = find_letter(g, word[1]);
    if (!declared || (word.size() > 2 && declared->value.empty())) {
        return unknown_flag(g, word, std::string_view(word).substr(1));
    }
    return written_flag{declared, word.size() > 2 ? std::optional(word.substr(2)) : std::nullopt};
}

} // namespace

std::span<const flag> global_flags() { return common_flags; }

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const auto candidate : candidates) {
        const auto distance = word.size() >= 2 && candidate.starts_with(word) ? 1 : edit_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::optional<std::string> arguments::value(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() || found->second.empty() ? std::nullopt : std::optional(found->second.back());
}

std::string arguments::value_or(std::string_view name, std::string_view fallback) const {
    return value(name).value_or(std::string(fallback));
}

std::vector<std::string> arguments::values(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>{} : found->second;
}

expected<std::optional<std::uint64_t>> arguments::number(std::string_view name, std::uint64_t min,
                                                         std::uint64_t max) const {
    const auto text = value(name);
    if (!text) {
        return std::optional<std::uint64_t>{};
    }
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{} || end != text->data() + text->size() || number < min || number > max) {
        return problem{code::invalid_request,
                       fmt::format("--{} takes a whole number from {} to {}, not \"{}\".", name, min, max, *text)};
    }
    return std::optional(number);
}

std::string arguments::text_from(std::size_t index) const {
    std::string out;
    for (std::size_t i = index; i < operands_.size(); ++i) {
        out += (i == index ? "" : " ") + operands_[i];
    }
    return out;
}

expected<arguments> parse_arguments(const grammar& g, std::span<const std::string> words) {
    arguments out;
    bool flags_over = false;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        if (flags_over || word.size() < 2 || word[0] != '-') {
            out.operands_.push_back(word);
            continue;
        }
        if (word == "--") {
            flags_over = true;
            continue;
        }
        auto written = read_flag(g, word);
        if (!written) {
            return written.error();
        }
        const auto& declared = *written->declared;
        auto& values = out.values_[std::string(declared.name)];
        if (declared.value.empty()) {
            if (written->value) {
                return problem{code::invalid_request, fmt::format("--{} takes no value.", declared.name)};
            }
            continue;
        }
        if (!written->value && i + 1 == words.size()) {
            return problem{code::invalid_request,
                           fmt::format("--{} needs a value: --{} {}.", declared.name, declared.name, declared.value)};
        }
        if (!values.empty() && !declared.repeated) {
            return problem{code::invalid_request, fmt::format("--{} was given twice.", declared.name)};
        }
        values.push_back(written->value ? *written->value : words[++i]);
    }
    if (out.has("help")) {
        return out;
    }
    if (out.operands_.size() < g.operands_min) {
        return problem{code::invalid_request, fmt::format("Something is missing: this command takes {}.", g.operands)};
    }
    if (out.operands_.size() > g.operands_max) {
        return problem{code::invalid_request,
                       fmt::format("\"{}\" is one too many: this command takes {}.", out.operands_[g.operands_max],
                                   g.operands.empty() ? "no operands" : g.operands)};
    }
    return out;
}

std::size_t leading_flags(std::span<const std::string> words) {
    std::size_t i = 0;
    while (i < words.size() && words[i].size() > 1 && words[i][0] == '-') {
        const auto written = read_flag({}, words[i]);
        const bool takes_next = written && !written->declared->value.empty() && !written->value;
        i += takes_next ? 2 : 1;
    }
    return std::min(i, words.size());
}

} // namespace troupe::cli
