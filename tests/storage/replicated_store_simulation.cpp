// Whole stores that replicate each other, on simulated disks: frames are lost, repeated and late, powers are cut at any
// operation of a disk, shards change owners and sets. What the core does alone is in replication_simulation.cpp.
// A failure prints its seed; TROUPE_SEED=<seed> runs that one again, TROUPE_SEEDS=<count> more of them.

#include "storage/committer.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "tests/seeds.hpp"
#include "tests/storage/replicated_machine.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::storage;
using namespace troupe::storage::replication;
using namespace troupe::test;
using namespace troupe::test::replicated;

namespace {

constexpr std::size_t entities_a_shard = 2;
constexpr std::uint64_t steps = 1500;

class cluster {
public:
    cluster(std::uint64_t seed, std::size_t voters, std::size_t learners, std::size_t kept_bytes) : random_(seed) {
        for (std::size_t i = 0; i < voters + learners; ++i) {
            machines_.push_back(std::make_unique<machine>(i, seed * 1000, net_));
            machines_.back()->kept_bytes = kept_bytes;
        }
        for (auto& set : registers_) {
            set.epoch = 1;
            set.leader = id_of(random_.below(voters));
            for (std::size_t i = 0; i < machines_.size(); ++i) {
                (i < voters ? set.voters : set.learners).push_back(id_of(i));
            }
        }
        for (auto& m : machines_) {
            start(*m);
        }
        name_entities();
    }

    void run() {
        for (std::uint64_t step = 0; step < steps; ++step) {
            disturb();
        }
        heal();
    }

    [[nodiscard]] std::size_t committed() const { return answered_.size(); }
    [[nodiscard]] std::size_t unknown() const { return unknown_; }
    [[nodiscard]] std::size_t ownerships() const { return ownerships_; }
    [[nodiscard]] std::size_t installed() const { return installed_; }

private:
    void name_entities() {
        for (std::uint64_t number = 1; entities_.size() < shards * entities_a_shard; ++number) {
            entity_address a{system_organization, "counter", uuid()};
            std::memcpy(a.id.bytes.data(), &number, sizeof number);
            const auto shard = machines_.front()->kept->shard_of(a);
            if (std::ranges::count(entities_, shard, &std::pair<std::uint32_t, entity_address>::first) <
                static_cast<std::ptrdiff_t>(entities_a_shard)) {
                entities_.emplace_back(shard, a);
            }
        }
    }

    void disturb() {
        auto& m = *machines_[random_.below(machines_.size())];
        const auto shard = static_cast<std::uint32_t>(random_.below(shards));
        const auto dice = random_.below(1000);
        if (dice < 420) {
            deliver(true);
        } else if (dice < 700) {
            write(m);
        } else if (dice < 860) {
            work();
        } else if (dice < 910) {
            if (m.is_up()) {
                m.committer->tick(random_.chance(30));
            }
        } else if (dice < 930) {
            campaign(m, shard);
        } else if (dice < 945) {
            change(m, shard);
        } else if (dice < 955) {
            hand_over(m, shard);
        } else if (dice < 965) {
            m.disk.cut_after(random_.below(30), random_.chance(50) ? disk_end::power : disk_end::process);
        } else if (dice < 975) {
            partitioned_ = random_.chance(50) ? std::optional(random_.below(machines_.size())) : std::nullopt;
        } else if (dice < 985) {
            if (!m.is_up()) {
                start(m);
            }
        } else if (dice < 992) {
            deliver_checkpoint();
            install(m);
        } else {
            run_jobs(m);
            install(m);
        }
    }

    static void run_jobs(machine& m) {
        while (m.env.jobs() > 0) {
            m.env.run_job(0);
        }
    }

    void crash(machine& m) {
        m.disk.cut(random_.chance(50) ? disk_end::power : disk_end::process); // unless it is cut already
        run_jobs(m);
        m.stop();
        run_jobs(m);
    }

    void start(machine& m) {
        m.disk.disarm();
        m.start();
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            m.committer->logs().on_register(shard, registers_[shard]);
        }
    }

    // ---- clients

    void work() {
        const auto& [shard, a] = entities_[random_.below(entities_.size())];
        for (auto& m : machines_) {
            if (m->is_up() && m->committer->owns(shard) && random_.chance(80)) {
                submit(*m, shard, a);
            }
        }
    }

    void submit(machine& m, std::uint32_t shard, const entity_address& a) {
        const auto name = to_string(a);
        if (m.busy.contains(name)) {
            return;
        }
        if (!m.active.contains(name)) {
            auto activated = m.committer->activate(a);
            require(activated.has_value(), "an owner activates its entities");
            m.active[name] = *activated;
        }
        const auto& active = m.active[name];
        storage::append one;
        one.entity = a;
        one.activation = active.id;
        one.expected_version = active.version;
        const auto number = ++numbers_;
        const auto events = 1 + static_cast<std::uint32_t>(random_.below(3));
        for (std::uint32_t i = 0; i < events; ++i) {
            record r;
            r.entity = a;
            r.entity_seq = active.version + i + 1;
            r.command_id = "c" + std::to_string(number);
            r.index_in_batch = i;
            r.batch_size = events;
            r.type = "happened";
            r.time = {1'700'000'000'000 + static_cast<std::int64_t>(number)};
            r.payload = "{\"n\":" + std::to_string(number) + "}";
            one.records.push_back(std::move(r));
        }
        one.derived.puts.emplace_back(keys::entity(shard, keys::table::document, a), std::to_string(number));
        if (random_.chance(20)) {
            one.derived.deletes.push_back(keys::entity(shard, keys::table::owed, a));
        } else {
            one.derived.puts.emplace_back(keys::entity(shard, keys::table::owed, a), "");
        }
        m.busy.insert(name);
        m.committer->submit(std::move(one), number);
    }

    void settled(machine& m, const settled_append& done) {
        const auto name = to_string(done.what.entity);
        m.busy.erase(name);
        if (done.result) {
            require(
                answered_.emplace(done.ticket, std::pair(done.what.records.back().shard, done.result->last_seq)).second,
                "an append is answered once");
            m.active[name].version += done.what.records.size();
        } else {
            unknown_ += done.result.error().code == code::unknown_outcome ? 1 : 0;
            m.active.erase(name);
        }
    }

    // ---- the node's loop

    void write(machine& m) {
        if (!m.is_up()) {
            return;
        }
        const auto written = m.committer->write();
        if (m.disk.is_cut()) {
            crash(m);
            return;
        }
        require(written.has_value(), "a healthy node goes on: " + (written ? "" : written.error().detail));
        read(m);
        for (const auto& done : m.committer->take_settled()) {
            settled(m, done);
        }
        for (const auto& event : m.committer->take_events()) {
            note(m, event);
        }
        answer_registers(m);
    }

    /// As a feed does, that never goes back.
    static void read(machine& m) {
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            auto& seen = m.seen[shard];
            const auto done = read_log(*m.kept, shard, seen.size(), [&](record&& r) {
                seen.push_back(std::move(r));
                return true;
            });
            require(done.has_value(), "a log can be read at any time: " + (done ? "" : done.error().detail));
        }
    }

    void note(machine& m, const log_event& event) {
        if (const auto* wanted = std::get_if<register_wanted>(&event)) {
            m.asked.push_back(*wanted);
        } else if (const auto* change = std::get_if<ownership>(&event)) {
            ownerships_ += change->owned ? 1 : 0;
            const auto& logs = m.committer->logs();
            require(!change->owned || logs.applied(change->shard) >= logs.commit(change->shard),
                    "an owner has all that is committed in its tables");
        } else if (const auto* refused = std::get_if<peer_refused>(&event)) {
            throw std::runtime_error("a correct replica was refused: " + refused->reason);
        } else if (const auto* whole = std::get_if<checkpoint_wanted>(&event)) {
            take_checkpoint(m, whole->shard, index_of(whole->to));
        }
    }

    // ---- checkpoints: all pieces are there at once, and are installed when there is time

    void take_checkpoint(machine& m, std::uint32_t shard, std::size_t to) {
        auto source = m.committer->logs().take_checkpoint(shard);
        if (!source || parcels_.size() > 3) {
            return;
        }
        parcel one{to, source->head(), {}, {}};
        for (auto piece = source->next(300); !piece->empty(); piece = source->next(300)) {
            one.pieces.push_back(*piece);
        }
        one.sum = source->sum();
        parcels_.push_back(std::move(one));
    }

    void deliver_checkpoint() {
        if (parcels_.empty()) {
            return;
        }
        const auto one = std::move(parcels_.front());
        parcels_.pop_front();
        auto& m = *machines_[one.to];
        if (!m.is_up() || m.staged) {
            return;
        }
        auto staged = m.committer->logs().receive_checkpoint(one.head);
        bool whole = staged.has_value();
        for (const auto& piece : one.pieces) {
            whole = whole && staged->add(piece);
        }
        if (whole && staged->finish(one.sum)) {
            m.staged.emplace(std::move(*staged));
        }
    }

    void install(machine& m) {
        if (!m.is_up() || !m.staged) {
            return;
        }
        const auto done = m.committer->logs().install(*m.staged);
        if (!done || *done) {
            m.staged.reset();
            installed_ += done ? 1 : 0;
        }
    }

    void answer_registers(machine& m) {
        for (const auto& asked : std::exchange(m.asked, {})) {
            auto& now = registers_[asked.shard];
            const bool reached = !random_.chance(10);
            const bool applied = reached && now.epoch == asked.over;
            if (applied) {
                now = asked.next;
                for (std::size_t i = 0; i < machines_.size(); ++i) {
                    watches_.push_back({i, asked.shard, now});
                }
            }
            auto& logs = m.committer->logs();
            if (!reached || random_.chance(10)) {
                logs.on_register_unknown(asked.shard, asked.next.epoch);
            } else {
                logs.on_register(asked.shard, now);
                logs.on_register_written(asked.shard, asked.next.epoch, applied);
            }
        }
    }

    // ---- what a policy would want

    void campaign(machine& m, std::uint32_t shard) {
        if (m.is_up()) {
            static_cast<void>(m.committer->logs().campaign(shard));
        }
    }

    void change(machine& m, std::uint32_t shard) {
        if (!m.is_up() || !m.committer->logs().takes(shard)) {
            return;
        }
        const auto& self = m.committer->logs().of(shard);
        auto voters = self.set().voters;
        auto learners = self.set().learners;
        if (!learners.empty() && random_.chance(60)) {
            if (self.core().durable_at(learners.front()).value_or(0) < self.core().commit()) {
                return;
            }
            voters.push_back(learners.front());
            learners.erase(learners.begin());
        } else {
            const auto gone = voters.begin() + static_cast<std::ptrdiff_t>(random_.below(voters.size()));
            if (*gone == id_of(m.index) || voters.size() <= 2) {
                return;
            }
            learners.push_back(*gone);
            voters.erase(gone);
        }
        static_cast<void>(m.committer->logs().change(shard, voters, learners));
    }

    void hand_over(machine& m, std::uint32_t shard) {
        if (m.is_up()) {
            m.committer->hand_over(shard, id_of(random_.below(machines_.size())));
        }
    }

    // ---- the net

    void deliver(bool lossy) {
        if (!watches_.empty() && random_.chance(30)) {
            const auto w = watches_.front();
            watches_.pop_front();
            if (machines_[w.to]->is_up()) {
                machines_[w.to]->committer->logs().on_register(w.shard, w.set);
            }
        }
        if (net_.empty()) {
            return;
        }
        const auto window = lossy && random_.chance(20) ? net_.size() : std::min<std::size_t>(net_.size(), 3);
        const auto at = net_.begin() + static_cast<std::ptrdiff_t>(lossy ? random_.below(window) : 0);
        const auto mail = *at;
        if (!lossy || !random_.chance(5)) { // else it comes again
            net_.erase(at);
        }
        const bool cut = lossy && (partitioned_ == mail.from || partitioned_ == mail.to || random_.chance(4));
        if (!cut && machines_[mail.to]->is_up()) {
            machines_[mail.to]->committer->logs().on_frame(id_of(mail.from), mail.bytes);
        }
    }

    // ---- the end

    void settle_all() {
        for (int round = 0; round < 20'000; ++round) {
            if (net_.empty() && watches_.empty() && round % 100 == 99) {
                return;
            }
            deliver(false);
            for (auto& m : machines_) {
                write(*m);
            }
        }
        throw std::runtime_error("messages between healthy nodes come to an end");
    }

    void heal() {
        partitioned_.reset();
        for (auto& m : machines_) {
            if (m->disk.is_cut() && m->is_up()) {
                crash(*m);
            }
            m->disk.disarm();
            if (!m->is_up()) {
                start(*m);
            }
        }
        settle_all();
        for (std::uint32_t shard = 0; shard < shards; ++shard) {
            own(shard);
            // Longer than a hand-over may hold up what was submitted.
            for (int round = 0; round < 26; ++round) {
                for (auto& m : machines_) {
                    m->committer->logs().on_register(shard, registers_[shard]);
                    m->committer->tick(true);
                }
                settle_all();
                bring_checkpoints();
            }
            compare(shard);
        }
    }

    void bring_checkpoints() {
        while (!parcels_.empty()) {
            deliver_checkpoint();
            for (auto& m : machines_) {
                install(*m);
                run_jobs(*m);
                install(*m);
            }
        }
    }

    void own(std::uint32_t shard) {
        for (int attempt = 0; attempt < 10; ++attempt) {
            auto& m = *machines_[index_of(registers_[shard].voters.front())];
            if (m.committer->logs().takes(shard)) {
                return;
            }
            m.committer->logs().on_register(shard, registers_[shard]);
            campaign(m, shard);
            for (int round = 0; round < 3; ++round) {
                settle_all();
                bring_checkpoints();
                m.committer->tick(true);
            }
        }
        throw std::runtime_error("healthy nodes get an owner");
    }

    void compare(std::uint32_t shard) const {
        const auto& first = *machines_.front();
        const auto truth = log_of(*first.kept, shard);
        const auto rows = rows_of(*first.kept, shard);
        for (const auto& m : machines_) {
            require(log_of(*m->kept, shard) == truth, "all logs become equal");
            require(rows_of(*m->kept, shard) == rows, "all tables become equal");
            require(m->seen[shard] == truth, "what readers have seen stays, and they see all of it");
        }
        require_histories(truth);
        std::map<std::string, std::string> newest;
        for (const auto& r : truth) {
            if (r.entity_seq > 0) {
                newest[keys::entity(shard, keys::table::document, r.entity)] = r.command_id.substr(1);
            }
        }
        for (const auto& [ticket, place] : answered_) {
            if (place.first == shard) {
                require(place.second <= truth.size() &&
                            truth[place.second - 1].command_id == "c" + std::to_string(ticket),
                        "what was answered stands where it was said to");
            }
        }
        for (const auto& [key, number] : newest) {
            require(rows.contains(key) && rows.at(key) == number, "tables follow from the last record");
        }
        const auto verified = verify_journal(*first.kept, [](std::uint64_t) {});
        require(!verified.first_bad, "the journal verifies: " + (verified.first_bad ? verified.first_bad->detail : ""));
    }

    seeded_random random_;
    std::deque<frame> net_;
    std::deque<watched> watches_;
    std::deque<parcel> parcels_;
    std::vector<std::unique_ptr<machine>> machines_;
    std::array<replica_set, shards> registers_;
    std::vector<std::pair<std::uint32_t, entity_address>> entities_;
    std::optional<std::size_t> partitioned_;
    std::map<std::uint64_t, std::pair<std::uint32_t, std::uint64_t>> answered_; ///< Where each append stands.
    std::uint64_t numbers_ = 0;
    std::size_t unknown_ = 0;
    std::size_t ownerships_ = 0;
    std::size_t installed_ = 0;
};

constexpr std::size_t all_groups = 16 << 20;
constexpr std::size_t few_groups = 200;

void simulate(std::size_t voters, std::size_t learners, std::size_t kept_bytes, std::uint64_t wanted) {
    std::size_t installed = 0;
    std::size_t committed = 0;
    std::size_t unknown = 0;
    std::size_t ownerships = 0;
    const auto name = std::to_string(voters) + " voters and " + std::to_string(learners) + " learners" +
                      (kept_bytes == few_groups ? ", few groups kept" : "");
    const auto seeds = each_seed(wanted, name, [&](std::uint64_t seed) {
        cluster world(seed, voters, learners, kept_bytes);
        world.run();
        committed += world.committed();
        unknown += world.unknown();
        ownerships += world.ownerships();
        installed += world.installed();
    });
    BOOST_TEST_MESSAGE(voters << " voters, " << learners << " learners, " << seeds << " seeds: " << committed
                              << " appends committed, " << unknown << " unknown, " << ownerships << " owners, "
                              << installed << " checkpoints");
    if (seeds > 1) { // otherwise it would prove nothing
        BOOST_TEST(committed > 6 * seeds);
        BOOST_TEST(unknown > seeds / 2);
        BOOST_TEST(ownerships > 3 * seeds);
        BOOST_TEST((kept_bytes == all_groups ? installed == 0 : installed > seeds / 2));
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(replicated_stores)

BOOST_AUTO_TEST_CASE(three_stores_lose_nothing_that_was_answered) { simulate(3, 0, all_groups, 25); }
BOOST_AUTO_TEST_CASE(three_stores_and_a_learner_lose_nothing_that_was_answered) { simulate(3, 1, all_groups, 25); }
BOOST_AUTO_TEST_CASE(stores_that_keep_few_groups_lose_nothing_that_was_answered) { simulate(3, 1, few_groups, 25); }

BOOST_AUTO_TEST_SUITE_END()
