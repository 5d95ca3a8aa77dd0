// What comes on other threads, on its way to a driver. With drivers: clustered_committers_test.cpp.

#include "runtime/cluster/wiring.hpp"

#include "runtime/cluster/memory_coordinator.hpp"

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

BOOST_AUTO_TEST_SUITE_END()
