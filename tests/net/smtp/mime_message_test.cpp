#include "net/smtp/mime_message.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::net;

namespace {

mime_message sample() {
    return {"node@example.org", "ada@example.org", "Hello", "1@example.org", {1'763'733'600'000}, "Grüße\n"};
}

} // namespace

BOOST_AUTO_TEST_SUITE(mime)

BOOST_AUTO_TEST_CASE(a_message_is_ascii_with_a_header_and_a_text) {
    BOOST_TEST(write_mime(sample()).value() ==
               "Date: Fri, 21 Nov 2025 14:00:00 +0000\r\nFrom: node@example.org\r\nTo: ada@example.org\r\n"
               "Message-ID: <1@example.org>\r\nSubject: Hello\r\nAuto-Submitted: auto-generated\r\n"
               "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n");
}

BOOST_AUTO_TEST_CASE(no_member_becomes_a_header) {
    auto m = sample();
    m.subject = "a\r\nBcc: eve@example.org";
    BOOST_TEST(write_mime(m).value().find("\r\nBcc") == std::string::npos);
    m.to = "ada@example.org\r\nBcc: eve@example.org";
    BOOST_TEST((write_mime(m).error().code == code::invalid_request));
    m = sample();
    m.message_id = "x>\r\n";
    BOOST_TEST(write_mime(m).has_error());
}

BOOST_AUTO_TEST_CASE(long_and_foreign_subjects_are_encoded_words_that_cut_no_character) {
    BOOST_TEST(mail_words("plain") == "plain");
    BOOST_TEST(mail_words("=?x?=") == "=?UTF-8?B?PT94Pz0=?=");
    BOOST_TEST(mail_words("ü") == "=?UTF-8?B?w7w=?=");
    std::string text;
    for (int i = 0; i < 50; ++i) {
        text += "aü";
    }
    const auto words = mail_words(text);
    for (std::size_t at = 0, end = 0; at < words.size(); at = end + 3) {
        end = std::min(words.find("\r\n ", at), words.size());
        BOOST_TEST(end - at <= 75U);
        BOOST_TEST(words.substr(at, 10) == "=?UTF-8?B?");
    }
    BOOST_TEST(mail_words(std::string(100, '\x80')).size() > 100U); // no UTF-8 at all: it ends
}

BOOST_AUTO_TEST_CASE(lines_are_short_and_end_with_no_space) {
    BOOST_TEST(quoted_printable("a = b \nc\t\r\nd ") == "a =3D b=20\r\nc=09\r\nd=20");
    const auto text = quoted_printable(std::string(1000, 'x') + "ü" + std::string(200, '='));
    for (std::size_t at = 0, end = 0; at < text.size(); at = end + 2) {
        end = std::min(text.find("\r\n", at), text.size());
        BOOST_TEST(end - at <= 76U);
    }
    BOOST_TEST(text.find("\r\n\r\n") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
