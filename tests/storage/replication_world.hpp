#pragma once

// What replication_simulation.cpp is made of: disks, messages, nodes, randomness.

#include "storage/replication/member.hpp"
#include "tests/storage/replicas.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace troupe::storage::replication::simulated {

using test::id_of;
using test::index_of;
using test::require;

class random_source { // splitmix64
public:
    explicit random_source(std::uint64_t seed) : state_(seed) {}
    std::uint64_t below(std::uint64_t bound) {
        state_ += 0x9e3779b97f4a7c15;
        auto z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return (z ^ (z >> 31)) % bound;
    }
    std::uint64_t one_of(std::initializer_list<std::uint64_t> choices) {
        return choices.begin()[below(choices.size())];
    }
    bool percent(std::uint64_t chance) { return below(100) < chance; }

private:
    std::uint64_t state_;
};

struct entry {
    std::uint64_t epoch = 0;
    std::uint64_t payload = 0;
    bool operator==(const entry&) const = default;
};
using entries = std::vector<entry>;

struct appended {
    append message;
    entries body;
};
struct pulled {
    append message;
    entries body;
};
struct checkpoint {
    std::uint64_t epoch = 0;
    entries prefix;
};
/// What the register tells who watches it.
struct watched {
    replica_set set;
};
/// Its answer to a compare-and-swap, with what it holds.
struct swapped {
    std::uint64_t epoch = 0;
    bool applied = false;
    replica_set found;
};
struct envelope {
    std::size_t from = 0;
    std::size_t to = 0;
    std::variant<appended, ack, seal, sealed, pull, pulled, checkpoint, hand_over, write_register, swapped, watched>
        message;
};

struct disk {
    std::uint64_t promise = 0;
    std::uint64_t base = 0;
    std::uint64_t commit = 0; // Written without fsync.
    entries log;
};
struct pending_write {
    persist order;
    entries body;
};
struct node {
    disk stored;
    std::optional<member> self; // Empty while crashed.
    entries log;                // In memory.
    std::vector<pending_write> writes;
    replica_set led;
    std::uint64_t owns = 0;
};

inline void store(disk& d, const pending_write& w) {
    if (w.order.truncate_from != 0) {
        d.log.resize(w.order.truncate_from - 1);
    }
    if (w.order.has_entries()) {
        require(d.log.size() + 1 == w.order.first, "a write leaves a gap in the log");
        d.log.insert(d.log.end(), w.body.begin(), w.body.end());
    }
    d.promise = std::max(d.promise, w.order.promise);
}

inline log_outline outline_of(const disk& d) {
    log_outline out(d.base == 0 ? position{} : position{d.base, d.log[d.base - 1].epoch});
    for (auto seq = d.base; seq < d.log.size(); ++seq) {
        out.append(d.log[seq].epoch, 1);
    }
    return out;
}

/// What was committed in an epoch: by whom, up to where.
struct commits {
    std::size_t leader = 0;
    std::uint64_t commit = 0;
};

/// How the worlds differ: each seed draws its own, since some faults hide others.
struct rates {
    explicit rates(random_source& random)
        : sync(random.one_of({100, 260, 400})),
          propose(random.one_of({10, 60, 120})),
          crash(random.one_of({2, 10, 25})),
          fail_over(random.one_of({4, 10, 40})),
          change_set(random.one_of({0, 14, 28})),
          hand_over(random.one_of({0, 15, 40})),
          trim(random.one_of({0, 8, 8})) {}
    std::uint64_t sync, propose, crash, fail_over, change_set, hand_over, trim;
};

/// How often the simulation came to what it is there for.
struct coverage {
    std::size_t entries = 0;
    std::size_t epochs = 0;
    std::size_t truncations = 0;
    std::size_t pulls = 0;
    std::size_t checkpoints = 0;
    std::size_t changed_sets = 0;
    std::size_t hand_overs = 0;

    [[nodiscard]] std::string text() const {
        const auto of = [](std::size_t count, const char* what) { return std::to_string(count) + " " + what; };
        return of(entries, "entries committed in ") + of(epochs, "epochs, ") + of(truncations, "truncations, ") +
               of(pulls, "pulls, ") + of(checkpoints, "checkpoints, ") + of(changed_sets, "changes of the set, ") +
               of(hand_overs, "hand-overs");
    }
    /// Without all of it the simulation would prove nothing.
    void check(std::uint64_t seeds) const {
        if (seeds > 1) {
            BOOST_TEST(entries > 20 * seeds);
            BOOST_TEST(epochs > 2 * seeds);
            BOOST_TEST(truncations > seeds / 10);
            BOOST_TEST(pulls > seeds / 10);
            BOOST_TEST(checkpoints > seeds / 100);
            BOOST_TEST(changed_sets > seeds / 20);
            BOOST_TEST(hand_overs > seeds / 20);
        }
    }
    void add(const coverage& other) {
        entries += other.entries;
        epochs += other.epochs;
        truncations += other.truncations;
        pulls += other.pulls;
        checkpoints += other.checkpoints;
        changed_sets += other.changed_sets;
        hand_overs += other.hand_overs;
    }
};

} // namespace troupe::storage::replication::simulated
