#include "runtime/entity/kind.hpp"
#include "schemas/base/versions.hpp"
#include "storage/log_reader.hpp"
#include "tests/golden.hpp"
#include "tests/runtime/host_fixture.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::runtime;
namespace golden = troupe::test::golden;

/// A model whose event and state had three and two versions: as the first release stored them, and as today's does.
namespace versioned {

namespace v1 {
struct deposited {
    std::int64_t amount = 0;
};
BOOST_DESCRIBE_STRUCT(deposited, (), (amount))
struct account_state {
    std::int64_t balance = 0;
};
BOOST_DESCRIBE_STRUCT(account_state, (), (balance))
} // namespace v1

namespace v2 {
struct deposited { ///< Amounts in cents; who paid.
    static constexpr int version = 2;
    using previous = v1::deposited;
    std::int64_t cents = 0;
    std::string payer;
};
BOOST_DESCRIBE_STRUCT(deposited, (), (cents, payer))
} // namespace v2

struct deposited { ///< With a currency.
    static constexpr int version = 3;
    using previous = v2::deposited;
    std::int64_t cents = 0;
    std::string currency;
    std::string payer;
};
BOOST_DESCRIBE_STRUCT(deposited, (), (cents, currency, payer))

struct account_state {
    static constexpr int version = 2;
    using previous = v1::account_state;
    std::int64_t cents = 0;
    std::string currency;
};
BOOST_DESCRIBE_STRUCT(account_state, (), (cents, currency))

inline v2::deposited upcast(v1::deposited old) { return {old.amount * 100, "unknown"}; }
inline deposited upcast(v2::deposited old) { return {old.cents, "EUR", std::move(old.payer)}; }
inline account_state upcast(v1::account_state old) { return {old.balance * 100, "EUR"}; }
// Each is found beside the type that it takes.
namespace v1 {
using versioned::upcast;
}
namespace v2 {
using versioned::upcast;
}

struct deposit {
    std::int64_t amount = 0;
};
BOOST_DESCRIBE_STRUCT(deposit, (), (amount))

/// Of the release to come, which a cluster gets node by node: who paid is hidden when they want it so.
namespace v4 {
struct deposited {
    static constexpr int version = 4;
    static constexpr std::string_view feature = "hidden_payers";
    using previous = versioned::deposited;
    std::int64_t cents = 0;
    std::string currency;
    std::string payer;
    bool hidden = false;
};
BOOST_DESCRIBE_STRUCT(deposited, (), (cents, currency, payer, hidden))
inline versioned::deposited downcast(const deposited& now) { return {now.cents, now.currency, now.payer}; }

struct frozen {
    static constexpr std::string_view feature = "frozen_accounts";
};
BOOST_DESCRIBE_STRUCT(frozen, (), ())

struct account_state {
    static constexpr int version = 3;
    static constexpr std::string_view feature = "hidden_payers";
    using previous = versioned::account_state;
    std::int64_t cents = 0;
    std::string currency;
    std::uint64_t hidden = 0;
};
BOOST_DESCRIBE_STRUCT(account_state, (), (cents, currency, hidden))
inline versioned::account_state downcast(const account_state& now) { return {now.cents, now.currency}; }

struct freeze {};
BOOST_DESCRIBE_STRUCT(freeze, (), ())
} // namespace v4

inline v4::deposited upcast(deposited old) { return {old.cents, std::move(old.currency), std::move(old.payer), false}; }
inline v4::account_state upcast(account_state old) { return {old.cents, std::move(old.currency), 0}; }

} // namespace versioned

TROUPE_NAMED(versioned::v1::deposited)
TROUPE_NAMED(versioned::v2::deposited)
TROUPE_NAMED(versioned::deposited)
TROUPE_NAMED(versioned::deposit)
TROUPE_NAMED(versioned::v4::deposited)
TROUPE_NAMED(versioned::v4::frozen)
TROUPE_NAMED(versioned::v4::freeze)

namespace versioned {

struct first_release {
    static constexpr std::string_view kind = "account";
    using state = v1::account_state;
    using command = std::variant<deposit>;
    using event = std::variant<v1::deposited>;
    static expected<std::vector<event>> decide(const state&, const command& c, const context&) {
        return std::vector<event>{v1::deposited{std::get<deposit>(c).amount}};
    }
    static state apply(state s, const event& e, const event_context&) {
        s.balance += std::get<v1::deposited>(e).amount;
        return s;
    }
    static std::vector<effect> resume(const state&) { return {}; }
    static entity_view view(const state& s, const view_context&) { return {to_json(s), {index_key{"", "all"}}}; }
};

struct next_release {
    static constexpr std::string_view kind = "account";
    using state = v4::account_state;
    using command = std::variant<deposit, v4::freeze>;
    using event = std::variant<v4::deposited, v4::frozen>;
    static expected<std::vector<event>> decide(const state&, const command& c, const context&) {
        const auto* paid = std::get_if<deposit>(&c);
        return std::vector<event>{paid ? event(v4::deposited{paid->amount * 100, "EUR", "somebody", true})
                                       : event(v4::frozen{})};
    }
    static state apply(state s, const event& e, const event_context&) {
        if (const auto* paid = std::get_if<v4::deposited>(&e)) {
            s.cents += paid->cents;
            s.currency = paid->currency;
            s.hidden += paid->hidden ? 1 : 0;
        }
        return s;
    }
    static std::vector<effect> resume(const state&) { return {}; }
    static entity_view view(const state& s, const view_context&) { return {to_json(s)}; }
};

struct todays_release {
    static constexpr std::string_view kind = "account";
    using state = account_state;
    using command = std::variant<deposit>;
    using event = std::variant<deposited>;
    static expected<std::vector<event>> decide(const state&, const command& c, const context&) {
        return std::vector<event>{deposited{std::get<deposit>(c).amount * 100, "EUR", "somebody"}};
    }
    static state apply(state s, const event& e, const event_context&) {
        s.cents += std::get<deposited>(e).cents;
        s.currency = std::get<deposited>(e).currency;
        return s;
    }
    static std::vector<effect> resume(const state&) { return {}; }
    static entity_view view(const state& s, const view_context&) { return {to_json(s), {index_key{"", "all"}}}; }
};

/// Commands against the accounts of a directory, as a program of that release hosts them.
template <class Release>
struct program : troupe::test::host_fixture {
    explicit program(const std::filesystem::path& directory, std::uint64_t snapshot_events = 200)
        : host_fixture(directory, {}, snapshot_events) {
        kinds.emplace("account", make_kind<Release>());
    }
    static entity_address account(std::uint8_t n) {
        uuid id;
        id.bytes[0] = n;
        return {system_organization, "account", id};
    }
    reply pay(std::uint8_t into, std::int64_t amount) {
        auto c = make(uuid{}, deposit{amount});
        c.to = account(into);
        return ask(std::move(c));
    }
    std::string shown(std::uint8_t n) { return storage::read_document(*store, account(n)).value().value().json; }
};

} // namespace versioned

using namespace versioned;

namespace {

template <class T>
std::string refusal(const expected<T>& r) {
    BOOST_REQUIRE(!r);
    return r.error().detail;
}

} // namespace

BOOST_AUTO_TEST_SUITE(stored_versions)

BOOST_AUTO_TEST_CASE(an_old_version_goes_through_every_upcaster_up_to_todays) {
    const auto first = read_stored<deposited>(1, R"({"amount":7})");
    BOOST_REQUIRE(first);
    BOOST_TEST(to_json(*first) == R"({"cents":700,"currency":"EUR","payer":"unknown"})");
    const auto second = read_stored<deposited>(2, R"({"cents":5,"payer":"ann"})");
    BOOST_REQUIRE(second);
    BOOST_TEST(to_json(*second) == R"({"cents":5,"currency":"EUR","payer":"ann"})");
    const auto third = read_stored<deposited>(3, R"({"cents":5,"currency":"CHF","payer":"ann"})");
    BOOST_REQUIRE(third);
    BOOST_TEST(third->currency == "CHF");
}

BOOST_AUTO_TEST_CASE(a_version_that_only_a_newer_program_knows_is_refused_with_what_to_do) {
    const auto newer = read_stored<deposited>(4, "{}");
    BOOST_TEST_REQUIRE(!newer);
    BOOST_TEST((newer.error().code == code::data_dir_newer));
    BOOST_TEST(newer.error().detail ==
               "it has version 4, written by a newer Troupe; this one knows versions 1 to 3: run the newer one again");
    BOOST_TEST(refusal(read_stored<deposited>(0, "{}")).find("does not read any more") != std::string::npos);
    BOOST_TEST(!read_stored<v1::deposited>(2, R"({"cents":5})")); // not read as something else
}

BOOST_AUTO_TEST_CASE(the_examples_versions_have_golden_files_too) {
    golden::check_stored<deposited>("example", "deposited", "the event 'deposited' of the example");
    golden::check_stored<account_state>("example", "account", "the state of the example");
    golden::check_orphans("example");
}

BOOST_AUTO_TEST_CASE(a_newer_program_serves_what_an_older_one_wrote) {
    const test::temporary_directory dir;
    {
        program<first_release> old(dir.path);
        BOOST_TEST_REQUIRE(!!old.pay(1, 3));
        BOOST_TEST_REQUIRE(!!old.pay(1, 4));
    }
    program<todays_release> today(dir.path);
    BOOST_TEST_REQUIRE(!!today.pay(1, 1));
    BOOST_TEST(today.shown(1) == R"({"cents":800,"currency":"EUR"})");
}

BOOST_AUTO_TEST_CASE(a_snapshot_of_an_older_state_is_brought_up_to_date) {
    const test::temporary_directory dir;
    {
        program<first_release> old(dir.path, 2);
        for (int i = 0; i < 5; ++i) {
            BOOST_TEST_REQUIRE(!!old.pay(1, 1));
        }
        const auto snapshots = storage::read_snapshots(*old.store, old.account(1), 2);
        BOOST_TEST_REQUIRE(!snapshots.empty());
        BOOST_TEST(snapshots.front().state_version == 1);
    }
    program<todays_release> today(dir.path);
    BOOST_TEST_REQUIRE(!!today.pay(1, 1));
    BOOST_TEST(today.shown(1) == R"({"cents":600,"currency":"EUR"})");
    // By the snapshot itself, not by replay beside it.
    hosted_model<todays_release> instance(nullptr);
    BOOST_TEST_REQUIRE(!!instance.restore(1, R"({"balance":9})"));
    BOOST_TEST(instance.snapshot(nullptr).payload == R"({"cents":900,"currency":"EUR"})");
}

BOOST_AUTO_TEST_CASE(an_older_program_serves_all_but_what_a_newer_one_changed_and_says_why) {
    const test::temporary_directory dir;
    {
        program<first_release> old(dir.path);
        BOOST_TEST_REQUIRE(!!old.pay(1, 3));
        BOOST_TEST_REQUIRE(!!old.pay(2, 3));
    }
    {
        program<todays_release> today(dir.path);
        BOOST_TEST_REQUIRE(!!today.pay(1, 1));
    }
    {
        program<first_release> old(dir.path);
        const auto refused = old.pay(1, 1);
        BOOST_TEST_REQUIRE(!refused);
        BOOST_TEST((refused.error().code == code::quarantined));
        BOOST_TEST(refused.error().detail.find("event 2 of account/") != std::string::npos, refused.error().detail);
        BOOST_TEST(refused.error().detail.find("version 3, written by a newer Troupe; this one knows version 1") !=
                       std::string::npos,
                   refused.error().detail);
        BOOST_TEST_REQUIRE(!!old.pay(2, 4));
        BOOST_TEST(old.shown(2) == R"({"balance":7})");
    }
    program<todays_release> again(dir.path); // nothing was lost meanwhile
    BOOST_TEST_REQUIRE(!!again.pay(1, 1));
    BOOST_TEST(again.shown(1) == R"({"cents":500,"currency":"EUR"})");
    BOOST_TEST_REQUIRE(!!again.pay(2, 1));
    BOOST_TEST(again.shown(2) == R"({"cents":800,"currency":"EUR"})");
}

BOOST_AUTO_TEST_CASE(an_older_program_does_without_the_snapshot_of_a_newer_one) {
    hosted_model<first_release> instance(nullptr);
    const auto refused = instance.restore(2, R"({"cents":900,"currency":"EUR"})");
    BOOST_TEST_REQUIRE(!refused); // the host goes to the snapshot before, then to the first event
    BOOST_TEST((refused.error().code == code::data_dir_newer));
    BOOST_TEST(instance.snapshot(nullptr).payload == R"({"balance":0})");
}

// ---- features: what not all nodes of a cluster can read yet

namespace {

expected<decided> handle(hosted_model<next_release>& instance, std::string type, std::string payload,
                         const feature_set& on) {
    context ctx{};
    ctx.features = &on;
    command c;
    c.type = std::move(type);
    c.payload = std::move(payload);
    return instance.handle(c, ctx);
}

} // namespace

BOOST_AUTO_TEST_CASE(without_its_feature_an_event_is_stored_as_it_was_before) {
    hosted_model<next_release> instance(nullptr);
    const auto done = handle(instance, "deposit", R"({"amount":2})", {});
    BOOST_TEST_REQUIRE(!!done);
    BOOST_TEST(done->events.front().version == 3);
    BOOST_TEST(done->events.front().payload == R"({"cents":200,"currency":"EUR","payer":"somebody"})");
    // What it did is what the others read of it.
    BOOST_TEST(instance.snapshot(nullptr).payload == R"({"cents":200,"currency":"EUR","hidden":0})");
}

BOOST_AUTO_TEST_CASE(with_its_feature_it_is_stored_whole) {
    hosted_model<next_release> instance(nullptr);
    const auto done = handle(instance, "deposit", R"({"amount":2})", {"hidden_payers"});
    BOOST_TEST_REQUIRE(!!done);
    BOOST_TEST(done->events.front().version == 4);
    BOOST_TEST(instance.snapshot(nullptr).payload == R"({"cents":200,"currency":"EUR","hidden":1})");
}

BOOST_AUTO_TEST_CASE(a_node_alone_has_all_features) {
    hosted_model<next_release> instance(nullptr);
    command c;
    c.type = "deposit";
    c.payload = R"({"amount":2})";
    BOOST_TEST(instance.handle(c, {})->events.front().version == 4);
}

BOOST_AUTO_TEST_CASE(a_state_is_stored_as_it_was_before_too) {
    hosted_model<next_release> instance(nullptr);
    BOOST_TEST_REQUIRE(!!handle(instance, "deposit", R"({"amount":2})", {}));
    const feature_set none;
    const auto before = instance.snapshot(&none);
    BOOST_TEST(before.version == 2);
    BOOST_TEST(before.payload == R"({"cents":200,"currency":"EUR"})");
    hosted_model<todays_release> older(nullptr);
    BOOST_TEST(!!older.restore(before.version, before.payload));
}

BOOST_AUTO_TEST_CASE(what_is_new_as_a_whole_is_refused_until_its_feature_is_on) {
    hosted_model<next_release> instance(nullptr);
    const auto refused = handle(instance, "freeze", "{}", {"hidden_payers"});
    BOOST_TEST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code == code::unavailable));
    BOOST_TEST(refused.error().detail.find("'frozen_accounts'") != std::string::npos, refused.error().detail);
    BOOST_TEST(!!handle(instance, "freeze", "{}", {"frozen_accounts"}));
}

BOOST_AUTO_TEST_SUITE_END()
