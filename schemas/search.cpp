#include "schemas/search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

problem bad(std::size_t at, std::string what) {
    return {code::invalid_request, fmt::format("q, at byte {}: {}", at + 1, what), {{"q", std::move(what)}}};
}

constexpr std::string_view blanks = " \t\r\n";

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// One clause from `at`, which is moved behind it.
expected<search_clause> read_clause(std::string_view text, std::size_t& at) {
    const auto begin = at;
    search_clause out;
    if (text[at] == '-') {
        out.excluded = true;
        ++at;
    }
    if (at < text.size() && text[at] == '"') {
        const auto end = text.find('"', at + 1);
        if (end == std::string_view::npos) {
            return bad(at, "the quotation mark is not closed");
        }
        out.kind = clause_kind::phrase;
        out.text = text.substr(at + 1, end - at - 1);
        at = end + 1;
    } else {
        const auto end = std::min(text.find_first_of(" \t\r\n\"", at), text.size());
        out.text = text.substr(at, end - at);
        at = end;
        if (out.text.ends_with('*')) {
            out.kind = clause_kind::prefix;
            out.text.pop_back();
        }
    }
    if (out.text.find_first_not_of(blanks) == std::string::npos) {
        return bad(begin, "there is no word");
    }
    if (const auto star = out.text.find('*'); star != std::string::npos && out.kind != clause_kind::phrase) {
        return bad(begin, "a * can only end a word");
    }
    if (const auto length = characters(out.text);
        out.kind == clause_kind::prefix && (length < search_prefix_min || length > search_prefix_max)) {
        return bad(begin, fmt::format("before a * there have to be {} to {} characters", search_prefix_min,
                                      search_prefix_max));
    }
    return out;
}

} // namespace

expected<std::vector<search_clause>> parse_search(std::string_view text) {
    if (text.size() > search_bytes_max) {
        return bad(search_bytes_max, fmt::format("it can be {} bytes long", search_bytes_max));
    }
    std::vector<search_clause> out;
    for (auto at = text.find_first_not_of(blanks); at < text.size(); at = text.find_first_not_of(blanks, at)) {
        auto clause = read_clause(text, at);
        if (!clause) {
            return clause.error();
        }
        out.push_back(std::move(*clause));
        if (out.size() > search_clauses_max) {
            return bad(at, fmt::format("it can have {} words and phrases", search_clauses_max));
        }
    }
    if (std::all_of(out.begin(), out.end(), [](const search_clause& c) { return c.excluded; })) {
        return bad(0, "a word to look for is missing");
    }
    return out;
}

} // namespace troupe
