#include "actors/message/message_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using message = entity<message_model>;
const said_message said{id_of(30), "key/tester", "one"};

message_document now(const message& m) {
    message_document original;
    original.content = said.content;
    return with_overlay(original, m.document<message_overlay>());
}

} // namespace

BOOST_AUTO_TEST_SUITE(message_model_suite)

BOOST_AUTO_TEST_CASE(the_first_touch_makes_it_and_its_task_is_told) {
    message m;
    BOOST_TEST(names_of(m.accepted(edit_message{said, "two", {}})) == (texts{"message_touched", "message_edited"}),
               boost::test_tools::per_element());
    BOOST_TEST(now(m).content == "two");
    BOOST_TEST((now(m).edited_at == m.now));
    const auto [address, told] = m.sent<note_message_changed>("note_message_changed/1");
    BOOST_TEST((address == entity_address{organization, "task", id_of(30)}));
    BOOST_TEST((told.message_id == id_of(1)));
    m.accepted(debt_settled{{"note_message_changed/1", true, "", "", {}}});
    BOOST_TEST(m.owed().empty());
    BOOST_TEST(m.accepted(edit_message{said, "two", {}}).empty());
    BOOST_TEST(names_of(m.accepted(edit_message{said, "one", {}})) == texts{"message_edited"},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(only_who_said_it_changes_it) {
    message m;
    m.principal = "user/other";
    BOOST_TEST((m.refused(edit_message{said, "two", {}}).code == code::forbidden));
    BOOST_TEST((m.refused(delete_message{said}).code == code::forbidden));
    BOOST_TEST(m.accepted(react{said, "+1", false}).size() == 2u);
}

BOOST_AUTO_TEST_CASE(reactions_are_counted_by_person) {
    message m;
    m.accepted(react{said, "+1", false});
    BOOST_TEST(m.accepted(react{said, "+1", false}).empty());
    BOOST_TEST(m.accepted(react{said, "-1", true}).empty());
    m.principal = "user/other";
    m.accepted(react{said, "+1", false});
    BOOST_TEST(now(m).reactions->at("+1").size() == 2u);
    m.accepted(react{said, "+1", true});
    m.principal = "key/tester";
    m.accepted(react{said, "+1", true});
    BOOST_TEST(!now(m).reactions);
    for (std::size_t n = 0; n < reactions_max; ++n) {
        m.accepted(react{said, "r" + std::to_string(n), false});
    }
    BOOST_TEST((m.refused(react{said, "one more", false}).code == code::limit_reached));
}

BOOST_AUTO_TEST_CASE(what_was_taken_back_shows_nothing_and_stays_so) {
    message m;
    m.accepted(edit_message{said, "two", {{mentioned_kind::user, id_of(9), "ada"}}});
    BOOST_TEST(now(m).mentions->size() == 1u);
    m.accepted(delete_message{said});
    BOOST_TEST(m.accepted(delete_message{said}).empty());
    BOOST_TEST(now(m).deleted.value());
    BOOST_TEST(now(m).content.empty());
    BOOST_TEST(!now(m).mentions);
    BOOST_TEST((m.refused(edit_message{said, "three", {}}).code == code::conflict));
    BOOST_TEST((m.refused(react{said, "+1", false}).code == code::conflict));
}

BOOST_AUTO_TEST_SUITE_END()
