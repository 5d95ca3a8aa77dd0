#include "actors/erasure/erasure_model.hpp"

#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using erasure = entity<erasure_model>;

close_settled settled(bool ok, std::string detail = {}) {
    close_settled c;
    c.ok = ok;
    c.detail = std::move(detail);
    return c;
}

/// An erasure after so many of its steps.
erasure after(int steps, erasure_subject subject = erasure_subject::organization) {
    erasure e;
    const std::vector<erasure_model::command> all{request_erasure{subject}, settled(true), begin_erasure{},
                                                  note_key_destroyed{}, finish_erasure{7, 3}};
    for (int i = 0; i < steps; ++i) {
        e.accepted(all[static_cast<std::size_t>(i)]);
    }
    return e;
}

texts performed(const erasure& e) {
    texts out;
    for (const auto& effect : erasure_model::resume(e.state())) {
        if (const auto* perform = std::get_if<runtime::perform_effect>(&effect)) {
            out.push_back(perform->type);
        }
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(erasure_model_suite)

BOOST_AUTO_TEST_CASE(a_request_closes_its_subject_first) {
    for (const auto subject : {erasure_subject::user, erasure_subject::organization}) {
        const auto e = after(1, subject);
        const auto keys = e.owed();
        BOOST_REQUIRE(keys.size() == 1u);
        const auto [to, message] = e.sent<close_for_erasure>(keys.front());
        BOOST_TEST((to == entity_address{system_organization, std::string(detail::enum_name(subject)), id_of(1)}));
        const auto shown = e.document<erasure_document>();
        BOOST_TEST((shown.id == id_of(1)));
        BOOST_TEST((shown.subject == subject));
        BOOST_TEST((shown.status == erasure_status::requested));
        BOOST_TEST(shown.requested_by == "key/tester");
        BOOST_TEST(!shown.erased_at.has_value());
        BOOST_TEST(e.filters() == (texts{"", "status=requested"}), boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_destroyed_before_the_subject_says_so) {
    BOOST_TEST(performed(after(1)).empty());
    const auto closing = after(2);
    BOOST_TEST((closing.state().status == erasure_status::closing));
    BOOST_TEST(closing.owed().empty());
    auto e = after(2);
    BOOST_TEST(e.accepted(note_key_destroyed{}).empty());
    BOOST_TEST(e.accepted(finish_erasure{1, 1}).empty());
    BOOST_TEST(names_of(e.accepted(begin_erasure{})) == texts{"erasure_begun"}, boost::test_tools::per_element());
    BOOST_TEST(performed(e) == texts{std::string(destroy_effect)}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_subject_that_is_faster_than_its_answer_is_waited_for_no_more) {
    auto e = after(1);
    e.accepted(begin_erasure{}); // overtook the answer to `close_for_erasure`
    BOOST_TEST((e.state().status == erasure_status::destroying));
    BOOST_TEST(e.accepted(settled(true)).empty());
    BOOST_TEST(e.accepted(settled(false, "too late")).empty());
    BOOST_TEST((e.state().status == erasure_status::destroying));
}

BOOST_AUTO_TEST_CASE(rows_go_after_the_key_and_then_it_is_done) {
    auto e = after(4);
    BOOST_TEST((e.state().status == erasure_status::removing));
    BOOST_TEST((e.state().erased_at == e.now));
    BOOST_TEST(performed(e) == texts{std::string(remove_effect)}, boost::test_tools::per_element());
    e.now = e.now + 5;
    e.accepted(finish_erasure{7, 3});
    const auto shown = e.document<erasure_document>();
    BOOST_TEST((shown.status == erasure_status::done));
    BOOST_TEST(shown.entities == 7u);
    BOOST_TEST(shown.contents == 3u);
    BOOST_TEST((shown.finished_at == e.now));
    BOOST_TEST((shown.erased_at < shown.finished_at));
    BOOST_TEST(e.owed().empty());
}

BOOST_AUTO_TEST_CASE(every_step_said_again_or_late_changes_nothing) {
    for (int steps = 1; steps <= 5; ++steps) {
        auto e = after(steps);
        const auto before = to_json(e.state());
        BOOST_TEST(e.accepted(request_erasure{erasure_subject::user}).empty());
        BOOST_TEST_CONTEXT("after " << steps) {
            if (steps > 1) {
                BOOST_TEST(e.accepted(settled(true)).empty());
                BOOST_TEST(e.accepted(settled(false, "no")).empty());
            }
            if (steps > 2) {
                BOOST_TEST(e.accepted(begin_erasure{}).empty());
            }
            if (steps > 3) {
                BOOST_TEST(e.accepted(note_key_destroyed{}).empty());
            }
            if (steps > 4) {
                BOOST_TEST(e.accepted(finish_erasure{1, 1}).empty());
            }
            BOOST_TEST(to_json(e.state()) == before);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_refusal_of_the_subject_erases_nothing_and_may_be_asked_anew) {
    auto e = after(1);
    const auto first = e.owed();
    e.accepted(settled(false, "there is no such user"));
    BOOST_TEST((e.state().status == erasure_status::refused));
    BOOST_TEST(e.document<erasure_document>().reason == "there is no such user");
    BOOST_TEST(e.owed().empty());
    BOOST_TEST(e.accepted(begin_erasure{}).empty());
    e.now = e.now + 1;
    e.accepted(request_erasure{erasure_subject::user});
    BOOST_TEST((e.state().status == erasure_status::requested));
    BOOST_TEST(e.document<erasure_document>().reason.empty());
    BOOST_TEST((e.owed() != first)); // another message, which the subject answers again
}

BOOST_AUTO_TEST_CASE(what_was_never_asked_for_is_not_there) {
    for (const auto& c : {erasure_model::command(settled(true)), erasure_model::command(begin_erasure{}),
                          erasure_model::command(note_key_destroyed{}), erasure_model::command(finish_erasure{})}) {
        erasure none;
        BOOST_TEST((none.refused(c).code == code::not_found));
        BOOST_TEST(!none.view().exists);
        BOOST_TEST(none.owed().empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()
