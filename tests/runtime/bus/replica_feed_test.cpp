// Feeds at a replica: of what is committed and in its tables, whoever decided it.

#include "runtime/backup/restore.hpp"
#include "runtime/bus/hub.hpp"
#include "schemas/base/described.hpp"
#include "storage/backup.hpp"
#include "storage/written_log.hpp"
#include "tests/runtime/bus/hub_fixture.hpp"
#include "tests/storage/wired_replicas.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::test;

namespace {

using names = std::vector<std::string>;

names kinds_of(const std::vector<live_event>& events) {
    names out;
    for (const auto& e : events) {
        out.push_back(e.kind);
    }
    return out;
}

/// A replica's hub, with a subscriber that was there from the start.
struct feed {
    feed(wired_replicas& r, std::size_t i) : replicas(r), at(i) {
        auto started = runtime::hub::start(r.store(i), {});
        BOOST_REQUIRE(started.has_value());
        hub = std::move(*started);
        first = subscribe(live, {});
        observed = hub->observe(r.entity.organization,
                                [this](const entity_address&, std::string_view type) { told.emplace_back(type); });
    }

    std::unique_ptr<runtime::subscription> subscribe(listener& to, std::string since) {
        auto made = hub->subscribe({replicas.entity.organization, {"*"}, std::move(since), {}}, to.sink());
        BOOST_REQUIRE(made.has_value());
        return std::move(*made);
    }

    /// Who listened all the time, who asks for all, and who reads pages: all have had these events, and nothing else.
    void check(const names& wanted) {
        BOOST_TEST(kinds_of(live.now()) == wanted, boost::test_tools::per_element());
        BOOST_TEST(told == wanted, boost::test_tools::per_element());
        listener late;
        const auto whole = subscribe(late, "start");
        BOOST_TEST(kinds_of(late.wait_for(wanted.size())) == wanted, boost::test_tools::per_element());
        const auto page = hub->read(replicas.entity.organization, "start", 100);
        BOOST_REQUIRE(page.has_value());
        BOOST_TEST(page->envelopes.size() == wanted.size());
        BOOST_TEST(!page->next.has_value());
    }

    wired_replicas& replicas;
    std::size_t at;
    listener live;
    names told;
    std::unique_ptr<runtime::hub> hub;
    std::unique_ptr<runtime::subscription> first;
    std::unique_ptr<runtime::subscription> observed;
};

} // namespace

BOOST_AUTO_TEST_SUITE(replica_feed)

BOOST_AUTO_TEST_CASE(a_replica_publishes_what_is_committed_when_it_hears_of_it) {
    wired_replicas r(3);
    r.lead(0, {0, 1, 2});
    feed owner(r, 0);
    feed follower(r, 1);
    r.on_applied = [&](std::size_t i) {
        for (auto* f : {&owner, &follower}) {
            BOOST_TEST((f->at != i || f->hub->applied(0).has_value()));
        }
    };
    r.append(0, "a", {1});
    owner.check({});
    follower.check({});

    r.settle({0, 1, 2});
    owner.check({"a"});
    follower.check({"a"});
    BOOST_TEST(follower.hub->applied(0).has_value()); // told twice, it publishes once
    follower.check({"a"});

    r.append(0, "b", {1});
    r.lead(1, {1, 2}); // it takes what is on its disk
    owner.check({"a"});
    follower.check({"a", "b"});
}

BOOST_AUTO_TEST_CASE(nothing_is_published_that_is_dropped) {
    wired_replicas r(5);
    r.lead(0, {0, 1, 2, 3, 4});
    feed owner(r, 0);
    feed follower(r, 1);
    r.on_applied = [&](std::size_t i) {
        for (auto* f : {&owner, &follower}) {
            BOOST_TEST((f->at != i || f->hub->applied(0).has_value()));
        }
    };
    r.append(0, "a", {1}); // both are cut off
    r.lead(2, {2, 3, 4});
    r.append(2, "b", {3, 4});
    r.settle({2, 3, 4});
    owner.check({});
    follower.check({});
    r.settle({0, 1, 2, 3, 4});
    owner.check({"b"});
    follower.check({"b"});
}

BOOST_AUTO_TEST_CASE(a_restored_replica_has_what_it_had_applied) {
    wired_replicas r(3);
    r.lead(0, {0, 1, 2});
    r.append(0, "a", {1, 2});
    r.settle({0, 1, 2});
    r.append(0, "b", {1});
    const temporary_directory folder;
    const auto made = storage::create_backup(r.store(1), folder.path / "backups", backup_maker::person);
    BOOST_REQUIRE(made.has_value());
    BOOST_TEST(storage::written_seq(r.store(1), 0) == r.store(1).applied(0) + 1);
    const auto restored =
        runtime::restore_backup({made->directory, folder.path / "restored", {}, 0}, {}, [](std::string_view) {});
    BOOST_REQUIRE_MESSAGE(restored.has_value(), (restored ? "" : restored.error().detail));
    BOOST_TEST(restored->records == r.store(1).applied(0));
    const auto copy = storage::store::open(options_for(folder.path / "restored", 1));
    BOOST_REQUIRE(copy.has_value());
    BOOST_TEST((*copy)->applied(0) == r.store(1).applied(0));
    BOOST_TEST(storage::written_seq(**copy, 0) == (*copy)->applied(0));
}

BOOST_AUTO_TEST_SUITE_END()
