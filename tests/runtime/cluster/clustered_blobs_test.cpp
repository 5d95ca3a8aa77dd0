// Contents in a cluster with all that is around them: commands that name them, at whichever node.

#include "storage/blob_copies.hpp"
#include "storage/blobs.hpp"
#include "storage/views.hpp"
#include "tests/runtime/album.hpp"
#include "tests/runtime/cluster/small_nodes.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

struct clustered_blobs : three_nodes {
    clustered_blobs() {
        place_all();
        for (const auto& n : nodes) {
            all.net.plug_in(n->replica);
        }
    }

    reply ask(small_node& at, const entity_address& a, const std::string& blob) {
        command c;
        c.to = a;
        c.type = wire_name<keep>::value;
        c.payload = to_json(keep{blob});
        c.principal = "test";
        std::optional<reply> out;
        at.submit(std::move(c), [&](reply r) { out = std::move(r); });
        until("an answer", [&] { return out.has_value(); });
        return std::move(*out);
    }
    /// Of shard 0.
    entity_address album() const {
        entity_address a{system_organization, "album", make_uuid()};
        while (nodes.front()->store->shard_of(a) != 0) {
            a.id = make_uuid();
        }
        return a;
    }
    small_node& other_than(const small_node& one) {
        return **std::ranges::find_if(nodes, [&](auto& n) { return n.get() != &one; });
    }
    static bool holds(const small_node& n, const std::string& name) {
        return storage::verify_blob(*n.store, system_organization, *storage::blob_hash_of(name)).has_value();
    }
    static std::size_t references(const small_node& n) {
        std::size_t out = 0;
        BOOST_REQUIRE(storage::each_reference(*n.store, 0, [&](const auto&, const auto&) { return ++out > 0; }));
        return out;
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(clustered_blobs_named_by_commands, clustered_blobs)

BOOST_AUTO_TEST_CASE(what_is_put_at_any_node_is_named_at_the_owner_and_read_at_all) {
    const auto a = album();
    std::size_t named = 0;
    for (auto& n : nodes) {
        const auto name = storage::put_blob(*n->store, a.organization, "of " + n->settings.self.name).value();
        BOOST_TEST(ask(*n, a, name).has_value());
        ++named;
        until("it is in all tables",
              [&] { return std::ranges::all_of(nodes, [&](auto& one) { return references(*one) == named; }); });
        for (auto& one : nodes) {
            BOOST_TEST(storage::get_blob(*one->store, a.organization, name, 100).value() ==
                       "of " + n->settings.self.name);
        }
    }
}

BOOST_AUTO_TEST_CASE(an_owner_that_lacks_a_content_says_so_gets_it_and_works_on) {
    const auto a = album();
    auto& owner = *shower_of(0);
    auto& other = other_than(owner);
    all.net.loses = [&](const uuid&, const uuid& to, const std::string& frame) {
        return to == owner.replica && frame.front() == blob_channel;
    };
    const auto name = storage::put_blob(*other.store, a.organization, "content").value();
    BOOST_TEST(!holds(owner, name));
    const auto early = ask(other, a, name);
    BOOST_REQUIRE(!early.has_value());
    BOOST_TEST((early.error().code == code::unavailable));
    all.net.loses = {};
    until("the owner has it", [&] { return holds(owner, name); });
    BOOST_TEST(ask(other, a, name).has_value());
    const std::string unknown(64, '7');
    BOOST_TEST((ask(other, a, unknown).error().code == code::unavailable));
    BOOST_TEST((ask(other, a, unknown).error().code == code::not_found));
    BOOST_TEST(ask(owner, a, name).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
