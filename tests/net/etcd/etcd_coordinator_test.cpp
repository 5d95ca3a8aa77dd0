// The coordinator over one real etcd that is cut off, stopped, compacted and started again.
#include "net/etcd/etcd_coordinator.hpp"
#include "schemas/base/clock.hpp"
#include "tests/net/etcd/cut_proxy.hpp"
#include "tests/net/etcd/etcd_fixture.hpp"
#include "tests/net/etcd/etcd_process.hpp"
#include "tests/net/loopback_server.hpp"
#include "tests/runtime/cluster/recorder.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::net::test;
using mode = cut_proxy::mode;

namespace {

/// One etcd, a node whose way there can be cut, and one whose way cannot.
struct cut_world {
    cut_world() {
        cut.wait_until_ready();
        other.wait_until_ready();
    }
    void wait_until_cut() const {
        cut.heard.wait_for("unreachable", [](const auto& s) { return s.is_unreachable(); });
    }
    void heal() {
        proxy.set(mode::pass);
        cut.heard.wait_for("reachable again", [](const auto& s) { return s.is_reachable(); });
    }

    etcd_servers servers;
    cut_proxy proxy{servers.client_port(0)};
    watching_node cut{make({proxy.endpoint()})};
    watching_node other{make(servers.endpoints())};
};

} // namespace

BOOST_AUTO_TEST_SUITE(etcd_coordinator)

BOOST_AUTO_TEST_CASE(nothing_is_missed_or_told_twice_across_cuts) {
    cut_world w;
    for (int round = 0; round < 2; ++round) {
        w.proxy.set(round % 2 == 0 ? mode::refuse : mode::silent);
        for (int i = 0; i < 10; ++i)
            set_at_last(*w.other.at, "x", fmt::format("{}", 20 * round + i));
        w.wait_until_cut();
        w.heal();
        for (int i = 10; i < 20; ++i)
            set_at_last(*w.other.at, "x", fmt::format("{}", 20 * round + i));
    }
    w.cut.heard.wait_for("the last", [](const auto& s) { return s.at("x") == "39"; });
    BOOST_TEST((w.cut.heard.now().values_of("x") == numbers(0, 40)));
    BOOST_TEST(w.cut.heard.now().maps == 1);
}

BOOST_AUTO_TEST_CASE(lease_of_a_node_that_is_cut_off_ends_and_the_node_is_told_when_it_is_back) {
    cut_world w;
    BOOST_REQUIRE(commit(*w.cut.at, set("nodes/cut", "here", true)).value().applied);
    const auto lease = w.cut.heard.now().lease();
    w.other.heard.wait_for("its key", [](const auto& s) { return s.at("nodes/cut") == "here"; });
    w.proxy.set(mode::silent);
    w.other.heard.wait_for("its end", [](const auto& s) { return s.at("nodes/cut") == "(none)"; });
    // The node itself knew before: its time was over.
    BOOST_TEST(w.cut.heard.now().leases.back().valid_until_ms <= monotonic_ms());
    w.heal();
    w.cut.heard.wait_for("a new lease", [&](const auto& s) { return s.lease() != 0 && s.lease() != lease; });
    w.cut.heard.wait_for("its key's end", [](const auto& s) { return s.at("nodes/cut") == "(none)"; });
    BOOST_TEST((w.cut.heard.now().leases.back().valid_until_ms > monotonic_ms()));
}

BOOST_AUTO_TEST_CASE(lease_is_extended_for_longer_than_it_lasts) {
    etcd_servers servers;
    auto s = settings_for(servers.endpoints());
    s.ttl_ms = 3'000;
    watching_node node(make(s));
    watching_node other(make(s));
    node.wait_until_ready();
    BOOST_REQUIRE(commit(*node.at, set("nodes/node", "here", true)).value().applied);
    const auto first = node.heard.now().leases.back();
    node.heard.wait_for("more time than it lasts", [&](const auto& seen) {
        return seen.leases.back().valid_until_ms > first.valid_until_ms + s.ttl_ms;
    });
    BOOST_TEST(node.heard.now().lease() == first.id);
    BOOST_TEST(other.heard.now().at("nodes/node") == "here");
}

BOOST_AUTO_TEST_CASE(commit_whose_answer_is_lost_has_an_unknown_outcome_and_is_heard_of) {
    cut_world w;
    w.proxy.set(mode::no_answers);
    const auto result = commit(*w.cut.at, set("x", "1"));
    BOOST_TEST(has_code(result, code::unknown_outcome));
    w.other.heard.wait_for("it was applied", [](const auto& s) { return s.at("x") == "1"; });
    w.wait_until_cut();
    BOOST_TEST(has_code(commit(*w.cut.at, set("x", "2")), code::unavailable));
    w.heal();
    w.cut.heard.wait_for("its own change", [](const auto& s) { return s.at("x") == "1"; });
    set_at_last(*w.cut.at, "x", "3");
    w.other.heard.wait_for("the last", [](const auto& s) { return s.at("x") == "3"; });
    BOOST_TEST((w.other.heard.now().values_of("x") == std::vector<std::string>{"1", "3"}));
}

BOOST_AUTO_TEST_CASE(commit_that_waits_for_a_connection_is_made_when_there_is_one) {
    etcd_servers servers;
    cut_proxy proxy(servers.client_port(0));
    proxy.set(mode::silent);
    auto s = settings_for({proxy.endpoint()});
    s.request_time_out_ms = 15'000;
    s.ttl_ms = 45'000;
    watching_node node(make(s));
    auto waiting = begin_commit(*node.at, set("x", "1"));
    proxy.set(mode::pass);
    BOOST_TEST(get(std::move(waiting)).value().applied);
}

BOOST_AUTO_TEST_CASE(without_etcd_commits_are_unavailable_and_the_reason_names_the_endpoint) {
    const auto endpoint = fmt::format("http://127.0.0.1:{}", free_port());
    watching_node node(make({endpoint}));
    node.heard.wait_for("unreachable", [](const auto& s) { return s.is_unreachable(); });
    const auto why = node.heard.now().reachable.back().second;
    BOOST_TEST(why.find(endpoint) != std::string::npos);
    BOOST_TEST(why.find("refused") != std::string::npos);
    BOOST_TEST(has_code(commit(*node.at, set("x", "1")), code::unavailable));
    BOOST_TEST(node.heard.now().maps == 0);
}

BOOST_AUTO_TEST_CASE(leased_change_without_a_lease_is_unavailable) {
    etcd_servers servers;
    cut_proxy proxy(servers.client_port(0));
    proxy.set(mode::silent);
    watching_node node(make({proxy.endpoint()}));
    BOOST_TEST(has_code(commit(*node.at, set("x", "1", true)), code::unavailable));
}

BOOST_AUTO_TEST_CASE(what_is_no_etcd_is_said_to_be_none) {
    loopback_server server([](peer& client) {
        client.read_request();
        client.send("HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\nConnection: close\r\n\r\nNot Found\n");
    });
    watching_node node(make({fmt::format("127.0.0.1:{}", server.port())}));
    node.heard.wait_for("unreachable", [](const auto& s) { return s.is_unreachable(); });
    BOOST_TEST(node.heard.now().reachable.back().second.find("JSON gateway") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_talks_nonsense_costs_a_connection_and_nothing_else) {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    for (const auto& nonsense : {
             std::string(),
             std::string("nonsense\r\n\r\n"),
             std::string("\0\0\0\x04\x01", 5),
             ok + "X: " + std::string(100'000, 'x') + "\r\n\r\n",
             ok + "Content-Length: 99\r\n\r\nshort",
             ok + "Content-Length: 99999999999\r\n\r\nshort",
             ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
             ok + "Transfer-Encoding: chunked\r\n\r\n5\r\n{",
             ok + "Content-Length: 2\r\n\r\n{}",
             ok + "Content-Length: 2\r\n\r\n{}" + ok + "Content-Length: 2\r\n\r\n{}",
             ok + "\r\n{\"header\":{}}",
             std::string("HTTP/1.1 204 No Content\r\n\r\n"),
             std::string("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
         }) {
        BOOST_TEST_CONTEXT(nonsense.substr(0, 60)) {
            loopback_server server([&](peer& client) {
                client.read_request();
                client.send(nonsense);
            });
            watching_node node(make({fmt::format("127.0.0.1:{}", server.port())}));
            node.heard.wait_for("unreachable", [](const auto& s) { return s.is_unreachable(); });
            BOOST_TEST(has_code(commit(*node.at, set("x", "1")), code::unavailable));
            BOOST_TEST(node.heard.now().maps == 0);
        }
    }
}

BOOST_AUTO_TEST_CASE(stop_ends_while_etcd_is_frozen_and_what_is_under_way_is_done_before) {
    etcd_servers servers;
    recorder heard;
    const auto node = make(servers.endpoints());
    node->start(heard);
    heard.wait_for("a lease", [](const auto& s) { return s.is_reachable() && s.lease() != 0; });
    servers.freeze(0);
    auto under_way = begin_commit(*node, set("x", "1"));
    node->stop();
    BOOST_REQUIRE(under_way.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
    BOOST_TEST(has_code(under_way.get(), code::unknown_outcome));
    BOOST_TEST(heard.now().is_reachable()); // nobody was told of the end
}

BOOST_AUTO_TEST_CASE(restart_of_etcd_loses_nothing) {
    cut_world w;
    set_at_last(*w.other.at, "x", "0");
    BOOST_REQUIRE(commit(*w.cut.at, set("leased", "1", true)).value().applied);
    const auto lease = w.cut.heard.now().lease();
    w.servers.kill(0);
    w.wait_until_cut();
    BOOST_TEST(has_code(commit(*w.cut.at, set("x", "lost")), code::unavailable));
    w.servers.start(0);
    for (auto* node : {&w.cut, &w.other})
        node->heard.wait_for("reachable again", [](const auto& s) { return s.is_reachable(); });
    set_at_last(*w.cut.at, "x", "1");
    for (auto* node : {&w.cut, &w.other}) {
        node->heard.wait_for("the change", [](const auto& s) { return s.at("x") == "1"; });
        BOOST_TEST((node->heard.now().values_of("x") == numbers(0, 2)));
        BOOST_TEST(node->heard.now().maps == 1);
    }
    // A leader gives every lease its whole time again when it begins.
    BOOST_TEST(w.cut.heard.now().lease() == lease);
    BOOST_TEST(w.other.heard.now().at("leased") == "1");
}

BOOST_AUTO_TEST_CASE(compaction_while_a_node_is_cut_off_gives_it_the_map_again) {
    cut_world w;
    set_at_last(*w.other.at, "x", "0");
    set_at_last(*w.other.at, "goes", "soon");
    w.cut.heard.wait_for("both", [](const auto& s) { return s.at("goes") == "soon"; });
    w.proxy.set(mode::refuse);
    w.wait_until_cut();
    for (const auto& value : numbers(1, 10))
        set_at_last(*w.other.at, "x", value);
    BOOST_REQUIRE(commit(*w.other.at, {{}, {{"goes", std::nullopt}}}).value().applied);
    w.servers.compact(0, w.servers.revision());
    set_at_last(*w.other.at, "x", "10");
    w.heal();
    w.cut.heard.wait_for("the map", [](const auto& s) { return s.at("x") == "10"; });
    BOOST_TEST(w.cut.heard.now().maps == 2);
    BOOST_TEST(w.cut.heard.now().at("goes") == "(none)");
    set_at_last(*w.other.at, "x", "11");
    w.cut.heard.wait_for("changes after it", [](const auto& s) { return s.at("x") == "11"; });
    BOOST_TEST(w.other.heard.now().maps == 1);
}

BOOST_AUTO_TEST_CASE(compaction_of_what_was_heard_needs_no_new_map) {
    cut_world w;
    set_at_last(*w.other.at, "x", "0");
    w.cut.heard.wait_for("it", [](const auto& s) { return s.at("x") == "0"; });
    // Others write elsewhere; a quorum says meanwhile that nothing of ours changed.
    for (int i = 0; i < 5; ++i)
        w.servers.post(0, "/v3/kv/put", R"({"key":"ZWxzZXdoZXJl","value":"MQ=="})");
    const auto leases = w.cut.heard.now().leases.size();
    w.cut.heard.wait_for("two keepalives, and a comparison between them",
                         [&](const auto& s) { return s.leases.size() >= leases + 3; });
    w.servers.compact(0, w.servers.revision());
    w.proxy.set(mode::refuse);
    w.wait_until_cut();
    set_at_last(*w.other.at, "x", "1");
    w.heal();
    w.cut.heard.wait_for("the change", [](const auto& s) { return s.at("x") == "1"; });
    BOOST_TEST(w.cut.heard.now().maps == 1);
}

BOOST_AUTO_TEST_CASE(watch_that_stalls_in_silence_is_noticed) {
    cut_world w;
    w.proxy.set(mode::stall_watches);
    set_at_last(*w.other.at, "x", "1");
    // Its watch stays open and says nothing; a quorum says that something changed.
    w.cut.heard.wait_for("the change all the same", [](const auto& s) { return s.at("x") == "1"; });
    BOOST_TEST(w.cut.heard.now().maps > 1);
    w.heal();
    set_at_last(*w.other.at, "x", "2");
    w.cut.heard.wait_for("the next", [](const auto& s) { return s.at("x") == "2"; });
}

BOOST_AUTO_TEST_CASE(keys_beside_the_prefix_are_not_told) {
    cut_world w;
    for (const auto* key : {"L3Ryb3VwZQ==", "L3Ryb3VwZTA=", "L3Ryb3VwZS4="}) // "/troupe", "/troupe0", "/troupe."
        w.servers.post(0, "/v3/kv/put", fmt::format(R"({{"key":"{}","value":"MQ=="}})", key));
    set_at_last(*w.other.at, "x", "1");
    w.cut.heard.wait_for("the change", [](const auto& s) { return s.at("x") == "1"; });
    BOOST_TEST(w.cut.heard.now().map.size() == 1);
}

BOOST_AUTO_TEST_CASE(etcd_that_was_made_anew_is_refused) {
    auto old = std::make_unique<etcd_servers>();
    etcd_servers fresh(1, {"--initial-cluster-token", "another"});
    cut_proxy to_old(old->client_port(0));
    cut_proxy to_fresh(fresh.client_port(0));
    to_fresh.set(mode::refuse);
    watching_node node(make({to_old.endpoint(), to_fresh.endpoint()}));
    node.wait_until_ready();
    set_at_last(*node.at, "x", "1");
    node.heard.wait_for("it", [](const auto& s) { return s.at("x") == "1"; });
    to_old.set(mode::refuse);
    to_fresh.set(mode::pass);
    node.heard.wait_for("refused", [](const auto& s) { return s.is_unreachable(); });
    BOOST_TEST(node.heard.now().at("x") == "1");
    BOOST_TEST(has_code(commit(*node.at, set("x", "2")), code::unavailable));
    to_old.set(mode::pass);
    node.heard.wait_for("its own etcd again", [](const auto& s) { return s.is_reachable(); });
}

BOOST_AUTO_TEST_CASE(names_are_looked_up_and_an_unknown_one_is_unreachable) {
    etcd_servers servers;
    // Written like this it is no special name to the client: the resolver is asked.
    watching_node known(make({fmt::format("http://LocalHost:{}", servers.client_port(0))}));
    known.wait_until_ready();
    watching_node unknown(make({"http://no-such-host.invalid:2379"}));
    unknown.heard.wait_for("unreachable", [](const auto& s) { return s.is_unreachable(); });
    BOOST_TEST(unknown.heard.now().reachable.back().second.find("no-such-host.invalid") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_settings_are_refused_with_what_is_wrong) {
    const auto refuses = [](auto change, std::string_view word) {
        auto s = settings_for({"127.0.0.1:2379"});
        change(s);
        const auto made = net::make_etcd_coordinator(s);
        BOOST_REQUIRE(!made);
        BOOST_TEST((made.error().code == code::config_invalid));
        BOOST_TEST_CONTEXT(made.error().detail)
        BOOST_TEST(made.error().detail.find(word) != std::string::npos);
    };
    refuses([](auto& s) { s.endpoints = {}; }, "endpoint");
    for (const auto* bad :
         {"", "ftp://a:1", "http://a:0", "http://a:99999", "http://user:secret@a:1", "http://a/x", "a b"})
        refuses([&](auto& s) { s.endpoints = {bad}; }, "HOST:PORT");
    refuses([](auto& s) { s.prefix = ""; }, "prefix");
    refuses([](auto& s) { s.prefix = "/a\xff"; }, "prefix");
    refuses([](auto& s) { s.ttl_ms = 10; }, "lease");
    refuses([](auto& s) { s.request_time_out_ms = 0; }, "time-out");
    refuses([](auto& s) { s.certificate_file = "a.pem"; }, "key");
    refuses([](auto& s) { s.user = "root"; }, "password");
    refuses([](auto& s) { s.ca_file = "/nonexistent/ca.pem"; }, "/nonexistent/ca.pem");
    for (const auto* good : {"localhost:2379", "[::1]:2379", "http://etcd.example", "https://10.0.0.1:2379/"}) {
        auto s = settings_for({good});
        BOOST_TEST(net::make_etcd_coordinator(s).has_value());
    }
}

BOOST_AUTO_TEST_SUITE_END()
