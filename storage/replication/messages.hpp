#pragma once

#include "schemas/base/ids.hpp"
#include "storage/replication/outline.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::storage::replication {

/// Made with the data directory: a lost disk is a new replica.
using replica_id = uuid;

/// Who replicates a shard in one epoch. Changed only by compare-and-swap to `epoch + 1` (README, R7, R8).
struct replica_set {
    std::uint64_t epoch = 0;
    replica_id leader;
    std::vector<replica_id> voters; ///< The leader is one of them.
    std::vector<replica_id> learners;

    bool operator==(const replica_set&) const = default;
    [[nodiscard]] std::size_t majority() const { return voters.size() / 2 + 1; }
};

// ---- messages between replicas. All may be lost, repeated, reordered and late.

/// Leader to follower, and donor to candidate. The entries `prev.seq + 1 … prev.seq + count` travel beside it
/// and are all of `entry_epoch`. With `count` 0 it asks whether `prev` matches and carries the commit.
struct append {
    std::uint64_t epoch = 0; ///< Of the sender's leadership.
    position prev;
    std::uint64_t entry_epoch = 0;
    std::uint64_t count = 0;
    std::uint64_t commit = 0; ///< What the sender knows as committed.

    bool operator==(const append&) const = default;
    [[nodiscard]] std::uint64_t last_seq() const { return prev.seq + count; }
};

/// Splits off the first `count` entries, for a shell that sends in pieces. Cut only between commands: a
/// replica may be left with any piece, and the records of a command commit together or not at all.
[[nodiscard]] inline std::pair<append, append> cut(const append& whole, std::uint64_t count) {
    auto head = whole;
    auto rest = whole;
    head.count = count < whole.count ? count : whole.count;
    rest.count = whole.count - head.count;
    if (head.count > 0) {
        rest.prev = {head.last_seq(), whole.entry_epoch};
    }
    return {head, rest};
}

enum class verdict : std::uint8_t {
    durable,  ///< `at.seq` is fsynced and equal to the leader's log up to there.
    mismatch, ///< `prev` is not in the log; `at` is where the leader may try next.
    stale,    ///< The replica promised `at.epoch`, which is above the leader's.
};

/// Follower to leader.
struct ack {
    std::uint64_t epoch = 0; ///< Of the append.
    verdict answer = verdict::durable;
    position at;
    std::uint64_t refused_seq = 0; ///< `prev.seq` of the append that is refused.

    bool operator==(const ack&) const = default;
};

/// Candidate to replica: promise to accept nothing below `epoch`.
struct seal {
    std::uint64_t epoch = 0;
};

/// Replica to candidate, once promise and tail are fsynced.
struct sealed {
    std::uint64_t epoch = 0;   ///< Of the seal.
    std::uint64_t promise = 0; ///< Above `epoch`: the seal is refused.
    position tail;

    bool operator==(const sealed&) const = default;
    [[nodiscard]] bool granted() const { return promise == epoch; }
};

/// Candidate to the replica with the greatest tail: send what follows `after`.
struct pull {
    std::uint64_t epoch = 0;
    position after;

    bool operator==(const pull&) const = default;
};

/// Leader to the voter that is to lead after it: it has all there is, campaign now.
struct hand_over {
    std::uint64_t epoch = 0; ///< Of the sender's leadership.

    bool operator==(const hand_over&) const = default;
};

// ---- actions: what the shell has to do, in the order given.

/// Write as one atomic batch, after all earlier ones: drop the entries from `truncate_from`, add `first … last`,
/// set the promise. When it is fsynced, call `persisted(write)`.
struct persist {
    std::uint64_t write = 0; ///< Ascending; fsync of a later write covers the earlier ones.
    std::uint64_t first = 1; ///< With `last` below it there are no entries.
    std::uint64_t last = 0;
    std::uint64_t truncate_from = 0; ///< 0: nothing is dropped.
    std::uint64_t promise = 0;       ///< 0: unchanged.
    bool epoch_start = false;        ///< `first` is an epoch-start record: the shell makes it.

    bool operator==(const persist&) const = default;
    [[nodiscard]] bool has_entries() const { return first <= last; }
};

/// Sending may begin before the leader's own fsync. Not to send is the same as to lose: `resend` later.
struct send_append {
    replica_id to;
    append message;
};
struct send_ack {
    replica_id to;
    ack message;
};
struct send_sealed {
    replica_id to; ///< May be this replica itself.
    sealed message;
};
struct send_pull {
    replica_id to;
    pull message;
};
struct send_pulled {
    replica_id to;
    append message;
};

/// `first … last` are committed for ever: apply, reply, act.
struct committed {
    std::uint64_t first = 0;
    std::uint64_t last = 0;

    bool operator==(const committed&) const = default;
};

/// The log of the candidate of `epoch` has reached the greatest tail: it may `lead`.
struct caught_up {
    std::uint64_t epoch = 0;
};

/// `to` lacks entries that are trimmed here: send it a checkpoint, and let it start from there.
struct needs_checkpoint {
    replica_id to;
};

/// Some replica has promised a higher epoch. A hint to look at the register; what commits is still safe.
struct superseded {
    std::uint64_t epoch = 0;
};

/// A message was not accepted because no correct replica sends it. For the log.
struct refused {
    replica_id from;
    std::string reason;
};

/// The replica stops here, for ever: going on would lose a committed entry. End the process loudly.
struct halt {
    std::string reason;
};

// ---- actions of a `member` only

struct send_seal {
    replica_id to; ///< Never this replica itself.
    seal message;
};
struct send_hand_over {
    replica_id to;
    hand_over message;
};

/// Compare-and-swap the shard's register: `next` in the place of the set of epoch `over`. Answered with
/// `on_register_written` or `on_register_unknown`.
struct write_register {
    replica_set next;
    std::uint64_t over = 0; ///< 0: there is no register.
};

/// From now on this replica owns the shard: all that was ever committed is committed here.
struct owns {
    std::uint64_t epoch = 0;
};

/// It does no longer. What it proposed and was not told as committed may be, or not: the next owner knows.
struct deposed {
    std::uint64_t epoch = 0; ///< Of its ownership.
};

using action =
    std::variant<persist, send_append, send_ack, send_sealed, send_pull, send_pulled, committed, caught_up,
                 needs_checkpoint, superseded, refused, halt, send_seal, send_hand_over, write_register, owns, deposed>;

/// A buffer that the caller keeps and clears: inputs only add to it.
using actions = std::vector<action>;

} // namespace troupe::storage::replication
