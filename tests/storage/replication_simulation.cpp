// A seeded simulation of whole replica sets: lost, repeated, reordered and late messages, partitions, crashes that
// lose what is not fsynced, fail-overs, changes of the set, trimming. A failure prints its seed;
// TROUPE_SEED=<seed> runs that one again, TROUPE_SEEDS=<count> more of them.

#include "tests/seeds.hpp"
#include "tests/storage/replication_world.hpp"

#include "storage/replication/member.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe::storage::replication;
using namespace troupe::storage::replication::simulated;

namespace {

constexpr std::uint64_t steps = 1600;

class simulation {
public:
    simulation(std::uint64_t seed, std::size_t voters, std::size_t learners)
        : random_(seed), rates_(random_), nodes_(voters + learners) {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            (i < voters ? register_.voters : register_.learners).push_back(id_of(i));
        }
        register_.epoch = 1;
        register_.leader = id_of(0);
        previous_ = register_;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            start(i);
        }
    }

    void run() {
        for (std::uint64_t step = 0; step < steps; ++step) {
            disturb();
        }
        heal();
    }

    [[nodiscard]] coverage covered() const {
        auto all = covered_;
        all.entries = truth_.size();
        all.epochs = committers_.size();
        return all;
    }

private:
    // ---- one step

    void disturb() {
        const auto i = random_.below(nodes_.size());
        auto dice = random_.below(total_);
        const auto falls = [&](std::uint64_t weight) {
            const bool here = dice < weight;
            dice -= here ? 0 : weight;
            return here;
        };
        if (falls(540)) {
            deliver_any();
        } else if (falls(10)) {
            deliver_late();
        } else if (falls(rates_.sync)) {
            sync(i, 1 + random_.below(3));
        } else if (falls(rates_.propose)) {
            for_each_node(&simulation::propose);
        } else if (falls(35)) {
            beat(i);
        } else if (falls(rates_.crash)) {
            crash(i);
        } else if (falls(4 * rates_.crash)) {
            start(i);
        } else if (falls(8)) {
            partition();
        } else if (falls(rates_.fail_over)) {
            fail_over(i);
        } else if (falls(15)) {
            for_each_node(&simulation::tick);
        } else if (falls(10)) {
            give_up(i);
        } else if (falls(rates_.change_set)) {
            change_set(i);
        } else if (falls(rates_.hand_over)) {
            hand_over_to_any(i);
        } else {
            trim(i);
        }
    }

    void for_each_node(void (simulation::*step)(std::size_t)) {
        for (std::size_t n = 0; n < nodes_.size(); ++n) {
            (this->*step)(n);
        }
    }

    void propose(std::size_t i) {
        if (auto* self = live(i)) {
            if (self->can_propose()) {
                require(self->propose(1 + random_.below(3), out_).has_value(), "an owner accepts proposals");
            }
            perform(i);
        }
    }

    void beat(std::size_t i) {
        if (random_.percent(70)) {
            tick(i);
        } else if (auto* self = live(i)) {
            self->resend(id_of(random_.below(nodes_.size())), out_);
            perform(i);
        }
    }

    void sync(std::size_t i, std::uint64_t count) {
        auto& n = nodes_[i];
        if (!n.self || n.writes.empty()) {
            return;
        }
        const auto done =
            n.writes.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, n.writes.size()));
        std::for_each(n.writes.begin(), done, [&](const pending_write& w) { store(n.stored, w); });
        const auto write = std::prev(done)->order.write;
        n.writes.erase(n.writes.begin(), done);
        n.self->persisted(write, out_);
        perform(i);
    }

    void crash(std::size_t i) {
        auto& n = nodes_[i];
        if (!n.self) {
            return;
        }
        // Some of what was not fsynced may be there all the same.
        const auto survive = random_.below(n.writes.size() + 1);
        for (std::size_t w = 0; w < survive; ++w) {
            store(n.stored, n.writes[w]);
        }
        n.stored.commit -= random_.below(n.stored.commit - n.stored.base + 1);
        auto kept = std::move(n.stored);
        n = node{};
        n.stored = std::move(kept);
    }

    void start(std::size_t i) {
        auto& n = nodes_[i];
        if (n.self) {
            return;
        }
        n.log = n.stored.log;
        auto core = replica::recover({id_of(i), n.stored.promise, outline_of(n.stored), n.stored.commit});
        require(core.has_value(), "a replica recovers from its disk");
        n.self.emplace(std::move(*core));
        // What it reads of the register may be old by now.
        n.self->on_register(random_.percent(70) ? register_ : previous_, out_);
        perform(i);
    }

    void trim(std::size_t i) {
        auto& n = nodes_[i];
        if (n.self && n.stored.commit > n.stored.base) {
            n.stored.base += random_.below(n.stored.commit - n.stored.base) + 1;
            require(n.self->trim(n.stored.base), "what is committed may be trimmed");
        }
    }

    void partition() {
        cut_.clear();
        if (random_.percent(50)) {
            const auto alone = random_.below(nodes_.size());
            const bool one_way = random_.percent(30);
            const bool pair = random_.percent(50);
            for (std::size_t other = 0; other < nodes_.size(); ++other) {
                if (other != alone && !(pair && other == (alone + 1) % nodes_.size())) {
                    cut_.insert({alone, other});
                    if (!one_way) {
                        cut_.insert({other, alone});
                    }
                }
            }
        }
    }

    // ---- what a policy would want

    void fail_over(std::size_t i) {
        if (auto* self = live(i)) {
            static_cast<void>(self->campaign(out_)); // who is no voter, as far as it knows, is refused
            perform(i);
        }
    }

    void change_set(std::size_t i) {
        auto* self = live(i);
        if (self == nullptr || !self->can_propose()) {
            return;
        }
        auto voters = self->set().voters;
        auto learners = self->set().learners;
        if (!learners.empty() && random_.percent(60)) {
            const auto reached = self->core().durable_at(learners.front());
            if (!reached || *reached < self->core().commit()) {
                return;
            }
            voters.push_back(learners.front());
            learners.erase(learners.begin());
        } else {
            const auto gone = voters.begin() + static_cast<std::ptrdiff_t>(random_.below(voters.size()));
            if (*gone == id_of(i) || voters.size() <= 2) {
                return;
            }
            learners.push_back(*gone);
            voters.erase(gone);
        }
        require(self->change(std::move(voters), std::move(learners), out_).has_value(), "an owner changes the set");
        perform(i);
    }

    void hand_over_to_any(std::size_t i) {
        if (auto* self = live(i); self != nullptr && self->can_propose()) {
            covered_.hand_overs += self->hand_over_to(id_of(random_.below(nodes_.size())), out_) ? 1 : 0;
            perform(i);
        }
    }

    void tick(std::size_t i) {
        if (auto* self = live(i)) {
            self->tick(out_);
            perform(i);
        }
    }

    /// The answer of the register does not come.
    void give_up(std::size_t i) {
        if (auto* self = live(i)) {
            self->on_register_unknown(self->set().epoch + 1);
        }
    }

    // ---- the register

    [[nodiscard]] std::size_t the_register() const { return nodes_.size(); }

    void receive(std::size_t from, const write_register& m) {
        const bool applied = register_.epoch == m.over;
        if (applied) {
            previous_ = std::exchange(register_, m.next);
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                net_.push_back({the_register(), i, watched{register_}});
            }
        }
        net_.push_back({the_register(), from, swapped{m.next.epoch, applied, register_}});
    }
    void receive(std::size_t, std::size_t to, const swapped& m) {
        nodes_[to].self->on_register(m.found, out_);
        nodes_[to].self->on_register_written(m.epoch, m.applied, out_);
        perform(to);
    }
    void receive(std::size_t, std::size_t to, const watched& m) {
        nodes_[to].self->on_register(m.set, out_);
        perform(to);
    }

    /// Later epochs may have begun, and committed, already: this leader then commits nothing.
    void require_complete(const entries& log, std::uint64_t epoch) {
        const auto later = committers_.lower_bound(epoch);
        if (later != committers_.begin()) {
            const auto end = truth_.begin() + static_cast<std::ptrdiff_t>(std::prev(later)->second.commit);
            require(log.size() >= std::prev(later)->second.commit && std::equal(truth_.begin(), end, log.begin()),
                    "a new leader has all that earlier epochs committed");
        }
    }

    // ---- the net

    void deliver_any() {
        if (!net_.empty()) {
            // Mostly near the oldest, so that there is progress; at times anywhere.
            const auto window = random_.percent(80) ? std::min<std::size_t>(net_.size(), 4) : net_.size();
            deliver(random_.below(window), true);
        }
    }

    void deliver_late() {
        if (!late_.empty()) {
            std::swap(late_[random_.below(late_.size())], late_.back());
            net_.insert(net_.begin(), std::move(late_.back()));
            late_.pop_back();
        }
    }

    void deliver(std::size_t index, bool lossy) {
        auto mail = std::move(net_[index]);
        net_.erase(net_.begin() + static_cast<std::ptrdiff_t>(index));
        if (lossy && random_.percent(8)) {
            late_.push_back(mail); // Delivered now, or not, and again much later.
        }
        if (mail.to == the_register()) {
            if (!lossy || !random_.percent(5)) {
                receive(mail.from, std::get<write_register>(mail.message));
            }
            return;
        }
        if (!nodes_[mail.to].self || cut_.contains({mail.from, mail.to}) || (lossy && random_.percent(5))) {
            return;
        }
        std::visit(
            [&](const auto& m) {
                if constexpr (!std::is_same_v<std::decay_t<decltype(m)>, write_register>) {
                    receive(mail.from, mail.to, m);
                }
            },
            mail.message);
    }

    void receive(std::size_t from, std::size_t to, const appended& m) {
        nodes_[to].self->on_append(id_of(from), m.message, out_);
        perform(to, m.message.prev.seq, &m.body);
    }
    void receive(std::size_t from, std::size_t to, const pulled& m) {
        ++covered_.pulls;
        nodes_[to].self->on_pulled(id_of(from), m.message, out_);
        perform(to, m.message.prev.seq, &m.body);
    }
    void receive(std::size_t from, std::size_t to, const ack& m) {
        nodes_[to].self->on_ack(id_of(from), m, out_);
        perform(to);
    }
    void receive(std::size_t from, std::size_t to, const seal& m) {
        nodes_[to].self->on_seal(id_of(from), m, out_);
        perform(to);
    }
    void receive(std::size_t from, std::size_t to, const pull& m) {
        nodes_[to].self->on_pull(id_of(from), m, out_);
        perform(to);
    }
    void receive(std::size_t from, std::size_t to, const sealed& m) {
        nodes_[to].self->on_sealed(id_of(from), m, out_);
        perform(to);
    }
    void receive(std::size_t from, std::size_t to, const hand_over& m) {
        nodes_[to].self->on_hand_over(id_of(from), m, out_);
        perform(to);
    }
    /// The shell installs a checkpoint between its writes.
    void receive(std::size_t, std::size_t to, const checkpoint& m) {
        auto& n = nodes_[to];
        sync(to, n.writes.size());
        const position at{m.prefix.size(), m.prefix.back().epoch};
        if (!n.self->may_install(m.epoch, at)) {
            return;
        }
        ++covered_.checkpoints;
        const auto base = random_.below(at.seq + 1);
        n.stored = {std::max(n.stored.promise, m.epoch), base, at.seq, m.prefix};
        n.log = m.prefix;
        require(n.self->install(m.epoch, outline_of(n.stored), out_).has_value(), "what may be installed is");
        perform(to);
    }

    // ---- performing actions, and the checks

    void perform(std::size_t i, std::uint64_t prev_seq = 0, const entries* body = nullptr) {
        for (std::size_t a = 0; a < out_.size(); ++a) {
            const auto what = out_[a];
            std::visit([&](const auto& x) { act(i, x, prev_seq, body); }, what);
        }
        out_.clear();
        const auto& n = nodes_[i];
        const auto last = n.log.empty() ? position{} : position{n.log.size(), n.log.back().epoch};
        require(n.self->core().log().last() == last, "the outline is that of the log");
        require(n.self->core().commit() <= n.self->core().durable(), "what is committed is durable here");
        require((n.owns != 0) == n.self->is_owner(), "who owns has said so");
        require(!n.self->is_owner() || n.self->set().leader == id_of(i),
                "an owner is the leader of the register it knows");
    }

    void act(std::size_t i, const persist& order, std::uint64_t prev_seq, const entries* body) {
        auto& n = nodes_[i];
        pending_write w{order, {}};
        if (order.epoch_start) {
            covered_.changed_sets += n.led.epoch + 1 == n.self->set().epoch && n.led.voters != n.self->set().voters;
            n.led = n.self->set();
            require(n.led.epoch == n.self->core().promise(), "who leads knows the set of its epoch");
            require_complete(n.log, n.led.epoch);
        }
        if (order.truncate_from != 0) {
            require(order.truncate_from > n.stored.commit, "what is known as committed is never dropped");
            n.log.resize(order.truncate_from - 1);
            ++covered_.truncations;
        }
        for (auto seq = order.first; seq <= order.last; ++seq) {
            const bool own = order.epoch_start || body == nullptr; // a message that completes the log may make it lead
            w.body.push_back(own ? entry{n.self->core().promise(), ++payloads_} : body->at(seq - prev_seq - 1));
        }
        n.log.insert(n.log.end(), w.body.begin(), w.body.end());
        n.writes.push_back(std::move(w));
    }

    entries body_of(std::size_t i, const append& m) {
        const auto first = nodes_[i].log.begin() + static_cast<std::ptrdiff_t>(m.prev.seq);
        return {first, first + static_cast<std::ptrdiff_t>(m.count)};
    }
    void act(std::size_t i, const send_append& s, std::uint64_t, const entries*) {
        auto rest = s.message;
        while (rest.count > 2 && random_.percent(30)) { // In pieces, as a shell with little credit.
            const auto [head, tail] = cut(rest, 1 + random_.below(rest.count - 1));
            net_.push_back({i, index_of(s.to), appended{head, body_of(i, head)}});
            rest = tail;
        }
        net_.push_back({i, index_of(s.to), appended{rest, body_of(i, rest)}});
    }
    void act(std::size_t i, const send_pulled& s, std::uint64_t, const entries*) {
        net_.push_back({i, index_of(s.to), pulled{s.message, body_of(i, s.message)}});
    }
    void act(std::size_t i, const send_pull& s, std::uint64_t, const entries*) {
        net_.push_back({i, index_of(s.to), s.message});
    }
    void act(std::size_t i, const send_ack& s, std::uint64_t, const entries*) {
        const auto& n = nodes_[i];
        if (s.message.answer == verdict::durable) {
            require(s.message.epoch == n.stored.promise && s.message.epoch == n.self->core().promise(),
                    "a replica acknowledges only at its durable promise");
            const auto seq = s.message.at.seq;
            require(seq <= n.stored.log.size() && (seq == 0 || n.stored.log[seq - 1] == n.log[seq - 1]),
                    "a replica acknowledges only what is fsynced");
        }
        net_.push_back({i, index_of(s.to), s.message});
    }
    void act(std::size_t i, const send_sealed& s, std::uint64_t, const entries*) {
        const auto& n = nodes_[i];
        if (s.message.granted()) {
            require(n.stored.promise == s.message.epoch && n.stored.log == n.log,
                    "a seal is answered when promise and tail are fsynced");
        }
        net_.push_back({i, index_of(s.to), s.message});
    }
    void act(std::size_t i, const committed& c, std::uint64_t, const entries*) {
        auto& n = nodes_[i];
        const bool installed = c.last <= n.stored.commit; // and it may lead by now
        for (auto seq = c.first; seq <= c.last; ++seq) {
            const auto& e = n.log.at(seq - 1);
            if (seq <= truth_.size()) {
                require(truth_[seq - 1] == e, "a committed entry never changes");
                continue;
            }
            require(n.self->core().role() == replica_role::leader, "a leader commits before its followers know");
            truth_.push_back(e);
        }
        n.stored.commit = c.last;
        if (n.self->core().role() == replica_role::leader && !installed) {
            require(n.log.at(c.last - 1).epoch == n.self->core().promise(),
                    "earlier epochs commit only through an entry of the leader's own");
            auto& by = committers_.try_emplace(n.self->core().promise(), commits{i, 0}).first->second;
            require(by.leader == i, "one leader commits in an epoch");
            by.commit = c.last;
            const auto holders = std::count_if(n.led.voters.begin(), n.led.voters.end(), [&](replica_id v) {
                const auto& log = nodes_[index_of(v)].stored.log;
                return log.size() >= c.last && log[c.last - 1] == n.log[c.last - 1];
            });
            require(static_cast<std::size_t>(holders) >= n.led.majority(), "what commits is on a majority of disks");
        }
    }
    void act(std::size_t, const caught_up&, std::uint64_t, const entries*) {
        throw std::runtime_error("a member keeps to itself that it has caught up");
    }
    void act(std::size_t i, const send_seal& s, std::uint64_t, const entries*) { post(i, s.to, s.message); }
    void act(std::size_t i, const send_hand_over& s, std::uint64_t, const entries*) { post(i, s.to, s.message); }
    void act(std::size_t i, const write_register& w, std::uint64_t, const entries*) {
        net_.push_back({i, the_register(), w});
    }
    void act(std::size_t i, const owns& o, std::uint64_t, const entries*) {
        auto& n = nodes_[i];
        require(n.owns == 0 && o.epoch == n.self->core().promise(), "an owner leads its epoch");
        // Nobody can commit below it any more, and whoever is above has been heard of by a majority.
        require_complete(n.log, o.epoch);
        n.owns = o.epoch;
    }
    void act(std::size_t i, const deposed& d, std::uint64_t, const entries*) {
        require(std::exchange(nodes_[i].owns, 0) == d.epoch, "only an owner is deposed");
    }
    void act(std::size_t i, const needs_checkpoint& c, std::uint64_t, const entries*) {
        const auto& n = nodes_[i];
        const auto base = n.log.begin() + static_cast<std::ptrdiff_t>(n.stored.base);
        net_.push_back({i, index_of(c.to), checkpoint{n.self->core().promise(), {n.log.begin(), base}}});
    }
    void act(std::size_t, const superseded&, std::uint64_t, const entries*) {}
    void act(std::size_t, const refused& r, std::uint64_t, const entries*) { throw std::runtime_error(r.reason); }
    void act(std::size_t, const halt& h, std::uint64_t, const entries*) { throw std::runtime_error(h.reason); }

    // ---- the end: all is well again, so there must be progress

    void settle() {
        for (int round = 0; round < 10'000; ++round) {
            if (net_.empty() &&
                std::all_of(nodes_.begin(), nodes_.end(), [](const node& n) { return n.writes.empty(); })) {
                return;
            }
            if (!net_.empty()) {
                deliver(0, false);
            }
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                sync(i, nodes_[i].writes.size());
            }
        }
        throw std::runtime_error("messages between healthy replicas come to an end");
    }

    void heal() {
        cut_.clear();
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            start(i);
        }
        net_.insert(net_.end(), late_.begin(), late_.end());
        settle();
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            nodes_[i].self->on_register(register_, out_);
            give_up(i);
            tick(i);
        }
        settle();
        const auto leader = index_of(register_.voters[random_.below(register_.voters.size())]);
        auto& owner = nodes_[leader].self;
        // More than one try: a checkpoint starts the candidate again, and it then needs a new epoch.
        for (int attempt = 0; attempt < 3 && !owner->can_propose(); ++attempt) {
            fail_over(leader);
            settle();
            tick(leader);
            settle();
        }
        require(owner->can_propose() && owner->set() == register_, "healthy replicas get an owner");
        require(owner->propose(2, out_).has_value(), "an owner accepts proposals");
        perform(leader);
        for (int round = 0; round < 3; ++round) {
            settle();
            tick(leader);
        }
        settle();
        for (const auto& n : nodes_) {
            require(n.self->core().commit() == owner->core().log().last().seq, "healthy replicas commit all there is");
            require(n.log == truth_ && n.stored.log == truth_, "all logs become equal");
            require(n.self->is_owner() == (&n == &nodes_[leader]), "healthy replicas have one owner");
        }
    }

    member* live(std::size_t i) { return nodes_[i].self ? &*nodes_[i].self : nullptr; }
    void post(std::size_t from, replica_id to, auto message) { net_.push_back({from, index_of(to), message}); }

    random_source random_;
    rates rates_;
    std::uint64_t total_ = 540 + 10 + 35 + 8 + 15 + 10 + rates_.sync + rates_.propose + 5 * rates_.crash +
                           rates_.fail_over + rates_.change_set + rates_.hand_over + rates_.trim;
    std::vector<node> nodes_;
    replica_set register_; // What etcd holds.
    replica_set previous_;
    std::vector<envelope> net_;
    std::vector<envelope> late_;
    std::set<std::pair<std::size_t, std::size_t>> cut_; // (from, to)
    actions out_;
    coverage covered_;
    entries truth_;                               // All that was ever committed.
    std::map<std::uint64_t, commits> committers_; // By epoch.
    std::uint64_t payloads_ = 0;
};

void simulate(std::size_t voters, std::size_t learners, std::uint64_t wanted) {
    coverage all;
    const auto name = std::to_string(voters) + " voters and " + std::to_string(learners) + " learners";
    const auto seeds = troupe::test::each_seed(wanted, name, [&](std::uint64_t seed) {
        simulation world(seed, voters, learners);
        world.run();
        all.add(world.covered());
    });
    BOOST_TEST_MESSAGE(name << ", " << seeds << " seeds: " << all.text());
    all.check(seeds);
}

} // namespace

BOOST_AUTO_TEST_SUITE(replication_simulation)

BOOST_AUTO_TEST_CASE(three_replicas_lose_nothing_that_committed) { simulate(3, 0, 1200); }
BOOST_AUTO_TEST_CASE(three_replicas_and_a_learner_lose_nothing_that_committed) { simulate(3, 1, 1200); }
BOOST_AUTO_TEST_CASE(five_replicas_lose_nothing_that_committed) { simulate(5, 1, 500); }

BOOST_AUTO_TEST_SUITE_END()
