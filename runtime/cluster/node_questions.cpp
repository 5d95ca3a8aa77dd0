#include "runtime/cluster/node_questions.hpp"

#include "runtime/cluster/links.hpp"

#include <utility>
#include <vector>

namespace troupe::runtime::cluster {

namespace {

/// With the rest of an envelope it fits into a frame.
constexpr std::size_t answer_bytes_max = frame_bytes_max - 4096;
constexpr std::size_t parameters_bytes_max = 64 << 10;

problem unavailable(std::string why) { return {code::unavailable, std::move(why), {}, 1}; }

problem too_many() { return {code::overloaded, "too many questions between nodes wait for answers", {}, 1}; }

} // namespace

void node_questions::answer_with(std::string name, question_handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[std::move(name)] = std::make_shared<const question_handler>(std::move(handler));
}

void node_questions::ask(const uuid& to, std::string name, std::string parameters, question_done then,
                         std::int64_t now_ms) {
    if (parameters.size() > parameters_bytes_max) {
        then(problem{code::payload_too_large, "the question is too big to go to another node"});
        return;
    }
    std::uint64_t number = 0;
    {
        const std::lock_guard lock(mutex_);
        if (asked_.size() < outstanding_max) {
            number = next_++;
            asked_.emplace(number, one{to, then, now_ms}); // before the answer can come
        }
    }
    if (number == 0) {
        then(too_many());
        return;
    }
    if (!send_(to, node_question{number, std::move(name), std::move(parameters)})) {
        on_answer(to, {number, unavailable("the node is not connected with this one, or takes nothing more now")});
    }
}

void node_questions::on_answer(const uuid& from, node_answer answer) {
    question_done then;
    {
        const std::lock_guard lock(mutex_);
        const auto found = asked_.find(answer.number);
        if (found == asked_.end() || found->second.to != from) {
            return; // late, or none of it
        }
        then = std::move(found->second.then);
        asked_.erase(found);
    }
    then(std::move(answer.answer));
}

void node_questions::on_question(const uuid& from, const node_question& question) {
    std::shared_ptr<const question_handler> handler;
    {
        const std::lock_guard lock(mutex_);
        const auto found = handlers_.find(question.name);
        handler = found == handlers_.end() ? nullptr : found->second;
    }
    if (!handler) {
        answer(from, question.number,
               unavailable("the node does not answer \"" + question.name.substr(0, 100) +
                           "\": it is of an older version, or has not started yet"));
        return;
    }
    if (answering_.fetch_add(1) >= outstanding_max) {
        answering_.fetch_sub(1);
        answer(from, question.number, too_many());
        return;
    }
    (*handler)(question.parameters, [this, from, number = question.number](expected<std::string> what) {
        answering_.fetch_sub(1);
        answer(from, number, std::move(what));
    });
}

/// One that finds no way is lost: whoever asked stops waiting in time.
void node_questions::answer(const uuid& to, std::uint64_t number, expected<std::string> what) {
    if (what && what->size() > answer_bytes_max) {
        what = problem{code::payload_too_large, "the answer is too big to go from node to node: ask for less, or ask "
                                                "that node itself"};
    }
    static_cast<void>(send_(to, node_answer{number, std::move(what)}));
}

void node_questions::end(const std::function<bool(const one&)>& which, const problem& why) {
    std::vector<question_done> ended;
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(asked_, [&](auto& entry) {
            const bool ends = which(entry.second);
            if (ends) {
                ended.push_back(std::move(entry.second.then));
            }
            return ends;
        });
    }
    for (const auto& then : ended) {
        then(why);
    }
}

void node_questions::on_peer_down(const uuid& peer) {
    end([&](const one& o) { return o.to == peer; }, unavailable("the connection with the node broke"));
}

void node_questions::on_tick(std::int64_t now_ms) {
    end([&](const one& o) { return now_ms - o.since_ms >= wait_max_ms; },
        unavailable("the node is connected, and did not answer in time"));
}

} // namespace troupe::runtime::cluster
