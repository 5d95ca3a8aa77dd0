#include "actors/notification/inbox_model.hpp"

#include "actors/common/message_ids.hpp"
#include "schemas/base/versions.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using inbox = entity<inbox_model>;

notify told(notification_kind kind, task_priority priority = task_priority::medium) {
    return {kind, priority, "title", "text", id_of(30), {}, "user/ada"};
}

} // namespace

BOOST_AUTO_TEST_SUITE(inbox_model_suite)

BOOST_AUTO_TEST_CASE(what_comes_is_an_item_and_unread) {
    inbox i;
    i.accepted(told(notification_kind::mention));
    i.accepted(told(notification_kind::review));
    BOOST_TEST(i.items().at(0).collection == "notifications");
    BOOST_TEST(i.items().at(0).key == message_key(2));
    const auto shown = *from_json<notification_document>(i.items().at(0).document, strictness::stored);
    BOOST_TEST((shown.id == message_id(id_of(1), 2)));
    BOOST_TEST((shown.kind == notification_kind::review));
    BOOST_TEST((shown.task_id == id_of(30)));
    BOOST_TEST((i.document<inbox_view>().unread == std::vector<std::uint64_t>{1, 2}));
}

BOOST_AUTO_TEST_CASE(one_or_all_are_read_once) {
    inbox i;
    for (int n = 0; n < 3; ++n) {
        i.accepted(told(notification_kind::alert));
    }
    BOOST_TEST(i.accepted(mark_read{2}).size() == 1u);
    BOOST_TEST(i.accepted(mark_read{2}).empty());
    BOOST_TEST((i.refused(mark_read{4}).code == code::not_found));
    BOOST_TEST((i.refused(mark_read{0}).code == code::not_found));
    BOOST_TEST((i.document<inbox_view>().unread == std::vector<std::uint64_t>{1, 3}));
    BOOST_TEST(i.accepted(mark_all_read{}).size() == 1u);
    BOOST_TEST(i.accepted(mark_all_read{}).empty());
    i.accepted(told(notification_kind::alert));
    BOOST_TEST((i.document<inbox_view>().unread == std::vector<std::uint64_t>{4}));
}

BOOST_AUTO_TEST_CASE(who_does_not_want_to_hear_of_it_is_not_told) {
    inbox i;
    i.accepted(set_preferences{{{notification_kind::review}, task_priority::high}});
    BOOST_TEST(i.accepted(set_preferences{{{notification_kind::review}, task_priority::high}}).empty());
    BOOST_TEST(i.accepted(told(notification_kind::review, task_priority::urgent)).empty());
    BOOST_TEST(i.accepted(told(notification_kind::alert, task_priority::medium)).empty());
    BOOST_TEST(i.accepted(told(notification_kind::alert, task_priority::high)).size() == 1u);
    BOOST_TEST(i.accepted(told(notification_kind::mention, task_priority::low)).size() == 1u);
}

BOOST_AUTO_TEST_CASE(what_nobody_reads_is_bounded) {
    inbox_state s;
    const runtime::event_context at{id_of(1), 1, {}, "node"};
    for (std::size_t n = 0; n < unread_max + 5; ++n) {
        s = inbox_model::apply(std::move(s), notified{told(notification_kind::alert)}, at);
    }
    BOOST_TEST(s.unread.size() == unread_max);
    BOOST_TEST(s.unread.front() == 6u);
    BOOST_TEST(s.total == unread_max + 5);
}

BOOST_AUTO_TEST_CASE(what_was_stored_without_channels_is_unread_in_the_list) {
    const auto old = read_stored<notified>(1, R"({"what":{"kind":"mention","title":"t"}})");
    BOOST_TEST_REQUIRE(old.has_value());
    BOOST_TEST(old->unread);
    BOOST_TEST(old->ways.empty());
}

BOOST_AUTO_TEST_SUITE_END()
