// Retention in a cluster: what an owner cuts is cut everywhere, each trims its own log, and who lacks what is gone gets
// a checkpoint.

#include "runtime/audit/audit_log.hpp"
#include "runtime/entity/rebuild.hpp"
#include "runtime/retention/retention_actor.hpp"
#include "storage/base.hpp"
#include "storage/log_reader.hpp"
#include "storage/views.hpp"
#include "tests/runtime/cluster/small_nodes.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

constexpr std::int64_t kept_ms = 2000;

struct clustered_retention : three_nodes {
    clustered_retention() {
        place_all();
        a = entity();
        for (auto& n : nodes) {
            n->services.settings.dedup_window_ms = 100;
            n->services.owns = [&n](std::uint32_t shard) { return n->shows(shard); };
        }
    }
    ~clustered_retention() {
        for (auto& one : at_work) {
            caf::anon_send_exit(one, caf::exit_reason::kill);
        }
        all.host.run();
    }

    void retain(small_node& n, const retention_policy& policy) {
        at_work.push_back(spawn_retention(
            all.host.system, n.services,
            {policy, [&n] { return n.committer; },
             [&n](std::uint32_t shard) { return n.is_up() ? n.routers[shard] : shard_actor(); }, &statistics},
            false));
    }
    void add(std::int64_t by) {
        std::optional<reply> said;
        command c;
        c.to = a;
        c.type = wire_name<troupe::test::add>::value;
        c.payload = to_json(troupe::test::add{by});
        c.principal = "test";
        nodes.front()->submit(std::move(c), [&](reply r) { said = std::move(r); });
        until("an answer", [&] { return said.has_value(); });
        BOOST_REQUIRE(said->has_value());
    }
    static std::uint64_t base_of(const small_node& n, const entity_address& a) {
        return storage::read_base_mark(*n.store, a)->version;
    }
    static std::uint64_t trimmed(const small_node& n) { return storage::read_log_base(*n.store, 0)->at.seq; }

    void check(small_node& n) {
        const auto found = storage::verify_journal(*n.store, [](std::uint64_t) {});
        BOOST_TEST(!found.first_bad.has_value(), (found.first_bad ? found.first_bad->detail : ""));
        const auto views = rebuild_views(*n.store, n.kinds, false, [](std::uint64_t) {});
        BOOST_TEST((views.has_value() && views->equal()));
    }
    void require_equal() {
        until("all have all", [&] {
            return std::ranges::all_of(
                nodes, [&](auto& n) { return n->store->applied(0) == nodes.front()->store->applied(0); });
        });
        for (auto& n : nodes) {
            BOOST_TEST((rows_of(*n->store, 0) == rows_of(*nodes.front()->store, 0)));
            check(*n);
        }
    }

    entity_address a;
    retention_statistics statistics;
    std::vector<caf::actor> at_work;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(clustered_retentions, clustered_retention)

BOOST_AUTO_TEST_CASE(what_the_owner_cuts_is_cut_at_all_and_the_next_owner_goes_on_from_there) {
    for (auto& n : nodes) {
        retain(*n, {0, kept_ms, {}});
    }
    for (int i = 0; i < 20; ++i) {
        add(1);
    }
    until("the history is cut everywhere",
          [&] { return std::ranges::all_of(nodes, [&](auto& n) { return base_of(*n, a) >= 19; }); });
    require_equal();
    auto& owner = *shower_of(0);
    if (&owner == nodes.front().get()) {
        std::swap(nodes.front(), nodes.back()); // `add` asks the first one
    }
    owner.vanish();
    until("another one shows it", [&] { return shower_of(0) != nullptr && shower_of(0) != &owner; });
    add(1);
    BOOST_TEST(storage::read_version(*shower_of(0)->store, a).value() == 21u);
    const auto document = storage::read_document(*shower_of(0)->store, a);
    BOOST_REQUIRE((document.has_value() && document->has_value()));
    BOOST_TEST((*document)->json.find("21") != std::string::npos, (*document)->json);
    check(*shower_of(0));
}

BOOST_AUTO_TEST_CASE(each_trims_its_own_log_and_who_lacks_what_is_gone_gets_a_checkpoint) {
    auto& owner = *shower_of(0);
    auto& away = **std::ranges::find_if(nodes, [&](auto& n) { return n.get() != &owner; });
    if (&away == nodes.front().get()) {
        std::swap(nodes.front(), nodes.back());
    }
    add(1);
    away.vanish();
    for (int i = 0; i < 20; ++i) {
        add(1);
    }
    for (auto& n : nodes) {
        if (n->is_up()) {
            retain(*n, {kept_ms, 0, {}});
        }
    }
    until("who is up has trimmed", [&] {
        return std::ranges::all_of(nodes, [&](auto& n) {
            return !n->is_up() || (audit_log(*n->store, fatal).catch_up(1000).value() && trimmed(*n) >= 20);
        });
    });
    BOOST_TEST(trimmed(away) == 0u);
    away.start();
    all.net.plug_in(away.replica);
    settle();
    require_equal();
    BOOST_TEST(trimmed(away) >= 20u);
    add(1);
    require_equal();
}

BOOST_AUTO_TEST_SUITE_END()
