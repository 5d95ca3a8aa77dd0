#include "actors/provider/shared_replies.hpp"

#include "tests/actors/scripted_model.hpp"

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;
using runtime::equal_requests;

namespace {

net::model_request asked_by(std::string step, std::string caller = "acme", std::string text = "What is two and two?") {
    net::model_request r;
    r.model = "m";
    r.messages = {{net::role::user, std::move(text)}};
    r.idempotency_key = std::move(step);
    r.caller = std::move(caller);
    return r;
}

std::string why(const expected<net::model_reply>& reply) {
    const auto read =
        reply ? from_json<route_choice>(reply->choice, strictness::stored) : expected<route_choice>(reply.error());
    return read ? read->why : "";
}

/// A model that streams a word, then waits until it is let go on.
class held_model final : public net::model {
public:
    [[nodiscard]] std::string describe() const override { return "held"; }

    expected<net::model_reply> complete(const net::model_request&, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token) override {
        std::unique_lock lock(mutex_);
        ++calls;
        on_token("four");
        changed_.notify_all();
        if (!changed_.wait(lock, stop, [this] { return free_; })) {
            return problem{code::cancelled, "stopped"};
        }
        net::model_reply out;
        out.content = "four";
        out.usage = {.input = 100, .output = 10};
        return out;
    }

    void wait_for_call() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return calls > 0; });
    }

    void let_go() {
        const std::scoped_lock lock(mutex_);
        free_ = true;
        changed_.notify_all();
    }

    int calls = 0;

private:
    std::mutex mutex_;
    std::condition_variable_any changed_;
    bool free_ = false;
};

struct scene {
    explicit scene(equal_requests policy, std::vector<scripted_call> calls = {{.text = "four"}},
                   std::size_t bytes = 1 << 20)
        : inner(std::make_shared<scripted_model>(std::move(calls))),
          model(sharing({.provider = "p",
                         .policy = policy,
                         .kept_ms = 1000,
                         .bytes_max = bytes,
                         .clock = [this] { return now_ms; }},
                        inner)) {}

    expected<net::model_reply> ask(const net::model_request& r) {
        heard.clear();
        return model->complete(r, {}, [this](std::string_view text) { heard += text; });
    }

    std::int64_t now_ms = 0;
    std::shared_ptr<scripted_model> inner;
    std::shared_ptr<net::model> model;
    std::string heard;
};

} // namespace

BOOST_AUTO_TEST_SUITE(shared_replies)

BOOST_AUTO_TEST_CASE(each_is_asked_where_nobody_wants_it_otherwise) {
    scene s(equal_requests::each);
    BOOST_TEST((s.model == s.inner));
}

BOOST_AUTO_TEST_CASE(a_kept_reply_costs_nothing_and_says_so_until_it_is_old) {
    scene s(equal_requests::cache);
    const auto first = s.ask(asked_by("run1/1"));
    BOOST_TEST(first->usage.input == 100U);
    BOOST_TEST(why(first) == "");
    s.now_ms = 999;
    const auto second = s.ask(asked_by("run2/1"));
    BOOST_TEST(second->content == "four");
    BOOST_TEST(s.heard == "four");
    BOOST_TEST(second->usage.input == 0U);
    BOOST_TEST(second->answered_by == "p/m");
    BOOST_TEST(why(second).find("its reply is kept") != std::string::npos, why(second));
    s.now_ms = 1000;
    BOOST_TEST(s.ask(asked_by("run3/1"))->usage.input == 100U);
    BOOST_TEST(s.inner->asked.size() == 2U);
}

BOOST_AUTO_TEST_CASE(only_what_is_equal_and_of_the_same_organization_shares) {
    scene s(equal_requests::cache);
    s.ask(asked_by("run1/1"));
    s.ask(asked_by("run2/1", "other"));
    s.ask(asked_by("run3/1", "acme", "What is two and three?"));
    auto warm = asked_by("run4/1");
    warm.temperature = 0.5;
    s.ask(warm);
    auto armed = asked_by("run5/1");
    armed.tools = {{"t", "", "{}"}};
    s.ask(armed);
    BOOST_TEST(s.inner->asked.size() == 5U);
}

BOOST_AUTO_TEST_CASE(a_step_that_asks_again_gets_another_answer) {
    scene s(equal_requests::cache);
    s.ask(asked_by("run1/1"));
    s.ask(asked_by("run1/1"));
    BOOST_TEST(s.inner->asked.size() == 2U);
    s.ask(asked_by("run2/1"));
    BOOST_TEST(s.inner->asked.size() == 2U);
    s.ask(asked_by("run2/1"));
    BOOST_TEST(s.inner->asked.size() == 3U);
}

BOOST_AUTO_TEST_CASE(failures_and_what_finds_no_room_are_not_kept) {
    scene failing(equal_requests::cache, {{.failure = problem{code::model_unavailable, "down"}}, {.text = "four"}});
    BOOST_TEST(!failing.ask(asked_by("run1/1")).has_value());
    BOOST_TEST(failing.ask(asked_by("run2/1")).has_value());
    BOOST_TEST(failing.inner->asked.size() == 2U);
    scene small(equal_requests::cache, {{.text = "four"}}, 10);
    small.ask(asked_by("run1/1"));
    small.ask(asked_by("run2/1"));
    BOOST_TEST(small.inner->asked.size() == 2U);
    scene brief(equal_requests::in_flight);
    brief.ask(asked_by("run1/1"));
    brief.ask(asked_by("run2/1"));
    BOOST_TEST(brief.inner->asked.size() == 2U);
}

BOOST_AUTO_TEST_CASE(who_asks_meanwhile_gets_the_tokens_and_the_answer) {
    const auto inner = std::make_shared<held_model>();
    const auto model = sharing({.provider = "p", .policy = equal_requests::in_flight}, inner);
    std::jthread first([&] { (void)model->complete(asked_by("run1/1"), {}, {}); });
    inner->wait_for_call();
    std::string heard;
    const auto second = model->complete(asked_by("run2/1"), {}, [&](std::string_view text) {
        heard += text; // before the answer is there
        inner->let_go();
    });
    BOOST_TEST(heard == "four");
    BOOST_TEST(second->content == "four");
    BOOST_TEST(second->usage.input == 0U);
    BOOST_TEST(why(second).find("in flight") != std::string::npos, why(second));
    BOOST_TEST(inner->calls == 1);
}

BOOST_AUTO_TEST_CASE(nobody_gets_half_an_answer_of_a_call_that_was_stopped) {
    const auto inner = std::make_shared<held_model>();
    const auto model = sharing({.provider = "p", .policy = equal_requests::in_flight}, inner);
    std::stop_source stop;
    std::jthread first([&] { (void)model->complete(asked_by("run1/1"), stop.get_token(), {}); });
    inner->wait_for_call();
    const auto second = model->complete(asked_by("run2/1"), {}, [&](std::string_view) { stop.request_stop(); });
    BOOST_TEST((second.error().code == code::model_unavailable));
    inner->let_go();
    BOOST_TEST(model->complete(asked_by("run3/1"), {}, [](std::string_view) {}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
