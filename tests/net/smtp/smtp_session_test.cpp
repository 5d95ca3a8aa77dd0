#include "net/smtp/smtp_session.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::net;

namespace {

expected<std::vector<smtp_reply>> replies(std::string_view text, std::size_t piece) {
    smtp_reply_reader reader;
    std::vector<smtp_reply> out;
    while (!text.empty()) {
        auto part = text.substr(0, piece);
        text.remove_prefix(part.size());
        while (!part.empty()) {
            auto reply = reader.take(part);
            if (!reply) {
                return reply.error();
            }
            if (*reply) {
                out.push_back(std::move(**reply));
            }
        }
    }
    return out;
}

const smtp_mail mail{"node@example.org", "ada@example.org", "Subject: x\r\n\r\n.dot\n"};

/// What the client says to these replies, one after the other; the last may be a problem.
struct talk {
    explicit talk(smtp_login login) : session(std::move(login), mail) {}
    std::string says(int status, std::vector<std::string> lines = {""}) {
        auto action = session.take({status, std::move(lines)});
        BOOST_REQUIRE_MESSAGE(action, action.error().detail);
        step = action->step;
        return action->bytes;
    }
    problem fails(int status, std::vector<std::string> lines = {"no"}) {
        auto action = session.take({status, std::move(lines)});
        BOOST_REQUIRE(!action);
        return action.error();
    }
    smtp_session session;
    smtp_step step = smtp_step::send;
};

} // namespace

BOOST_AUTO_TEST_SUITE(smtp)

BOOST_AUTO_TEST_CASE(replies_are_put_together_whatever_their_pieces) {
    const std::string_view text = "220 mail ready\r\n250-mail\r\n250-SIZE 100\r\n250 AUTH PLAIN\n354\r\n";
    for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
        const auto all = replies(text, piece);
        BOOST_TEST_REQUIRE(all.has_value());
        BOOST_TEST_REQUIRE(all->size() == 3U);
        BOOST_TEST((*all)[0].status == 220);
        BOOST_TEST(((*all)[1].lines == std::vector<std::string>{"mail", "SIZE 100", "AUTH PLAIN"}));
        BOOST_TEST(((*all)[2].lines == std::vector<std::string>{""}));
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_reply_ends_it) {
    for (const auto* bad : {"HTTP/1.1 200 OK\r\n", "\r\n", "25\r\n", "999 x\r\n", "250x\r\n", "250-a\r\n251 b\r\n"}) {
        BOOST_TEST(replies(bad, 3).has_error(), bad);
    }
    BOOST_TEST(replies("250 " + std::string(smtp_reply_reader::line_bytes_max, 'x') + "\r\n", 100).has_error());
    std::string many;
    for (std::size_t i = 0; i <= smtp_reply_reader::lines_max; ++i) {
        many += "250-x\r\n";
    }
    BOOST_TEST(replies(many, 1000).has_error());
}

BOOST_AUTO_TEST_CASE(a_mail_goes_over_step_by_step) {
    talk t({.client_name = "example.org"});
    BOOST_TEST(t.says(220) == "EHLO example.org\r\n");
    BOOST_TEST(t.says(250) == "MAIL FROM:<node@example.org>\r\n");
    BOOST_TEST(t.says(250) == "RCPT TO:<ada@example.org>\r\n");
    BOOST_TEST(t.says(251) == "DATA\r\n");
    BOOST_TEST(t.says(354) == "Subject: x\r\n\r\n..dot\r\n.\r\n");
    BOOST_TEST(t.says(250) == "QUIT\r\n");
    BOOST_TEST((t.step == smtp_step::finish));
}

BOOST_AUTO_TEST_CASE(tls_comes_before_the_password_and_all_is_asked_again) {
    talk t({.user = "u", .password = "p"});
    t.says(220);
    BOOST_TEST(t.says(250, {"mail", "STARTTLS", "AUTH LOGIN"}) == "STARTTLS\r\n");
    BOOST_TEST(t.says(220) == "EHLO localhost\r\n");
    BOOST_TEST((t.step == smtp_step::start_tls));
    BOOST_TEST(t.says(250, {"mail", "auth plain"}) == "AUTH PLAIN AHUAcA==\r\n");
    BOOST_TEST(t.says(235) == "MAIL FROM:<node@example.org>\r\n");
}

BOOST_AUTO_TEST_CASE(a_password_does_not_go_over_an_open_wire) {
    talk open({.user = "u", .password = "p"});
    open.says(220);
    BOOST_TEST((open.fails(250, {"mail", "AUTH PLAIN"}).code == code::unavailable));
    talk here({.user = "u", .password = "p", .trusts_wire = true});
    here.says(220);
    BOOST_TEST(here.says(250, {"mail", "AUTH LOGIN"}) == "AUTH LOGIN\r\n");
    BOOST_TEST(here.says(334) == "dQ==\r\n");
    BOOST_TEST(here.says(334) == "cA==\r\n");
    talk none({.user = "u", .is_secured = true});
    none.says(220);
    BOOST_TEST((none.fails(250, {"mail", "AUTH CRAM-MD5"}).code == code::unavailable));
}

BOOST_AUTO_TEST_CASE(a_refusal_is_for_now_or_for_good) {
    talk busy({});
    BOOST_TEST((busy.fails(421).code == code::unavailable));
    for (const auto& [status, wanted] : {std::pair(550, code::invalid_request), std::pair(451, code::unavailable)}) {
        talk t({});
        t.says(220);
        t.says(250);
        t.says(250);
        const auto why = t.fails(status, {"no such\tperson"});
        BOOST_TEST((why.code == wanted));
        BOOST_TEST(why.detail.find("no such?person") != std::string::npos);
    }
    talk login({.user = "u", .is_secured = true}); // the operator may mend it
    login.says(220);
    login.says(250, {"mail", "AUTH PLAIN"});
    BOOST_TEST((login.fails(535).code == code::unavailable));
    talk large({});
    large.says(220);
    BOOST_TEST((large.fails(250, {"mail", "SIZE 5"}).code == code::invalid_request));
}

BOOST_AUTO_TEST_CASE(addresses_have_nothing_that_ends_a_command) {
    for (const auto* good : {"a@b", "ada.l+x@mail.example.org", "o'neil@example.org"}) {
        BOOST_TEST(is_mail_address(good), good);
    }
    for (const auto* bad : {"", "@", "a@", "@b", "a b@c", "a@b\r\nRCPT TO:<x@y>", "a@b>", "<a@b", "a@b@c", "a@b_c",
                            "ädä@example.org", "a,b@c"}) {
        BOOST_TEST(!is_mail_address(bad), bad);
    }
    BOOST_TEST(!is_mail_address(std::string(65, 'a') + "@b"));
    BOOST_TEST(!is_mail_address("a@" + std::string(260, 'b')));
}

BOOST_AUTO_TEST_CASE(content_cannot_end_itself) {
    BOOST_TEST(smtp_content("a\r\n.\r\nQUIT\n..b\r.\rc") == "a\r\n..\r\nQUIT\r\n...b . c\r\n.\r\n");
    BOOST_TEST(smtp_content("") == ".\r\n");
}

BOOST_AUTO_TEST_SUITE_END()
