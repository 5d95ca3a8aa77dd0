#pragma once

#include "runtime/cluster/envelope.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::runtime::cluster {

/// Called once, from any thread: JSON, or why there is none.
using question_done = std::function<void(expected<std::string>)>;
/// Answers questions of one name. `parameters` is JSON as the asking node wrote it. Called on a thread of the links: it
/// must not block, and may answer later.
using question_handler = std::function<void(std::string_view parameters, question_done then)>;

/// What is asked of one node by another, beside commands: what only that node knows. A question is answered once,
/// within `wait_max_ms` and a tick; it is never asked again by itself. Thread-safe.
class node_questions {
public:
    /// That a node has asked and waits for, and that it answers for others, at a time.
    static constexpr std::size_t outstanding_max = 256;
    static constexpr std::int64_t wait_max_ms = 2000;

    /// `send` is false when nothing was sent; it must not block, nor call this.
    explicit node_questions(std::function<bool(const uuid& to, const envelope& what)> send) : send_(std::move(send)) {}

    /// What this node answers from now on. What handlers answer later they answer while this lives.
    void answer_with(std::string name, question_handler handler);

    /// `unavailable`: the node is not connected, the connection broke, or it did not answer in time. `overloaded`: too
    /// many questions wait. What the node itself answers else.
    void ask(const uuid& to, std::string name, std::string parameters, question_done then, std::int64_t now_ms);

    void on_question(const uuid& from, const node_question& question);
    void on_answer(const uuid& from, node_answer answer);
    /// What it was asked gets no answer any more.
    void on_peer_down(const uuid& peer);
    /// Ends what waited for too long. Now and then.
    void on_tick(std::int64_t now_ms);

private:
    struct one {
        uuid to;
        question_done then;
        std::int64_t since_ms = 0;
    };
    /// Ends those that `which` names, with `why`.
    void end(const std::function<bool(const one&)>& which, const problem& why);
    void answer(const uuid& to, std::uint64_t number, expected<std::string> what);

    const std::function<bool(const uuid& to, const envelope& what)> send_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<const question_handler>, std::less<>> handlers_;
    std::map<std::uint64_t, one> asked_;
    std::uint64_t next_ = 1;
    std::atomic<std::size_t> answering_{0};
};

} // namespace troupe::runtime::cluster
