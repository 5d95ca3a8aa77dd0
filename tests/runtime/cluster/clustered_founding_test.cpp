// A node alone becomes the first of a cluster: first its keys, then its shards, and nobody before that.

#include "tests/storage/journal_fixture.hpp" // before a constant has the name of its parameters

#include "tests/runtime/cluster/key_nodes.hpp"
#include "tests/runtime/cluster/small_nodes.hpp"

#include <filesystem>

using namespace troupe;
using namespace troupe::test;

namespace {

/// A node that was alone, with keys of its own.
struct founder {
    explicit founder(std::size_t count) {
        node.stop();
        for (std::size_t i = 0; i < count; ++i) {
            subjects.push_back(make_uuid());
            BOOST_REQUIRE(node.keys->of(subjects.back()).has_value());
        }
        BOOST_REQUIRE(node.keys->destroy(subjects[1], when).has_value());
        node.settings.founds = true;
        node.start();
        begin_batch();
    }
    /// Until the next ones are at the coordinator, and the node has not heard of that.
    void begin_batch() {
        const auto before = published();
        for (int i = 0; published() == before; ++i) {
            require(i < 100, "more keys are published");
            node.news.run_some(1);
        }
    }
    [[nodiscard]] std::size_t published() const {
        const auto entries = all.entries();
        return static_cast<std::size_t>(
            std::ranges::count_if(entries, [](const auto& e) { return e.first.starts_with(content_keys_prefix); }));
    }
    void publish() {
        for (int i = 0; !node.shared->is_published(); ++i) {
            require(i < 100, "all keys are published");
            node.hear();
        }
    }

    cluster_of_keys all{1};
    key_node& node = all[0];
    std::vector<uuid> subjects;
};

} // namespace

BOOST_AUTO_TEST_SUITE(clustered_founding)

BOOST_AUTO_TEST_CASE(a_founder_publishes_its_keys_before_it_founds_and_goes_on_where_it_was_killed) {
    founder f(40);
    BOOST_TEST(f.node.refusals.empty());
    BOOST_TEST(!f.node.shared->is_published());
    BOOST_TEST(f.published() == shared_keys::keys_at_once);
    f.node.restart();
    f.begin_batch();
    BOOST_TEST(f.published() == 2 * shared_keys::keys_at_once);
    BOOST_TEST(!f.node.shared->is_published());
    f.node.restart();
    f.publish();
    BOOST_TEST(f.published() == 40u);
    const auto revision = f.all.map->revision();
    f.node.restart();
    f.node.hear();
    f.publish();
    BOOST_TEST(f.all.map->revision() == revision); // once
    auto& other = f.all.add();
    BOOST_TEST((other.files() == f.node.files()));
    BOOST_TEST((other.keys->of(f.subjects[1]).error().code == code::erased));
    BOOST_TEST(std::filesystem::exists(other.directory.path / "keys" / "removal-owed")); // entries may bring its rows
    f.all.write(std::string(config_key), "{}");
    BOOST_TEST(f.all.issue(other, make_uuid()) == 41u);
}

BOOST_AUTO_TEST_CASE(a_lost_answer_and_an_outage_hold_it_up_only) {
    founder f(20);
    f.node.agreed->set_fate(memory_coordinator::fate::lost_before);
    f.node.hear();
    BOOST_TEST(!f.node.shared->is_published()); // and tries again
    f.node.hear();
    BOOST_TEST(f.published() == shared_keys::keys_at_once);
    f.node.agreed->set_fate(memory_coordinator::fate::answered);
    f.node.agreed->cut("away");
    BOOST_TEST(!f.node.shared->is_published());
    f.node.hear();
    f.node.agreed->heal(true);
    f.node.hear();
    f.publish();
    BOOST_TEST(f.published() == 20u);
}

BOOST_AUTO_TEST_CASE(nothing_of_it_comes_into_a_cluster_that_others_have_founded) {
    founder early(20);
    early.all.write(std::string(config_key), "{}"); // it hears of it after its own batch
    early.node.hear();
    BOOST_TEST(early.published() == shared_keys::keys_at_once);
    early.node.restart();
    early.node.hear();
    BOOST_REQUIRE(early.node.refusals.size() == 1u);
    BOOST_TEST((early.node.refusals.front().code == code::conflict));
}

BOOST_AUTO_TEST_CASE(keys_under_an_older_master_key_are_not_published) {
    founder f(3);
    f.node.stop();
    f.all.map = f.node.map = std::make_shared<memory_map>();
    f.node.older = std::exchange(f.node.master, "second");
    f.node.start();
    f.node.hear();
    BOOST_REQUIRE(f.node.refusals.size() == 1u);
    BOOST_TEST((f.node.refusals.front().code == code::secrets_locked));
    BOOST_TEST(f.published() == 0u);
}

// ---- shards

struct with_data : three_nodes {
    with_data() : three_nodes(keep()) {}

    static keep_settings keep() {
        keep_settings out;
        out.fill = [](const std::filesystem::path& directory) {
            for (int life = 0; life < 3; ++life) { // each is an epoch
                journal_fixture alone(directory);
                const auto a = alone.address_in(0);
                for (int i = 0; i < 40; ++i) {
                    alone.write(a, 2);
                }
                alone.write(alone.address_in(1));
            }
        };
        return out;
    }
};

BOOST_FIXTURE_TEST_CASE(what_a_node_alone_had_is_at_all_and_goes_on_above_it, with_data) {
    const auto before = log_of(*nodes[0]->store, 0);
    BOOST_REQUIRE(before.size() >= 240u);
    place_all();
    for (const auto& n : nodes) {
        BOOST_TEST(!n->turned.has_value());
    }
    const auto sets = registers();
    BOOST_TEST(sets.at(0).epoch > before.back().epoch);
    write(entity());
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
        until("all have it", [&] {
            return std::ranges::all_of(nodes, [&](auto& n) {
                return n->store->applied(shard) == nodes[0]->store->applied(shard) && n->store->applied(shard) > 0;
            });
        });
        for (const auto& n : nodes) {
            BOOST_TEST((log_of(*n->store, shard) == log_of(*nodes[0]->store, shard)));
            BOOST_TEST((rows_of(*n->store, shard) == rows_of(*nodes[0]->store, shard)));
        }
    }
    const auto after = log_of(*nodes[2]->store, 0);
    BOOST_TEST(std::equal(before.begin(), before.end(), after.begin()));
    nodes[0]->vanish();
    until("the others have the shard", [&] { return shower_of(0) != nullptr; });
    write(entity());
}

BOOST_FIXTURE_TEST_CASE(a_founder_that_is_killed_again_and_again_founds_it_once, with_data) {
    const auto before = log_of(*nodes[0]->store, 0);
    for (int i = 0; i < 12; ++i) {
        for (int steps = 0; steps < i; ++steps) {
            step();
        }
        nodes[0]->vanish();
        nodes[0]->start();
        all.net.plug_in(nodes[0]->replica);
        settle();
    }
    place_all();
    const auto after = log_of(*nodes[1]->store, 0);
    BOOST_REQUIRE(after.size() >= before.size());
    BOOST_TEST(std::equal(before.begin(), before.end(), after.begin()));
}

BOOST_AUTO_TEST_SUITE_END()
