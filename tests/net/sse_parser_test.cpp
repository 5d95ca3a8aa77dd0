#include "net/client/http_client.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace troupe::net;

namespace {

/// All events of `text`, cut into pieces of `piece_bytes`: "event|data|id".
std::vector<std::string> events_of(std::string_view text, std::size_t piece_bytes) {
    std::vector<std::string> seen;
    sse_parser parser;
    for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
        const bool fine = parser.feed(text.substr(at, piece_bytes), [&seen](const sse_event& e) {
            seen.push_back(e.event + "|" + e.data + "|" + e.id);
        });
        BOOST_REQUIRE(fine);
    }
    return seen;
}

void check(std::string_view text, const std::vector<std::string>& want) {
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        const auto seen = events_of(text, piece);
        BOOST_TEST(seen == want, boost::test_tools::per_element());
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(sse)

BOOST_AUTO_TEST_CASE(all_line_ends_mean_the_same) {
    for (const std::string_view end : {"\n", "\r", "\r\n"}) {
        std::string text;
        for (const std::string_view line : {"event: a", "data: 1", "", "data: 2", ""})
            (text += line) += end;
        check(text, {"a|1|", "message|2|"});
    }
}

BOOST_AUTO_TEST_CASE(data_lines_are_joined_and_comments_skipped) {
    check(": hello\ndata: a\n:\ndata:b\ndata\ndata:  c\n\n", {"message|a\nb\n\n c|"});
}

BOOST_AUTO_TEST_CASE(byte_order_mark_is_skipped_once) {
    check("\xEF\xBB\xBF"
          "data: a\n\n\xEF\xBB\xBF"
          "data: b\n\ndata: c\n\n",
          {"message|a|", "message|c|"});
}

BOOST_AUTO_TEST_CASE(id_stays_and_event_does_not) {
    check("id: 7\nevent: x\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", {"x|a|7", "message|b|7", "message|c|"});
}

BOOST_AUTO_TEST_CASE(empty_data_is_an_event_and_no_data_is_none) {
    check("data:\n\nevent: x\n\nretry: 5\n\n", {"message||"});
}

BOOST_AUTO_TEST_CASE(unfinished_event_is_not_given) { check("data: a\n\ndata: b\n", {"message|a|"}); }

BOOST_AUTO_TEST_CASE(endless_line_is_refused) {
    sse_parser parser;
    const std::string piece(1 << 20, 'x');
    const auto ignore = [](const sse_event&) {};
    for (std::size_t fed = 0; fed < sse_parser::line_bytes_max; fed += piece.size())
        BOOST_TEST(parser.feed(piece, ignore));
    BOOST_TEST(!parser.feed("x", ignore));
}

BOOST_AUTO_TEST_SUITE_END()
