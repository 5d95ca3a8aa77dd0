// Which node runs a placed child: one node input by input, then several with faults.

#include "runtime/cluster/child_placement.hpp"
#include "runtime/cluster/cluster_core.hpp"
#include "runtime/cluster/memory_coordinator.hpp"

#include "schemas/base/json.hpp"
#include "tests/seeds.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

uuid id_of(std::size_t number) {
    uuid id;
    id.bytes[15] = static_cast<std::uint8_t>(number);
    return id;
}
const placed_id search{"mcp", "search"};
const placed_id mail{"mcp", "mail"};
constexpr timestamp today{1'700'000'000'000};
const std::string search_key = "placed/mcp/search";
const std::string given_up_key = "given_up/mcp/search";

/// n1, alive with the revision 5, beside n2 and n3.
struct host {
    host() : core({.name = "n1", .replica = id_of(1), .incarnation = id_of(101)}) {
        nodes = {{id_of(1), "n1"}, {id_of(2), "n2"}, {id_of(3), "n3"}};
        core.on_map({{"alive/n1", to_json(alive_value{id_of(1), id_of(101), "1"}), 5}}, 10);
        core.add(search, 1);
    }

    /// All that is wanted in the time, each tick with a lease that is good for long.
    placement_action tick(std::int64_t ms = 50) {
        child_placement::actions out;
        for (const auto end = now + ms; now < end;) {
            now += 50;
            core.on_nodes(nodes, lease_ends != 0 ? lease_ends : now + 2000);
            core.tick(now, today, out);
        }
        BOOST_REQUIRE_LE(out.size(), 1U);
        return out.empty() ? placement_action(placement_commit{}) : out.front();
    }
    bool is_quiet(std::int64_t ms) {
        const auto did = tick(ms);
        const auto* commit = std::get_if<placement_commit>(&did);
        return commit != nullptr && commit->id == 0;
    }
    template <class Action>
    Action want(std::int64_t ms = 50) {
        const auto did = tick(ms);
        BOOST_REQUIRE(std::holds_alternative<Action>(did));
        return std::get<Action>(did);
    }
    /// The coordinator takes it.
    void apply(const placement_commit& wanted) {
        BOOST_REQUIRE(wanted.id != 0);
        ++revision;
        core.on_changes(wanted.what.then, revision);
        core.on_committed(wanted.id, transaction_result{true, revision, {}});
    }
    /// Another node has it.
    void place_at(std::size_t node, const placed_id& which, double cost = 1) {
        ++revision;
        const auto name = "n" + std::to_string(node);
        core.on_changes({{"placed/" + which.supervisor + "/" + which.child,
                          to_json(placed_value{id_of(node), id_of(110 + node), name, cost, today})}},
                        revision);
    }
    /// It runs `search`.
    std::uint64_t begin() {
        apply(want<placement_commit>(2100));
        return want<start_placed>().term;
    }

    child_placement core;
    std::vector<cluster_node> nodes;
    std::int64_t now = 1000;
    std::int64_t lease_ends = 0; ///< 0: never.
    std::uint64_t revision = 10;
};

bool has(const transaction& what, std::string_view key, std::uint64_t revision) {
    return std::ranges::any_of(what.when, [&](const condition& c) { return c.key == key && c.revision == revision; });
}

} // namespace

BOOST_AUTO_TEST_SUITE(child_placement_suite)

BOOST_AUTO_TEST_CASE(a_free_child_is_claimed_under_this_nodes_lease_and_starts_when_that_is_known) {
    host h;
    BOOST_TEST(h.is_quiet(1900)); // the others may be about to come
    const auto claim = h.want<placement_commit>(200);
    BOOST_TEST(has(claim.what, search_key, 0));
    BOOST_TEST(has(claim.what, "alive/n1", 5));
    BOOST_TEST(claim.what.then.front().leased);
    BOOST_TEST(h.is_quiet(500)); // under way
    h.apply(claim);
    const auto start = h.want<start_placed>();
    BOOST_TEST(start.term == 11U);
    BOOST_TEST(h.core.holds_until_ms(search) > h.now);
    BOOST_TEST(h.core.all().front().node.value() == "n1");
    BOOST_TEST(h.is_quiet(5000));
}

BOOST_AUTO_TEST_CASE(the_node_with_the_most_room_comes_first_and_the_others_take_turns) {
    host h;
    h.place_at(1, {"other", "a"}, 1);
    h.place_at(3, {"other", "b"}, 5);
    BOOST_TEST(h.is_quiet(250)); // the turn of n2, which does not come; nobody waits where others are at work
    BOOST_TEST(h.want<placement_commit>(150).id != 0U);
    host full;
    full.place_at(1, {"other", "a"}, 1);
    full.place_at(2, search);
    BOOST_TEST(full.is_quiet(3000));
    ++full.revision;
    full.core.on_changes({{search_key, std::nullopt}}, full.revision);
    BOOST_TEST(full.is_quiet(600)); // n2 and n3 come before it
    BOOST_TEST(full.want<placement_commit>(100).id != 0U);
    host large;
    large.nodes[0].weight = 3; // with one child it still has more room than those with none
    large.place_at(1, {"other", "a"}, 1);
    BOOST_TEST(large.want<placement_commit>(2100).id != 0U);
}

BOOST_AUTO_TEST_CASE(several_free_children_are_spread) {
    host h;
    h.core.add(mail, 1);
    const auto claim = h.want<placement_commit>(2100); // of the first one by name alone: n2 takes the next
    BOOST_TEST(has(claim.what, "placed/mcp/mail", 0));
    BOOST_TEST(h.is_quiet(250));
}

BOOST_AUTO_TEST_CASE(a_claim_that_lost_or_that_nobody_knows_of_is_no_claim) {
    host h;
    const auto claim = h.want<placement_commit>(2100);
    h.core.on_committed(claim.id, problem{code::unknown_outcome, "lost"});
    const auto again = h.want<placement_commit>(200);
    h.core.on_committed(again.id, transaction_result{false, 20, {}});
    h.place_at(2, search);
    BOOST_TEST(h.is_quiet(3000));
    host late; // what was not answered came to be all the same
    const auto lost = late.want<placement_commit>(2100);
    late.core.on_committed(lost.id, problem{code::unknown_outcome, "lost"});
    late.core.on_changes(lost.what.then, 11);
    BOOST_TEST(late.want<start_placed>().term == 11U);
}

BOOST_AUTO_TEST_CASE(it_stops_before_the_lease_ends_and_the_process_ends_when_it_does_not) {
    host h;
    h.begin();
    h.lease_ends = h.now + 1000;
    BOOST_TEST(h.is_quiet(450));
    h.want<stop_placed>();
    BOOST_TEST(h.core.holds_until_ms(search) == 0);
    BOOST_TEST(h.is_quiet(400));
    BOOST_TEST(h.want<placed_overdue>(100).which.child == "search");
    host good;
    good.begin();
    good.lease_ends = good.now + 1000;
    good.want<stop_placed>(500);
    good.core.on_ended(search, std::nullopt);
    BOOST_TEST(has(good.want<placement_commit>().what, search_key, 11)); // given back, if anybody hears it
    BOOST_TEST(good.is_quiet(3000));
}

BOOST_AUTO_TEST_CASE(it_stops_when_its_key_or_this_nodes_key_is_gone) {
    host h;
    h.begin();
    h.core.on_changes({{search_key, std::nullopt}}, 20);
    h.want<stop_placed>();
    host left;
    left.begin();
    left.core.on_changes({{"alive/n1", std::nullopt}}, 20);
    left.want<stop_placed>();
    host another; // with another claim it is another term
    another.begin();
    another.place_at(2, search);
    another.want<stop_placed>();
    BOOST_TEST(another.is_quiet(1000));
}

BOOST_AUTO_TEST_CASE(a_drained_node_gives_its_children_away_once_they_have_ended_and_takes_none) {
    host h;
    h.begin();
    h.nodes[0].draining = true;
    h.want<stop_placed>();
    BOOST_TEST(h.is_quiet(10'000)); // nobody has it while it ends
    h.core.on_ended(search, std::nullopt);
    h.apply(h.want<placement_commit>());
    BOOST_TEST(h.is_quiet(5000));
    h.nodes[0].draining = false;
    h.want<placement_commit>(50); // again, as everybody had a turn
}

BOOST_AUTO_TEST_CASE(the_child_of_an_earlier_process_of_this_node_is_waited_for) {
    host h;
    ++h.revision;
    h.core.on_changes({{search_key, to_json(placed_value{id_of(1), id_of(77), "n1", 1, today}), true}}, h.revision);
    BOOST_TEST(h.is_quiet(5000));
}

BOOST_AUTO_TEST_CASE(a_child_that_failed_too_often_goes_to_others_and_the_wait_doubles) {
    host h;
    h.begin();
    h.core.on_ended(search, "no such program");
    const auto given = h.want<placement_commit>();
    BOOST_TEST(has(given.what, given_up_key, 0));
    h.apply(given);
    BOOST_TEST(h.core.all().front().failures == 1U);
    BOOST_TEST(h.core.all().front().last_node == "n1");
    BOOST_TEST(!h.core.all().front().node.has_value());
    BOOST_TEST(h.is_quiet(1900)); // n2 and n3 come first
    h.apply(h.want<placement_commit>(1000));
    h.want<start_placed>();
    h.core.on_ended(search, "no such program");
    h.apply(h.want<placement_commit>());
    BOOST_TEST(h.core.all().front().failures == 2U);
    BOOST_TEST(h.is_quiet(3900));
    h.apply(h.want<placement_commit>(1000));
    h.want<start_placed>();
    BOOST_TEST(h.is_quiet(299'000));
    h.apply(h.want<placement_commit>(2000)); // it ran for long: all is forgotten
    BOOST_TEST(h.core.all().front().failures == 0U);
}

BOOST_AUTO_TEST_CASE(one_that_ended_without_a_failure_starts_again_here) {
    host h;
    const auto term = h.begin();
    h.core.on_ended(search, std::nullopt);
    BOOST_TEST(h.want<start_placed>().term == term);
}

// ---- several nodes

namespace {

constexpr std::int64_t step_ms = 10;
constexpr std::int64_t ttl_ms = 2000;
const std::vector<placed_id> all_children{{"a", "1"}, {"a", "2"}, {"b", "1"}, {"b", "2"}, {"b", "3"}};

void require(bool holds, const std::string& what) {
    if (!holds) {
        throw std::runtime_error(what);
    }
}

/// A node as far as its place goes: the core of its cluster on one thread, placement on another.
struct small_node final : coordinator_listener {
    small_node(std::size_t n, std::shared_ptr<memory_map> to, std::mt19937_64& r, const std::int64_t& clock)
        : number(n), random(r), now_ms(clock), map(std::move(to)) {
        start();
    }
    void start() {
        auto incarnation = id_of(number);
        incarnation.bytes[0] = ++lives;
        const auto name = "n" + std::to_string(number);
        cluster_settings s;
        s.self.cluster = id_of(250);
        s.self.name = name;
        s.self.replica = id_of(number);
        s.self.incarnation = incarnation;
        s.self.shards = 0;
        s.self.replication = 3;
        s.connect_ms = 1'000'000; // links are not what this is about
        core = std::make_unique<cluster_core>(s);
        placement = std::make_unique<child_placement>(
            child_placement_settings{.name = name, .replica = id_of(number), .incarnation = incarnation});
        for (const auto& which : all_children) {
            placement->add(which, 1);
        }
        news = {};
        driver_jobs = {};
        worker_jobs = {};
        agreed = std::make_unique<memory_coordinator>(map, memory_settings{news.as_executor(), ttl_ms});
        agreed->start(*this);
    }
    void vanish() {
        agreed->vanish();
        agreed.reset();
        runs.clear();
    }

    // on the coordinator's thread
    void on_map(std::vector<entry> all, std::uint64_t revision) override {
        worker_jobs.as_executor()([=, this] { placement->on_map(all, revision); });
        drive([=, this](auto& out) { core->on_map(all, revision, out); });
    }
    void on_changes(std::vector<change> changes, std::uint64_t revision) override {
        worker_jobs.as_executor()([=, this] { placement->on_changes(changes, revision); });
        drive([=, this](auto& out) { core->on_changes(changes, revision, out); });
    }
    void on_lease(lease now) override {
        drive([=, this](auto& out) { core->on_lease(now, out); });
    }
    void on_reachable(bool, const std::string&) override {}
    void drive(std::function<void(cluster_core::actions&)> input) {
        driver_jobs.as_executor()([this, input = std::move(input)] {
            cluster_core::actions out;
            input(out);
            for (auto& action : out) {
                if (auto* wanted = std::get_if<commit_wanted>(&action)) {
                    agreed->commit(std::move(wanted->what), [this, id = wanted->id](const auto& result) {
                        drive([=, this](auto& more) { core->on_committed(id, result, more); });
                    });
                }
            }
        });
    }
    void driver_tick() {
        drive([this](auto& out) {
            core->tick(
                now_ms, [](std::uint32_t) { return log_view{}; }, out);
        });
        driver_jobs.as_executor()([this] {
            worker_jobs.as_executor()(
                [this, nodes = core->nodes(), until = core->serves_until_ms()] { placement->on_nodes(nodes, until); });
        });
    }
    void worker_tick() {
        for (auto& [which, run] : runs) {
            if (run.ends_ms != 0 && now_ms >= run.ends_ms) {
                placement->on_ended(which, run.fails ? std::optional<std::string>("it failed") : std::nullopt);
            }
        }
        std::erase_if(runs,
                      [this](const auto& one) { return one.second.ends_ms != 0 && now_ms >= one.second.ends_ms; });
        child_placement::actions out;
        placement->tick(now_ms, today, out);
        for (auto& action : out) {
            std::visit([this](auto& a) { act(a); }, action);
        }
    }
    void act(placement_commit& a) {
        agreed->commit(std::move(a.what), [this, id = a.id](const auto& result) {
            worker_jobs.as_executor()([=, this] { placement->on_committed(id, result); });
        });
    }
    void act(const start_placed& a) {
        require(!runs.contains(a.which), "a child is started once");
        require(a.term >= terms[a.which], "terms grow");
        terms[a.which] = a.term;
        runs[a.which] = {a.term};
    }
    void act(const stop_placed& a) {
        runs.at(a.which).ends_ms = now_ms + 1 + static_cast<std::int64_t>(random() % 350);
    }
    void act(const placed_overdue& a) { throw std::runtime_error(a.which.child + " stopped in time, but is overdue"); }

    struct one_run {
        std::uint64_t term = 0;
        std::int64_t ends_ms = 0; ///< 0: it was not told to.
        bool fails = false;
    };
    std::size_t number;
    std::uint8_t lives = 0;
    std::mt19937_64& random;
    const std::int64_t& now_ms;
    std::shared_ptr<memory_map> map;
    run_queue news;
    run_queue driver_jobs;
    run_queue worker_jobs;
    std::unique_ptr<memory_coordinator> agreed; ///< Null: it is down.
    std::unique_ptr<cluster_core> core;
    std::unique_ptr<child_placement> placement;
    std::map<placed_id, one_run> runs;
    std::map<placed_id, std::uint64_t> terms; ///< The last ones here.
    bool frozen = false;
    bool was_frozen = false; ///< Until what runs has ended.
};

class world {
public:
    explicit world(std::uint64_t seed) : random_(seed) {
        map_->advance(now_ms_);
        for (std::size_t n = 1; n <= 4; ++n) {
            nodes_.push_back(std::make_unique<small_node>(n, map_, random_, now_ms_));
        }
    }
    void run() {
        steps(400);
        for (int round = 0; round < 25; ++round) {
            disturb(*nodes_[random_() % nodes_.size()]);
            steps(random_() % 300);
        }
        mend();
        steps(1300); // a lease, the time to settle, and the longest wait after failures
        require_all_run();
        // One that is killed while all else is well is replaced at once.
        auto& victim = *nodes_[random_() % nodes_.size()];
        victim.vanish();
        steps(static_cast<std::size_t>((ttl_ms + 1000) / step_ms));
        require_all_run();
    }

private:
    bool chance(std::size_t of) { return random_() % of == 0; }

    void disturb(small_node& n) {
        using fate = memory_coordinator::fate;
        if (!n.agreed) {
            n.start();
            n.terms.clear();
            return;
        }
        switch (random_() % 9) {
        case 0:
            return n.vanish();
        case 1:
            return n.agreed->cut("no way");
        case 2:
            return n.agreed->heal(chance(2));
        case 3:
            n.frozen = !n.frozen;
            n.was_frozen = true;
            return n.agreed->keep_alive(!n.frozen);
        case 4:
            return n.agreed->set_fate(chance(2) ? fate::lost_after : fate::lost_before);
        case 5:
            return n.agreed->set_fate(fate::answered);
        case 6:
            return drain(n, chance(2));
        case 7:
            for (auto& [which, run] : n.runs) {
                if (run.ends_ms == 0 && chance(2)) {
                    run.ends_ms = now_ms_ + 100;
                    run.fails = true;
                }
            }
            return;
        default:
            return n.agreed->keep_alive(chance(2));
        }
    }
    void drain(const small_node& n, bool yes) {
        auto hand = std::ranges::find_if(nodes_, [](const auto& one) { return one->agreed != nullptr; });
        for (const auto& e : map_->entries()) {
            if (e.key == member_key("n" + std::to_string(n.number)) && hand != nodes_.end()) {
                auto member = from_json<member_value>(e.value, strictness::stored).value();
                member.draining = yes;
                (*hand)->agreed->commit({{{e.key, e.revision}}, {{e.key, to_json(member)}}}, [](const auto&) {});
            }
        }
    }
    void mend() {
        for (auto& n : nodes_) {
            if (!n->agreed) {
                n->start();
                n->terms.clear();
            }
            n->frozen = false;
            n->agreed->set_fate(memory_coordinator::fate::answered);
            n->agreed->keep_alive(true);
            n->agreed->heal();
        }
        steps(300);
        for (auto& n : nodes_) {
            drain(*n, false);
        }
    }

    void steps(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            step();
        }
    }
    void step() {
        now_ms_ += step_ms;
        map_->advance(now_ms_);
        for (auto& n : nodes_) {
            if (!n->agreed || n->frozen) {
                continue;
            }
            if (now_ms_ % 50 == 0) {
                n->driver_tick();
            }
            // Each thread is late now and then; the worker's as little as its margin has to allow for.
            if (!chance(4)) {
                n->news.run_some(1 + random_() % 4);
            }
            if (!chance(3)) {
                n->driver_jobs.run_some(1 + random_() % 4);
            }
            if (!chance(3)) {
                n->worker_jobs.run_some(4);
            }
            if (now_ms_ % 50 == 0) {
                n->worker_tick();
            }
            n->was_frozen = n->was_frozen && !n->runs.empty();
            check();
        }
    }
    void check() const {
        for (const auto& which : all_children) {
            std::size_t running = 0;
            std::size_t acting = 0;
            for (const auto& n : nodes_) {
                const bool runs = n->agreed && n->runs.contains(which);
                running += runs && !n->was_frozen ? 1 : 0;
                acting += runs && !n->frozen && n->placement->holds_until_ms(which) > now_ms_ ? 1 : 0;
            }
            require(running <= 1, which.supervisor + "/" + which.child + " runs at one node");
            require(acting <= 1, which.supervisor + "/" + which.child + " acts at one node");
        }
    }
    void require_all_run() const {
        for (const auto& which : all_children) {
            require(std::ranges::any_of(nodes_, [&](const auto& n) { return n->agreed && n->runs.contains(which); }),
                    which.supervisor + "/" + which.child + " runs somewhere");
        }
    }

    std::mt19937_64 random_;
    std::int64_t now_ms_ = 1000;
    std::shared_ptr<memory_map> map_ = std::make_shared<memory_map>();
    std::vector<std::unique_ptr<small_node>> nodes_;
};

} // namespace

BOOST_AUTO_TEST_CASE(each_child_runs_at_one_node_at_most_whatever_happens_and_comes_back) {
    test::each_seed(150, "placed children", [](std::uint64_t seed) { world(seed).run(); });
}

BOOST_AUTO_TEST_SUITE_END()
