#pragma once

#include "schemas/base/problem.hpp"
#include "storage/replication/messages.hpp"
#include "storage/replication/replica.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace troupe::storage::replication {

/// A replica of one shard, with what it knows of the shard's register and how it comes to lead: the steps of fail-over,
/// of changes of the set and of hand-overs (README.md; R7 and R8 are kept here). What *should* happen (who campaigns,
/// which set is wanted) is for a policy above to say.
///
/// Pure, as `replica` is; use it from one thread at a time. Nothing is sent to this replica itself.
class member {
public:
    /// A `patient` one that is alone in its set begins its epoch only with the first proposal, so that a start writes
    /// nothing to shards that nobody writes to. It owns them all the same.
    explicit member(replica core, bool patient = false) : core_(std::move(core)), patient_(patient) {}

    // ---- the register

    /// What the register holds, as watched or read. Older ones than the one that is known are ignored.
    void on_register(const replica_set& now, actions& out);

    /// `write_register` for `epoch` was applied, or certainly never will be because another one was: call `on_register`
    /// with that one first.
    void on_register_written(std::uint64_t epoch, bool applied, actions& out);
    /// Nobody knows, or it was not tried: `tick` tries again.
    void on_register_unknown(std::uint64_t epoch);

    // ---- what the policy wants

    /// Takes the shard, with the set as it is. `conflict` for who is no voter, or while it is at it already.
    expected<void> campaign(actions& out);

    /// Makes the first register of a shard that has none: this replica alone, above all it has promised.
    expected<void> create(actions& out);

    /// Changes the set by one replica. `conflict` unless this replica can propose, or for another change than adding a
    /// learner, making one a voter, or dropping one that is not the leader.
    expected<void> change(std::vector<replica_id> voters, std::vector<replica_id> learners, actions& out);

    /// Asks a voter to lead instead. To be called when nothing is proposed any more: it has to have all of the log.
    /// `conflict` otherwise. It is deposed at once: the next owner may be at work before this one hears of it. When
    /// nobody takes the shard for some ticks, it may campaign again.
    expected<void> hand_over_to(replica_id to, actions& out);

    // ---- writing

    /// As `replica::propose`; `unavailable` unless `can_propose()`.
    expected<position> propose(std::uint64_t count, actions& out);
    /// Begins the epoch of a patient owner; nothing for others.
    void settle_epoch(actions& out);

    // ---- checkpoints

    /// As of `replica`; an owner, which has all there is, takes none.
    [[nodiscard]] expected<void> may_install(std::uint64_t epoch, position at) const;
    expected<void> install(std::uint64_t epoch, log_outline log, actions& out);

    // ---- messages, finished writes and time

    void on_append(replica_id from, const append& message, actions& out);
    void on_ack(replica_id from, const ack& message, actions& out);
    void on_seal(replica_id from, const seal& message, actions& out);
    void on_sealed(replica_id from, const sealed& message, actions& out);
    void on_pull(replica_id from, const pull& message, actions& out);
    void on_pulled(replica_id from, const append& message, actions& out);
    void on_hand_over(replica_id from, const hand_over& message, actions& out);
    void persisted(std::uint64_t write, actions& out);

    /// Sends again what may be lost. To be called now and then, while anything is going on.
    void tick(actions& out);
    /// At an owner: tells the others how far the log is committed, and what they lack.
    void announce(actions& out) { core_.beat(out); }
    /// As `replica::resend`.
    void resend(replica_id to, actions& out);

    /// As `replica::trim`.
    [[nodiscard]] bool trim(std::uint64_t to) { return core_.trim(to); }

    [[nodiscard]] const replica& core() const { return core_; }
    /// Epoch 0: there is none yet.
    [[nodiscard]] const replica_set& set() const { return register_; }

    /// Between `owns` and `deposed`.
    [[nodiscard]] bool is_owner() const { return owned_ != 0; }
    /// An owner cannot while it changes the set: what comes then has to wait.
    [[nodiscard]] bool can_propose() const;
    /// On its way to lead, or waits for somebody whom it asked to.
    [[nodiscard]] bool is_candidate() const { return (candidate_ && !waits_) || yields_ > 0; }

private:
    struct candidacy {
        replica_set old;
        replica_set next;
        std::uint64_t over = 0; ///< The epoch of the register before.
        bool asked = true;      ///< A `write_register` is under way.
        bool written = false;
        std::vector<seal_answer> answers;
    };

    void stand(replica_set old, replica_set next, actions& out);
    void seal_all(actions& out);
    void catch_up(actions& out);
    void lead(actions& out);
    void settle(std::size_t from, actions& out);
    [[nodiscard]] bool votes(replica_id id) const;
    [[nodiscard]] bool is_alone() const;

    replica core_;
    replica_set register_;
    std::optional<candidacy> candidate_;
    std::uint64_t owned_ = 0; ///< The epoch of `owns`; it stays when the set changes.
    bool patient_ = false;
    bool waits_ = false; ///< Might lead at once, and does with the first proposal.
    std::uint64_t given_up_ =
        0;                     ///< An epoch that it handed over: whether somebody is at work above it, it cannot know.
    std::uint32_t yields_ = 0; ///< For so many ticks it leaves the shard to another.
    replica_id yields_to_;
};

} // namespace troupe::storage::replication
