#include "storage/text_index.hpp"

#include <xapian.h>

#include <algorithm>
#include <map>
#include <unordered_set>

namespace troupe::storage {
namespace {

constexpr Xapian::valueno time_slot = 0;
constexpr Xapian::termcount title_weight = 5;
constexpr Xapian::termcount gap = 100;      ///< No phrase reaches from the title into the body.
constexpr std::size_t known_max = 200'000;  ///< Words of which it is remembered that their beginnings are known.
constexpr std::size_t beginning_max = 1000; ///< Words that one beginning is looked up as.
constexpr int tries = 5;                    ///< Of a reader that a writer overtook.

// What a term is, before it is hidden: words as TermGenerator makes them (stems begin with Z), the others with marks
// that no word has.
std::string id_term(std::string_view id) { return "#" + std::string(id); }
std::string filter_term(std::string_view filter) { return "=" + std::string(filter); }
std::string prefix_term(std::string_view prefix) { return "*" + std::string(prefix); }

/// What Xapian throws, as a problem. Without an error of the system it did not like what it read.
problem problem_of(const Xapian::Error& e) {
    const std::string_view type = e.get_type();
    const bool missing = type == "DatabaseOpeningError" || type == "DatabaseNotFoundError";
    const bool of_disk = type == "DatabaseLockError" || e.get_error_string() != nullptr;
    return {missing || !of_disk ? code::journal_damaged : code::storage_failed,
            "the search index: " + std::string(type) + ": " + e.get_msg()};
}

template <class Result, class Do>
expected<Result> guarded(Do work) {
    try {
        return work();
    } catch (const Xapian::Error& e) {
        return problem_of(e);
    } catch (const std::exception& e) { // a damaged file may also make it ask for too much memory
        return problem{code::journal_damaged, std::string("the search index: ") + e.what()};
    }
}

template <class Do>
expected<void> guarded_void(Do work) {
    const auto done = guarded<bool>([&] {
        work();
        return expected<bool>(true);
    });
    return done ? expected<void>() : expected<void>(done.error());
}

Xapian::TermGenerator make_generator() {
    Xapian::TermGenerator out;
    out.set_stemmer(Xapian::Stem("en"));
    out.set_flags(Xapian::TermGenerator::FLAG_CJK_NGRAM);
    return out;
}

/// Whether a word is found by its beginning. Numbers and ids are not: without end they begin alike.
bool has_beginnings(const std::string& word) {
    return !word.starts_with('Z') &&
           std::none_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The beginnings of a word that may be asked for with a *, and the whole of it.
template <class Visit>
void each_prefix(const std::string& word, Visit visit) {
    std::size_t length = 0;
    for (Xapian::Utf8Iterator c(word), end; c != end && length < search_prefix_max;) {
        ++c;
        if (++length >= search_prefix_min) {
            const auto left = c == end ? std::size_t{0} : c.left();
            visit(std::string_view(word).substr(0, word.size() - left));
        }
    }
}

std::string lower(std::string_view text) {
    std::string out;
    for (Xapian::Utf8Iterator c(text.data(), text.size()), end; c != end; ++c) {
        Xapian::Unicode::append_utf8(out, Xapian::Unicode::tolower(*c));
    }
    return out;
}

/// Words of a text by their places, without stems; and their stems.
struct words {
    std::map<Xapian::termpos, std::vector<std::string>> places;
    std::vector<std::string> stems;
};

words words_of(std::string_view text) {
    auto generator = make_generator();
    Xapian::Document scratch;
    generator.set_document(scratch);
    generator.index_text(std::string(text));
    words out;
    for (auto t = scratch.termlist_begin(); t != scratch.termlist_end(); ++t) {
        if ((*t).starts_with('Z')) {
            out.stems.push_back(*t);
        }
        for (auto p = t.positionlist_begin(); p != t.positionlist_end(); ++p) {
            out.places[*p].push_back(*t);
        }
    }
    return out;
}

/// Out of the maker of a query.
struct too_many_words {
    std::string beginning;
};

class query_maker {
public:
    query_maker(const hide_word& hide, const Xapian::Database& database) : hide_(hide), database_(database) {}

    [[nodiscard]] Xapian::Query make(const text_query& q) const {
        Xapian::Query out;
        Xapian::Query without;
        for (const auto& clause : q.clauses) {
            const auto one = of(clause);
            if (clause.excluded) {
                without = Xapian::Query(Xapian::Query::OP_OR, without, one);
            } else {
                out = out.empty() ? one : Xapian::Query(Xapian::Query::OP_AND, out, one);
            }
        }
        if (!without.empty()) {
            out = Xapian::Query(Xapian::Query::OP_AND_NOT, out, without);
        }
        for (const auto& group : q.filters) {
            Xapian::Query any = Xapian::Query::MatchNothing;
            for (const auto& filter : group) {
                any = Xapian::Query(Xapian::Query::OP_OR, any, term(filter_term(filter)));
            }
            out = Xapian::Query(Xapian::Query::OP_FILTER, out, any);
        }
        const auto at = [](timestamp t) { return Xapian::sortable_serialise(static_cast<double>(t.ms)); };
        if (q.since) {
            out = Xapian::Query(Xapian::Query::OP_FILTER, out,
                                Xapian::Query(Xapian::Query::OP_VALUE_GE, time_slot, at(*q.since)));
        }
        if (q.until) {
            out = Xapian::Query(Xapian::Query::OP_FILTER, out,
                                Xapian::Query(Xapian::Query::OP_VALUE_LE, time_slot, at({q.until->ms - 1})));
        }
        return out;
    }

private:
    [[nodiscard]] Xapian::Query term(const std::string& plain) const { return Xapian::Query(hide_(plain)); }

    /// A clause without any letter or digit fits nothing.
    [[nodiscard]] Xapian::Query of(const search_clause& clause) const {
        const auto found = words_of(clause.text);
        if (found.places.empty()) {
            return Xapian::Query::MatchNothing;
        }
        std::vector<Xapian::Query> all;
        bool in_order = true; // n-grams share their places: all have to be there
        for (const auto& [place, here] : found.places) {
            in_order = in_order && here.size() == 1;
            for (const auto& word : here) {
                all.push_back(term(word));
            }
        }
        if (clause.kind == clause_kind::prefix) {
            return beginning(clause.text);
        }
        if (clause.kind == clause_kind::word && all.size() == 1 && found.stems.size() == 1) {
            return term(found.stems.front());
        }
        if (all.size() == 1) {
            return all.front();
        }
        return in_order ? Xapian::Query(Xapian::Query::OP_PHRASE, all.begin(), all.end(), all.size())
                        : Xapian::Query(Xapian::Query::OP_AND, all.begin(), all.end());
    }

    [[nodiscard]] Xapian::Query beginning(const std::string& text) const {
        const auto known_as = hide_(prefix_term(lower(text)));
        std::vector<std::string> all;
        for (auto word = database_.synonyms_begin(known_as); word != database_.synonyms_end(known_as); ++word) {
            if (all.size() == beginning_max) {
                throw too_many_words{text};
            }
            all.push_back(*word);
        }
        return all.empty() ? Xapian::Query::MatchNothing
                           : Xapian::Query(Xapian::Query::OP_SYNONYM, all.begin(), all.end());
    }

    const hide_word& hide_;
    const Xapian::Database& database_;
};

} // namespace

struct text_index::impl {
    impl(const std::string& folder, hide_word h)
        : hide(std::move(h)), database(folder, Xapian::DB_CREATE_OR_OPEN | Xapian::DB_BACKEND_GLASS) {}

    hide_word hide;
    Xapian::WritableDatabase database;
    Xapian::TermGenerator generator = make_generator();
    std::unordered_set<std::string> known; ///< Words whose beginnings are in the index.

    /// Words are looked up by their beginnings in a list of the index, as what Xapian calls synonyms.
    void learn(const std::string& word, const std::string& hidden) {
        if (!has_beginnings(word) || known.contains(word)) {
            return;
        }
        each_prefix(word, [&](std::string_view prefix) { database.add_synonym(hide(prefix_term(prefix)), hidden); });
        if (known.size() >= known_max) {
            known.clear();
        }
        known.insert(word);
    }

    /// The words as they are, in memory only, then hidden.
    Xapian::Document make(const indexed_text& text) {
        Xapian::Document plain;
        generator.set_document(plain);
        generator.set_termpos(0);
        generator.index_text(text.title, title_weight);
        generator.increase_termpos(gap);
        generator.index_text(text.body.substr(0, indexed_bytes_max));
        Xapian::Document out;
        for (auto t = plain.termlist_begin(); t != plain.termlist_end(); ++t) {
            const std::string word = *t;
            const auto hidden = hide(word);
            out.add_term(hidden, t.get_wdf());
            for (auto p = t.positionlist_begin(); p != t.positionlist_end(); ++p) {
                out.add_posting(hidden, *p, 0);
            }
            learn(word, hidden);
        }
        for (const auto& filter : text.filters) {
            out.add_boolean_term(hide(filter_term(filter)));
        }
        out.add_boolean_term(hide(id_term(text.id)));
        out.add_value(time_slot, Xapian::sortable_serialise(static_cast<double>(text.time.ms)));
        out.set_data(text.id);
        return out;
    }
};

text_index::text_index(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

text_index::~text_index() {
    (void)guarded_void([this] { impl_.reset(); });
}

expected<std::unique_ptr<text_index>> text_index::open(const std::filesystem::path& folder, hide_word hide) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) {
        return problem{code::storage_failed, folder.string() + ": " + failed.message()};
    }
    return guarded<std::unique_ptr<text_index>>([&] {
        return std::unique_ptr<text_index>(new text_index(std::make_unique<impl>(folder.string(), std::move(hide))));
    });
}

expected<void> text_index::put(const indexed_text& text) {
    return guarded_void([&] { impl_->database.replace_document(impl_->hide(id_term(text.id)), impl_->make(text)); });
}

expected<void> text_index::remove(std::string_view id) {
    return guarded_void([&] { impl_->database.delete_document(impl_->hide(id_term(id))); });
}

expected<void> text_index::remove_all(std::string_view filter) {
    return guarded_void([&] { impl_->database.delete_document(impl_->hide(filter_term(filter))); });
}

expected<bool> text_index::has(std::string_view id) const {
    return guarded<bool>([&] { return impl_->database.term_exists(impl_->hide(id_term(id))); });
}

expected<void> text_index::note(std::string_view name, std::string_view value) {
    return guarded_void([&] { impl_->database.set_metadata(std::string(name), std::string(value)); });
}

expected<std::string> text_index::noted(std::string_view name) const {
    return guarded<std::string>([&] { return impl_->database.get_metadata(std::string(name)); });
}

expected<void> text_index::commit() {
    return guarded_void([this] { impl_->database.commit(); });
}

expected<std::vector<text_hit>> search_index(const std::filesystem::path& folder, const hide_word& hide,
                                             const text_query& query) {
    std::error_code ignored;
    if (!std::filesystem::exists(folder / "iamglass", ignored)) {
        return std::vector<text_hit>();
    }
    return guarded<std::vector<text_hit>>([&]() -> expected<std::vector<text_hit>> {
        for (int n = 1;; ++n) {
            try {
                const Xapian::Database database(folder.string());
                Xapian::Enquire enquire(database);
                enquire.set_query(query_maker(hide, database).make(query));
                enquire.set_docid_order(Xapian::Enquire::DESCENDING);
                const auto found = enquire.get_mset(static_cast<Xapian::doccount>(query.offset),
                                                    static_cast<Xapian::doccount>(query.limit));
                std::vector<text_hit> out;
                for (auto hit = found.begin(); hit != found.end(); ++hit) {
                    out.push_back({hit.get_document().get_data(), hit.get_weight()});
                }
                return out;
            } catch (const too_many_words& e) {
                auto what = "too many words begin with " + e.beginning + ": give more of it";
                return problem{code::invalid_request, "q: " + what, {{"q", what}}};
            } catch (const Xapian::DatabaseModifiedError&) { // two commits meanwhile: from the newest again
                if (n == tries) {
                    return problem{code::overloaded, "The search index changes too fast; try again."};
                }
            }
        }
    });
}

} // namespace troupe::storage
