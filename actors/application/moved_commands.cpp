#include "actors/application/moved_commands.hpp"

#include "actors/common/waiting.hpp"
#include "runtime/cluster/membership.hpp"
#include "runtime/cluster/node_questions.hpp"
#include "runtime/process/runner_files.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/described.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

namespace troupe::actors {

namespace {

constexpr auto question = "end_command";
constexpr std::int64_t tick_ms = 60'000;
/// A run that has moved begins with its question; its project's files may have to come first.
constexpr std::int64_t quiet_ms = 1500;
constexpr std::chrono::seconds answer_wait_max{3};
static_assert(answer_wait_max > std::chrono::milliseconds(runtime::cluster::node_questions::wait_max_ms));

struct asked {
    std::string key;
};
BOOST_DESCRIBE_STRUCT(asked, (), (key))

/// What commands write is no text for JSON.
struct answered {
    runtime::command_result result;
    std::string out; ///< base64.
    std::string err;
};
BOOST_DESCRIBE_STRUCT(answered, (), (result, out, err))

problem unknown(std::string_view why) { return {code::unknown_outcome, std::string(why)}; }

expected<runtime::command_result> read_answer(const std::string& json) {
    auto said = from_json<answered>(json, strictness::stored);
    if (!said) {
        return said.error();
    }
    const auto out = from_base64(said->out);
    const auto err = from_base64(said->err);
    if (!out || !err) {
        return unknown("the other node's answer cannot be read");
    }
    said->result.out = *out;
    said->result.err = *err;
    return std::move(said->result);
}

} // namespace

void moved_commands::answer_others() {
    auto* member = node_.member();
    if (!member) {
        return;
    }
    worker_.start([] {}, tick_ms);
    member->commands().answer_with(question,
                                   [this](std::string_view parameters, const runtime::cluster::question_done& then) {
                                       auto what = from_json<asked>(parameters, strictness::stored);
                                       if (!what) {
                                           then(what.error());
                                           return;
                                       }
                                       worker_.post([this, key = std::move(what->key), then] {
                                           auto ended = commands_.end(key);
                                           asked_ms_ = monotonic_ms();
                                           if (!ended) {
                                               then(ended.error());
                                               return;
                                           }
                                           const auto out = to_base64url(ended->out);
                                           const auto err = to_base64url(ended->err);
                                           then(to_json(answered{std::move(*ended), out, err}));
                                       });
                                   });
}

expected<runtime::command_result> moved_commands::end_at(const uuid& replica, const std::string& key) {
    auto* member = node_.member();
    const auto cluster = member ? member->glance() : nullptr;
    if (!cluster) {
        return unknown("this node has no others to ask");
    }
    const auto there = std::ranges::find(cluster->nodes, replica, &runtime::cluster::cluster_node::replica);
    if (there == cluster->nodes.end() || !there->alive) {
        return unknown("the node that had it is not there any more");
    }
    auto promise = std::make_shared<std::promise<expected<std::string>>>();
    auto result = promise->get_future();
    member->commands().ask_node(
        replica, question, to_json(asked{key}),
        [promise = std::move(promise)](expected<std::string> what) { promise->set_value(std::move(what)); });
    // Questions end by themselves, but not at a node that stops: its ticks do, and what waits is dropped.
    auto said = wait_for(std::move(result), answer_wait_max, "the other node did not say what became of the command");
    return said ? read_answer(*said) : said.error();
}

void moved_commands::wait_for_questions(std::int64_t time_ms) const {
    const auto begin = monotonic_ms();
    const auto last = [&] { return std::max(begin, asked_ms_.load()); };
    while (monotonic_ms() < std::min(begin + time_ms, last() + quiet_ms)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

} // namespace troupe::actors
