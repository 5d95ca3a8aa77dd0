#include "runtime/supervision/failures.hpp"

#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using runtime::failure_board;
using runtime::failure_pattern;

namespace {

error_line line(std::string_view message, std::string_view module = "entity", std::string_view level = "error") {
    return {.level = level, .module = module, .message = message, .request = {}, .trace = {}};
}

/// Moves by a second at each look.
struct moving_clock {
    timestamp now{0};
    timestamp operator()() { return now = now + 1000; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(failures)

BOOST_AUTO_TEST_CASE(what_differs_from_time_to_time_is_taken_out) {
    const std::vector<std::pair<std::string_view, std::string_view>> cases = {
        {"task/018f3c1e-7d2a-7000-8000-000000000001 crashed: boom", "task/# crashed: boom"},
        {"/nodes/n1/shards/17/tasks/018f3c1e-7d2a-7000-8000-000000000001", "/nodes/n#/shards/#/tasks/#"},
        {"record 7 of 1,024 at 0x7f12ab", "record # of # at #"},
        {"blob 9f86d081884c7d65 is damaged", "blob # is damaged"},
        {"cannot reach 127.0.0.1:8080", "cannot reach #"},
        {"cannot reach [fe80::1]:443 at 07:14:41", "cannot reach [#]:# at #"},
        {"no file 'a b.txt', nor \"c\", nor `d 'e'`", "no file '…', nor '…', nor '…'"},
        {"the entity's history isn't there", "the entity's history isn't there"},
        {"an open 'quote", "an open 'quote"},
        {"token AbCdEfGhIjKlMnOpQrS7 is old", "token # is old"},
        {"facade is no number, internationalization no token", "facade is no number, internationalization no token"},
        {"", ""},
    };
    for (const auto& [text, pattern] : cases) {
        BOOST_TEST(failure_pattern(text) == pattern);
    }
    BOOST_TEST(failure_pattern(std::string(100'000, 'x')).size() == failure_board::pattern_bytes_max);
}

BOOST_AUTO_TEST_CASE(the_same_failure_with_other_ids_is_one_group) {
    failure_board board(10, moving_clock());
    auto first = line("task/018f3c1e-7d2a-7000-8000-000000000001 crashed after 3 steps");
    first.request = "r1";
    first.trace = "0af7651916cd43dd8448eb211c80319c";
    board.record(first);
    board.record(line("task/018f3c1e-7d2a-7000-8000-0000000000ff crashed after 14 steps"));
    const auto found = board.list();
    BOOST_REQUIRE(found.size() == 1u);
    const auto& g = found[0];
    BOOST_TEST(g.count == 2u);
    BOOST_TEST(g.fingerprint.size() == 16u);
    BOOST_TEST(g.module == "entity");
    BOOST_TEST(g.level == "error");
    BOOST_TEST(g.pattern == "task/# crashed after # steps");
    BOOST_TEST(g.text.ends_with("0000ff crashed after 14 steps"));
    BOOST_TEST(g.first_at.ms == 1000);
    BOOST_TEST(g.last_at.ms == 2000);
    BOOST_TEST(g.request_id.value_or("") == "r1"); // the newest that is known
    BOOST_TEST(g.trace_id.value_or("") == "0af7651916cd43dd8448eb211c80319c");
}

BOOST_AUTO_TEST_CASE(other_words_and_other_modules_are_other_groups) {
    failure_board board(10, moving_clock());
    board.record(line("cannot read 1"));
    board.record(line("cannot write 1"));
    board.record(line("cannot read 2", "storage"));
    board.record(line("cannot read 3", "entity", "critical"));
    const auto found = board.list();
    BOOST_REQUIRE(found.size() == 3u);
    BOOST_TEST(found[0].text == "cannot read 3"); // the one that was seen last first
    BOOST_TEST(found[0].level == "critical");     // and it stays at the worst
    BOOST_TEST(found[0].count == 2u);
    BOOST_TEST(found[1].module == "storage");
    BOOST_TEST(found[2].text == "cannot write 1");
    BOOST_TEST(board.count("entity", "error") == 2u);
    BOOST_TEST(board.count("entity", "critical") == 1u);
    BOOST_TEST(board.count("edge", "error") == 0u);
    board.record(line("of an embedding program", "shop"));
    BOOST_TEST(board.count("other", "error") == 1u);
    BOOST_TEST(board.list(1)[0].module == "shop");
}

BOOST_AUTO_TEST_CASE(a_fingerprint_is_the_same_after_a_restart) {
    failure_board board;
    board.record(line("cannot read 7"));
    BOOST_TEST(board.list()[0].fingerprint == "b51e4962f6def408");
}

BOOST_AUTO_TEST_CASE(beyond_the_bound_the_group_that_was_not_seen_for_longest_goes) {
    failure_board board(2, moving_clock());
    board.record(line("a"));
    board.record(line("b"));
    board.record(line("a"));
    board.record(line("c"));
    const auto found = board.list();
    BOOST_REQUIRE(found.size() == 2u);
    BOOST_TEST(found[0].text == "c");
    BOOST_TEST(found[1].text == "a");
    BOOST_TEST(board.forgotten() == 1u);
    board.record(line("b")); // anew
    BOOST_TEST(board.list(1)[0].count == 1u);
    BOOST_TEST(board.forgotten() == 2u);
    BOOST_TEST(board.count("entity", "error") == 5u); // forgotten or not
}

BOOST_AUTO_TEST_CASE(long_texts_are_shortened) {
    failure_board board;
    const std::string long_text(100'000, 'x');
    auto l = line(long_text, long_text);
    l.request = long_text;
    board.record(l);
    const auto g = board.list()[0];
    BOOST_TEST(g.text.size() == failure_board::text_bytes_max);
    BOOST_TEST(g.module.size() <= failure_board::text_bytes_max);
    BOOST_TEST(g.request_id->size() <= failure_board::text_bytes_max);
    BOOST_TEST(g.pattern.size() == failure_board::pattern_bytes_max);
}

BOOST_AUTO_TEST_CASE(pages_go_on_before_the_last_number) {
    failure_board board(10, moving_clock());
    for (const auto* text : {"a", "b", "c"}) {
        board.record(line(text));
    }
    const auto first = board.list(2);
    BOOST_REQUIRE(first.size() == 2u);
    board.record(line("b")); // comes to the front, and is not shown again
    const auto second = board.list(2, first.back().number);
    BOOST_REQUIRE(second.size() == 1u);
    BOOST_TEST(second[0].text == "a");
    const auto document = json::document::parse(to_json(second[0]));
    BOOST_REQUIRE(document.has_value());
    BOOST_TEST(document->root().text_or("pattern") == "a");
    BOOST_TEST(!document->root().find("number").has_value());
}

BOOST_AUTO_TEST_CASE(many_threads_lose_no_count) {
    failure_board board;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&board] {
            for (int i = 0; i < 500; ++i) {
                board.record(line("failure " + std::to_string(i)));
            }
        });
    }
    for (auto& t : threads) {
        t.join();
    }
    BOOST_REQUIRE(board.list().size() == 1u);
    BOOST_TEST(board.list()[0].count == 2000u);
    BOOST_TEST(board.count("entity", "error") == 2000u);
}

BOOST_AUTO_TEST_SUITE_END()
