#include "tests/runtime/simulation.hpp"

#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"
#include "storage/rocks.hpp"
#include "storage/views.hpp"
#include "tests/runtime/simulation_life.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::test {

namespace {

constexpr int steps_max = 1'500; ///< Of all actors without time passing.

} // namespace

simulation::simulation(std::uint64_t seed, bool sealed)
    : random_(seed), disk_(seed ^ 0x5eed, std::string(simulated_folder)), env_(disk_, now_ms_), sealed_(sealed) {
    std::filesystem::current_path(directory_.path);
    std::filesystem::create_directory(simulated_folder);
    use_virtual_time(&now_ms_);
    (void)set_log_levels("off"); // crashes are meant
    kinds_.emplace(ledger_model::kind, runtime::make_kind<ledger_model>(
                                           [this](const runtime::perform_effect& e, const ledger_state&,
                                                  runtime::effect_context& ctx) { return perform_work(e, ctx); }));
    shards_ = 1 + random_.below(4);
    snapshot_events_ = 3 + random_.below(12);
    idle_ms_ = random_.chance(50) ? 0 : 3000;
    if (random_.chance(60)) {
        retention_.log_ms = random_.chance(70) ? 1 + static_cast<std::int64_t>(random_.below(20'000)) : 0;
        retention_.history_ms = random_.chance(80) ? 1 + static_cast<std::int64_t>(random_.below(20'000)) : 0;
    }
    storage::identity who;
    who.replica = random_id(random_);
    who.default_organization = random_id(random_);
    who.shards = static_cast<std::uint32_t>(shards_);
    who.hash_seed = random_.next();
    who.created_at = {now_ms_};
    std::ofstream(std::filesystem::path(simulated_folder) / "identity.json") << to_json(who);
    for (auto count = 2 + random_.below(5); count > 0; --count) {
        entities_.push_back(random_id(random_));
    }
    operations_.reserve(operations_max);
    decision_crashes() = [this](std::string_view command) {
        const bool crash = crash_percent_ > 0 && random_.chance(crash_percent_) &&
                           ++crashed_[std::string(command)] < limits::poison_crashes;
        counts_.crashes += crash ? 1 : 0;
        return crash;
    };
}

simulation::~simulation() {
    ++life_number_;
    life_.reset();
    decision_crashes() = {};
    use_virtual_time(nullptr);
    (void)set_log_levels("info");
    std::filesystem::current_path(before_);
}

void simulation::wrong(std::string what) {
    if (!wrong_) {
        wrong_ = std::move(what);
    }
}

// ---- the machine

/// Lets one actor work on one message; which one is chance. False when there is nothing to do, or nobody to do it.
bool simulation::step() {
    auto& jobs = life_->scheduler().jobs;
    if (over() || jobs.empty()) {
        return false;
    }
    std::swap(jobs.front(), jobs[random_.below(jobs.size())]);
    return life_->scheduler().try_run_once();
}

/// Lets one performer do its work. False when none has any.
bool simulation::work() {
    auto& waiting = life_->work;
    if (over() || waiting.empty()) {
        return false;
    }
    std::swap(waiting.back(), waiting[random_.below(waiting.size())]);
    auto run = std::move(waiting.back());
    waiting.pop_back();
    std::erase_if(life_->workers, [](const auto& w) { return w->ended(); });
    life_->workers.push_back(std::make_unique<simulated_worker>(std::move(run)));
    return true;
}

std::vector<runtime::self_command> simulation::perform_work(const runtime::perform_effect& e,
                                                            runtime::effect_context& ctx) {
    const auto owed = from_json<performing>(e.payload, strictness::stored).value();
    if (ctx.stop().stop_requested()) {
        return {};
    }
    const auto attempt = checker_.begins(owed.number);
    trace_.add("work");
    ++counts_.performed;
    if (random_.chance(20)) {
        ++counts_.works_failed;
        throw std::runtime_error("a simulated failure");
    }
    std::vector<runtime::self_command> out;
    for (std::int64_t part = 0; part < owed.parts; ++part) {
        const take_outcome outcome{owed.number, part, attempt, owed.explode && part + 1 == owed.parts};
        runtime::self_command told{std::string(wire_name<take_outcome>::value), to_json(outcome), {}};
        if (!owed.tells || part + 1 == owed.parts) {
            out.push_back(std::move(told));
        } else if (const auto answer = ctx.tell_self(std::move(told)); !answer) {
            throw std::runtime_error(answer.error().detail);
        }
    }
    return out;
}

void simulation::settle_actors() {
    int steps = 0;
    while (steps < steps_max && step()) {
        ++steps;
    }
    if (steps == steps_max) {
        wrong("the actors do not come to rest");
    }
}

void simulation::pass(std::int64_t ms) {
    while (ms > 0 && !over()) {
        const auto now = std::min<std::int64_t>(ms, 1 + static_cast<std::int64_t>(random_.below(50)));
        ms -= now;
        now_ms_ += now;
        life_->scheduler().advance_time(std::chrono::milliseconds(now));
        if (random_.chance(80)) {
            settle_actors();
        }
        if (random_.chance(20)) {
            work();
        }
    }
}

/// The end of a life: nothing is shut down, the disk keeps what it keeps. Then the node starts again.
void simulation::power_cycle() {
    trace_.add("cycle");
    counts_.cuts_in_work += disk_.is_cut() ? 1 : 0;
    disk_.cut(random_.chance(70) ? disk_end::power : disk_end::process);
    boot(false);
}

void simulation::boot(bool quiet) {
    for (int tries = 0; !wrong_; ++tries) {
        ++life_number_;
        life_.reset();
        if (env_.jobs() > 0) {
            wrong("RocksDB left work behind");
            return;
        }
        disk_.restart();
        disk_.set_capacity(std::numeric_limits<std::uint64_t>::max());
        for (auto& o : operations_) {
            o.maybe = o.maybe || o.waiting > 0;
            o.in_one_piece = o.in_one_piece && o.waiting == 0;
            o.waiting = 0;
        }
        counts_.disk_failures += disk_.failures() - failures_before_;
        failures_before_ = disk_.failures();
        ended_ = false;
        crashed_.clear();
        ++counts_.restarts;
        if (try_boot(quiet || tries > 4) && !over()) {
            return;
        }
        disk_.cut(random_.chance(70) ? disk_end::power : disk_end::process);
    }
}

/// False when the disk failed meanwhile: then it is tried again.
bool simulation::try_boot(bool quiet) {
    if (!quiet && random_.chance(30)) {
        arm(60);
    }
    life_ = std::make_unique<life>(*this);
    if (auto opened = life_->open_store(); !opened) {
        if (disk_.failures() == failures_before_) {
            wrong("the node does not start: " + opened.error().detail);
        }
        return false;
    }
    if (over()) {
        return false;
    }
    disk_.disarm();
    check(false);
    crash_percent_ = quiet ? 0 : random_.chance(40) ? 0 : random_.chance(70) ? 2 : 20;
    if (!quiet && random_.chance(60)) {
        arm(random_.chance(50) ? 400 : 60);
    }
    if (auto started = life_->start(); !started) {
        if (disk_.failures() == failures_before_) {
            wrong("the node does not start: " + started.error().detail);
        }
        return false;
    }
    return true;
}

/// Something will go wrong at one of the next operations of the disk.
void simulation::arm(std::uint64_t operations) {
    const auto at = 1 + random_.below(operations);
    if (random_.chance(60)) {
        disk_.cut_after(at, random_.chance(80) ? disk_end::power : disk_end::process);
    } else {
        const auto kind = static_cast<disk_operation>(random_.below(disk_operations));
        const bool often = kind == disk_operation::append || kind == disk_operation::sync;
        disk_.fail_after(kind, often ? 1 + at / 2 : 1 + at / 20);
    }
}

void simulation::check(bool settled) {
    if (auto found = checker_.check(*life_->store, kinds_, operations_, settled)) {
        wrong(std::move(*found));
    }
}

// ---- what may happen

void simulation::act() {
    const auto what = random_.below(100);
    trace_.add(what);
    if (what < 30) {
        send_new();
    } else if (what < 40) {
        send_again();
    } else if (what < 44) {
        work();
    } else if (what < 75) {
        for (auto steps = random_.below(30); steps > 0 && step(); --steps) {
        }
    } else if (what < 87) {
        pass(static_cast<std::int64_t>(random_.chance(90) ? 1 + random_.below(200) : 1000 + random_.below(9000)));
    } else if (what < 91) {
        look();
    } else if (what < 94) {
        flush();
    } else if (what < 98) {
        if (env_.jobs() > 0) {
            env_.run_job(random_.below(env_.jobs()));
        }
    } else {
        trouble();
    }
}

/// By hours, while the node runs or before it starts. No time of the journal may go back, no timer fire early.
void simulation::set_clock() {
    constexpr std::uint64_t hours = 5 * 3600 * 1000;
    checker_.sets_clock({now_ms_ + clock_wrong_ms_});
    clock_wrong_ms_ = static_cast<std::int64_t>(random_.below(2 * hours)) - static_cast<std::int64_t>(hours);
    ++counts_.set_clocks;
}

void simulation::trouble() {
    if (random_.chance(15)) {
        set_clock();
    } else if (random_.chance(40)) {
        disk_.cut(random_.chance(80) ? disk_end::power : disk_end::process);
    } else if (random_.chance(50)) {
        arm(100);
    } else if (random_.chance(50)) {
        // Room for what the node keeps free.
        disk_.set_capacity(disk_.used_bytes() + life_->store->unflushed_bytes() +
                           random_.below(2 * simulated_free_bytes_min));
    } else {
        disk_.set_capacity(std::numeric_limits<std::uint64_t>::max());
    }
}

/// Somebody reads a document: what was shown once has to stay true.
void simulation::look() {
    const auto& id = entities_[random_.below(entities_.size())];
    const auto seen = storage::read_document(*life_->store, {system_organization, "ledger", id});
    if (seen && *seen && !over()) {
        checker_.shown(id, (*seen)->version, (*seen)->json);
    }
}

/// RocksDB closes its log and owes itself a flush, which it does when the simulation lets it.
void simulation::flush() {
    if (env_.jobs() > 0 || disk_.free_bytes() < (1 << 20) || life_->flush_failed) {
        return; // it would wait for the flush before, or for space; RocksDB asserts that none follows a failed one
    }
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;
    auto& db = life_->store->db();
    life_->flush_failed = !db.db->Flush(options, {db.log, db.derived}).ok(); // it shows at the next write
}

// ---- the story

bool simulation::owes() const {
    for (const auto& id : entities_) {
        const auto found = storage::read_document(*life_->store, {system_organization, "ledger", id});
        if (found && *found) {
            const auto s = from_json<ledger_state>((*found)->json, strictness::stored);
            const auto goes_on = [this](const auto& x) { return !checker_.is_set_aside(x.number); };
            if (!s || !s->owed.empty() || std::ranges::any_of(s->reminders, goes_on) ||
                std::ranges::any_of(s->works, goes_on)) {
                return true;
            }
        }
    }
    for (const auto& o : operations_) {
        if (o.keyed && o.became == fate::open) {
            return true;
        }
    }
    return false;
}

/// Nothing goes wrong any more: all that is owed has to be done in the end.
void simulation::settle() {
    disk_.cut(disk_end::power);
    // Past all that was ever due, but not so far that clients' keys are forgotten before they repeat themselves.
    checker_.sets_clock({now_ms_ + clock_wrong_ms_});
    clock_wrong_ms_ = std::int64_t{6} * 3600 * 1000;
    boot(true);
    for (int seconds = 0; seconds < 300 && owes() && !wrong_; ++seconds) {
        for (auto& o : operations_) {
            if (o.keyed && o.became == fate::open && o.waiting == 0) {
                send(o, false);
            }
        }
        pass(1000);
        do {
            settle_actors();
        } while (work());
    }
    if (!wrong_) {
        check(true);
    }
    disk_.cut(disk_end::power);
    boot(true);
    if (!wrong_) {
        check(true);
    }
}

std::optional<std::string> simulation::run() {
    boot(false);
    for (auto acts = 100 + random_.below(500); acts > 0 && !wrong_; --acts) {
        act();
        if (over()) {
            power_cycle();
        }
    }
    if (!wrong_) {
        settle();
    }
    trace_.add(disk_.trace());
    return wrong_;
}

} // namespace troupe::test
