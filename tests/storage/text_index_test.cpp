#include "storage/text_index.hpp"

#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace troupe::storage {
namespace {

/// Not a secret one; unlike the word, as the real one.
std::string hidden(std::string_view word) { return std::to_string(std::hash<std::string_view>()(word)); }

struct index_fixture {
    test::temporary_directory place;
    std::unique_ptr<text_index> index = *text_index::open(place.path / "i", hidden);

    void put(std::string id, std::string title, std::string body, std::vector<std::string> filters = {},
             std::int64_t at = 1000) {
        BOOST_REQUIRE(index->put({std::move(id), std::move(title), std::move(body), std::move(filters), {at}}));
    }
    [[nodiscard]] std::string found(std::string_view q, text_query more = {}) const {
        more.clauses = *parse_search(q);
        const auto hits = search_index(place.path / "i", hidden, more);
        BOOST_REQUIRE(hits);
        std::string out;
        for (const auto& hit : *hits) {
            out += (out.empty() ? "" : " ") + hit.id;
        }
        return out;
    }
};

std::string marked(std::string_view text, std::string_view q) {
    std::string out;
    for (const auto& piece : make_snippet(text, *parse_search(q))) {
        out += piece.match ? "[" + piece.text + "]" : piece.text;
    }
    return out;
}

BOOST_FIXTURE_TEST_SUITE(text_indexes, index_fixture)

BOOST_AUTO_TEST_CASE(words_in_any_form_phrases_and_beginnings_are_found) {
    put("a", "Rounding", "The sums were rounded toward zero.");
    put("b", "Other", "Zero toward nothing.");
    BOOST_REQUIRE(index->commit());
    BOOST_TEST(found("round") == "a");
    BOOST_TEST(found("ROUNDS sum") == "a");
    BOOST_TEST(found("\"toward zero\"") == "a");
    BOOST_TEST(found("\"zero toward\"") == "b");
    BOOST_TEST(found("\"Rounding The\"") == ""); // the title is no part of the body
    BOOST_TEST(found("toward -sums") == "b");
    BOOST_TEST(found("toward -\"toward zero\"") == "b");
    BOOST_TEST(found("noth*") == "b");
    BOOST_TEST(found("not*") == "b");
    BOOST_TEST(found("nothings*") == "");
    BOOST_TEST(found("missing") == "");
    BOOST_TEST(found("...") == "");
}

BOOST_AUTO_TEST_CASE(words_of_languages_without_blanks_are_found) {
    put("a", "", "東京都に住んでいます");
    put("b", "", "Größe und Straße");
    BOOST_REQUIRE(index->commit());
    BOOST_TEST(found("東京") == "a");
    BOOST_TEST(found("京東") == "");
    BOOST_TEST(found("größe") == "b");
    BOOST_TEST(found("GRÖSSE") == "");
    BOOST_TEST(found("grö*") == "b");
}

BOOST_AUTO_TEST_CASE(a_title_counts_for_more_than_a_body) {
    put("body", "Something", "A zebra is in the text.");
    put("title", "A zebra", "Something is in the text.");
    BOOST_REQUIRE(index->commit());
    BOOST_TEST(found("zebra") == "title body");
}

BOOST_AUTO_TEST_CASE(another_text_of_an_id_takes_the_place_of_the_first) {
    put("a", "", "first");
    BOOST_REQUIRE(index->commit());
    put("a", "", "second");
    BOOST_TEST(found("first") == "a"); // not committed yet
    BOOST_REQUIRE(index->commit());
    BOOST_TEST(found("first") == "");
    BOOST_TEST(found("second") == "a");
    BOOST_TEST(*index->has("a"));
    BOOST_REQUIRE(index->remove("a"));
    BOOST_TEST(!*index->has("a"));
    BOOST_REQUIRE(index->commit());
    BOOST_TEST(found("second") == "");
}

BOOST_AUTO_TEST_CASE(filters_and_times_narrow_what_is_found) {
    put("a", "", "word", {"type=task", "of=1"}, 1000);
    put("b", "", "word", {"type=run", "of=1"}, 2000);
    put("c", "", "word", {"type=run"}, 3000);
    BOOST_REQUIRE(index->commit());
    text_query q;
    q.filters = {{"type=run", "type=document"}, {"of=1"}};
    BOOST_TEST(found("word", q) == "b");
    q.filters = {{"type=task", "type=run"}};
    q.since = timestamp{2000};
    BOOST_TEST(found("word", q) == "c b");
    q.until = timestamp{3000};
    BOOST_TEST(found("word", q) == "b");
    q = {};
    q.limit = 1;
    q.offset = 1;
    BOOST_TEST(found("word", q) == "b");
    BOOST_REQUIRE(index->remove_all("of=1"));
    BOOST_REQUIRE(index->commit());
    BOOST_TEST(found("word") == "c");
    BOOST_TEST(found("task") == ""); // a filter is no word
}

BOOST_AUTO_TEST_CASE(what_was_committed_is_there_when_it_is_opened_again_and_no_word_is_in_its_files) {
    put("a", "Hippopotamus", "rhinoceros", {"status=walrus"});
    BOOST_REQUIRE(index->note("whole", "yes"));
    BOOST_REQUIRE(index->commit());
    index.reset();
    for (const auto& file : std::filesystem::directory_iterator(place.path / "i")) {
        std::ifstream in(file.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        for (const auto* word : {"hippo", "Hippo", "rhino", "walrus"}) {
            BOOST_TEST(bytes.find(word) == std::string::npos);
        }
    }
    index = *text_index::open(place.path / "i", hidden);
    BOOST_TEST(found("rhinoceros") == "a");
    BOOST_TEST(*index->noted("whole") == "yes");
    BOOST_TEST(*index->noted("other") == "");
}

BOOST_AUTO_TEST_CASE(a_damaged_index_is_said_to_be_one_and_a_missing_one_is_empty) {
    for (int n = 0; n < 500; ++n) {
        put(std::to_string(n), "", "word " + std::to_string(n));
    }
    BOOST_REQUIRE(index->commit());
    index.reset();
    for (const auto& file : std::filesystem::directory_iterator(place.path / "i")) {
        if (file.path().extension() == ".glass") {
            std::ofstream(file.path(), std::ios::binary) << std::string(8192, '\0');
        }
    }
    text_query q;
    q.clauses = *parse_search("word");
    const auto hits = search_index(place.path / "i", hidden, q);
    BOOST_REQUIRE(!hits);
    BOOST_TEST(static_cast<int>(hits.error().code) == static_cast<int>(code::journal_damaged));
    BOOST_TEST(search_index(place.path / "none", hidden, q)->empty());
}

BOOST_AUTO_TEST_CASE(snippets_show_the_place_with_the_most_words) {
    BOOST_TEST(marked("The sums were rounded.", "round") == "The sums were [rounded].");
    BOOST_TEST(marked("The sums were rounded.", "SUM \"were rounded\" -the") == "The [sums] [were] [rounded].");
    BOOST_TEST(marked("Nothing is here.", "round") == "Nothing is here.");
    BOOST_TEST(marked("", "round") == "");
    const std::string filler(1000, '.');
    const auto far = marked("one " + filler + " one two " + filler, "one two");
    BOOST_TEST(far.find("[one] [two]") != std::string::npos);
    BOOST_TEST(far.size() < 300);
    std::string umlauts;
    for (int i = 0; i < 500; ++i) {
        umlauts += "ä ";
    }
    for (const auto& piece : make_snippet(umlauts + "word" + umlauts, *parse_search("word"))) {
        BOOST_TEST((static_cast<unsigned char>(piece.text.front()) & 0xC0) != 0x80);
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace troupe::storage
