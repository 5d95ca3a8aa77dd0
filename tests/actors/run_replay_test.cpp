#include "actors/run/run_replay.hpp"

#include "actors/run/context_fold.hpp"
#include "actors/run/run_children.hpp"
#include "tests/actors/run_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// A run whose journal is kept as it would be read.
class recorded {
public:
    run r;
    std::vector<recorded_command> journal;

    recorded& does(const run_command& c) {
        keep(r.accepted(c));
        return *this;
    }
    recorded& may(const run_command& c) {
        if (auto events = r.when(c)) {
            keep(std::move(*events));
        }
        return *this;
    }

    [[nodiscard]] replay_document replay() const {
        run_replay again(organization, id_of(1));
        for (const auto& command : journal) {
            if (!again.take(command)) {
                break;
            }
        }
        return again.result();
    }

private:
    void keep(std::vector<run_event> events) {
        if (events.empty()) {
            return;
        }
        recorded_command command{std::move(events), {}};
        for (std::size_t i = 0; i < command.events.size(); ++i) {
            auto& record = command.records.emplace_back();
            record.entity_seq = ++version_;
            record.time = r.now;
            record.principal = r.principal;
        }
        journal.push_back(std::move(command));
    }
    std::uint64_t version_ = 0;
};

recorded started_run(const create_run& c = wish(), const begin_run& b = begin()) {
    recorded out;
    out.does(c).does(b);
    return out;
}

void check_identical(const recorded& all) {
    const auto result = all.replay();
    BOOST_TEST(result.identical, "event " << (result.divergence ? result.divergence->event : 0) << " is "
                                          << (result.divergence ? result.divergence->recorded.text : "")
                                          << ", replayed "
                                          << (result.divergence ? result.divergence->replayed_type : "") << " "
                                          << (result.divergence ? result.divergence->replayed.text : ""));
}

} // namespace

BOOST_AUTO_TEST_SUITE(run_replays)

BOOST_AUTO_TEST_CASE(what_a_provider_wants_back_and_what_was_folded_comes_again) {
    auto all = started_run();
    const auto say = [&](std::vector<asked_call> calls) {
        auto said = reply(all.r, std::move(calls), "I look.");
        said.provider = "claude";
        said.reasoning_state = "[{}]";
        said.cached_tokens = 7;
        said.reasoning_tokens = 5;
        said.price = model_price{3'000'000, 15'000'000};
        said.route = {R"({"route":"r"})"};
        all.does(said);
    };
    for (int n = 0; n < 4; ++n) {
        say({read_call()});
        all.does(result(all.r, 1, std::string(5000, 'x')));
    }
    const auto& p = all.r.state().progress;
    const auto plan = plan_fold(all.r.state().messages, 8000);
    all.does(fold_context{p.step, p.attempt, plan.messages, plan.freed_bytes});
    say({});
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(a_whole_run_comes_to_the_same_again) {
    auto all = started_run();
    all.does(mark_model_call{1, 1}).does(reply(all.r, {read_call(), shell_call()}, "I look."));
    all.does(result(all.r, 1)).does(result(all.r, 2, "exit code: 1", true));
    all.does(mark_model_call{2, 1}).does(reply(all.r, {finish_call()}));
    all.does(record_clean_up{});
    const auto result = all.replay();
    check_identical(all);
    BOOST_TEST(result.model_calls == 2U);
    BOOST_TEST(result.tool_calls == 2U);
    BOOST_TEST(result.commands == all.journal.size());
    BOOST_TEST(!result.divergence);
}

BOOST_AUTO_TEST_CASE(failures_and_back_off) {
    auto all = started_run();
    all.does(mark_model_call{1, 1}).does(failure(all.r, code::model_unavailable));
    all.r.now = all.r.now + 1000;
    all.does(end_back_off{1, 1});
    all.does(mark_model_call{1, 2}).does(failure(all.r, code::model_rate_limited, 30));
    all.r.now = all.r.now + 30'000;
    all.does(end_back_off{1, 2});
    all.does(mark_model_call{1, 3}).does(failure(all.r, code::unknown_outcome, {}, true));
    all.does(mark_model_call{1, 4}).does(failure(all.r, code::model_refused));
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(runs_that_it_started) {
    auto all = started_run();
    const asked_call spawn{"id8", "spawn_agent", R"({"goal":"Look at a part"})"};
    all.does(mark_model_call{1, 1}).does(reply(all.r, {spawn, ask_call(), spawn}));
    all.does(run_ended{*call_of(all.r, 1).child_run_id, {}, run_status::succeeded, "Blue.", {}, {}, {1, 100, 0, 5}});
    all.does(resolved(all.r, 2, decision::answer, "Both."));
    all.does(debt_settled{{"create_run/1", true, "", "", {}}});
    all.does(debt_settled{{"open_approval/2", true, "", "", {}}});
    all.does(debt_settled{{"create_run/3", false, "organization_suspended", "No more.", {}}});
    all.does(mark_model_call{2, 1}).does(reply(all.r, {spawn, read_call()}));
    all.does(result(all.r, 2)).does(cancel_run{"enough"});
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(runs_of_agents_that_it_named) {
    auto c = wish();
    c.limits = {20, 100'000, 0, 600'000};
    auto all = started_run(c);
    agent_settings scout;
    scout.limits = {5, 0, 0, 0};
    const auto found = [&](std::uint32_t call) {
        const auto& p = all.r.state().progress;
        return record_agent{p.step, call, 1, wish_for_agent(p, call_of(all.r, call), agent_id, scout)};
    };
    const asked_call delegate{"id8", "delegate", R"({"agent":"scout","goal":"Look","limits":{"steps":9}})"};
    all.does(mark_model_call{1, 1}).does(reply(all.r, {delegate, delegate, delegate}));
    all.does(found(2)).does(found(1)).does(result(all.r, 3, "There is no agent.", true));
    for (const std::uint32_t call : {1, 2}) {
        all.does(run_ended{*call_of(all.r, call).child_run_id, {}, run_status::failed, {}, "Lost.", {}, {1, 9, 0, 5}});
    }
    const asked_call hand_off{"id9", "hand_off", R"({"agent":"scout","message":"Go on."})"};
    all.does(mark_model_call{2, 1}).does(reply(all.r, {hand_off})).does(found(1));
    check_identical(all);
    BOOST_TEST((document(all.r).status == run_status::succeeded));
}

BOOST_AUTO_TEST_CASE(people_and_unknown_steps) {
    auto asks = wish();
    asks.tools = {{"execute", tool_policy::ask}, {"write", tool_policy::deny}};
    auto all = started_run(asks);
    all.does(mark_model_call{1, 1}).does(reply(all.r, {shell_call(), ask_call()}));
    all.does(resolved(all.r, 1, decision::approve, "", json::raw{R"({"command":"make test"})"}));
    all.does(unknown_result(all.r, 1));
    all.r.now = all.r.now + 3'600'000;
    all.does(resolved(all.r, 1, decision::skip));
    all.does(resolved(all.r, 2, decision::answer, "The second."));
    all.does(cancel_run{"enough"});
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(nonsense_of_a_model) {
    auto all = started_run();
    all.does(mark_model_call{1, 1}).does(reply(all.r, {}, "  "));
    all.r.now = all.r.now + 60'000;
    all.does(end_back_off{1, 1});
    all.does(mark_model_call{1, 2}).does(reply(all.r, {{"x", "no_such_tool", "{"}}));
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(budgets_and_a_start_that_fails) {
    auto small = started_run(wish(), begin({1, 0, 0, 0}));
    small.does(mark_model_call{1, 1}).does(reply(small.r, {read_call()})).does(result(small.r, 1));
    check_identical(small);
    auto slow = started_run(wish(), begin({0, 0, 0, 1000}));
    slow.does(mark_model_call{1, 1}).does(reply(slow.r, {read_call()}));
    slow.r.now = slow.r.now + 5000;
    slow.does(check_time{});
    check_identical(slow);
    recorded none;
    none.does(wish()).does(record_start_failure{"model_unknown", "there is none"});
    check_identical(none);
}

BOOST_AUTO_TEST_CASE(a_quota_that_was_used_up) {
    auto all = started_run();
    all.does(mark_model_call{1, 1});
    all.r.quota = [](std::string_view, std::int64_t, std::int64_t) -> expected<void> {
        return problem{code::quota_exceeded, "all tokens of the day are used"};
    };
    all.does(reply(all.r, {read_call()})).does(result(all.r, 1));
    BOOST_TEST(std::holds_alternative<run_failed>(all.journal.back().events.back()));
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(time_that_was_no_work) {
    auto all = started_run();
    all.r.now = all.r.now + 60'000;
    all.r.even_since = all.r.now;
    all.does(mark_model_call{1, 1}).does(reply(all.r, {finish_call()}));
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(a_fork) {
    recorded all;
    all.does(fork_run{wish(), id_of(9), 3, "Try it the other way"});
    all.does(give_context{{{"assistant", "I look.", {}, {}, {}, {}, false}, {"user", "Go on", {}, {}, {}, {}, false}}});
    all.does(begin());
    all.does(mark_model_call{4, 1}).does(reply(all.r, {finish_call()}));
    check_identical(all);
}

BOOST_AUTO_TEST_CASE(what_was_changed_in_the_journal_shows) {
    auto all = started_run();
    all.does(mark_model_call{1, 1}).does(reply(all.r, {read_call(), shell_call()}, "I look."));
    all.does(result(all.r, 1));
    auto tampered = all;
    auto& started = std::get<tool_call_started>(tampered.journal.back().events.back());
    started.arguments = {R"({"command":"rm -rf /"})"};
    const auto result = tampered.replay();
    BOOST_TEST(!result.identical);
    BOOST_TEST_REQUIRE(!!result.divergence);
    BOOST_TEST(result.divergence->type == "tool_call_started");
    BOOST_TEST(result.divergence->recorded.text.find("rm -rf") != std::string::npos);
    BOOST_TEST(result.divergence->replayed.text.find("make") != std::string::npos);
    BOOST_TEST(result.divergence->event == tampered.journal.back().records.back().entity_seq);

    auto shorter = all;
    shorter.journal.back().events.pop_back();
    shorter.journal.back().records.pop_back();
    BOOST_TEST(!shorter.replay().identical);
    auto without = all;
    without.journal.erase(without.journal.begin() + 3); // the reply
    BOOST_TEST(!without.replay().identical);
}

/// Whatever comes in whatever order.
BOOST_AUTO_TEST_CASE(random_lives_come_to_the_same_again) {
    for (std::uint32_t seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](std::uint32_t n) { return random() % n; };
        auto c = wish();
        c.tools = {{"execute", pick(2) == 0 ? tool_policy::ask : tool_policy::allow}};
        c.on_unknown = static_cast<unknown_policy>(pick(3));
        auto all = started_run(c, begin({8, 200'000, 0, 3'600'000}));
        for (int i = 0; i < 60; ++i) {
            auto& r = all.r;
            const auto& p = r.state().progress;
            r.now = r.now + static_cast<std::int64_t>(pick(3000));
            if (pick(20) == 0) {
                r.even_since = r.now;
            }
            if (p.model_call) {
                const std::vector<std::vector<asked_call>> replies{{read_call()},
                                                                   {read_call(), shell_call()},
                                                                   {ask_call()},
                                                                   {},
                                                                   {shell_call(), ask_call(), read_call()}};
                all.may(mark_model_call{p.step, p.attempt});
                pick(4) == 0 ? all.may(failure(r, pick(2) == 0 ? code::model_unavailable : code::unknown_outcome, 2,
                                               pick(2) == 0))
                             : all.may(reply(r, replies[pick(5)], "words"));
            } else if (p.retry_at) {
                r.now = *p.retry_at;
                all.may(end_back_off{p.step, p.attempt});
            }
            for (std::uint32_t n = 1; n <= r.state().progress.calls.size(); ++n) {
                const auto& call = call_of(r, n);
                if (call.phase == call_phase::started) {
                    all.may(pick(5) == 0 ? unknown_result(r, n) : result(r, n));
                } else if (call.phase == call_phase::asked) {
                    all.may(resolved(r, n,
                                     call.reason == wait_reason::question                       ? decision::answer
                                     : call.reason == wait_reason::unknown_step && pick(2) == 0 ? decision::retry
                                     : pick(2) == 0                                             ? decision::approve
                                                                                                : decision::deny,
                                     "so"));
                }
            }
        }
        BOOST_TEST_CONTEXT("seed " << seed) { check_identical(all); }
    }
}

BOOST_AUTO_TEST_SUITE_END()
