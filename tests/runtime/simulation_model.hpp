#pragma once

#include "runtime/entity/kind.hpp"
#include "schemas/base/described.hpp"

#include <functional>

/// What the simulated world is made of: a ledger that does exactly what it is told, as often as it is told. It guards
/// against no repeat by itself, so that each one that the host lets through shows in its history.
namespace troupe::test {

struct note { ///< `parts` events at once.
    std::int64_t number = 0;
    std::int64_t parts = 1;
    bool refuse = false;
};
BOOST_DESCRIBE_STRUCT(note, (), (number, parts, refuse))
struct tell_other { ///< Through the outbox; the other may be made to refuse it.
    std::int64_t number = 0;
    uuid to;
    bool refuse = false;
};
BOOST_DESCRIBE_STRUCT(tell_other, (), (number, to, refuse))
struct hear {
    std::int64_t number = 0;
    bool refuse = false;
};
BOOST_DESCRIBE_STRUCT(hear, (), (number, refuse))
struct tell_settled {
    std::string key;
    bool ok = false;
};
BOOST_DESCRIBE_STRUCT(tell_settled, (), (key, ok))
struct remind {
    std::int64_t number = 0;
    std::int64_t after_ms = 0;
    bool explode = false; ///< When it rings.
};
BOOST_DESCRIBE_STRUCT(remind, (), (number, after_ms, explode))
struct ring {
    std::int64_t number = 0;
    bool explode = false;
};
BOOST_DESCRIBE_STRUCT(ring, (), (number, explode))
struct perform { ///< By the performer, which tells `parts` outcomes, one after the other.
    std::int64_t number = 0;
    std::int64_t parts = 1;
    bool survives = false;
    bool tells = false;   ///< Waits for each part to be taken but the last.
    bool explode = false; ///< At the last outcome.
};
BOOST_DESCRIBE_STRUCT(perform, (), (number, parts, survives, tells, explode))
struct take_outcome {
    std::int64_t number = 0;
    std::int64_t part = 0;
    std::int64_t attempt = 0; ///< Of the performer: which one was believed.
    bool explode = false;
};
BOOST_DESCRIBE_STRUCT(take_outcome, (), (number, part, attempt, explode))
struct cancel { ///< What is performed, or was.
    std::int64_t number = 0;
    std::int64_t of = 0;
};
BOOST_DESCRIBE_STRUCT(cancel, (), (number, of))
struct explode { ///< Kills its entity each time.
    std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(explode, (), (number))

struct noted {
    std::int64_t number = 0;
    std::int64_t part = 0;
    std::int64_t parts = 1;
};
BOOST_DESCRIBE_STRUCT(noted, (), (number, part, parts))
struct telling_other {
    std::int64_t number = 0;
    uuid to;
    bool refuse = false;
};
BOOST_DESCRIBE_STRUCT(telling_other, (), (number, to, refuse))
struct heard {
    std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(heard, (), (number))
struct told_other {
    std::int64_t number = 0;
    bool ok = false;
};
BOOST_DESCRIBE_STRUCT(told_other, (), (number, ok))
struct remind_set {
    std::int64_t number = 0;
    timestamp due;
    bool explode = false;
};
BOOST_DESCRIBE_STRUCT(remind_set, (), (number, due, explode))
struct rang {
    std::int64_t number = 0;
};
BOOST_DESCRIBE_STRUCT(rang, (), (number))
struct performing {
    std::int64_t number = 0;
    std::int64_t parts = 1;
    bool survives = false;
    bool tells = false; ///< Waits for each part to be taken but the last.
    bool explode = false;
};
BOOST_DESCRIBE_STRUCT(performing, (), (number, parts, survives, tells, explode))
struct performed {
    std::int64_t number = 0;
    std::int64_t part = 0;
    std::int64_t attempt = 0;
};
BOOST_DESCRIBE_STRUCT(performed, (), (number, part, attempt))
struct cancelled {
    std::int64_t number = 0;
    std::int64_t of = 0;
};
BOOST_DESCRIBE_STRUCT(cancelled, (), (number, of))

struct ledger_state {
    static constexpr std::uint16_t version = 1;
    std::vector<std::int64_t> entries; ///< The number of each event.
    std::vector<telling_other> owed;
    std::vector<remind_set> reminders;
    std::vector<performing> works;
    std::vector<std::int64_t> cancelled; ///< Works, whose late outcomes change nothing.
    timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(ledger_state, (), (entries, owed, reminders, works, cancelled, created_at))

struct ledger_model {
    static constexpr std::string_view kind = "ledger";
    using state = ledger_state;
    using command =
        std::variant<note, tell_other, hear, tell_settled, remind, ring, perform, take_outcome, cancel, explode>;
    using event =
        std::variant<noted, telling_other, heard, told_other, remind_set, rang, performing, performed, cancelled>;

    static expected<std::vector<event>> decide(const state& s, const command& c, const runtime::context& ctx);
    static state apply(state s, const event& e, const runtime::event_context& ctx);
    static std::vector<runtime::effect> resume(const state& s);
    static runtime::entity_view view(const state& s, const runtime::view_context& ctx);
    static std::vector<runtime::item> items(const state& after, const event& e, const runtime::event_context& ctx);
};

/// Asked at each decision whether it should throw: how a simulation crashes entities. Empty: never.
std::function<bool(std::string_view command)>& decision_crashes();

} // namespace troupe::test

TROUPE_NAMED(troupe::test::note)
TROUPE_NAMED(troupe::test::tell_other)
TROUPE_NAMED(troupe::test::hear)
TROUPE_NAMED(troupe::test::tell_settled)
TROUPE_NAMED(troupe::test::remind)
TROUPE_NAMED(troupe::test::ring)
TROUPE_NAMED(troupe::test::perform)
TROUPE_NAMED(troupe::test::take_outcome)
TROUPE_NAMED(troupe::test::cancel)
TROUPE_NAMED(troupe::test::explode)
TROUPE_NAMED(troupe::test::noted)
TROUPE_NAMED(troupe::test::telling_other)
TROUPE_NAMED(troupe::test::heard)
TROUPE_NAMED(troupe::test::told_other)
TROUPE_NAMED(troupe::test::remind_set)
TROUPE_NAMED(troupe::test::rang)
TROUPE_NAMED(troupe::test::performing)
TROUPE_NAMED(troupe::test::performed)
TROUPE_NAMED(troupe::test::cancelled)
