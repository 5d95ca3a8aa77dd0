#include "runtime/cluster/read_index.hpp"

#include <set>
#include <string>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

/// A question that has no answer by then is asked again: it may be lost, or its node may have gone.
constexpr std::int64_t ask_again_ms = 200;

problem cannot_tell(std::size_t shards) {
    return {code::unavailable,
            "this node cannot tell whether what it has is the newest: of " + std::to_string(shards) +
                " shards it reaches no owner. Too few nodes are up, or this one is cut off; ask another node, or try "
                "again in a moment",
            {},
            1};
}

} // namespace

index_answer read_index::answer_to(const index_question& question) const {
    index_answer out{question.round, {}};
    for (std::uint32_t shard = 0; shard < ports_.shards; ++shard) {
        const auto seq = ports_.applied(shard); // before it is asked whether it may be shown
        if (ports_.serves(shard)) {
            out.applied.emplace_back(shard, seq);
        }
    }
    return out;
}

void read_index::wait(done then, std::int64_t now_ms) {
    said all;
    {
        const std::lock_guard lock(mutex_);
        next_.push_back({std::move(then), now_ms});
        move_on(now_ms, all);
    }
    tell(all);
}

void read_index::on_answer(const index_answer& answer, std::int64_t now_ms) {
    said all;
    {
        const std::lock_guard lock(mutex_);
        if (answer.round != round_ || asking_.empty()) {
            return;
        }
        for (const auto& [shard, seq] : answer.applied) {
            if (shard < wanted_.size()) {
                wanted_[shard] = seq;
            }
        }
        move_on(now_ms, all);
    }
    tell(all);
}

void read_index::go_on(std::int64_t now_ms) {
    said all;
    {
        const std::lock_guard lock(mutex_);
        if (!asking_.empty() && now_ms - asked_at_ms_ >= ask_again_ms) {
            ask(now_ms);
        }
        move_on(now_ms, all);
    }
    tell(all);
}

void read_index::begin(std::int64_t now_ms) {
    asking_ = std::exchange(next_, {});
    ++round_;
    wanted_.assign(ports_.shards, std::nullopt);
    ask(now_ms);
}

/// Answers of the same round are as good as each other: all of them are of after the reads came.
void read_index::ask(std::int64_t now_ms) {
    asked_at_ms_ = now_ms;
    const auto leaders = ports_.leaders();
    std::set<uuid> asked;
    for (std::uint32_t shard = 0; shard < ports_.shards; ++shard) {
        const auto& leader = (*leaders)[shard];
        if (!wanted_[shard] && !leader.is_nil() && !ports_.serves(shard) && asked.insert(leader).second) {
            static_cast<void>(ports_.send(leader, index_question{round_})); // else it is asked again
        }
    }
}

std::size_t read_index::behind() const {
    std::size_t out = 0;
    for (std::uint32_t shard = 0; shard < ports_.shards; ++shard) {
        const auto& wanted = wanted_[shard];
        const bool up = wanted ? ports_.applied(shard) >= *wanted : ports_.serves(shard);
        out += up ? 0 : 1;
    }
    return out;
}

void read_index::move_on(std::int64_t now_ms, said& out) {
    for (;;) {
        if (asking_.empty()) {
            if (next_.empty()) {
                return;
            }
            begin(now_ms);
        }
        const auto missing = behind();
        if (missing == 0) {
            for (auto& w : std::exchange(asking_, {})) {
                out.emplace_back(std::move(w.then), expected<void>());
            }
            continue;
        }
        std::erase_if(asking_, [&](waiter& w) {
            const bool late = now_ms - w.since_ms >= wait_max_ms_;
            if (late) {
                out.emplace_back(std::move(w.then), cannot_tell(missing));
            }
            return late;
        });
        if (!asking_.empty()) {
            return;
        }
    }
}

void read_index::tell(said& all) {
    for (auto& [then, what] : all) {
        then(std::move(what));
    }
}

} // namespace troupe::runtime::cluster
