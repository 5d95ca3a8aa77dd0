#include "actors/provider/route.hpp"

#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/described.hpp"
#include "tests/actors/scripted_model.hpp"
#include "tests/runtime/process_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

const problem down{code::model_unavailable, "it is down"};

/// A route over two scripted models, at two desks with real actors.
struct scene {
    scene(std::vector<scripted_call> first, std::vector<scripted_call> second, gate_settings settings = {})
        : one(std::make_shared<scripted_model>(std::move(first))),
          two(std::make_shared<scripted_model>(std::move(second))) {
        std::vector<runtime::supervised_child> children;
        for (const auto* name : {"one", "two"}) {
            desks.push_back(std::make_shared<provider_desk>(name, settings));
            children.push_back(runtime::nudged_child(desks.back()->part()));
        }
        supervisor = runtime::spawn_supervisor(system, {}, std::move(children)).value();
        candidates = {{.facts = {.name = "one/m", .output_tokens = 50},
                       .provider = "one",
                       .provider_model = "m1",
                       .reasoning = true,
                       .desk = desks[0],
                       .model = one},
                      {.facts = {.name = "two/m", .context_tokens = 90'000},
                       .provider = "two",
                       .provider_model = "m2",
                       .desk = desks[1],
                       .model = two}};
        request.output_tokens_max = 100;
        request.time_out_ms = 60'000;
    }
    ~scene() { runtime::end_supervisor(system, supervisor, 10'000); }

    expected<net::model_reply> call() {
        if (!made) {
            made = make_route("r", route_policy::priority, candidates);
        }
        tokens.clear();
        return made->complete(request, {}, [this](std::string_view text) { tokens += text; });
    }
    /// The first desk shows it.
    void until_failed(std::uint32_t times) const {
        BOOST_REQUIRE(runtime::test::eventually([&] { return desks[0]->health().failures_in_row == times; }));
    }
    static route_choice choice(const net::model_reply& reply) {
        return *from_json<route_choice>(reply.choice, strictness::stored);
    }

    caf::actor_system_config config;
    caf::actor_system system{config};
    std::shared_ptr<scripted_model> one, two;
    std::vector<std::shared_ptr<provider_desk>> desks;
    caf::actor supervisor;
    std::vector<route_candidate> candidates;
    std::shared_ptr<net::model> made;
    net::model_request request;
    std::string tokens;
};

} // namespace

BOOST_AUTO_TEST_SUITE(routes)

BOOST_AUTO_TEST_CASE(first_that_can_answers_and_says_why) {
    scene s({{.text = "from one"}}, {{.text = "from two"}});
    const auto reply = s.call();
    BOOST_REQUIRE(reply);
    BOOST_TEST(reply->content == "from one");
    BOOST_TEST(reply->answered_by == "one/m");
    BOOST_TEST(s.choice(*reply).route == "r");
    BOOST_TEST(s.choice(*reply).why == "number 1 of the route");
    BOOST_TEST(s.choice(*reply).passed.empty());
    BOOST_TEST(s.made->describe() == "route (priority): one/m, two/m");
}

BOOST_AUTO_TEST_CASE(each_candidate_gets_the_request_as_it_needs_it) {
    scene s({{.failure = down}}, {{.text = "from two"}});
    s.request.messages = {
        {.role = net::role::assistant, .reasoning = "mine", .reasoning_state = "{1}", .provider = "one"},
        {.role = net::role::assistant, .reasoning = "yours", .reasoning_state = "{2}", .provider = "two"}};
    BOOST_REQUIRE(s.call());
    const auto& first = s.one->asked.at(0);
    const auto& second = s.two->asked.at(0);
    BOOST_TEST(first.model == "m1");
    BOOST_TEST(first.reasoning);
    BOOST_TEST(first.output_tokens_max == 50u);
    BOOST_TEST(first.messages[0].reasoning_state == "{1}");
    BOOST_TEST(first.messages[1].reasoning == "");
    BOOST_TEST(second.model == "m2");
    BOOST_TEST(!second.reasoning);
    BOOST_TEST(second.context_tokens == 90'000u);
    BOOST_TEST(second.output_tokens_max == 100u);
    BOOST_TEST(second.messages[0].reasoning_state == "");
    BOOST_TEST(second.messages[1].reasoning_state == "{2}");
}

BOOST_AUTO_TEST_CASE(a_small_window_answers_with_what_is_left_of_it) {
    scene s({{.failure = down}}, {{.text = "from two"}});
    s.candidates[1].facts.context_tokens = 4000;
    s.request.messages = {{.role = net::role::user, .content = std::string(8000, 'x')}};
    s.request.output_tokens_max = 8192;
    BOOST_REQUIRE(s.call());
    BOOST_TEST(s.two->asked.at(0).output_tokens_max == 4000u - 2001u);
}

BOOST_AUTO_TEST_CASE(call_goes_on_to_the_next_before_the_first_token) {
    for (const auto c : {code::model_unavailable, code::model_rate_limited, code::model_refused, code::model_unknown}) {
        scene s({{.failure = problem{c, "not me"}}}, {{.text = "from two"}});
        const auto reply = s.call();
        BOOST_REQUIRE(reply);
        BOOST_TEST(reply->answered_by == "two/m");
        BOOST_TEST(s.tokens == "from two");
        BOOST_REQUIRE(s.choice(*reply).passed.size() == 1);
        BOOST_TEST(s.choice(*reply).passed[0].model == "one/m");
        BOOST_TEST(s.choice(*reply).passed[0].why == "not me");
    }
}

BOOST_AUTO_TEST_CASE(call_stays_after_the_first_token_and_where_it_may_have_cost) {
    scene s({{.text = "half of", .failure = down}}, {{.text = "from two"}});
    const auto cut = s.call();
    BOOST_REQUIRE(!cut);
    BOOST_CHECK(cut.error().code == code::model_unavailable);
    BOOST_TEST(cut.error().detail == "it is down (route r, one/m)");
    BOOST_TEST(s.tokens == "half of");
    for (const auto c : {code::deadline_exceeded, code::model_reply_invalid, code::cancelled}) {
        scene t({{.failure = problem{c, "lost"}}}, {{.text = "from two"}});
        BOOST_CHECK(t.call().error().code == c);
        BOOST_TEST(t.two->asked.empty());
    }
}

BOOST_AUTO_TEST_CASE(with_all_down_each_is_named_with_its_reason) {
    scene s({{.failure = problem{code::model_refused, "no credit"}}},
            {{.failure = problem{code::model_rate_limited, "slow down", {}, 7}}});
    const auto reply = s.call();
    BOOST_REQUIRE(!reply);
    BOOST_CHECK(reply.error().code == code::model_rate_limited); // this one heals
    BOOST_TEST(*reply.error().retry_after_s == 7u);
    BOOST_TEST(reply.error().detail.find("one/m: no credit.") != std::string::npos, reply.error().detail);
    BOOST_TEST(reply.error().detail.find("two/m: slow down.") != std::string::npos, reply.error().detail);
}

BOOST_AUTO_TEST_CASE(provider_whose_breaker_is_open_is_not_asked_and_its_probe_goes_over) {
    scene s({{.failure = down}}, {{.text = "from two"}}, {.failures_max = 2, .back_off_first_ms = 3'600'000});
    BOOST_TEST(s.call()->answered_by == "two/m");
    BOOST_TEST(s.call()->answered_by == "two/m");
    BOOST_TEST(s.call()->answered_by == "two/m");
    BOOST_TEST(s.one->asked.size() == 2u);
    BOOST_TEST(s.choice(*s.call()).passed[0].why.find("left alone") != std::string::npos);
    scene t({{.failure = down}}, {{.failure = down}}, {.failures_max = 1, .back_off_first_ms = 3'600'000});
    BOOST_TEST(!t.call());
    const auto none = t.call();
    BOOST_CHECK(none.error().code == code::model_unavailable);
    BOOST_TEST(*none.error().retry_after_s > 3000u);
    BOOST_TEST(t.one->asked.size() + t.two->asked.size() == 2u);
}

BOOST_AUTO_TEST_CASE(half_open_provider_is_tried_in_its_old_place) {
    scene s({{.failure = down}, {.failure = down}, {.text = "from one"}}, {{.text = "from two"}},
            {.failures_max = 1, .back_off_first_ms = 0});
    BOOST_TEST(s.call()->answered_by == "two/m");
    s.until_failed(1);
    BOOST_TEST(s.call()->answered_by == "two/m"); // the probe failed, and nobody saw it
    s.until_failed(2);
    const auto back = s.call();
    BOOST_TEST(back->answered_by == "one/m");
    BOOST_TEST(s.choice(*back).why.find("tried whether it works again") != std::string::npos, s.choice(*back).why);
    BOOST_TEST(s.one->asked.size() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
