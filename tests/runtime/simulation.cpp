#include "tests/runtime/simulation.hpp"

#include "runtime/entity/actors.hpp"
#include "runtime/entity/timer_actor.hpp"
#include "runtime/retention/retention_actor.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "schemas/base/limits.hpp"
#include "schemas/base/log.hpp"
#include "storage/log_reader.hpp"
#include "storage/rocks.hpp"
#include "storage/views.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <utility>

namespace troupe::test {

namespace {

constexpr std::uint64_t free_bytes_min = 64 * 1024; ///< The node refuses writes before the disk does.
constexpr std::size_t operations_max = 250;
constexpr int steps_max = 1'500; ///< Of all actors without time passing.
/// Relative to a temporary folder: RocksDB hashes its path, so it has to be the same each time.
constexpr std::string_view folder = "node";

uuid random_id(seeded_random& random) {
    uuid out;
    for (std::size_t i = 0; i < 16; i += 8) {
        const auto bits = random.next();
        std::memcpy(out.bytes.data() + i, &bits, 8);
    }
    return out;
}

} // namespace

/// One life of the node, from start to power cut. Made as `runtime::node` makes it, without its supervisors.
struct simulation::life {
    explicit life(simulation& in) : world(in) {}
    ~life() {
        services.dispatch = [](runtime::command, const runtime::reply_port&) {};
        for (auto& s : shards) {
            caf::anon_send_exit(s, caf::exit_reason::kill);
        }
        caf::anon_send_exit(timers, caf::exit_reason::kill);
        caf::anon_send_exit(retention, caf::exit_reason::kill);
        caf::anon_send_exit(committer, caf::exit_reason::kill);
        scheduler().run();
        work.clear(); // it holds actors
        shards.clear();
        timers = nullptr;
        retention = nullptr;
        world.counts_.events_cut += retained.events_cut;
        world.counts_.trimmed += retained.records_trimmed;
        committer = nullptr;
        scheduler().clock().cancel_all();
        scheduler().inline_all_enqueues(); // what is sent while the system ends is worked on at once
    }

    struct testing_config : caf::actor_system_config {
        testing_config() { set("scheduler.policy", caf::atom("testing")); }
    };

    caf::scheduler::test_coordinator& scheduler() {
        return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
    }

    expected<void> open_store() {
        storage::store_options options;
        options.directory = folder;
        options.cache_bytes = 1 << 20;
        options.write_buffer_bytes = 2 << 20; // more than a story fills
        options.free_bytes_min = free_bytes_min;
        options.env = world.env_.env();
        auto opened = storage::store::open(options);
        if (!opened) {
            return opened.error();
        }
        store = std::move(*opened);
        return {};
    }

    expected<void> start() {
        auto opened = storage::committer::open(*store, free_bytes_min);
        if (!opened) {
            return opened.error();
        }
        const auto count = store->who().shards;
        services.store = store.get();
        services.kinds = &world.kinds_;
        services.letters = &letters;
        services.settings.snapshot_events = world.snapshot_events_;
        services.settings.idle_ms = world.idle_ms_;
        services.settings.sweep_ms = 700;
        services.clock = [this] { return timestamp{world.now_ms_ + world.clock_wrong_ms_}; };
        services.make_id = [this] { return random_id(world.random_); };
        services.end_process = [this](std::string_view) {
            world.ended_ = true;
            ++world.counts_.ends_of_process;
        };
        services.shard_times = std::vector<std::atomic<std::int64_t>>(count);
        for (std::uint32_t shard = 0; shard < count; ++shard) {
            services.shard_times[shard] = storage::last_time(*store, shard).ms;
        }
        services.dispatch = [this](runtime::command c, runtime::reply_port port) {
            submit(std::move(c), std::move(port));
        };
        services.start_work = [this](std::function<void()> run) { work.push_back(std::move(run)); };
        services.on_committed = [this](const std::vector<storage::record>& records) {
            for (const auto& r : records) {
                if (!world.over()) {
                    world.checker_.committed(r);
                    world.trace_.add(storage::encode_record(r));
                }
            }
        };
        board = std::make_unique<runtime::timer_board>(*store);
        services.on_timer = [this](std::uint32_t shard, timestamp due) { board->lower(shard, due); };
        committer = runtime::spawn_committer(system, services, std::move(*opened), false);
        for (std::uint32_t shard = 0; shard < count; ++shard) {
            shards.push_back(runtime::spawn_shard(system, services, committer, shard));
        }
        for (std::uint32_t shard = 0; shard < count; ++shard) {
            for (auto& a : storage::read_owed(*store, shard)) {
                caf::anon_send(shards[shard], runtime::wake_msg{std::move(a)});
            }
        }
        timers = runtime::spawn_timers(system, services, *board);
        if (world.retention_.shortest_ms() > 0) {
            retention = runtime::spawn_retention(system, services,
                                                 {world.retention_, [this] { return committer; },
                                                  [this](std::uint32_t shard) { return shards[shard]; }, &retained},
                                                 false);
        }
        return {};
    }

    void submit(runtime::command c, runtime::reply_port port) {
        auto held = std::make_shared<runtime::held_command>();
        if (c.id.empty()) {
            c.id = to_string(random_id(world.random_));
        }
        held->command = std::move(c);
        held->port = std::move(port);
        caf::anon_send(shards[store->shard_of(held->command.to)], runtime::submit_msg{held});
    }

    simulation& world;
    testing_config config;
    caf::actor_system system{config};
    std::unique_ptr<storage::store> store;
    runtime::dead_letters letters;
    std::unique_ptr<runtime::timer_board> board;
    runtime::host_services services;
    runtime::committer_actor committer;
    std::vector<runtime::shard_actor> shards;
    std::vector<std::function<void()>> work; ///< Of performers, not done yet.
    caf::actor timers;
    caf::actor retention;
    runtime::retention_statistics retained;
};

simulation::simulation(std::uint64_t seed)
    : random_(seed), disk_(seed ^ 0x5eed, std::string(folder)), env_(disk_, now_ms_) {
    std::filesystem::current_path(directory_.path);
    std::filesystem::create_directory(folder);
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
    std::ofstream(std::filesystem::path(folder) / "identity.json") << to_json(who);
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
    const auto run = std::move(waiting.back());
    waiting.pop_back();
    run();
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
        out.push_back({std::string(wire_name<take_outcome>::value), to_json(outcome), {}});
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
        disk_.set_capacity(disk_.used_bytes() + life_->store->unflushed_bytes() + random_.below(2 * free_bytes_min));
    } else {
        disk_.set_capacity(std::numeric_limits<std::uint64_t>::max());
    }
}

void simulation::send_new() {
    if (operations_.size() == operations_max) {
        return;
    }
    client_operation o;
    o.number = static_cast<std::int64_t>(operations_.size());
    o.entity = entities_[random_.below(entities_.size())];
    o.keyed = random_.chance(70);
    o.life = life_number_;
    const auto what = random_.below(100);
    if (what < 45) {
        o.parts = 1 + static_cast<std::int64_t>(random_.below(3));
        o.refuse = random_.chance(10);
        o.type = "note";
        o.payload = to_json(note{o.number, o.parts, o.refuse});
        if (const auto seen = storage::read_version(*life_->store, {system_organization, "ledger", o.entity});
            random_.chance(10) && seen && *seen > 0) {
            o.if_match = *seen;
        }
    } else if (what < 62) {
        o.type = "tell_other";
        o.payload = to_json(tell_other{o.number, entities_[random_.below(entities_.size())], random_.chance(10)});
    } else if (what < 78) {
        o.type = "remind";
        o.payload = to_json(remind{
            o.number, static_cast<std::int64_t>(random_.below(random_.chance(50) ? 200 : 20'000)), random_.chance(5)});
    } else if (what < 92) {
        o.type = "perform";
        o.payload = to_json(
            perform{o.number, 1 + static_cast<std::int64_t>(random_.below(3)), random_.chance(30), random_.chance(5)});
    } else if (what < 97) {
        const auto of = random_.below(operations_.size() + 1); // one that is no work changes nothing
        o.entity = of < operations_.size() ? operations_[of].entity : o.entity;
        o.type = "cancel";
        o.payload = to_json(cancel{o.number, static_cast<std::int64_t>(of)});
    } else {
        o.type = "explode";
        o.payload = to_json(explode{o.number});
    }
    operations_.push_back(std::move(o));
    send(operations_.back(), false);
}

/// A client repeats itself: it lost the answer, is impatient, or uses the key for something else by mistake.
void simulation::send_again() {
    if (operations_.empty()) {
        return;
    }
    auto& o = operations_[random_.below(operations_.size())];
    if (o.keyed) {
        send(o, o.became == fate::done && random_.chance(20));
    }
}

void simulation::send(client_operation& o, bool changed) {
    runtime::command c;
    c.to = {system_organization, std::string(ledger_model::kind), o.entity};
    c.type = o.type;
    c.payload = o.payload;
    c.id = o.keyed ? "key/" + std::to_string(o.number) : std::string();
    c.request_hash = static_cast<std::uint64_t>(o.number) * 2 + (changed ? 1 : 0);
    c.principal = "client";
    c.if_match = o.if_match;
    if (!changed) {
        ++o.sent;
        ++o.waiting;
        o.in_one_piece = o.sent == 1;
    }
    ++counts_.commands;
    const auto index = static_cast<std::size_t>(o.number);
    life_->submit(std::move(c), [this, index, life = life_number_, changed](const runtime::reply& r) {
        if (life == life_number_ && !over()) {
            answered(index, life, changed, r);
        }
    });
}

void simulation::answered(std::size_t index, std::uint64_t, bool changed, const runtime::reply& r) {
    auto& o = operations_[index];
    trace_.add(index);
    trace_.add(r ? r->version : static_cast<std::uint64_t>(r.error().code));
    if (changed) {
        if (r) {
            wrong("number " + std::to_string(o.number) + ": its key was accepted for another request");
        }
        return;
    }
    --o.waiting;
    r ? acknowledged(o, *r) : refused(o, r.error());
}

void simulation::acknowledged(client_operation& o, const runtime::outcome& r) {
    ++counts_.acknowledged;
    const auto name = "number " + std::to_string(o.number);
    if (o.became == fate::done) {
        if (r.version != o.version || r.document != o.document) {
            wrong(name + ": a repeat got another answer");
        }
        return;
    }
    if (o.became != fate::open) {
        wrong(name + ": was refused for good and then accepted");
    }
    if (r.repeated && o.sent == 1) {
        wrong(name + ": was called a repeat, and was none");
    }
    if (o.if_match && r.version != *o.if_match + static_cast<std::uint64_t>(o.parts)) {
        wrong(name + ": was accepted at another version than it asked for");
    }
    o.became = fate::done;
    o.version = r.version;
    o.document = r.document;
}

void simulation::refused(client_operation& o, const problem& p) {
    const auto settle_as = [&](fate f) {
        if (o.became != fate::open && o.became != f) {
            wrong("number " + std::to_string(o.number) + ": has two different ends");
        }
        o.became = f;
    };
    if ((p.code == code::conflict && o.refuse) || (p.code == code::precondition_failed && o.if_match)) {
        settle_as(fate::refused);
    } else if (p.code == code::poison) {
        settle_as(fate::set_aside);
    } else if (p.code == code::storage_full) {
        ++counts_.full; // not written: no trace of this attempt
    } else if (p.code == code::unknown_outcome && !o.keyed) {
        o.maybe = true; // its events were cut before its answer: with such a short retention only
    } else if (disk_.failures() > failures_before_) {
        o.maybe = true; // a disk that fails may be said to fail
    } else {
        wrong("number " + std::to_string(o.number) + ": unexpected refusal: " + p.detail);
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
    if (env_.jobs() > 0 || disk_.free_bytes() < (1 << 20)) {
        return; // it would wait for the flush before, or for space
    }
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;
    auto& db = life_->store->db();
    (void)db.db->Flush(options, {db.log, db.derived}); // a failure shows at the next write
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
