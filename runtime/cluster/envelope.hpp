#pragma once

#include "runtime/bus/bus.hpp"
#include "runtime/entity/messages.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// What nodes say to each other about commands and reads: the frames of the lane `commands`. Pure.
namespace troupe::runtime::cluster {

/// A command for the owner of its shard.
struct command_envelope {
    std::uint64_t number = 0; ///< Of the sender; the answer bears it.
    command what;             ///< Its deadline is on the clock of whoever reads it.
    /// The entity's version, as the sender knew it, before it sent the command for the first time: should it have been
    /// done since, its events tell. `held_command::never_decided`: it was sent to nobody before.
    std::uint64_t decided_after = 0;
};

struct answer_envelope {
    std::uint64_t number = 0;
    bool elsewhere = false; ///< The shard is not this node's, or no longer.
    reply answer = outcome{};
    std::uint64_t applied = 0; ///< What the answer shows of its shard is up to there.
    /// Of one that is `elsewhere`: it may have been done here, as in a command's envelope.
    std::uint64_t decided_after = held_command::never_decided;
};

/// How far are the shards that you own?
struct index_question {
    std::uint64_t round = 0;
};

struct index_answer {
    std::uint64_t round = 0;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> applied; ///< Shard, and the seq until which it is answered.
};

/// What was published at the sender, live only.
struct live_envelope {
    live_event what; ///< Without an id.
};

/// What one node wants to know of another (node_questions.hpp).
struct node_question {
    std::uint64_t number = 0; ///< Of the sender; the answer bears it.
    std::string name;
    std::string parameters; ///< JSON.
};

struct node_answer {
    std::uint64_t number = 0;
    expected<std::string> answer = std::string(); ///< JSON.
};

using envelope = std::variant<command_envelope, answer_envelope, index_question, index_answer, live_envelope,
                              node_question, node_answer>;

/// `now_ms` on the monotonic clock: between nodes a deadline is a time that is left.
std::string encode(const envelope& e, std::int64_t now_ms);
/// `invalid_request` says what is wrong.
expected<envelope> decode_envelope(std::string_view frame, std::int64_t now_ms);

} // namespace troupe::runtime::cluster
