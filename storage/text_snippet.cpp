#include "storage/text_index.hpp"

#include <xapian.h>

#include <algorithm>
#include <set>

namespace troupe::storage {
namespace {

constexpr std::size_t looked_at_bytes = 256 << 10; ///< Of a text; what fits behind that is found, but not shown.
constexpr std::size_t snippet_bytes = 200;
constexpr std::size_t lead_bytes = 40; ///< Shown before the first word that fits.

struct place {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string word; ///< What it fits by.
};

/// Visits the words of a text in small letters, with where they stand.
template <class Visit>
void each_word(std::string_view text, Visit visit) {
    const auto at = [&](const Xapian::Utf8Iterator& c) { return text.size() - c.left(); };
    const Xapian::Utf8Iterator end;
    for (Xapian::Utf8Iterator c(text.data(), text.size()); c != end;) {
        if (!Xapian::Unicode::is_wordchar(*c)) {
            ++c;
            continue;
        }
        const auto begin = at(c);
        std::string word;
        for (; c != end && Xapian::Unicode::is_wordchar(*c); ++c) {
            Xapian::Unicode::append_utf8(word, Xapian::Unicode::tolower(*c));
        }
        visit(begin, c == end ? text.size() : at(c), word);
    }
}

/// What a question looks for.
class wanted {
public:
    explicit wanted(const std::vector<search_clause>& clauses) {
        for (const auto& clause : clauses) {
            if (clause.excluded) {
                continue;
            }
            each_word(clause.text, [&](std::size_t, std::size_t, const std::string& word) {
                if (clause.kind == clause_kind::word) {
                    words_.insert(stem_(word));
                } else if (clause.kind == clause_kind::phrase) {
                    exact_.insert(word);
                } else {
                    beginnings_.push_back(word);
                }
            });
        }
    }

    /// By what a word fits; empty: it does not.
    [[nodiscard]] std::string fits(const std::string& word) const {
        if (exact_.contains(word)) {
            return word;
        }
        if (const auto stem = stem_(word); words_.contains(stem)) {
            return stem;
        }
        const auto begins = [&](const std::string& b) { return word.starts_with(b); };
        const auto found = std::find_if(beginnings_.begin(), beginnings_.end(), begins);
        return found == beginnings_.end() ? std::string() : *found;
    }

private:
    Xapian::Stem stem_{"en"};
    std::set<std::string> words_; ///< Stems.
    std::set<std::string> exact_;
    std::vector<std::string> beginnings_;
};

bool is_middle(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The place from which on the most different words stand near each other.
std::size_t best_of(const std::vector<place>& all) {
    std::size_t best = 0;
    std::size_t most = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::set<std::string_view> here;
        for (auto j = i; j < all.size() && all[j].end <= all[i].begin + snippet_bytes - lead_bytes; ++j) {
            here.insert(all[j].word);
        }
        if (here.size() > most) {
            most = here.size();
            best = i;
        }
    }
    return best;
}

} // namespace

std::vector<search_piece> make_snippet(std::string_view text, const std::vector<search_clause>& clauses) {
    constexpr std::size_t places_max = 500;
    text = text.substr(0, looked_at_bytes);
    std::vector<place> all;
    const wanted question(clauses);
    each_word(text, [&](std::size_t begin, std::size_t end, const std::string& word) {
        if (auto by = all.size() < places_max ? question.fits(word) : std::string(); !by.empty()) {
            all.push_back({begin, end, std::move(by)});
        }
    });
    const auto first = all.empty() ? 0 : all[best_of(all)].begin;
    auto from = first > lead_bytes ? first - lead_bytes : 0;
    auto to = std::min(text.size(), from + snippet_bytes);
    for (; from < first && is_middle(text[from]); ++from) {
    }
    for (; to > from && to < text.size() && is_middle(text[to]); --to) {
    }
    std::vector<search_piece> out;
    const auto add = [&](std::size_t end, bool match) {
        if (end > from) {
            out.push_back({std::string(text.substr(from, end - from)), match});
            from = end;
        }
    };
    for (const auto& one : all) {
        if (one.begin >= from && one.end <= to) {
            add(one.begin, false);
            add(one.end, true);
        }
    }
    add(to, false);
    return out;
}

} // namespace troupe::storage
