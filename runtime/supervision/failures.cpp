#include "runtime/supervision/failures.hpp"

#include "schemas/base/ids.hpp"

#include <algorithm>

namespace troupe::runtime {

namespace {

/// Of a text that is looked at: enough to tell failures apart.
constexpr std::size_t looked_at_bytes_max = 1000;
/// Shorter runs of hexadecimal digits may be words or counts.
constexpr std::size_t hex_digits_min = 8;
/// Letters and digits in one piece of that length are a token, a key or a hash in some other notation.
constexpr std::size_t token_bytes_min = 20;
constexpr std::size_t uuid_bytes = 36;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <class Is>
std::string_view leading(std::string_view text, Is is) {
    return text.substr(0, static_cast<std::size_t>(std::ranges::find_if_not(text, is) - text.begin()));
}

/// A quoted text with its quotes, at the beginning of `text`; empty: there is none. An apostrophe ends nothing.
std::string_view leading_quoted(std::string_view text) {
    const auto quote = text.front();
    if (quote != '\'' && quote != '"' && quote != '`') {
        return {};
    }
    for (auto end = text.find(quote, 1); end != std::string_view::npos; end = text.find(quote, end + 1)) {
        if (text[end - 1] != '\\' && (end + 1 == text.size() || !is_alnum(text[end + 1]))) {
            return text.substr(0, end + 1);
        }
    }
    return {};
}

/// An IPv6 address or a time of day: hexadecimal digits with colons between them.
std::string_view leading_colons(std::string_view text) {
    const auto run = leading(text, [](char c) { return is_hex(c) || c == ':' || c == '.'; });
    const bool ends = run.size() == text.size() || !is_alnum(text[run.size()]);
    return ends && std::ranges::count(run, ':') >= 2 && std::ranges::any_of(run, is_digit) ? run : std::string_view();
}

std::string_view leading_uuid(std::string_view text) {
    const auto id = text.substr(0, uuid_bytes);
    const bool ends = text.size() == uuid_bytes || (text.size() > uuid_bytes && !is_alnum(text[uuid_bytes]));
    return ends && parse_uuid(id) ? id : std::string_view();
}

bool is_token(std::string_view word) {
    const bool has_digit = std::ranges::any_of(word, is_digit);
    const bool hex =
        std::ranges::all_of(word, is_hex) && std::ranges::any_of(word, [](char c) { return !is_digit(c); });
    return has_digit &&
           (word.starts_with("0x") || word.size() >= token_bytes_min || (hex && word.size() >= hex_digits_min));
}

/// "127.0.0.1:8080", "1,024" and "0.5" are one number each.
void add_number(std::string& out) {
    const auto size = out.size();
    if (size >= 2 && out[size - 2] == '#' && (out[size - 1] == '.' || out[size - 1] == ':' || out[size - 1] == ',')) {
        out.pop_back();
    } else {
        out += '#';
    }
}

void add_word(std::string& out, std::string_view word) {
    if (is_token(word)) {
        add_number(out);
        return;
    }
    while (!word.empty()) {
        const auto number = leading(word, is_digit);
        if (number.empty()) {
            const auto letters = leading(word, [](char c) { return !is_digit(c); });
            out += letters;
            word.remove_prefix(letters.size());
        } else {
            add_number(out);
            word.remove_prefix(number.size());
        }
    }
}

std::string fingerprint_of(std::string_view module, std::string_view pattern) {
    std::string both(module);
    both.append(1, '\0').append(pattern);
    const auto hash = sha256(both);
    return to_hex({reinterpret_cast<const char*>(hash.data()), 8});
}

std::string cut(std::string_view text) { return std::string(text.substr(0, failure_board::text_bytes_max)); }

std::string_view known_module(std::string_view module) {
    return std::ranges::find(failure_board::modules, module) != failure_board::modules.end() ? module : "other";
}

} // namespace

std::string failure_pattern(std::string_view text) {
    std::string out;
    bool in_word = false; // the character before is a letter or a digit
    for (auto rest = text.substr(0, looked_at_bytes_max); !rest.empty();) {
        std::string_view taken;
        if (!in_word && !(taken = leading_quoted(rest)).empty()) {
            out += "'…'";
        } else if (!in_word && !(taken = leading_uuid(rest)).empty()) {
            add_number(out);
        } else if (!in_word && !(taken = leading_colons(rest)).empty()) {
            add_number(out);
        } else if (!(taken = leading(rest, is_alnum)).empty()) {
            add_word(out, taken);
        } else {
            taken = rest.substr(0, 1);
            out += taken;
        }
        in_word = is_alnum(taken.back());
        rest.remove_prefix(taken.size());
    }
    out.resize(std::min(out.size(), failure_board::pattern_bytes_max));
    return out;
}

failure_board::failure_board(std::size_t kept_max, std::function<timestamp()> now)
    : kept_max_(kept_max), now_(std::move(now)) {}

void failure_board::record(const error_line& line) {
    auto pattern = failure_pattern(line.message);
    auto fingerprint = fingerprint_of(line.module, pattern);
    const auto now = now_();
    const std::lock_guard lock(mutex_);
    ++counts_[{std::string(known_module(line.module)), std::string(line.level)}];
    const auto known = by_fingerprint_.find(fingerprint);
    if (known != by_fingerprint_.end()) {
        groups_.splice(groups_.begin(), groups_, known->second);
    } else {
        groups_.emplace_front();
        auto& made = groups_.front();
        made.fingerprint = fingerprint;
        made.module = cut(line.module);
        made.level = line.level;
        made.first_at = now;
        made.pattern = std::move(pattern);
        by_fingerprint_.emplace(std::move(fingerprint), groups_.begin());
        if (groups_.size() > kept_max_) {
            by_fingerprint_.erase(groups_.back().fingerprint);
            groups_.pop_back();
            ++forgotten_;
        }
    }
    auto& g = groups_.front();
    ++g.count;
    g.number = ++recorded_;
    g.last_at = now;
    g.text = cut(line.message);
    if (line.level == "critical") {
        g.level = line.level;
    }
    if (!line.request.empty()) {
        g.request_id = cut(line.request);
    }
    if (!line.trace.empty()) {
        g.trace_id = cut(line.trace);
    }
}

std::vector<failure_board::group> failure_board::list(std::size_t limit, std::uint64_t before) const {
    const std::lock_guard lock(mutex_);
    std::vector<group> out;
    for (auto g = groups_.begin(); g != groups_.end() && out.size() < limit; ++g) {
        if (before == 0 || g->number < before) {
            out.push_back(*g);
        }
    }
    return out;
}

std::uint64_t failure_board::forgotten() const {
    const std::lock_guard lock(mutex_);
    return forgotten_;
}

std::uint64_t failure_board::count(std::string_view module, std::string_view level) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find({std::string(module), std::string(level)});
    return found == counts_.end() ? 0 : found->second;
}

} // namespace troupe::runtime
