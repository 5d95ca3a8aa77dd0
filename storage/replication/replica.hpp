#pragma once

#include "schemas/base/problem.hpp"
#include "storage/replication/messages.hpp"
#include "storage/replication/outline.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::storage::replication {

enum class replica_role : std::uint8_t {
    follower, ///< Accepts appends of its promise or above.
    sealed,   ///< Promised an epoch in this life and has heard of no leader yet: it may be the candidate.
    leader,
    halted, ///< Ignores everything.
};

/// What a replica's disk holds.
struct recovered_replica {
    replica_id self;
    std::uint64_t promise = 0;
    log_outline log;
    std::uint64_t commit = 0; ///< The highest seq known as committed; too low is safe.
};

/// The replication core of one shard at one replica: README.md has the protocol and the rules R1…R9.
///
/// Pure: no clock, no I/O, no thread; use it from one thread at a time. It deals in positions, the shell keeps the
/// entries. Each input adds to `out` what the shell has to do. At factor 1 nothing is sent, and `propose` and
/// `persisted` do not allocate once `out` has its capacity.
class replica {
public:
    /// `journal_damaged` when the parts cannot belong together.
    static expected<replica> recover(recovered_replica disk);

    // ---- writing, at the leader

    /// Starts the epoch: after this replica sealed itself for `set.epoch` in this life, and its log reached
    /// `greatest`. `conflict` otherwise; nothing changes then.
    expected<void> lead(const replica_set& set, position greatest, actions& out);

    /// Assigns `count` seqs, of which the first is returned. They are committed or lost together, if the shell
    /// cuts appends as `cut` says. `unavailable` when this is not the leader; `invalid_request` for 0.
    expected<position> propose(std::uint64_t count, actions& out);

    void on_ack(replica_id from, const ack& message, actions& out);

    /// Sends again all that `to` has not acknowledged: when a message is known to be lost, or credit returned.
    void resend(replica_id to, actions& out);

    /// To be called now and then: carries the commit to idle followers and finds what they miss.
    void beat(actions& out);

    // ---- following

    void on_append(replica_id from, const append& message, actions& out);

    // ---- fail-over

    /// Answered with `send_sealed` when the promise is durable.
    void on_seal(replica_id from, const seal& message, actions& out);

    /// At a candidate sealed for `epoch`: makes the log reach `greatest`, the tail of `donor`. Ends with `caught_up`.
    /// May be called again when an answer is lost; otherwise does nothing.
    void pull_from(std::uint64_t epoch, replica_id donor, position greatest, actions& out);
    void on_pull(replica_id from, const pull& message, actions& out);
    void on_pulled(replica_id from, const append& message, actions& out);

    // ---- checkpoints

    /// Whether a checkpoint of all entries up to `at`, which a replica took under the promise `epoch`, may take the
    /// place of this log. `conflict` says why not: it holds nothing new, or is late.
    [[nodiscard]] expected<void> may_install(std::uint64_t epoch, position at) const;

    /// The shell has put one in the place of the log: on disk is what it holds, with the promise `epoch`. Goes on from
    /// there. `conflict` as of `may_install`; not while a write is under way, asserted.
    expected<void> install(std::uint64_t epoch, log_outline log, actions& out);

    // ---- at every replica

    /// All writes up to `write` are fsynced.
    void persisted(std::uint64_t write, actions& out);

    /// The shell has dropped the entries up to `to`, which a checkpoint holds. False, and nothing changes, above
    /// the commit.
    [[nodiscard]] bool trim(std::uint64_t to);

    [[nodiscard]] replica_id self() const { return self_; }
    [[nodiscard]] replica_role role() const { return role_; }
    [[nodiscard]] std::uint64_t promise() const { return promise_; }
    [[nodiscard]] std::uint64_t durable() const { return durable_; }
    [[nodiscard]] std::uint64_t commit() const { return commit_; }
    [[nodiscard]] const log_outline& log() const { return log_; }

    /// True when an entry of the leader's own epoch is committed: only then may it change the set (R8) or serve.
    [[nodiscard]] bool active() const { return role_ == replica_role::leader && commit_ >= epoch_start_; }

    /// At the leader: how far `id` is known to be durable in this epoch; empty for strangers. A learner whose value
    /// reaches `commit()` may become a voter.
    [[nodiscard]] std::optional<std::uint64_t> durable_at(replica_id id) const;

private:
    struct peer {
        replica_id id;
        std::uint64_t next = 0;  // The first seq to send.
        std::uint64_t match = 0; // Durable there, in this epoch.
        bool votes = false;
        bool probing = true; // Not known to match at next - 1: one message at a time.
    };
    struct unsynced {
        std::uint64_t write = 0;
        std::uint64_t last = 0; // The log's end when the write is durable.
        std::uint64_t promise = 0;
    };
    enum class merged : std::uint8_t { nothing_new, changed, mismatch, halted };

    explicit replica(recovered_replica disk);

    merged merge(const append& message, std::uint64_t fixed, persist& into, actions& out);
    void truncate(std::uint64_t from);
    void write(persist what, actions& out);
    void send(peer& to, actions& out);
    void enter_epoch(replica_id leader, std::uint64_t epoch);
    void advance_leader(actions& out);
    void advance_follower(actions& out);
    void commit_up_to(std::uint64_t seq, actions& out);
    void acknowledge(actions& out);
    void answer_seal(actions& out);
    void on_mismatch(peer& p, const ack& message, actions& out);
    void stop(std::string reason, actions& out);
    [[nodiscard]] bool misses_trimmed(position at) const;
    [[nodiscard]] peer* find(replica_id id);

    replica_id self_;
    replica_role role_ = replica_role::follower;
    log_outline log_;
    std::uint64_t promise_ = 0;
    std::uint64_t durable_promise_ = 0;
    std::uint64_t durable_ = 0;
    std::uint64_t commit_ = 0;

    std::vector<unsynced> unsynced_; // Oldest first.
    std::uint64_t last_write_ = 0;

    // As leader.
    std::uint64_t epoch_start_ = 0; // Seq of the epoch-start record.
    std::size_t majority_ = 1;
    std::vector<peer> peers_;             // All but this replica.
    std::vector<std::uint64_t> durables_; // Scratch of advance_leader.

    // As follower.
    replica_id leader_;               // Of epoch promise_; nil while unknown.
    std::uint64_t verified_ = 0;      // Equal to the log of leader_ up to here.
    std::uint64_t leader_commit_ = 0; // The highest commit heard of.

    // Fail-over.
    replica_id sealer_; // Waits for the answer to its seal; nil: nobody.
    replica_id donor_;
    position greatest_;
};

struct seal_answer {
    replica_id from;
    sealed message;
};

/// The answer with the greatest tail among those that granted `epoch`, once they are a majority of the voters of
/// `old`, the set before the epoch (R7); empty before that.
[[nodiscard]] std::optional<seal_answer> greatest_tail(const replica_set& old, std::uint64_t epoch,
                                                       std::span<const seal_answer> answers);

} // namespace troupe::storage::replication
