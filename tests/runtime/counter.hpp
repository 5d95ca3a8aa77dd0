#pragma once

#include "runtime/entity/kind.hpp"
#include "schemas/base/described.hpp"

#include <stdexcept>

/// A small model with every feature of the idiom, for tests of the host.
namespace troupe::test {

struct add {
    std::int64_t by = 1;
};
BOOST_DESCRIBE_STRUCT(add, (), (by))
struct add_later { ///< After a timer.
    std::int64_t by = 1;
    std::int64_t after_ms = 1000;
};
BOOST_DESCRIBE_STRUCT(add_later, (), (by, after_ms))
struct timer_over {};
BOOST_DESCRIBE_STRUCT(timer_over, (), ())
struct tell { ///< Adds to another counter through the outbox.
    uuid to;
    std::int64_t by = 1;
};
BOOST_DESCRIBE_STRUCT(tell, (), (to, by))
struct told {
    std::string key;
    bool ok = false;
    std::string code;
};
BOOST_DESCRIBE_STRUCT(told, (), (key, ok, code))
struct work { ///< Through the performer.
    std::string what;
};
BOOST_DESCRIBE_STRUCT(work, (), (what))
struct work_done {
    std::string result;
};
BOOST_DESCRIBE_STRUCT(work_done, (), (result))
struct burst { ///< So many events at once.
    std::int64_t count = 0;
    std::int64_t bytes = 0; ///< Of each, about.
};
BOOST_DESCRIBE_STRUCT(burst, (), (count, bytes))
struct crash {};
BOOST_DESCRIBE_STRUCT(crash, (), ())

struct added {
    std::int64_t by = 0;
};
BOOST_DESCRIBE_STRUCT(added, (), (by))
struct timer_set {
    timestamp due;
    std::int64_t by = 0;
};
BOOST_DESCRIBE_STRUCT(timer_set, (), (due, by))
struct timer_cleared {};
BOOST_DESCRIBE_STRUCT(timer_cleared, (), ())
struct telling {
    uuid to;
    std::int64_t by = 0;
};
BOOST_DESCRIBE_STRUCT(telling, (), (to, by))
struct telling_over {
    bool ok = false;
};
BOOST_DESCRIBE_STRUCT(telling_over, (), (ok))
struct work_wanted {
    std::string what;
};
BOOST_DESCRIBE_STRUCT(work_wanted, (), (what))
struct work_over {
    std::string result;
};
BOOST_DESCRIBE_STRUCT(work_over, (), (result))

struct counter_state {
    static constexpr std::uint16_t version = 1;
    std::int64_t total = 0;
    std::uint64_t events = 0;
    std::optional<timer_set> timer;
    std::optional<telling> pending;
    std::uint64_t told = 0;
    std::optional<std::string> wanted;
    std::string result;
    timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(counter_state, (), (total, events, timer, pending, told, wanted, result, created_at))

/// Amounts at which the model throws: when its timer is over, in `view`, in `resume`.
inline constexpr std::int64_t bad_timer = 1'000'001;
inline constexpr std::int64_t bad_view = 2'000'000;
inline constexpr std::int64_t bad_resume = 3'000'000; ///< And a little above, as commands are decided together.
inline constexpr std::int64_t bad_apply = 4'000'000;

struct counter_model {
    static constexpr std::string_view kind = "counter";
    using state = counter_state;
    using command = std::variant<add, add_later, timer_over, tell, test::told, work, work_done, burst, crash>;
    using event = std::variant<added, timer_set, timer_cleared, telling, telling_over, work_wanted, work_over>;

    static expected<std::vector<event>> decide(const state& s, const command& c, const runtime::context& ctx);
    static state apply(state s, const event& e, const runtime::event_context& ctx);
    static std::vector<runtime::effect> resume(const state& s);
    static runtime::entity_view view(const state& s, const runtime::view_context& ctx);
    static std::vector<runtime::item> items(const state& after, const event& e, const runtime::event_context& ctx);
};

} // namespace troupe::test

TROUPE_NAMED(troupe::test::add)
TROUPE_NAMED(troupe::test::add_later)
TROUPE_NAMED(troupe::test::timer_over)
TROUPE_NAMED(troupe::test::tell)
TROUPE_NAMED(troupe::test::told)
TROUPE_NAMED(troupe::test::work)
TROUPE_NAMED(troupe::test::work_done)
TROUPE_NAMED(troupe::test::burst)
TROUPE_NAMED(troupe::test::crash)
TROUPE_NAMED(troupe::test::added)
TROUPE_NAMED(troupe::test::timer_set)
TROUPE_NAMED(troupe::test::timer_cleared)
TROUPE_NAMED(troupe::test::telling)
TROUPE_NAMED(troupe::test::telling_over)
TROUPE_NAMED(troupe::test::work_wanted)
TROUPE_NAMED(troupe::test::work_over)
