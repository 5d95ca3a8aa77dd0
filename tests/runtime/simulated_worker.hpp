#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/problem.hpp"

#include <functional>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>

namespace troupe::test {

/// A performer's work on a thread of its own, since it may wait for answers. It and the simulation take turns, so that
/// only one of them ever runs: what happens stays a matter of the seed.
class simulated_worker {
public:
    explicit simulated_worker(std::function<void()> run)
        : thread_([this, work = std::move(run)]() mutable {
              current_ = this;
              work();
              work = nullptr; // it holds actors
              ended_ = true;
              turn_.release();
          }) {
        turn_.acquire();
    }
    simulated_worker(const simulated_worker&) = delete;
    /// It has to have ended.
    ~simulated_worker() { thread_.join(); }

    /// Of the thread that asks; null in the simulation's.
    static simulated_worker* current() { return current_; }
    [[nodiscard]] bool ended() const { return ended_; }

    /// Called by the work: sends by `submit` and hands over. The work goes on when the answer comes, at once and until
    /// it waits again or ends.
    template <class Submit>
    void ask(runtime::command c, runtime::reply_port port, Submit submit) {
        auto open = std::make_shared<bool>(true);
        answer_ = [this, open, port = std::move(port)](runtime::reply r) {
            if (std::exchange(*open, false)) {
                port(std::move(r));
                turn_.acquire();
            }
        };
        submit(std::move(c), answer_);
        turn_.release();
    }
    /// Nobody will answer any more.
    void give_up() {
        while (!ended_) {
            const auto answer = answer_;
            answer(problem{code::unavailable, "the node has ended"});
        }
    }

private:
    static inline thread_local simulated_worker* current_ = nullptr;
    std::binary_semaphore turn_{0};
    bool ended_ = false;
    runtime::reply_port answer_;
    std::thread thread_; ///< Last: it uses all of them.
};

} // namespace troupe::test
