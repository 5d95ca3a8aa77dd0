// Commands through any node of a cluster, while owners are lost.

#include "tests/runtime/cluster/small_nodes.hpp"

#include "storage/log_reader.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

struct clustered_commands : three_nodes {
    clustered_commands() { place_all(); }

    static command add_one(const entity_address& a, std::string id = {}) {
        command out;
        out.to = a;
        out.type = wire_name<add>::value;
        out.payload = to_json(add{1});
        out.id = std::move(id);
        out.principal = "test";
        return out;
    }
    using answered = std::shared_ptr<std::optional<reply>>;
    static answered submit(small_node& at, command c) {
        auto out = std::make_shared<std::optional<reply>>();
        at.submit(std::move(c), [out](reply r) {
            BOOST_CHECK_MESSAGE(!out->has_value(), "answered twice");
            *out = std::move(r);
        });
        return out;
    }
    reply ask(small_node& at, command c) {
        const auto out = submit(at, std::move(c));
        until("an answer", [&] { return out->has_value(); });
        return std::move(**out);
    }
    small_node& other_than(const small_node& one) {
        return **std::ranges::find_if(nodes, [&](auto& n) { return n.get() != &one && n->is_up(); });
    }
    /// How many events the entity has, as a node shows it that was asked to wait for what owners have.
    std::uint64_t read(small_node& at, const entity_address& a) {
        std::optional<bool> may;
        at.commands->wait_to_read([&](const expected<void>& what) { may = what.has_value(); });
        until("a read", [&] { return may.has_value(); });
        BOOST_REQUIRE(*may);
        return storage::read_version(*at.store, a).value();
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(clustered_commands_through_any_node, clustered_commands)

BOOST_AUTO_TEST_CASE(any_node_takes_a_command_and_any_node_shows_what_was_answered) {
    const auto a = entity();
    std::uint64_t version = 0;
    for (auto& n : nodes) {
        BOOST_TEST(ask(*n, add_one(a)).value().version == ++version);
        for (auto& reader : nodes) {
            BOOST_TEST(read(*reader, a) == version);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_command_that_its_owner_took_to_the_grave_is_done_once_by_the_next_one) {
    const auto a = entity();
    for (const std::string id : {"", "test:1"}) { // one that nobody can repeat, and one that is remembered
        const auto before = read(*nodes.front(), a);
        auto& owner = *shower_of(0);
        auto& asked = other_than(owner);
        all.net.silent = owner.replica; // it is done, and the answer is lost
        const auto said = submit(asked, add_one(a, id));
        until("the entry is everywhere", [&] {
            return std::ranges::all_of(nodes,
                                       [&](auto& n) { return log_of(*n->store, 0).back().entity_seq == before + 1; });
        });
        BOOST_REQUIRE(!said->has_value());
        all.net.silent.reset();
        all.net.cut.insert(owner.replica);
        asked.commands->on_down(owner.replica);
        owner.agreed->keep_alive(false);
        until("another one answers", [&] { return said->has_value(); });
        BOOST_TEST(shower_of(0) != &owner);
        all.net.plug_in(owner.replica);
        owner.agreed->keep_alive(true);
        place_all();
        BOOST_REQUIRE((*said)->has_value());
        BOOST_TEST((**said)->version == before + 1);
        BOOST_TEST(read(asked, a) == before + 1);
    }
}

BOOST_AUTO_TEST_CASE(what_was_never_committed_is_decided_by_the_next_owner) {
    const auto a = entity();
    ask(*nodes.front(), add_one(a));
    auto& owner = *shower_of(0);
    const auto said = submit(owner, add_one(a)); // through the owner itself
    all.net.cut.insert(owner.replica);
    settle();
    BOOST_TEST(!said->has_value());
    owner.agreed->keep_alive(false);
    until("another one shows it", [&] { return shower_of(0) != nullptr && shower_of(0) != &owner; });
    auto& next = *shower_of(0);
    BOOST_TEST(read(next, a) == 1u);
    owner.agreed->keep_alive(true);
    all.net.plug_in(owner.replica);
    until("its command went to the next owner", [&] { return said->has_value(); });
    BOOST_REQUIRE((*said)->has_value());
    BOOST_TEST((**said)->version == 2u);
    BOOST_TEST(read(next, a) == 2u);
}

BOOST_AUTO_TEST_CASE(the_time_of_a_shard_does_not_go_back_with_an_owner_whose_clock_is_behind) {
    const auto a = entity();
    auto& ahead = *shower_of(0);
    ahead.clock_ahead_ms = 3'600'000;
    ask(ahead, add_one(a));
    const auto then = log_of(*ahead.store, 0).back().time;
    ahead.vanish();
    until("another one shows it", [&] { return shower_of(0) != nullptr; });
    ask(*shower_of(0), add_one(a));
    BOOST_TEST((log_of(*shower_of(0)->store, 0).back().time >= then));
}

BOOST_AUTO_TEST_CASE(an_effect_that_is_owed_is_done_by_the_next_owner) {
    const auto a = entity();
    auto to = entity();
    command c = add_one(a);
    c.type = wire_name<tell>::value;
    c.payload = to_json(tell{to.id, 3});
    auto& owner = *shower_of(0);
    owner.services.dispatch = [](command, const reply_port&) {}; // what it owes does not come from here
    BOOST_TEST(ask(owner, c).has_value());
    for (int i = 0; i < 5; ++i) {
        step();
    }
    BOOST_TEST(read(other_than(owner), to) == 0u);
    owner.vanish();
    until("it is there",
          [&] { return shower_of(0) != nullptr && storage::read_version(*shower_of(0)->store, to).value() == 1; });
    BOOST_TEST(read(*shower_of(0), to) == 1u);
}

BOOST_AUTO_TEST_CASE(one_that_is_cut_off_refuses_commands_and_reads_and_says_so) {
    const auto a = entity();
    auto& owner = *shower_of(0);
    auto& alone = other_than(owner);
    all.net.cut.insert(alone.replica);
    for (auto& n : nodes) {
        if (n.get() != &alone) {
            alone.commands->on_down(n->replica);
        }
    }
    const auto said = submit(alone, add_one(a));
    std::optional<expected<void>> may;
    alone.commands->wait_to_read([&](const expected<void>& what) { may = what; });
    until("a refusal", [&] { return said->has_value() && may.has_value(); });
    BOOST_TEST(((*said)->error().code == code::unavailable));
    BOOST_TEST((may->error().code == code::unavailable));
    BOOST_TEST(ask(owner, add_one(a)).value().version == 1u); // the others go on
}

BOOST_AUTO_TEST_SUITE_END()
