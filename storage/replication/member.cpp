#include "storage/replication/member.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace troupe::storage::replication {

namespace {

/// After a hand-over that came to nothing.
constexpr std::uint32_t yield_ticks = 20;

bool holds(const std::vector<replica_id>& ids, replica_id id) { return std::ranges::find(ids, id) != ids.end(); }

/// Those of `a` that are not in `b`.
std::size_t missing(const std::vector<replica_id>& a, const std::vector<replica_id>& b) {
    return static_cast<std::size_t>(std::ranges::count_if(a, [&](replica_id id) { return !holds(b, id); }));
}

/// R8: majorities of both sets have a replica in common.
bool is_one_step(const replica_set& from, const std::vector<replica_id>& voters,
                 const std::vector<replica_id>& learners) {
    const auto changed = missing(voters, from.voters) + missing(from.voters, voters);
    const bool learned =
        std::ranges::all_of(voters, [&](replica_id id) { return holds(from.voters, id) || holds(from.learners, id); });
    const bool apart = std::ranges::none_of(learners, [&](replica_id id) { return holds(voters, id); });
    return changed <= 1 && learned && apart && holds(voters, from.leader);
}

} // namespace

bool member::votes(replica_id id) const { return holds(register_.voters, id); }

bool member::is_alone() const { return register_.voters.size() == 1 && register_.learners.empty(); }

bool member::can_propose() const {
    if (!is_owner() || core_.promise() != register_.epoch) {
        return false;
    }
    // Who is alone need not wait until its epoch has begun on disk: both are one write.
    const bool leads = core_.role() == replica_role::leader && (core_.active() || is_alone());
    return waits_ || (leads && !candidate_);
}

// ---- the register

void member::on_register(const replica_set& now, actions& out) {
    if (now.epoch <= register_.epoch) {
        return;
    }
    const auto begin = out.size();
    register_ = now;
    yields_ = 0;
    if (candidate_ && candidate_->next == now) {
        candidate_->written = true; // the answer was lost
        seal_all(out);
    } else if (candidate_ && candidate_->next.epoch <= now.epoch) {
        candidate_.reset();
    }
    settle(begin, out);
}

void member::on_register_written(std::uint64_t epoch, bool applied, actions& out) {
    if (!candidate_ || candidate_->next.epoch != epoch || candidate_->written) {
        return;
    }
    if (applied) {
        on_register(replica_set(candidate_->next), out);
    } else {
        candidate_.reset(); // somebody was faster: `on_register` tells who
    }
}

void member::on_register_unknown(std::uint64_t epoch) {
    if (candidate_ && candidate_->next.epoch == epoch) {
        candidate_->asked = false;
    }
}

// ---- what the policy wants

void member::stand(replica_set old, replica_set next, actions& out) {
    candidate_ = candidacy{.old = std::move(old), .next = std::move(next), .over = register_.epoch, .answers = {}};
    out.push_back(write_register{candidate_->next, candidate_->over});
}

expected<void> member::campaign(actions& out) {
    if (!votes(core_.self()) || candidate_ || core_.role() == replica_role::halted) {
        return problem{code::conflict, "this replica is no voter of the shard, or is about to lead it already"};
    }
    stand(register_, {register_.epoch + 1, core_.self(), register_.voters, register_.learners}, out);
    return {};
}

expected<void> member::create(actions& out) {
    if (register_.epoch != 0 || candidate_) {
        return problem{code::conflict, "the shard has a register already"};
    }
    // Nobody else has ever heard of an epoch of this shard.
    const std::vector<replica_id> alone{core_.self()};
    stand({core_.promise(), core_.self(), alone, {}}, {core_.promise() + 1, core_.self(), alone, {}}, out);
    return {};
}

expected<void> member::change(std::vector<replica_id> voters, std::vector<replica_id> learners, actions& out) {
    if (!can_propose()) {
        return problem{code::conflict, "only the active owner of a shard changes its set, one step at a time"};
    }
    if (!is_one_step(register_, voters, learners)) {
        return problem{code::conflict, "a set changes by one voter at a time, which was a learner before"};
    }
    stand(register_, {register_.epoch + 1, core_.self(), std::move(voters), std::move(learners)}, out);
    return {};
}

expected<void> member::hand_over_to(replica_id to, actions& out) {
    const auto reached = core_.durable_at(to);
    if (!can_propose() || !votes(to) || to == core_.self() || reached != core_.log().last().seq) {
        return problem{code::conflict,
                       "a shard is handed over by its active owner, to a voter that has all of the log"};
    }
    yields_to_ = to;
    yields_ = yield_ticks;
    given_up_ = core_.promise();
    out.push_back(send_hand_over{to, {given_up_}});
    out.push_back(deposed{std::exchange(owned_, 0)});
    return {};
}

void member::on_hand_over(replica_id from, const hand_over& message, actions& out) {
    if (from == register_.leader && message.epoch == register_.epoch && !candidate_) {
        static_cast<void>(campaign(out)); // who is no voter stays where it is: the owner goes on
    }
}

// ---- the way to lead

void member::seal_all(actions& out) {
    const seal message{candidate_->next.epoch};
    for (const auto& voter : candidate_->old.voters) {
        const bool answered = std::ranges::any_of(candidate_->answers, [&](const auto& a) { return a.from == voter; });
        if (voter != core_.self() && !answered) {
            out.push_back(send_seal{voter, message});
        }
    }
    core_.on_seal(core_.self(), message, out);
    if (core_.promise() == message.epoch && core_.role() != replica_role::sealed) {
        candidate_.reset(); // the promise is of an earlier life, which may have led: a later epoch is needed (R6)
    }
}

void member::catch_up(actions& out) {
    if (!candidate_) {
        return;
    }
    if (const auto greatest = greatest_tail(candidate_->old, candidate_->next.epoch, candidate_->answers)) {
        core_.pull_from(candidate_->next.epoch, greatest->from, greatest->message.tail, out);
    }
}

void member::lead(actions& out) {
    const auto greatest = greatest_tail(candidate_->old, candidate_->next.epoch, candidate_->answers);
    const bool alone = candidate_->next.voters.size() == 1 && candidate_->next.learners.empty();
    if (greatest && patient_ && alone && core_.role() == replica_role::sealed) {
        waits_ = true;
    } else if (greatest && core_.lead(candidate_->next, greatest->message.tail, out)) {
        candidate_.reset();
    } // else its own seal is not durable yet: `tick` tries again
}

void member::on_sealed(replica_id from, const sealed& message, actions& out) {
    if (!candidate_ || candidate_->next.epoch != message.epoch) {
        return;
    }
    const auto begin = out.size();
    if (!message.granted()) {
        out.push_back(superseded{message.promise});
    } else {
        candidate_->answers.push_back({from, message});
        catch_up(out);
    }
    settle(begin, out);
}

/// Takes out of the actions from `from` on what is this member's own business, and says who owns the shard.
void member::settle(std::size_t from, actions& out) {
    for (auto i = from; i < out.size();) {
        const auto* answer = std::get_if<send_sealed>(&out[i]);
        const auto* reached = std::get_if<caught_up>(&out[i]);
        if (answer && answer->to == core_.self()) {
            const auto own = answer->message;
            out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
            if (candidate_ && candidate_->next.epoch == own.epoch && own.granted()) {
                candidate_->answers.push_back({core_.self(), own});
                catch_up(out);
            }
        } else if (reached) {
            const bool mine = candidate_ && candidate_->next.epoch == reached->epoch;
            out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
            if (mine) {
                lead(out);
            }
        } else {
            ++i;
        }
    }
    if (candidate_ && candidate_->written && core_.promise() > candidate_->next.epoch) {
        candidate_.reset(); // a later one is under way
    }
    waits_ = waits_ && candidate_;
    const bool leader_elsewhere =
        register_.leader != core_.self() || core_.promise() > register_.epoch || core_.role() == replica_role::halted;
    if (owned_ != 0 && leader_elsewhere) {
        out.push_back(deposed{std::exchange(owned_, 0)});
    } else if (owned_ == 0 && core_.promise() != given_up_ && !leader_elsewhere && (waits_ || core_.active()) &&
               core_.promise() == register_.epoch) {
        owned_ = core_.promise();
        out.push_back(owns{owned_});
    }
}

// ---- checkpoints

expected<void> member::may_install(std::uint64_t epoch, position at) const {
    if (is_owner()) {
        return problem{code::conflict, "this replica owns the shard"};
    }
    return core_.may_install(epoch, at);
}

expected<void> member::install(std::uint64_t epoch, log_outline log, actions& out) {
    if (auto may = may_install(epoch, log.last()); !may) {
        return may;
    }
    const auto begin = out.size();
    auto done = core_.install(epoch, std::move(log), out);
    settle(begin, out);
    return done;
}

// ---- the rest goes to the core

void member::settle_epoch(actions& out) {
    if (std::exchange(waits_, false)) {
        const auto greatest = core_.log().last();
        static_cast<void>(core_.lead(std::exchange(candidate_, std::nullopt)->next, greatest, out));
    }
}

expected<position> member::propose(std::uint64_t count, actions& out) {
    if (!can_propose()) {
        return problem{code::unavailable, "this replica does not own the shard now; ask again in a moment", {}, 1};
    }
    settle_epoch(out);
    return core_.propose(count, out);
}

void member::on_append(replica_id from, const append& message, actions& out) {
    const auto begin = out.size();
    core_.on_append(from, message, out);
    settle(begin, out);
}

void member::on_ack(replica_id from, const ack& message, actions& out) {
    const auto begin = out.size();
    core_.on_ack(from, message, out);
    settle(begin, out);
}

void member::on_seal(replica_id from, const seal& message, actions& out) {
    const auto begin = out.size();
    core_.on_seal(from, message, out);
    settle(begin, out);
}

void member::on_pull(replica_id from, const pull& message, actions& out) { core_.on_pull(from, message, out); }

void member::on_pulled(replica_id from, const append& message, actions& out) {
    const auto begin = out.size();
    core_.on_pulled(from, message, out);
    settle(begin, out);
}

void member::persisted(std::uint64_t write, actions& out) {
    const auto begin = out.size();
    core_.persisted(write, out);
    settle(begin, out);
}

void member::tick(actions& out) {
    const auto begin = out.size();
    if (yields_ > 0 && --yields_ > 0) { // it may be lost, or the other one may not have heard of this epoch
        out.push_back(send_hand_over{yields_to_, {given_up_}});
    }
    if (candidate_ && candidate_->written) {
        seal_all(out);
        catch_up(out);
    } else if (candidate_ && !std::exchange(candidate_->asked, true)) {
        out.push_back(write_register{candidate_->next, candidate_->over});
    }
    core_.beat(out);
    settle(begin, out);
}

void member::resend(replica_id to, actions& out) { core_.resend(to, out); }

} // namespace troupe::storage::replication
