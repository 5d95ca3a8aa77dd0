#include "actors/common/message_ids.hpp"
#include "actors/notification/inbox_model.hpp"
#include "actors/notification/quiet.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using enum notification_channel;
constexpr std::int64_t batch = 60'000;

struct inbox : entity<inbox_model> {
    explicit inbox(std::vector<notification_channel> channels) {
        notification_preferences wanted;
        wanted.channels = std::move(channels);
        wanted.batch_ms = batch;
        prefer(wanted);
    }
    void prefer(notification_preferences wanted) { accepted(set_preferences{std::move(wanted)}); }

    void told(task_priority priority = task_priority::medium, notification_kind kind = notification_kind::alert) {
        accepted(notify{kind, priority, "title", "text", {}, {}, "node"});
    }
    /// When its alarm is due; 0: it has none.
    std::int64_t alarm() const {
        for (const auto& effect : inbox_model::resume(state())) {
            if (const auto* timer = std::get_if<runtime::timer_effect>(&effect)) {
                return timer->due.ms;
            }
        }
        return 0;
    }
    /// Time goes on until the alarm.
    void ring() {
        BOOST_TEST_REQUIRE(alarm() != 0);
        now = {alarm()};
        accepted(delivery_due{now});
    }
    /// The parcels that are at work.
    std::vector<const parcel*> at_work() const {
        std::vector<const parcel*> out;
        for (const auto& effect : inbox_model::resume(state())) {
            if (const auto* work = std::get_if<runtime::perform_effect>(&effect)) {
                out.push_back(find_parcel(state(), from_json<parcel_resumed>(work->payload, strictness::stored)->id));
            }
        }
        return out;
    }
    void ended(bool ok, bool for_good = false, const std::string& error = "busy") {
        const auto p = *at_work().at(0);
        accepted(note_parcel{p.id, p.attempts, ok, for_good, ok ? "" : error, 1000});
    }
    notification_delivery shown(std::size_t item = 0) const {
        const auto document = *from_json<notification_document>(items().at(item).document, strictness::stored);
        return document.deliveries->at(0);
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(inbox_deliveries)

BOOST_AUTO_TEST_CASE(what_is_not_urgent_waits_and_goes_as_one_email) {
    inbox i({in_app, email});
    const auto begin = i.now.ms;
    i.told();
    BOOST_TEST((i.shown().status == delivery_status::waiting));
    i.now = {begin + 20'000};
    i.told();
    BOOST_TEST(i.alarm() == begin + batch);
    BOOST_TEST(i.at_work().empty());
    i.ring();
    BOOST_TEST_REQUIRE(i.at_work().size() == 1U);
    BOOST_TEST(told_by(i.state(), *i.at_work()[0]).size() == 2U);
    i.ended(true);
    BOOST_TEST(i.items().size() == 2U);
    BOOST_TEST((i.shown(1).status == delivery_status::delivered));
    BOOST_TEST(i.shown(1).attempts == 1U);
    BOOST_TEST((i.shown(1).delivered_at == i.now));
    BOOST_TEST(i.owed().empty());
    i.told();
    BOOST_TEST(i.state().notices.size() == 1U); // what is done is gone
}

BOOST_AUTO_TEST_CASE(what_is_urgent_or_high_goes_at_once_and_alone) {
    inbox i({email});
    i.told();
    i.told(task_priority::high);
    BOOST_TEST(i.alarm() == i.now.ms);
    i.ring();
    BOOST_TEST((i.at_work().at(0)->notices == std::vector<std::uint64_t>{2}));
    BOOST_TEST(i.document<inbox_view>().unread.empty()); // not in_app
}

BOOST_AUTO_TEST_CASE(each_webhook_has_its_own_parcel_one_after_the_other) {
    inbox i({webhook, in_app});
    i.told();
    i.told();
    i.ring();
    BOOST_TEST(i.state().parcels.size() == 2U);
    BOOST_TEST(i.at_work().size() == 1U);
    const auto first = i.at_work()[0]->id;
    i.ended(true);
    BOOST_TEST((i.at_work().at(0)->id != first));
}

BOOST_AUTO_TEST_CASE(an_attempt_that_failed_comes_again_with_the_same_id_and_another_key) {
    inbox i({webhook});
    i.told();
    i.ring();
    const auto id = i.at_work()[0]->id;
    const auto key = i.owed().at(0);
    i.ended(false);
    BOOST_TEST((i.shown().status == delivery_status::waiting));
    BOOST_TEST(*i.shown().error == "busy");
    BOOST_TEST(i.at_work().empty());
    BOOST_TEST(i.alarm() == i.now.ms + 1000);
    i.ring();
    BOOST_TEST((i.at_work().at(0)->id == id));
    BOOST_TEST(i.owed().at(0) != key);
    BOOST_TEST(i.accepted(note_parcel{id, 1, true, false, "", 0}).empty()); // of the attempt before
    i.ended(true);
    BOOST_TEST((i.shown().delivery_id == id));
    BOOST_TEST(i.shown().attempts == 2U);
    BOOST_TEST(!i.shown().error.has_value());
}

BOOST_AUTO_TEST_CASE(what_is_never_taken_is_a_dead_letter_that_can_be_tried_again) {
    inbox i({webhook});
    i.told();
    i.ring();
    for (std::uint32_t n = 1; n < delivery_attempts_max; ++n) {
        i.ended(false);
        i.ring();
    }
    i.ended(false);
    BOOST_TEST(i.owed().empty());
    BOOST_TEST((i.shown().status == delivery_status::failed));
    const auto dead = i.document<inbox_view>().undelivered.value().at(0);
    BOOST_TEST(dead.attempts == delivery_attempts_max);
    BOOST_TEST((dead.notifications == std::vector<uuid>{message_id(id_of(1), 1)}));
    BOOST_TEST((i.refused(retry_parcel{id_of(9)}).code == code::not_found));
    i.accepted(retry_parcel{dead.id});
    BOOST_TEST(i.at_work().at(0)->attempts == delivery_attempts_max + 1);
    BOOST_TEST((i.refused(retry_parcel{dead.id}).code == code::not_found));
    BOOST_TEST(!i.document<inbox_view>().undelivered.has_value());
    i.ended(false, true, "gone");
    i.accepted(drop_parcel{dead.id});
    i.told();
    BOOST_TEST(i.state().notices.size() == 1U);
}

BOOST_AUTO_TEST_CASE(dead_letters_and_what_waits_are_bounded) {
    inbox i({webhook});
    for (std::size_t n = 0; n <= undelivered_max; ++n) {
        i.told(task_priority::urgent);
        i.ring();
        i.ended(false, true);
    }
    BOOST_TEST(i.document<inbox_view>().undelivered->size() == undelivered_max);
    inbox full({email});
    for (std::size_t n = 0; n < waiting_max; ++n) {
        full.told();
    }
    full.told();
    BOOST_TEST((full.shown().status == delivery_status::failed));
    full.ring();
    BOOST_TEST(full.state().parcels.size() == waiting_max / parcel_max);
}

BOOST_AUTO_TEST_CASE(kinds_have_their_own_channels) {
    inbox i({in_app});
    notification_preferences wanted;
    wanted.by_kind = {{notification_kind::failure, {webhook, webhook}}};
    i.prefer(wanted);
    i.told();
    BOOST_TEST(i.owed().empty());
    i.told(task_priority::medium, notification_kind::failure);
    i.ring();
    BOOST_TEST(i.state().parcels.size() == 1U);
    BOOST_TEST((i.document<inbox_view>().unread == std::vector<std::uint64_t>{1}));
}

BOOST_AUTO_TEST_CASE(quiet_hours_hold_everything_but_what_is_urgent) {
    inbox i({email});
    notification_preferences wanted;
    wanted.channels = {email, webhook};
    wanted.quiet = {"22:00", "07:00", "+02:00"};
    i.prefer(wanted);
    const auto at = [](const char* text) { return parse_timestamp(text).value(); };
    i.now = at("2026-11-23T21:30:00Z"); // 23:30 there
    i.told(task_priority::high);
    BOOST_TEST(to_string(timestamp{i.alarm()}) == "2026-11-24T05:00:00.000Z");
    i.told(task_priority::urgent);
    BOOST_TEST(i.alarm() == i.now.ms);
    i.ring();
    BOOST_TEST((i.at_work().at(0)->notices == std::vector<std::uint64_t>{2}));
}

BOOST_AUTO_TEST_CASE(quiet_hours_end_at_their_end) {
    const auto after = [](quiet_hours q, const char* text) {
        return to_string(after_quiet(std::move(q), parse_timestamp(text).value())).substr(0, 16);
    };
    const quiet_hours night{"22:00", "07:00", "+00:00"};
    BOOST_TEST(after(night, "2026-11-23T21:59:59Z") == "2026-11-23T21:59");
    BOOST_TEST(after(night, "2026-11-23T22:00:00Z") == "2026-11-24T07:00");
    BOOST_TEST(after(night, "2026-11-24T06:59:59Z") == "2026-11-24T07:00");
    BOOST_TEST(after(night, "2026-11-24T07:00:00Z") == "2026-11-24T07:00");
    BOOST_TEST(after({"12:00", "13:30", "-05:30"}, "2026-11-23T18:00:00Z") == "2026-11-23T19:00");
    BOOST_TEST(after({"12:00", "13:30", "-05:30"}, "2026-11-23T12:30:00Z") == "2026-11-23T12:30");
    BOOST_TEST(check_quiet(night).empty());
    for (const auto& bad : {quiet_hours{"24:00", "07:00", "+00:00"}, quiet_hours{"22:00", "22:00", "+00:00"},
                            quiet_hours{"22:00", "7:000", "+00:00"}, quiet_hours{"22:00", "07:00", "02:000"},
                            quiet_hours{"22:60", "07:00", "+00:00"}, quiet_hours{"-1:00", "07:00", "+15:00"}}) {
        BOOST_TEST(!check_quiet(bad).empty(), bad.start + bad.end + bad.offset);
    }
}

BOOST_AUTO_TEST_SUITE_END()
