#include "actors/provider/provider_gate.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::actors;

namespace {

constexpr std::int64_t patience = 10'000;
const timestamp noon{1'800'000'000'000};

/// A gate at scripted times. A ticket is in one of three sets, or with a refusal.
struct scene {
    explicit scene(gate_settings settings = {}) : gate("acme", settings) {}

    std::uint64_t ask(std::string caller = "a", std::int64_t patience_ms = patience, std::uint64_t tokens = 0) {
        gate.ask(++last, {std::move(caller), tokens, now + patience_ms});
        look();
        return last;
    }
    void end(std::uint64_t ticket, gate_outcome outcome = {.call_ms = 10}) {
        at_work.erase(ticket);
        gate.ended(ticket, outcome, now);
        look();
    }
    void fail(std::uint64_t ticket, code c = code::model_unavailable, std::optional<std::uint32_t> after = {}) {
        end(ticket, {.failure = problem{c, "it broke", {}, after}});
    }
    /// One call, whole.
    void call_fails(code c = code::model_unavailable) {
        const auto ticket = ask();
        BOOST_REQUIRE(at_work.contains(ticket));
        fail(ticket, c);
    }
    void call_succeeds(std::int64_t first_token_ms = 100) {
        const auto ticket = ask();
        BOOST_REQUIRE(at_work.contains(ticket));
        end(ticket, {.first_token_ms = first_token_ms, .call_ms = first_token_ms * 2});
    }
    void pass(std::int64_t ms) {
        now += ms;
        look();
    }
    void look() {
        for (auto& a : gate.answers(now)) {
            if (a.admitted) {
                at_work.insert(a.ticket);
                order.push_back(a.ticket);
            } else {
                refused.emplace(a.ticket, a.admitted.error());
            }
        }
    }
    [[nodiscard]] provider_health health() const { return gate.health(now, noon + now); }
    [[nodiscard]] bool waits(std::uint64_t t) const { return !at_work.contains(t) && !refused.contains(t); }

    provider_gate gate;
    std::int64_t now = 1000;
    std::uint64_t last = 0;
    std::set<std::uint64_t> at_work;
    std::vector<std::uint64_t> order;
    std::map<std::uint64_t, problem> refused;
};

net::rate_limits left(std::optional<std::uint64_t> requests, std::optional<std::uint64_t> tokens,
                      std::int64_t reset_ms) {
    net::rate_limits out;
    if (requests) {
        out.requests = {requests, reset_ms};
    }
    if (tokens) {
        out.tokens = {tokens, reset_ms};
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(provider_gates)

BOOST_AUTO_TEST_CASE(further_calls_wait_and_callers_take_turns) {
    scene s({.calls_max = 1});
    const auto first = s.ask("a");
    const auto a2 = s.ask("a"), a3 = s.ask("a"), b1 = s.ask("b");
    BOOST_TEST(s.waits(a2));
    BOOST_TEST(s.health().calls_waiting == 3u);
    s.end(first);
    s.end(a2);
    s.end(b1);
    s.end(a3);
    BOOST_TEST(s.order == (std::vector{first, a2, b1, a3}), boost::test_tools::per_element());
    BOOST_TEST(s.health().calls_at_work == 0u);
}

BOOST_AUTO_TEST_CASE(wait_ends_at_its_deadline_and_when_its_caller_leaves) {
    scene s({.calls_max = 1, .waiting_max = 2});
    const auto first = s.ask();
    const auto patient = s.ask("a", 5000), gone = s.ask("b");
    const auto too_many = s.ask("c");
    BOOST_CHECK(s.refused.at(too_many).code == code::model_rate_limited);
    s.gate.leave(gone);
    BOOST_TEST(*s.gate.next_ms(s.now) == s.now + 5000);
    s.pass(4999);
    BOOST_TEST(s.waits(patient));
    s.pass(1);
    BOOST_CHECK(s.refused.at(patient).code == code::model_rate_limited);
    BOOST_TEST(s.refused.at(patient).detail.find("calls_max") != std::string::npos);
    s.end(first);
    BOOST_TEST(s.health().calls_waiting == 0u);
    BOOST_TEST(!s.at_work.contains(gone));
    BOOST_TEST(!s.gate.next_ms(s.now));
}

BOOST_AUTO_TEST_CASE(breaker_opens_after_failures_in_a_row_and_one_probe_closes_it) {
    scene s;
    for (int n = 0; n < 4; ++n) {
        s.call_fails();
    }
    BOOST_CHECK(s.health().status == provider_status::degraded);
    s.call_fails();
    BOOST_CHECK(s.health().status == provider_status::open);
    BOOST_TEST((*s.health().retry_at == noon + s.now + 1000));
    const auto hasty = s.ask("a", 0);
    BOOST_CHECK(s.refused.at(hasty).code == code::model_unavailable);
    BOOST_TEST(*s.refused.at(hasty).retry_after_s == 1u);
    BOOST_TEST(s.refused.at(hasty).detail.find("it broke") != std::string::npos);
    const auto probe = s.ask("a"), behind = s.ask("b");
    BOOST_TEST(*s.gate.next_ms(s.now) == s.now + 1000);
    s.pass(1000);
    BOOST_TEST(s.at_work.contains(probe));
    BOOST_TEST(s.waits(behind)); // one at a time
    s.end(probe);
    BOOST_TEST(s.at_work.contains(behind));
    BOOST_CHECK(s.health().status == provider_status::healthy);
}

BOOST_AUTO_TEST_CASE(probe_that_fails_doubles_the_back_off_up_to_its_cap) {
    scene s({.back_off_max_ms = 3000});
    for (int n = 0; n < 5; ++n) {
        s.call_fails();
    }
    for (const std::int64_t wait : {1000, 2000, 3000, 3000}) {
        const auto early = s.ask("a", wait - 1);
        BOOST_TEST(s.refused.contains(early));
        s.pass(wait);
        s.call_fails();
    }
    s.pass(3000);
    const auto lost = s.ask();
    s.fail(lost, code::cancelled); // says nothing: the next one is the probe
    const auto refused = s.ask();
    s.fail(refused, code::model_refused); // it answers
    BOOST_CHECK(s.health().status == provider_status::healthy);
}

BOOST_AUTO_TEST_CASE(breaker_opens_for_a_share_of_failures_and_the_window_forgets) {
    scene s;
    for (int n = 0; n < 5; ++n) {
        s.call_succeeds();
        BOOST_CHECK(s.health().status != provider_status::open);
        s.call_fails();
    }
    BOOST_CHECK(s.health().status == provider_status::open); // 5 of 10
    scene t;
    t.call_fails();
    BOOST_CHECK(t.health().status == provider_status::healthy); // one may happen
    t.call_fails();
    BOOST_CHECK(t.health().status == provider_status::degraded);
    t.pass(60'000);
    BOOST_CHECK(t.health().status == provider_status::healthy);
    BOOST_TEST(t.health().last_failure->code == "model_unavailable");
    BOOST_TEST((t.health().last_failure->at == noon + 1000));
}

BOOST_AUTO_TEST_CASE(answers_that_only_one_request_got_do_not_count) {
    scene s;
    for (const auto c : {code::model_refused, code::cancelled, code::model_unknown, code::invalid_request,
                         code::model_refused, code::script_exhausted}) {
        s.call_fails(c);
    }
    BOOST_CHECK(s.health().status == provider_status::healthy);
    BOOST_TEST(s.health().failures_in_row == 0u);
}

BOOST_AUTO_TEST_CASE(retry_after_holds_all_calls) {
    scene s;
    const auto first = s.ask();
    s.fail(first, code::model_rate_limited, 5);
    const auto patient = s.ask(), hasty = s.ask("a", 4000);
    BOOST_TEST(*s.refused.at(hasty).retry_after_s == 5u);
    BOOST_CHECK(s.refused.at(hasty).code == code::model_rate_limited);
    BOOST_CHECK(s.health().status == provider_status::degraded);
    s.pass(4999);
    BOOST_TEST(s.waits(patient));
    s.pass(1);
    BOOST_TEST(s.at_work.contains(patient));
    s.fail(patient, code::model_rate_limited); // without a time: its own back-off
    BOOST_TEST(*s.refused.at(s.ask("a", 0)).retry_after_s == 2u);
}

BOOST_AUTO_TEST_CASE(limits_of_headers_stop_calls_that_would_be_refused) {
    scene s;
    s.end(s.ask(), {.call_ms = 1, .limits = left(2, {}, 3000)});
    const auto one = s.ask(), two = s.ask(), three = s.ask();
    BOOST_TEST(s.at_work.contains(two));
    BOOST_TEST(s.waits(three));
    s.end(one);
    BOOST_TEST(s.waits(three));
    s.pass(3000);
    BOOST_TEST(s.at_work.contains(three));
    s.end(three, {.call_ms = 1, .limits = left({}, 500, 3000)});
    const auto large = s.ask("a", patience, 501), small = s.ask("b", patience, 500);
    BOOST_TEST(s.waits(large));
    BOOST_TEST(s.at_work.contains(small));
    BOOST_TEST(*s.gate.next_ms(s.now) == s.now + 3000);
    s.pass(3000);
    BOOST_TEST(s.at_work.contains(large));
}

BOOST_AUTO_TEST_CASE(provider_that_grows_slow_is_degraded) {
    scene s;
    for (int n = 0; n < 30; ++n) {
        s.call_succeeds(500);
    }
    BOOST_CHECK(s.health().status == provider_status::healthy);
    for (int n = 0; n < 3; ++n) {
        s.call_succeeds(8000);
    }
    BOOST_CHECK(s.health().status == provider_status::degraded);
    BOOST_TEST(s.health().reason.find("first token") != std::string::npos, s.health().reason);
    s.pass(60'000);
    BOOST_CHECK(s.health().status == provider_status::healthy);
}

BOOST_AUTO_TEST_CASE(calls_that_another_gate_admitted_count) {
    scene s({.calls_max = 1});
    s.gate.adopt(77);
    const auto waiting = s.ask();
    BOOST_TEST(s.waits(waiting));
    s.end(77);
    BOOST_TEST(s.at_work.contains(waiting));
    s.end(1234); // nobody knows it
    BOOST_TEST(s.health().calls_at_work == 1u);
}

BOOST_AUTO_TEST_CASE(random_calls_keep_the_promises) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        const auto draw = [&](unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random); };
        const std::uint32_t calls_max = 1 + draw(4);
        scene s({.calls_max = calls_max, .waiting_max = 20});
        std::set<std::uint64_t> open;              // asked, and not heard of
        std::map<std::uint64_t, std::int64_t> due; // by when it has to be
        std::size_t heard = 0;
        for (int step = 0; step < 400; ++step) {
            const auto what = draw(10);
            if (what < 4) {
                const auto patience_ms = static_cast<std::int64_t>(draw(3000));
                const auto t = s.ask(std::string(1, static_cast<char>('a' + draw(3))), patience_ms);
                open.insert(t);
                due[t] = s.now + patience_ms;
            } else if (what < 8 && !s.at_work.empty()) {
                const auto t = *std::next(s.at_work.begin(), draw(static_cast<unsigned>(s.at_work.size())));
                constexpr code ends[] = {code::model_unavailable, code::model_rate_limited, code::cancelled,
                                         code::model_refused};
                draw(2) == 0 ? s.end(t) : s.fail(t, ends[draw(4)]);
            } else if (what == 8 && !open.empty()) {
                const auto t = *open.begin();
                s.gate.leave(t);
                open.erase(t);
            } else {
                const auto next = s.gate.next_ms(s.now);
                s.pass(next && draw(2) == 0 ? *next - s.now : draw(500));
            }
            std::erase_if(open, [&](std::uint64_t t) { return !s.waits(t); });
            BOOST_REQUIRE(s.at_work.size() <= calls_max);
            BOOST_REQUIRE(s.health().calls_at_work == s.at_work.size());
            BOOST_REQUIRE(s.health().calls_waiting == open.size());
            // None that may go waits, and none waits longer than it wanted to.
            for (const auto t : open) {
                BOOST_REQUIRE(due.at(t) > s.now);
            }
            const auto state = s.health();
            BOOST_REQUIRE(open.empty() || s.at_work.size() == calls_max || state.status != provider_status::healthy);
            BOOST_REQUIRE(open.empty() || s.gate.next_ms(s.now));
            BOOST_REQUIRE(s.order.size() >= heard);
            heard = s.order.size();
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
