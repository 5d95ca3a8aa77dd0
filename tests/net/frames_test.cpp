#include "net/websocket/frames.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace troupe::net;

namespace {

using outcome = frame_reader::outcome;

/// As a client sends it: masked.
std::string masked(unsigned first, std::string_view payload, unsigned length_form = 0) {
    std::string out(1, static_cast<char>(first));
    const auto size = payload.size();
    if (length_form == 8 || (length_form == 0 && size > 0xffff)) {
        out += static_cast<char>(0x80U | 127U);
        for (int shift = 56; shift >= 0; shift -= 8)
            out += static_cast<char>(size >> static_cast<unsigned>(shift) & 0xffU);
    } else if (length_form == 2 || (length_form == 0 && size > 125)) {
        out += static_cast<char>(0x80U | 126U);
        out += static_cast<char>(size >> 8U);
        out += static_cast<char>(size & 0xffU);
    } else {
        out += static_cast<char>(0x80U | size);
    }
    const std::string_view mask = "\x01\x7f\x80\xff";
    out += mask;
    for (std::size_t i = 0; i < size; ++i)
        out += static_cast<char>(payload[i] ^ mask[i % 4]);
    return out;
}

struct heard {
    std::vector<std::string> messages; ///< Kind and payload.
    outcome last = outcome::more;
    close_code failure = close_code::normal;
};

heard listen(std::string_view all, std::size_t piece, std::size_t bytes_max = 1000) {
    frame_reader reader(bytes_max);
    heard out;
    while (!all.empty() && out.last != outcome::failed) {
        auto part = all.substr(0, piece);
        all.remove_prefix(part.size());
        while (!part.empty() && out.last != outcome::failed) {
            out.last = reader.read(part);
            if (out.last == outcome::message)
                out.messages.push_back(std::to_string(static_cast<int>(reader.kind())) + ":" + reader.take_payload());
            if (out.last == outcome::failed)
                out.failure = reader.failure();
        }
    }
    return out;
}

void check_refused(std::string_view all, close_code why) {
    for (const std::size_t piece : {1U, 7U, 4000U}) {
        const auto found = listen(all, piece);
        BOOST_TEST((found.last == outcome::failed));
        BOOST_TEST(static_cast<int>(found.failure) == static_cast<int>(why));
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(websocket_frames)

BOOST_AUTO_TEST_CASE(the_answer_to_a_key_is_that_of_the_standard) {
    BOOST_TEST(accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

BOOST_AUTO_TEST_CASE(frames_have_the_shortest_length) {
    BOOST_TEST(to_frame(frame_kind::text, "Hello") == "\x81\x05Hello");
    BOOST_TEST(to_frame(frame_kind::ping, "") == std::string("\x89\0", 2));
    BOOST_TEST(to_frame(frame_kind::text, std::string(126, 'a')).substr(0, 4) == std::string("\x81\x7e\0\x7e", 4));
    BOOST_TEST(to_frame(frame_kind::text, std::string(65'535, 'a')).substr(0, 4) == "\x81\x7e\xff\xff");
    BOOST_TEST(to_frame(frame_kind::text, std::string(65'536, 'a')).substr(0, 10) ==
               std::string("\x81\x7f\0\0\0\0\0\1\0\0", 10));
    BOOST_TEST(to_close_frame(close_code::going_away, "bye") == "\x88\x05\x03\xe9"
                                                                "bye");
}

BOOST_AUTO_TEST_CASE(messages_are_read_in_any_pieces) {
    const auto all = masked(0x81, "first") + masked(0x89, "are you there") + masked(0x82, std::string(300, 'b')) +
                     masked(0x01, "in ") + masked(0x8a, "") + masked(0x00, "three ") + masked(0x80, "parts") +
                     masked(0x81, "") +
                     masked(0x88, "\x03\xe8"
                                  "bye");
    const std::vector<std::string> wanted{"1:first",
                                          "9:are you there",
                                          "2:" + std::string(300, 'b'),
                                          "10:",
                                          "1:in three parts",
                                          "1:",
                                          "8:\x03\xe8"
                                          "bye"};
    for (const std::size_t piece : {1U, 2U, 3U, 5U, 17U, 4000U})
        BOOST_TEST(listen(all, piece).messages == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_breaks_the_protocol_is_refused) {
    check_refused("\x81\x05Hello", close_code::protocol_error);   // not masked
    check_refused(masked(0xc1, "a"), close_code::protocol_error); // a reserved bit
    check_refused(masked(0x83, "a"), close_code::protocol_error); // an unknown kind
    check_refused(masked(0x80, "a"), close_code::protocol_error); // goes on with nothing
    check_refused(masked(0x01, "a") + masked(0x81, "b"), close_code::protocol_error);
    check_refused(masked(0x09, "a"), close_code::protocol_error); // a ping in parts
    check_refused(masked(0x89, std::string(126, 'a')), close_code::protocol_error);
    check_refused(masked(0x81, "a", 2), close_code::protocol_error); // a longer length than needed
    check_refused(masked(0x81, std::string(200, 'a'), 8), close_code::protocol_error);
    check_refused(masked(0x88, "x"), close_code::protocol_error);        // half a code
    check_refused(masked(0x88, "\x03\xed"), close_code::protocol_error); // 1005 is never sent
    check_refused(masked(0x88, "\x03\xe8\xff"), close_code::bad_payload);
    check_refused(masked(0x81, "\xc3\x28"), close_code::bad_payload);
}

BOOST_AUTO_TEST_CASE(a_message_that_is_too_long_is_refused_by_its_header) {
    frame_reader reader(1000);
    const auto all = masked(0x81, std::string(1001, 'a'));
    std::string_view in = std::string_view(all).substr(0, 8);
    BOOST_TEST((reader.read(in) == outcome::failed));
    BOOST_TEST((reader.failure() == close_code::too_big));
    check_refused(masked(0x01, std::string(600, 'a')) + masked(0x80, std::string(401, 'a')), close_code::too_big);
    BOOST_TEST(listen(masked(0x81, std::string(1000, 'a')), 13).messages.size() == 1U);
    const auto huge = std::string("\x81\xff") + std::string(8, '\xff') + "mask";
    check_refused(huge, close_code::protocol_error);
}

BOOST_AUTO_TEST_SUITE_END()
