#include "actors/chat/chat_model.hpp"
#include "actors/run/answer_run.hpp"
#include "actors/run/run_commands.hpp"
#include "tests/actors/given.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>
#include <string>

// Chats: one answer at a time, each made once, and what models see of them.
using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

using chat = entity<chat_model>;

chat a_chat(bool with_agent = true) {
    create_chat made;
    made.title = "About sums";
    if (with_agent) {
        made.agent_id = id_of(9);
    }
    chat out;
    BOOST_REQUIRE(out.when(made));
    return out;
}

say text(std::string content) {
    say out;
    out.content = std::move(content);
    return out;
}

run_ended end_of(const uuid& run, run_status status, std::optional<std::string> result,
                 std::optional<std::string> error = {}) {
    return {run, {}, status, std::move(result), std::move(error)};
}

std::vector<std::string> turns_of(const chat_state& s) {
    std::vector<std::string> out;
    for (const auto& t : s.turns) {
        out.push_back((t.by_agent ? "agent: " : "person: ") + t.text);
    }
    return out;
}

bool owes_cancel(const chat_state& s) {
    return std::ranges::any_of(s.owed.open, [](const debt& d) { return d.type == "cancel_run"; });
}

} // namespace

BOOST_AUTO_TEST_SUITE(chats)

BOOST_AUTO_TEST_CASE(one_answer_is_made_for_all_that_was_said_meanwhile) {
    auto c = a_chat();
    BOOST_REQUIRE(c.when(text("one")));
    const auto first = *c.state().run_id;
    BOOST_TEST(chat_model::resume(c.state()).size() == 1U);
    BOOST_REQUIRE(c.when(note_answer_begun{first, ""}));
    BOOST_TEST(chat_model::resume(c.state()).empty());
    BOOST_REQUIRE(c.when(text("two")));
    BOOST_REQUIRE(c.when(text("three")));
    BOOST_TEST(to_string(*c.state().run_id) == to_string(first));
    BOOST_REQUIRE(c.when(end_of(first, run_status::succeeded, "1")));
    const auto second = *c.state().run_id;
    BOOST_TEST(to_string(second) != to_string(first));
    BOOST_TEST(turns_of(c.state()) ==
                   (std::vector<std::string>{"person: one", "agent: 1", "person: two", "person: three"}),
               boost::test_tools::per_element());
    BOOST_REQUIRE(c.when(end_of(second, run_status::succeeded, "2 3")));
    BOOST_TEST(!c.state().run_id);
    BOOST_TEST(c.state().messages == 5U);
}

BOOST_AUTO_TEST_CASE(an_end_that_comes_twice_or_late_answers_once) {
    auto c = a_chat();
    BOOST_REQUIRE(c.when(text("one")));
    const auto run = *c.state().run_id;
    BOOST_REQUIRE(c.when(end_of(run, run_status::succeeded, "1")));
    BOOST_TEST(c.when(end_of(run, run_status::succeeded, "1"))->empty());
    BOOST_TEST(c.when(note_answer_begun{run, "late"})->empty());
    BOOST_TEST(c.state().messages == 2U);
}

BOOST_AUTO_TEST_CASE(what_goes_wrong_is_said_and_no_turn) {
    auto c = a_chat();
    BOOST_REQUIRE(c.when(text("one")));
    BOOST_REQUIRE(c.when(note_answer_begun{*c.state().run_id, "Its agent is stopped."}));
    BOOST_TEST(!c.state().run_id);
    BOOST_REQUIRE(c.when(text("two")));
    BOOST_REQUIRE(c.when(end_of(*c.state().run_id, run_status::failed, {}, "no model")));
    BOOST_REQUIRE(c.when(text("three")));
    BOOST_REQUIRE(c.when(end_of(*c.state().run_id, run_status::succeeded, "")));
    BOOST_TEST(c.state().messages == 6U);
    BOOST_TEST(c.state().turns.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_stop_cancels_the_run_and_goes_on_with_what_was_said_since) {
    auto c = a_chat();
    const auto nobody = c.when(stop_answer{});
    BOOST_REQUIRE(!nobody);
    BOOST_TEST(int(nobody.error().code) == int(code::conflict));
    BOOST_REQUIRE(c.when(text("one")));
    const auto run = *c.state().run_id;
    BOOST_REQUIRE(c.when(note_answer_begun{run, ""}));
    BOOST_REQUIRE(c.when(text("two")));
    BOOST_REQUIRE(c.when(stop_answer{}));
    BOOST_TEST(owes_cancel(c.state()));
    BOOST_REQUIRE(c.state().run_id);
    BOOST_TEST(to_string(*c.state().run_id) != to_string(run));
}

BOOST_AUTO_TEST_CASE(a_run_that_was_made_while_its_answer_was_stopped_is_cancelled) {
    auto c = a_chat();
    BOOST_REQUIRE(c.when(text("one")));
    const auto run = *c.state().run_id;
    BOOST_REQUIRE(c.when(stop_answer{}));
    BOOST_TEST(c.state().owed.open.size() == 1U); // it may be there already
    BOOST_REQUIRE(c.when(note_answer_begun{run, ""}));
    BOOST_REQUIRE(c.state().owed.open.size() == 2U);
    BOOST_TEST(c.state().owed.open.back().type == "cancel_run");
    BOOST_TEST(to_string(c.state().owed.open.back().to) == to_string(run));
    BOOST_TEST(!c.state().run_id);

    auto deleted = a_chat();
    BOOST_REQUIRE(deleted.when(text("one")));
    const auto other = *deleted.state().run_id;
    BOOST_REQUIRE(deleted.when(delete_chat{}));
    BOOST_REQUIRE(deleted.when(note_answer_begun{other, ""}));
    BOOST_TEST(to_string(deleted.state().owed.open.back().to) == to_string(other));
    BOOST_TEST(deleted.when(note_answer_begun{other, "no agent"})->empty()); // no run was made
}

BOOST_AUTO_TEST_CASE(people_talk_without_an_agent_and_nothing_is_said_in_what_is_deleted) {
    auto c = a_chat(false);
    BOOST_REQUIRE(c.when(text("one")));
    BOOST_TEST(!c.state().run_id);
    BOOST_REQUIRE(c.when(delete_chat{}));
    const auto late = c.when(text("two"));
    BOOST_REQUIRE(!late);
    BOOST_TEST(int(late.error().code) == int(code::not_found));
    auto other = a_chat();
    BOOST_REQUIRE(other.when(text("one")));
    const auto run = *other.state().run_id;
    BOOST_REQUIRE(other.when(note_answer_begun{run, ""}));
    BOOST_REQUIRE(other.when(delete_chat{}));
    BOOST_TEST(owes_cancel(other.state()));
    BOOST_TEST(other.when(end_of(run, run_status::cancelled, {}))->empty());
}

BOOST_AUTO_TEST_CASE(an_answer_looks_back_on_no_more_than_it_may_and_begins_with_a_person) {
    std::mt19937 random(7); // NOLINT(cert-msc51-cpp): the same each time
    auto c = a_chat();
    for (int i = 0; i < 400; ++i) {
        if (c.state().run_id && random() % 2 == 0) {
            BOOST_REQUIRE(c.when(end_of(*c.state().run_id, run_status::succeeded, std::string(random() % 5000, 'a'))));
        } else {
            BOOST_REQUIRE(c.when(text(std::string(1 + random() % 9000, 'p'))));
        }
        std::size_t bytes = 0;
        for (const auto& t : c.state().turns) {
            bytes += t.text.size();
        }
        BOOST_REQUIRE(c.state().turns.size() <= turns_max);
        BOOST_REQUIRE(bytes <= turn_bytes_max);
        BOOST_REQUIRE(!c.state().turns.empty());
        BOOST_REQUIRE(!c.state().turns.front().by_agent);
    }
}

BOOST_AUTO_TEST_CASE(a_run_of_a_chat_is_set_up_as_its_agent_is) {
    agent_settings settings;
    settings.instructions = "Be short.";
    settings.model = "m";
    settings.kind = "tester";
    const entity_address run{organization, "run", id_of(3)};
    const auto made = make_answer_run(
        run, settings, {id_of(9), "chat/x", "You talk.", id_of(4), {{false, "a"}, {true, "b"}, {false, "c"}}});
    const auto what = from_json<begin_conversation>(made.payload, strictness::stored);
    BOOST_REQUIRE(what);
    BOOST_TEST(what->run.instructions == "Be short.\n\nYou talk.");
    BOOST_TEST(what->run.goal == "a");
    BOOST_TEST(what->run.kind == "custom");
    BOOST_TEST(what->run.created_by == "chat/x");
    BOOST_REQUIRE(what->messages.size() == 2U);
    BOOST_TEST(what->messages[0].role == "assistant");
    BOOST_TEST(what->messages[1].content == "c");
}

BOOST_AUTO_TEST_SUITE_END()
