#include "actors/mcp_server/follow_run.hpp"

#include "actors/mcp_server/route_tools.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

using net::mcp::server_call;

/// What a run waits for a person for.
struct question {
    std::string approval; ///< Its id.
    std::string reason;   ///< approval, question or unknown_step.
    std::string text;
};

/// What stands in `requestState` while the client's person is asked.
struct asked_for {
    std::string run;
    bool owned = false;
    std::string approval;
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(asked_for, (), (run, owned, approval, reason))

constexpr std::string_view answer_key = "answer";

net::mcp::inputs_wanted ask_for(const followed_run& run, const question& what) {
    std::string members = R"("decision":{"type":"string","enum":["approve","deny"]})";
    std::string required = "decision";
    if (what.reason == "question") {
        members = R"("answer":{"type":"string"})";
        required = "answer";
    } else if (what.reason == "unknown_step") {
        members = R"("decision":{"type":"string","enum":["retry","skip"]})";
    }
    net::mcp::input_request input;
    input.kind = net::mcp::question_kind::elicitation;
    input.params.text = R"({"message":)" + json::quoted(what.text) +
                        R"(,"requestedSchema":{"type":"object","properties":{)" + members + R"(},"required":[")" +
                        required + R"("]}})";
    return {{{std::string(answer_key), std::move(input)}},
            to_json(asked_for{run.id, run.owned, what.approval, what.reason})};
}

/// One call that follows a run. Kept by its subscription, which it lets go of at its end.
class follower : public std::enable_shared_from_this<follower> {
public:
    follower(inner_calls& calls, runtime::bus* bus, std::shared_ptr<server_call> call, followed_run run)
        : calls_(calls), bus_(bus), call_(std::move(call)), run_(std::move(run)) {}

    void start() {
        call_->on_cancelled([self = shared_from_this()] { self->cancel(); });
        const auto& who = call_->caller().who;
        if (bus_ != nullptr && parse_uuid(run_.id) && calls_.may(who, "run:read")) {
            auto begun = bus_->subscribe({who.organization, {"runs/" + run_.id}, {}},
                                         [self = shared_from_this()](const runtime::live_event& e) { self->take(e); });
            if (!begun) {
                return finish(net::to_response(begun.error(), call_->caller()));
            }
            const std::lock_guard lock(mutex_);
            subscription_ = std::move(*begun);
        }
        look(bus_ == nullptr);
        if (done_) { // before there was a subscription
            let_go();
        }
    }

private:
    /// On a thread of the bus. Tokens and the like are too many to tell.
    void take(const runtime::live_event& e) {
        if (e.id.empty() || done_) {
            return;
        }
        call_->progress(static_cast<double>(++told_), {}, e.kind);
        look_soon();
    }

    void look(bool whatever) {
        calls_.ask(call_->caller(), {"get_run", {{"id", run_.id}}},
                   [self = shared_from_this(), whatever](const net::response& answer) {
                       answer.status != 200 || whatever ? self->finish(answer) : self->judge(answer);
                   });
    }

    /// Whether anything more happens without a person, and whether the client's can be asked.
    void judge(const net::response& answer) {
        const auto parsed = json::document::parse(answer.body);
        const auto status = parsed ? parsed->root().text_or("status") : "failed";
        if (status != "waiting") {
            const bool ended = status == "succeeded" || status == "failed" || status == "cancelled";
            return ended ? finish(answer) : call_->take_time();
        }
        std::optional<question> found;
        if (const auto waiting = parsed->root().find("waiting")) {
            waiting->each_element([&](const json::value& v) {
                const question one{v.text_or("approval_id"), v.text_or("reason"), v.text_or("text")};
                if (one.reason != "back_off" && (one.approval.empty() || one.approval != run_.decided)) {
                    found = one;
                }
            });
        }
        if (!found) {
            return call_->take_time();
        }
        const bool can_ask = run_.asks && subscription_for(*found);
        can_ask ? ask(*found, answer) : finish(answer);
    }

    /// A run says that it waits a moment before the approval is there: its first event is another look.
    bool subscription_for(const question& what) {
        if (!parse_uuid(what.approval) || !call_->can_ask(net::mcp::question_kind::elicitation)) {
            return false;
        }
        const std::lock_guard lock(mutex_);
        if (bus_ == nullptr || watched_ == what.approval) {
            return bus_ != nullptr;
        }
        auto begun = bus_->subscribe({call_->caller().who.organization, {"approvals/" + what.approval}, {}},
                                     [self = shared_from_this()](const runtime::live_event&) { self->look_soon(); });
        if (!begun) {
            return false;
        }
        watched_ = what.approval;
        approvals_.push_back(std::move(*begun));
        if (done_) { // meanwhile
            let_go();
        }
        return true;
    }

    void ask(const question& what, const net::response& run) {
        calls_.ask(call_->caller(), {"get_approval", {{"id", what.approval}}},
                   [self = shared_from_this(), what, run](const net::response& answer) {
                       if (answer.status == 404) {
                           return self->call_->take_time();
                       }
                       if (answer.status != 200) {
                           return self->finish(run);
                       }
                       if (!self->done_.exchange(true)) {
                           self->call_->answer(ask_for(self->run_, what));
                           self->let_go();
                       }
                   });
    }

    /// Not on a thread of the bus.
    void look_soon() {
        if (!done_ && !looking_.exchange(true)) {
            calls_.post([self = shared_from_this()] {
                self->looking_ = false;
                self->look(false);
            });
        }
    }

    void finish(const net::response& answer) {
        if (done_.exchange(true)) {
            return;
        }
        call_->answer(to_tool_result(answer));
        let_go();
    }

    void cancel() {
        if (done_.exchange(true)) {
            return;
        }
        if (run_.owned) {
            calls_.ask(call_->caller(), {"cancel_run", {{"id", run_.id}}, {}, R"({"reason":"the call was cancelled"})"},
                       [](const net::response&) {});
        }
        let_go();
    }

    /// Not on a thread of the bus, which ending a subscription may wait for.
    void let_go() {
        calls_.post([self = shared_from_this()] {
            std::unique_ptr<runtime::subscription> ended; // after the lock
            std::vector<std::unique_ptr<runtime::subscription>> others;
            const std::lock_guard lock(self->mutex_);
            ended.swap(self->subscription_);
            others.swap(self->approvals_);
        });
    }

    inner_calls& calls_;
    runtime::bus* const bus_;
    const std::shared_ptr<server_call> call_;
    const followed_run run_;
    std::atomic<bool> done_ = false;
    std::atomic<bool> looking_ = false;
    std::atomic<std::uint64_t> told_ = 0;
    std::mutex mutex_;
    std::unique_ptr<runtime::subscription> subscription_;
    std::vector<std::unique_ptr<runtime::subscription>> approvals_;
    std::string watched_; // the last approval
};

} // namespace

void follow_run(inner_calls& calls, runtime::bus* bus, const std::shared_ptr<server_call>& call, followed_run run) {
    std::make_shared<follower>(calls, bus, call, std::move(run))->start();
}

void continue_run(inner_calls& calls, runtime::bus* bus, const std::shared_ptr<server_call>& call) {
    const auto before = from_json<asked_for>(call->state(), strictness::stored);
    if (!before) {
        return call->answer(net::mcp::rpc_error{net::mcp::rpc_invalid_params, before.error().detail, {}});
    }
    followed_run run{before->run, before->owned, true, before->approval};
    const auto given = call->answers().find(std::string(answer_key));
    const auto parsed = json::document::parse(given == call->answers().end() ? "{}" : given->second.text);
    const auto content =
        parsed && parsed->root().text_or("action") == "accept" ? parsed->root().find("content") : std::nullopt;
    if (!content) { // the person does not want to say
        run.asks = false;
        run.decided.clear();
        return follow_run(calls, bus, call, std::move(run));
    }
    const auto body = before->reason == "question"
                          ? R"({"decision":"answer","answer":)" + json::quoted(content->text_or("answer")) + "}"
                          : R"({"decision":)" + json::quoted(content->text_or("decision")) + "}";
    calls.ask(call->caller(), {"decide_approval", {{"id", before->approval}}, {}, body},
              [&calls, bus, call, run](const net::response& answer) {
                  answer.status < 300 ? follow_run(calls, bus, call, run) : call->answer(to_tool_result(answer));
              });
}

} // namespace troupe::actors
