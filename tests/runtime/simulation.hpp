#pragma once

#include "runtime/config/retention.hpp"
#include "runtime/entity/kind.hpp"
#include "tests/runtime/simulation_checker.hpp"
#include "tests/storage/simulated_disk.hpp"
#include "tests/storage/simulated_env.hpp"
#include "tests/temporary_directory.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::test {

/// A whole node and its clients in one thread: routers, entities, committer, outbox and timers on CAF's test scheduler,
/// the real journal on a simulated disk, and a clock of its own. What happens follows from the seed alone: commands,
/// the order in which actors run, crashes, cuts of power, failures of the disk.
class simulation {
public:
    /// `sealed`: contents are, with keys on a disk that no cut of power reaches. Nonces are no part of the seed.
    explicit simulation(std::uint64_t seed, bool sealed = false);
    simulation(const simulation&) = delete;
    ~simulation();

    /// Lives the whole story and then settles. What went wrong first, or nothing.
    std::optional<std::string> run();
    /// Of all that happened.
    [[nodiscard]] std::uint64_t trace() const { return trace_.value(); }

    /// What a story had in it: a simulation that never crashes proves nothing.
    struct statistics {
        std::uint64_t commands = 0;
        std::uint64_t acknowledged = 0;
        std::uint64_t restarts = 0;
        std::uint64_t cuts_in_work = 0; ///< In the middle of an operation of the disk.
        std::uint64_t disk_failures = 0;
        std::uint64_t ends_of_process = 0; ///< After a failure of the journal.
        std::uint64_t crashes = 0;         ///< Of entities.
        std::uint64_t events_cut = 0;      ///< By retention, from histories.
        std::uint64_t trimmed = 0;         ///< By retention, from logs.
        std::uint64_t full = 0;            ///< Commands refused for want of space.
        std::uint64_t set_clocks = 0;      ///< By hours, forwards and backwards.
        std::uint64_t performed = 0;       ///< Works, each as often as it was tried.
        std::uint64_t works_failed = 0;    ///< Of them.
    };
    [[nodiscard]] const statistics& counts() const { return counts_; }

private:
    struct life;
    static constexpr std::size_t operations_max = 250; ///< References to them stay good.

    // ---- what may happen
    void act();
    void send_new();
    void send_again();
    void send(client_operation& o, bool changed);
    void answered(std::size_t index, std::uint64_t life, bool changed, const runtime::reply& r);
    void acknowledged(client_operation& o, const runtime::outcome& r);
    void refused(client_operation& o, const problem& p);
    void look();
    void flush();
    void trouble();
    void set_clock();
    void arm(std::uint64_t operations_max);
    // ---- the machine
    bool step();
    bool work();
    std::vector<runtime::self_command> perform_work(const runtime::perform_effect& e, runtime::effect_context& ctx);
    void settle_actors();
    void pass(std::int64_t ms);
    /// The node is dead: what it says is not believed any more.
    [[nodiscard]] bool over() const { return ended_ || disk_.is_cut(); }
    void power_cycle();
    void boot(bool quiet);
    bool try_boot(bool quiet);
    void check(bool settled);
    void settle();
    [[nodiscard]] bool owes() const;
    void wrong(std::string what);

    temporary_directory directory_;
    std::filesystem::path before_ = std::filesystem::current_path();
    std::atomic<std::int64_t> now_ms_{1'700'000'000'000};
    std::int64_t clock_wrong_ms_ = 0; ///< The wall clock is off by so much: somebody set it.
    seeded_random random_;
    trace_hash trace_;
    simulated_disk disk_;
    simulated_env env_;
    runtime::kind_registry kinds_;
    simulation_checker checker_;
    std::vector<uuid> entities_;
    std::vector<client_operation> operations_;
    std::unique_ptr<life> life_;
    std::uint64_t life_number_ = 0;
    std::uint64_t failures_before_ = 0; ///< Of the disk, before this life.
    std::uint64_t shards_ = 1;
    std::uint64_t snapshot_events_ = 10;
    std::int64_t idle_ms_ = 1000;
    runtime::retention_policy retention_;
    const bool sealed_;
    unsigned crash_percent_ = 0;
    std::map<std::string, int> crashed_; ///< By command, in this life: never so often that it is set aside.
    bool ended_ = false;                 ///< The committer ended the process.
    statistics counts_;
    std::optional<std::string> wrong_;
};

} // namespace troupe::test
