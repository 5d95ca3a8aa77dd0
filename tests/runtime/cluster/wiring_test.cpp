// What comes on other threads, on its way to a driver. With drivers: clustered_committers_test.cpp.

#include "runtime/cluster/wiring.hpp"

#include "runtime/cluster/memory_coordinator.hpp"
#include "runtime/cluster/registry.hpp"
#include "tests/runtime/cluster/recorder.hpp"
#include "tests/storage/fake_wrapping.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::runtime::cluster;

namespace {

/// Nobody is connected; a test plays their threads.
struct no_links final : links {
    void start(links_listener& l) override { listener = &l; }
    void stop() override {}
    void set_peers(std::vector<peer_place>) override {}
    bool send(const uuid&, lane, shared_bytes) override { return false; }

    links_listener* listener = nullptr;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_wiring)

BOOST_AUTO_TEST_CASE(frames_that_wait_are_bounded) {
    run_queue never;
    memory_coordinator agreed(std::make_shared<memory_map>(), {never.as_executor()});
    no_links peers;
    wiring wires(agreed, peers);
    std::vector<driver_input> posted;
    wires.start([&](driver_input input) { posted.push_back(std::move(input)); });
    const std::string frame(frame_bytes_max, 'x');
    const auto fit = wiring::waiting_bytes_max / frame.size();
    for (std::size_t i = 0; i < fit + 2; ++i) {
        peers.listener->on_frame({}, lane::journal, frame);
    }
    BOOST_TEST(posted.size() == fit);
    peers.listener->on_frame({}, lane::bulk, "x"); // not the driver's
    BOOST_TEST(posted.size() == fit);
    peers.listener->on_up({}); // other news come all the same
    BOOST_TEST(posted.size() == fit + 1);
}

BOOST_AUTO_TEST_CASE(a_new_key_is_in_the_store_before_anybody_else_hears_of_it) {
    const auto map = std::make_shared<memory_map>();
    run_queue news;
    memory_coordinator agreed(map, {news.as_executor()});
    no_links peers;
    test::temporary_directory directory;
    const auto keys = std::move(test::open_keys(directory.path).value());
    shared_keys shared(*keys, agreed, {[](const problem& why) { BOOST_ERROR(why.detail); }});
    wiring wires(agreed, peers, nullptr, &shared);
    std::vector<std::uint32_t> counts; // at each input of the driver
    wires.start([&](const driver_input&) { counts.push_back(keys->count()); });
    memory_coordinator other(map, {run_queue().as_executor()});
    test::recorder nobody;
    other.start(nobody);
    const auto add = [&](std::uint32_t number) {
        const auto subject = make_uuid();
        const storage::agreed_key k{number, subject, keys->draw(subject, number), {}};
        other.commit({{}, {{content_key(number), encode_content_key(k)}}}, [](const auto&) {});
    };
    add(1);
    news.run_some();
    BOOST_REQUIRE(!counts.empty());
    BOOST_TEST(counts.front() == 0u); // the map
    BOOST_TEST(counts.back() == 1u);
    counts.clear();
    agreed.cut("away");
    news.run_some();
    BOOST_TEST((keys->of(make_uuid()).error().code == code::unavailable));
    add(2);
    agreed.heal(true); // with the whole map
    counts.clear();
    news.run_some();
    BOOST_REQUIRE(!counts.empty());
    BOOST_TEST(counts.front() == 2u);
    wires.stop();
    BOOST_TEST((keys->of(make_uuid()).error().code == code::unavailable)); // does not wait
}

BOOST_AUTO_TEST_SUITE_END()
