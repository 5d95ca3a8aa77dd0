#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/security_auditor/finding_lines.hpp"
#include "schemas/base/ids.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace troupe::actors {

namespace {

constexpr std::string_view letters_and_digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
constexpr std::string_view of_words = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
constexpr std::string_view of_tokens = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+=";
constexpr std::string_view capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A key whose issuer gives it a form: a prefix, then at least so many characters of a kind.
struct known_format {
    std::string_view prefix;
    std::size_t count_min;
    std::string_view characters;
    std::string_view name;
};
constexpr std::array formats = {
    known_format{"AKIA", 16, capitals, "an access key of AWS"},
    known_format{"ASIA", 16, capitals, "a temporary access key of AWS"},
    known_format{"ghp_", 36, letters_and_digits, "a token of GitHub"},
    known_format{"gho_", 36, letters_and_digits, "a token of GitHub"},
    known_format{"ghu_", 36, letters_and_digits, "a token of GitHub"},
    known_format{"ghs_", 36, letters_and_digits, "a token of GitHub"},
    known_format{"ghr_", 36, letters_and_digits, "a token of GitHub"},
    known_format{"github_pat_", 22, of_words, "a token of GitHub"},
    known_format{"glpat-", 20, of_words, "a token of GitLab"},
    known_format{"xoxb-", 20, of_words, "a token of Slack"},
    known_format{"xoxp-", 20, of_words, "a token of Slack"},
    known_format{"xapp-", 20, of_words, "a token of Slack"},
    known_format{"hooks.slack.com/services/T", 20, of_tokens, "a web hook of Slack"},
    known_format{"sk_live_", 20, letters_and_digits, "a key of Stripe"},
    known_format{"rk_live_", 20, letters_and_digits, "a key of Stripe"},
    known_format{"sk-ant-", 20, of_words, "a key of Anthropic"},
    known_format{"sk-proj-", 20, of_words, "a key of OpenAI"},
    known_format{"sk-", 40, letters_and_digits, "a key of OpenAI or DeepSeek"},
    known_format{"AIza", 35, of_words, "a key of Google"},
    known_format{"npm_", 36, letters_and_digits, "a token of npm"},
    known_format{"pypi-AgE", 40, of_words, "a token of PyPI"},
    known_format{"SG.", 60, of_tokens, "a key of SendGrid"},
    known_format{"hf_", 34, letters_and_digits, "a token of Hugging Face"},
    known_format{"dop_v1_", 64, letters_and_digits, "a token of DigitalOcean"},
    known_format{"trp_", 40, of_words, "an API key of Troupe"},
};

/// More of a key is not looked at.
constexpr std::size_t key_bytes_max = 300;
/// Findings of one file: a line of megabytes is gone through for each.
constexpr std::size_t findings_of_file_max = 200;

constexpr std::array<std::string_view, 10> telling_names = {"secret",     "token",   "passwd",     "password",
                                                            "api_key",    "apikey",  "access_key", "private_key",
                                                            "credential", "auth_key"};

bool is_word(char c) { return of_words.find(c) != of_words.npos; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// Bits a character, by how often each occurs.
double entropy_of(std::string_view text) {
    std::array<std::size_t, 256> counts{};
    for (const char c : text) {
        ++counts[static_cast<unsigned char>(c)];
    }
    double bits = 0;
    for (const auto n : counts) {
        if (n > 0) {
            const auto share = static_cast<double>(n) / static_cast<double>(text.size());
            bits -= share * std::log2(share);
        }
    }
    return bits;
}

/// What stands in examples and templates.
bool is_placeholder(std::string_view value) {
    static constexpr std::array<std::string_view, 16> words = {
        "example", "changeme", "change_me", "placeholder", "your_",      "your-",  "xxxx", "****",
        "${",      "{{",       "<",         "process.env", "os.environ", "getenv", "test", "dummy"};
    std::string all;
    std::ranges::transform(value, std::back_inserter(all), lower);
    return std::ranges::any_of(words, [&](std::string_view w) { return all.find(w) != all.npos; });
}

struct hit {
    std::size_t offset;
    std::string_view rule;
    std::string message;
    std::string_view hidden;
};

void known_formats(std::string_view text, std::vector<hit>& hits) {
    for (const auto& f : formats) {
        for (auto at = text.find(f.prefix); at != text.npos; at = text.find(f.prefix, at + f.prefix.size())) {
            const auto rest = text.substr(at + f.prefix.size(), key_bytes_max);
            const auto length = std::min(rest.find_first_not_of(f.characters), rest.size());
            if (length >= f.count_min && (at == 0 || !is_word(text[at - 1])) &&
                !is_placeholder(rest.substr(0, length)) && entropy_of(rest.substr(0, length)) > 2.5) {
                hits.push_back({at, "secret-known-format", fmt::format("{} ({}…)", f.name, f.prefix),
                                text.substr(at, f.prefix.size() + length)});
            }
        }
    }
}

void private_keys(std::string_view text, std::vector<hit>& hits) {
    constexpr std::string_view begin = "-----BEGIN ";
    for (auto at = text.find(begin); at != text.npos; at = text.find(begin, at + 1)) {
        auto line = text.substr(at, 80);
        line = line.substr(0, line.find('\n'));
        if (line.find("PRIVATE KEY") != line.npos && text.substr(at, 200).find('\n') != text.npos) {
            hits.push_back({at, "secret-private-key", "a private key", {}});
        }
    }
}

/// scheme://user:password@host
void addresses(std::string_view text, std::vector<hit>& hits) {
    for (auto at = text.find("://"); at != text.npos; at = text.find("://", at + 3)) {
        const auto rest = text.substr(at + 3, 300);
        const auto authority = rest.substr(0, rest.find_first_of(" \t\r\n/\"'`<>?#"));
        const auto sign = authority.rfind('@');
        const auto colon = authority.find(':');
        if (sign == authority.npos || colon == authority.npos || colon >= sign) {
            continue;
        }
        const auto password = authority.substr(colon + 1, sign - colon - 1);
        if (password.size() >= 3 && !is_placeholder(password) && password.find_first_of("$%{") == password.npos &&
            password != "password" && password != "pass") {
            hits.push_back({at, "secret-in-url", "a password in an address", password});
        }
    }
}

/// NAME = "value", NAME: value, "name": "value", where the name speaks of a secret and the value looks like one.
void assignments(std::string_view text, std::vector<hit>& hits) {
    for (std::size_t at = 0; at < text.size();) {
        const auto line_end = std::min(text.find('\n', at), text.size());
        const auto line = text.substr(at, std::min(line_end - at, scanned_line_bytes_max));
        const auto begin = at;
        at = line_end + 1;
        const auto equals = line.find_first_of("=:");
        if (equals == line.npos || equals == 0) {
            continue;
        }
        auto name_end = line.find_last_not_of(" \t\"'", equals - 1);
        if (name_end == line.npos || line.substr(equals).starts_with("==") || line.substr(equals).starts_with("://")) {
            continue;
        }
        auto name_begin = name_end + 1;
        while (name_begin > 0 && is_word(line[name_begin - 1])) {
            --name_begin;
        }
        std::string name;
        std::ranges::transform(line.substr(name_begin, name_end + 1 - name_begin), std::back_inserter(name),
                               [](char c) { return c == '-' ? '_' : lower(c); });
        if (std::ranges::none_of(telling_names, [&](std::string_view n) { return name.find(n) != name.npos; })) {
            continue;
        }
        const auto value_begin = line.find_first_not_of(" \t=:\"'`", equals);
        if (value_begin == line.npos) {
            continue;
        }
        const char before = line[value_begin - 1];
        const bool quoted = before == '"' || before == '\'' || before == '`';
        const auto rest = line.substr(value_begin);
        const auto value = rest.substr(0, quoted ? rest.find(before) : rest.find_first_not_of(of_tokens));
        const bool ends_well = quoted || value.size() == trimmed(rest).size(); // a bare value is the whole rest
        const bool password = name.find("passw") != name.npos && quoted && value.size() >= 8 &&
                              value.find(' ') == value.npos && entropy_of(value) > 2.5;
        const bool token = value.size() >= 16 && value.find_first_not_of(of_tokens) == value.npos &&
                           value.find_first_of("0123456789") != value.npos && entropy_of(value) > 3.3;
        if ((password || token) && ends_well && !is_placeholder(value)) {
            hits.push_back({begin + value_begin, "secret-assigned",
                            fmt::format("the value of {} looks like a secret ({} characters)", name, value.size()),
                            value});
        }
    }
}

} // namespace

std::string fingerprint_of(std::string_view rule, std::string_view path, std::string_view words) {
    const auto hash = sha256(fmt::format("{}\n{}\n{}", rule, path, words));
    return to_hex({reinterpret_cast<const char*>(hash.data()), 8});
}

std::string_view finding_lines::line_at(std::size_t offset) const {
    const auto begin = offset == 0 ? std::string_view::npos : text_.rfind('\n', offset - 1);
    const auto from = begin == text_.npos ? 0 : begin + 1;
    return text_.substr(from, text_.find('\n', offset) - from);
}

void finding_lines::add(std::string_view rule, std::size_t offset, std::string message, std::string_view hidden) {
    if (++added_ > findings_of_file_max || out_.size() >= 2 * audit_findings_max) {
        return;
    }
    line_ += static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_to_),
                                                   text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
    counted_to_ = offset;
    const auto whole = line_at(offset);
    if (whole.find(inline_allowance) != whole.npos) {
        return;
    }
    std::string words(trimmed(whole.substr(0, scanned_line_bytes_max)));
    if (!hidden.empty()) {
        constexpr std::string_view instead = "…";
        for (auto at = words.find(hidden); at != words.npos; at = words.find(hidden, at + instead.size())) {
            words.replace(at, hidden.size(), instead);
        }
        if (whole.size() > scanned_line_bytes_max) { // a part of it might be left
            words.clear();
        }
    }
    const auto* r = find_audit_rule(rule);
    out_.push_back({std::string(rule), r ? r->level : audit_level::warning, std::string(path_), line_,
                    without_escapes(message), fingerprint_of(rule, path_, words)});
}

void find_secrets(std::string_view path, std::string_view text, std::vector<audit_finding>& out) {
    std::vector<hit> hits;
    private_keys(text, hits);
    known_formats(text, hits);
    addresses(text, hits);
    assignments(text, hits);
    std::ranges::stable_sort(hits, {}, &hit::offset);
    finding_lines lines(path, text, out);
    std::size_t covered = 0; // a value is told once
    for (auto& h : hits) {
        if (h.offset >= covered) {
            covered = h.offset + std::max<std::size_t>(h.hidden.size(), 1);
            lines.add(h.rule, h.offset, std::move(h.message), h.hidden);
        }
    }
}

} // namespace troupe::actors
