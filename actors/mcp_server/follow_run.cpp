#include "actors/mcp_server/follow_run.hpp"

#include "actors/mcp_server/route_tools.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace troupe::actors {
namespace {

using net::mcp::server_call;

/// One call that follows a run. Kept by its subscription, which it lets go of at its end.
class follower : public std::enable_shared_from_this<follower> {
public:
    follower(inner_calls& calls, std::shared_ptr<server_call> call, std::string run, bool owns)
        : calls_(calls), call_(std::move(call)), run_(std::move(run)), owns_(owns) {}

    void start(runtime::bus* bus) {
        call_->on_cancelled([self = shared_from_this()] { self->cancel(); });
        if (bus != nullptr) {
            auto begun = bus->subscribe({call_->caller().who.organization, {"runs/" + run_}, {}},
                                        [self = shared_from_this()](const runtime::live_event& e) { self->take(e); });
            if (!begun) {
                return finish(net::to_response(begun.error(), call_->caller()));
            }
            const std::lock_guard lock(mutex_);
            subscription_ = std::move(*begun);
        }
        look(bus == nullptr);
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
        if (!looking_.exchange(true)) {
            calls_.post([self = shared_from_this()] {
                self->looking_ = false;
                self->look(false);
            });
        }
    }

    void look(bool whatever) {
        calls_.ask(call_->caller(), {"get_run", {{"id", run_}}},
                   [self = shared_from_this(), whatever](const net::response& answer) {
                       if (answer.status != 200 || whatever || rests(answer.body)) {
                           self->finish(answer);
                       } else {
                           self->call_->take_time();
                       }
                   });
    }

    /// Nothing more happens without a person.
    static bool rests(const std::string& document) {
        const auto parsed = json::document::parse(document);
        const auto status = parsed ? parsed->root().text_or("status") : "failed";
        if (status != "waiting") {
            return status == "succeeded" || status == "failed" || status == "cancelled";
        }
        bool for_person = false;
        if (const auto waiting = parsed->root().find("waiting")) {
            waiting->each_element(
                [&](const json::value& v) { for_person = for_person || v.text_or("reason") != "back_off"; });
        }
        return for_person;
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
        if (owns_) {
            calls_.ask(call_->caller(), {"cancel_run", {{"id", run_}}, {}, R"({"reason":"the call was cancelled"})"},
                       [](const net::response&) {});
        }
        let_go();
    }

    /// Not on a thread of the bus, which ending a subscription may wait for.
    void let_go() {
        calls_.post([self = shared_from_this()] {
            std::unique_ptr<runtime::subscription> ended; // after the lock
            const std::lock_guard lock(self->mutex_);
            ended.swap(self->subscription_);
        });
    }

    inner_calls& calls_;
    const std::shared_ptr<server_call> call_;
    const std::string run_;
    const bool owns_;
    std::atomic<bool> done_ = false;
    std::atomic<bool> looking_ = false;
    std::atomic<std::uint64_t> told_ = 0;
    std::mutex mutex_;
    std::unique_ptr<runtime::subscription> subscription_;
};

} // namespace

void follow_run(inner_calls& calls, runtime::bus* bus, const std::shared_ptr<server_call>& call, const std::string& run,
                bool owns) {
    std::make_shared<follower>(calls, call, run, owns)->start(bus);
}

} // namespace troupe::actors
