#include "actors/notification/mail_templates.hpp"

#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

using namespace troupe;
using namespace troupe::actors;

namespace {

notification_document told(std::string title, std::string text = "text") {
    notification_document n;
    n.kind = notification_kind::mention;
    n.title = std::move(title);
    n.text = std::move(text);
    n.actor = "user/ada";
    return n;
}

std::string no_link(const notification_document&) { return {}; }

} // namespace

BOOST_AUTO_TEST_SUITE(mail_templates_suite)

BOOST_AUTO_TEST_CASE(one_and_several_have_texts_of_their_own) {
    const mail_templates all;
    const auto one = all.write({told("Hello")}, [](const auto&) { return std::string("https://x/1"); });
    BOOST_TEST(one.subject == "Hello");
    BOOST_TEST(one.body == "Hello\n\ntext\n\nhttps://x/1\n");
    const auto two = all.write({told("A"), told("B", "")}, no_link);
    BOOST_TEST(two.subject == "2 notifications");
    BOOST_TEST(two.body == "- A\n  text\n\n- B\n");
}

BOOST_AUTO_TEST_CASE(what_is_told_is_text_and_no_template) {
    const mail_templates all;
    BOOST_TEST(all.write({told("{{actor}} {{")}, no_link).subject == "{{actor}} {{");
    BOOST_TEST(all.write({told("{{text}}"), told("{{x")}, no_link).body == "- {{text}}\n  text\n\n- {{x\n  text\n");
}

BOOST_AUTO_TEST_CASE(templates_of_a_folder_replace_the_built_in_ones) {
    const test::temporary_directory made;
    const auto& folder = made.path;
    std::ofstream(folder / "mention.txt") << "Subject: [{{kind}}] {{title}}\r\n\r\n{{actor}} says {{text}}\r\n";
    const auto read = mail_templates::read(folder);
    BOOST_TEST_REQUIRE(read.has_value());
    const auto text = read->write({told("T")}, no_link);
    BOOST_TEST(text.subject == "[mention] T");
    BOOST_TEST(text.body == "user/ada says text\n");
    std::ofstream(folder / "review.txt") << "Subject: x\n\n{{titel}}\n";
    const auto wrong = mail_templates::read(folder);
    BOOST_TEST_REQUIRE(wrong.has_error());
    BOOST_TEST(wrong.error().detail == (folder / "review.txt").native() + ":3: there is nothing called 'titel' here");
    BOOST_TEST(mail_templates::read(folder / "none").has_error());
}

BOOST_AUTO_TEST_CASE(bad_templates_are_refused_with_their_line) {
    mail_templates all;
    const auto wrong = [&](const char* name, const char* text) {
        const auto done = all.set(name, text);
        return done ? std::string() : done.error().detail;
    };
    BOOST_TEST(wrong("noise", "Subject: x\n") != "");
    BOOST_TEST(wrong("mention", "") == "1: has to begin with 'Subject: '");
    BOOST_TEST(wrong("mention", "Subject: x\nBcc: eve@example.org\n") == "2: has to be empty");
    BOOST_TEST(wrong("mention", "Subject: {{title\n\nx") == "1: '{{' without '}}'");
    BOOST_TEST(wrong("mention", "Subject: x\n\n{{items}}") == "3: there is nothing called 'items' here");
    BOOST_TEST(wrong("several", "Subject: {{title}}\n") != "");
    BOOST_TEST(wrong("several", "Subject: {{count}}\n\n{{items}}") == "");
}

BOOST_AUTO_TEST_SUITE_END()
