#include "runtime/entity/rebuild.hpp"
#include "storage/usage.hpp"
#include "tests/runtime/host_fixture.hpp"

#include <boost/test/unit_test.hpp>

/// Limits of organizations on the real path: decision, commit, crash.
namespace troupe::test {

struct occupy {};
BOOST_DESCRIBE_STRUCT(occupy, (), ())
struct leave {};
BOOST_DESCRIBE_STRUCT(leave, (), ())
/// Takes, and is refused all the same.
struct want_and_fail {};
BOOST_DESCRIBE_STRUCT(want_and_fail, (), ())
struct occupied {};
BOOST_DESCRIBE_STRUCT(occupied, (), ())
struct left {};
BOOST_DESCRIBE_STRUCT(left, (), ())

struct place_state {
    bool taken = false;
};
BOOST_DESCRIBE_STRUCT(place_state, (), (taken))

} // namespace troupe::test

TROUPE_NAMED(troupe::test::occupy)
TROUPE_NAMED(troupe::test::leave)
TROUPE_NAMED(troupe::test::want_and_fail)
TROUPE_NAMED(troupe::test::occupied)
TROUPE_NAMED(troupe::test::left)

namespace troupe::test {

/// Holds an agent's place while it is occupied, and uses a task each time it becomes so.
struct place_model {
    static constexpr std::string_view kind = "place";
    using state = place_state;
    using command = std::variant<occupy, leave, want_and_fail>;
    using event = std::variant<occupied, left>;

    static expected<std::vector<event>> decide(const state& s, const command& c, const runtime::context& ctx) {
        if (std::holds_alternative<leave>(c)) {
            return s.taken ? std::vector<event>{left{}} : std::vector<event>{};
        }
        for (const auto* what : {"agents", "tasks"}) {
            if (auto room = ctx.take(what, 1); !room) {
                return room.error();
            }
        }
        if (std::holds_alternative<want_and_fail>(c)) {
            return problem{code::conflict, "no"};
        }
        return std::vector<event>{occupied{}};
    }
    static state apply(state s, const event& e, const runtime::event_context&) {
        s.taken = std::holds_alternative<occupied>(e);
        return s;
    }
    static std::vector<runtime::effect> resume(const state&) { return {}; }
    static runtime::entity_view view(const state& s, const runtime::view_context&) {
        return {to_json(s), {{"", ""}}, true};
    }
    static std::vector<usage_amount> uses(const state&, const event& e) {
        return std::holds_alternative<occupied>(e) ? std::vector{usage_amount{"tasks", 1}}
                                                   : std::vector<usage_amount>{};
    }
    static std::vector<usage_amount> holds(const state& s) {
        return s.taken ? std::vector{usage_amount{"agents", 1}} : std::vector<usage_amount>{};
    }
};

} // namespace troupe::test

using namespace troupe;
using namespace troupe::test;

namespace {

const uuid organization = make_uuid();

quota_limits allowing(std::string_view text) { return parse_quota_limits(text).value(); }

struct place_host : host_fixture {
    explicit place_host(const std::filesystem::path& directory, const quota_limits& all = {})
        : host_fixture(directory), may{"free", all, false} {
        kinds.emplace("place", runtime::make_kind<place_model>());
        store->usage().allow([this](const uuid&) -> expected<allowance> { return may; });
    }

    template <class Command>
    runtime::command make_place(const uuid& id, const Command& c) {
        auto out = make(id, c);
        out.to = {organization, "place", id};
        return out;
    }
    std::int64_t standing(const std::string& what) {
        return store->usage().standing(organization, now).value().at(what);
    }
    /// How many there really are.
    std::size_t occupied_places() {
        storage::list_query query;
        query.organization = organization;
        query.kind = "place";
        query.limit = 1000;
        std::size_t out = 0;
        for (const auto& d : storage::read_list(*store, query).value().items) {
            out += from_json<place_state>(d.json, strictness::stored).value().taken ? 1 : 0;
        }
        return out;
    }

    allowance may;
};

} // namespace

BOOST_AUTO_TEST_SUITE(quota_host)

BOOST_AUTO_TEST_CASE(of_many_at_once_exactly_as_many_as_the_limit_get_a_place) {
    temporary_directory directory;
    place_host host(directory.path, allowing("agents=10"));
    std::vector<std::shared_ptr<std::optional<runtime::reply>>> answers;
    for (int i = 0; i < 100; ++i) {
        answers.push_back(host.begin(host.make_place(make_uuid(), occupy{})));
    }
    host.run();
    std::size_t accepted = 0;
    for (const auto& a : answers) {
        BOOST_REQUIRE(a->has_value());
        accepted += (*a)->has_value() ? 1 : 0;
        BOOST_TEST(((*a)->has_value() || (*a)->error().code == code::quota_exceeded));
    }
    BOOST_TEST(accepted == 10u);
    BOOST_TEST(host.occupied_places() == 10u);
    BOOST_TEST(host.standing("agents") == 10);
    BOOST_TEST(host.standing("tasks") == 10);
}

BOOST_AUTO_TEST_CASE(a_kill_in_the_middle_leaves_the_count_equal_to_what_there_is) {
    temporary_directory directory;
    std::size_t before = 0;
    for (int life = 0; life < 12; ++life) {
        place_host host(directory.path, allowing("agents=40"));
        BOOST_TEST(host.standing("agents") == static_cast<std::int64_t>(host.occupied_places()));
        BOOST_TEST(host.standing("tasks") == static_cast<std::int64_t>(host.occupied_places()));
        BOOST_TEST(host.occupied_places() >= before);
        before = host.occupied_places();
        for (int i = 0; i < 10; ++i) {
            host.begin(host.make_place(make_uuid(), occupy{}));
        }
        for (int step = 0; step < 7 * life; ++step) { // the end comes at another moment each time
            host.scheduler().try_run_once();
        }
        host.services.end_process = [](std::string_view) {};
        host.services.on_committed = {};
    }
    place_host host(directory.path, allowing("agents=40"));
    for (int i = 0; i < 50; ++i) {
        host.begin(host.make_place(make_uuid(), occupy{}));
    }
    host.run();
    BOOST_TEST(host.occupied_places() == 40u);
    BOOST_TEST(host.standing("agents") == 40);
}

BOOST_AUTO_TEST_CASE(who_leaves_makes_room_and_what_the_day_has_used_stays_used) {
    temporary_directory directory;
    place_host host(directory.path, allowing("agents=1, tasks_per_day=2"));
    const auto first = make_uuid();
    BOOST_TEST(host.ask(host.make_place(first, occupy{})).has_value());
    BOOST_TEST(host.ask(host.make_place(make_uuid(), occupy{})).has_error());
    BOOST_TEST(host.ask(host.make_place(first, leave{})).has_value());
    BOOST_TEST(host.ask(host.make_place(make_uuid(), occupy{})).has_value());
    BOOST_TEST(host.standing("tasks") == 2);
    host.may.limits.agents = 9;
    host.store->usage().forget(organization);
    const auto refused = host.ask(host.make_place(make_uuid(), occupy{}));
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST(refused.error().errors.at(0).pointer == "/limits/tasks_per_day");
    host.advance(24LL * 3600 * 1000);
    BOOST_TEST(host.ask(host.make_place(make_uuid(), occupy{})).has_value());
}

BOOST_AUTO_TEST_CASE(a_refused_command_gives_back_what_it_took) {
    temporary_directory directory;
    place_host host(directory.path, allowing("agents=1"));
    for (int i = 0; i < 3; ++i) {
        const auto refused = host.ask(host.make_place(make_uuid(), want_and_fail{}));
        BOOST_REQUIRE(refused.has_error());
        BOOST_TEST((refused.error().code == code::conflict));
    }
    BOOST_TEST(host.standing("agents") == 0);
    BOOST_TEST(host.ask(host.make_place(make_uuid(), occupy{})).has_value());
}

BOOST_AUTO_TEST_CASE(a_repeated_command_takes_once) {
    temporary_directory directory;
    place_host host(directory.path, allowing("tasks_per_day=5"));
    auto c = host.make_place(make_uuid(), occupy{});
    c.id = "the-same";
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(host.ask(c).has_value());
    }
    BOOST_TEST(host.standing("tasks") == 1);
}

BOOST_AUTO_TEST_CASE(a_directory_that_was_never_counted_is_counted_once) {
    temporary_directory directory;
    place_host host(directory.path);
    const auto gone = make_uuid();
    for (const auto& id : {gone, make_uuid(), make_uuid()}) {
        host.ask(host.make_place(id, occupy{}));
    }
    host.ask(host.make_place(gone, leave{}));
    // What they hold was counted with their events; as if an older version had made them:
    const auto uncounted = runtime::complete_holdings(*host.store, host.kinds);
    BOOST_REQUIRE(uncounted.has_value());
    BOOST_TEST(uncounted->empty());
    host.store->usage().reset();
    BOOST_TEST(host.standing("agents") == 4); // both counts
    BOOST_TEST(runtime::complete_holdings(*host.store, host.kinds)->empty());
    host.store->usage().reset();
    BOOST_TEST(host.standing("agents") == 4); // never again
}

BOOST_AUTO_TEST_SUITE_END()
