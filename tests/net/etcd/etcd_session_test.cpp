// The state machine of a node at etcd: no network and no clock; what etcd says is text.
#include "net/etcd/etcd_session.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe;
using namespace troupe::net::etcd;

namespace {

std::string header(std::uint64_t revision, int cluster = 7) {
    return fmt::format(R"("header":{{"cluster_id":"{}","revision":"{}"}})", cluster, revision);
}
answer good(const std::string& rest) { return {200, "{" + rest + "}"}; }
answer bad(const std::string& message, int status, int grpc_code) {
    return {status, fmt::format(R"({{"error":"{}","code":{}}})", message, grpc_code)};
}
answer empty_map(std::uint64_t revision, int cluster = 7) { return good(header(revision, cluster)); }
answer comparison(std::uint64_t revision, bool changed, int cluster = 7) {
    return good(header(revision, cluster) +
                fmt::format(R"(,"succeeded":true,"responses":[{{"response_range":{{"count":"1"}}}},)"
                            R"({{"response_range":{{"count":"{}"}}}},{{"response_range":{{}}}}])",
                            changed ? 2 : 1));
}
answer granted(std::uint64_t id, int ttl_s) {
    return good(header(1) + fmt::format(R"(,"ID":"{}","TTL":"{}")", id, ttl_s));
}
answer kept(std::uint64_t id, int ttl_s) {
    return good(fmt::format(R"("result":{{{},"ID":"{}"{}}})", header(1), id,
                            ttl_s == 0 ? "" : fmt::format(R"(,"TTL":"{}")", ttl_s)));
}
std::string created(std::uint64_t revision) {
    return fmt::format("{{\"result\":{{{},\"created\":true}}}}\n", header(revision));
}
std::string progress(std::uint64_t revision) { return fmt::format("{{\"result\":{{{}}}}}\n", header(revision)); }
/// Sets "/t/x" to "1" at each of these.
std::string events(const std::vector<std::uint64_t>& revisions) {
    std::string list;
    for (const auto revision : revisions)
        list += fmt::format(R"({}{{"kv":{{"key":"L3QveA==","value":"MQ==","mod_revision":"{}"}}}})",
                            list.empty() ? "" : ",", revision);
    return fmt::format("{{\"result\":{{{},\"events\":[{}]}}}}\n", header(revisions.back()), list);
}

struct world {
    explicit world(std::size_t endpoints = 1, std::int64_t ttl_ms = 9'000)
        : at({names(endpoints), "/t/", ttl_ms, 5'000, 0}) {}
    static std::vector<std::string> names(std::size_t count) {
        std::vector<std::string> out;
        for (std::size_t i = 0; i < count; ++i)
            out.push_back(fmt::format("e{}", i));
        return out;
    }

    void gather() {
        auto more = at.take_actions();
        std::move(more.begin(), more.end(), std::back_inserter(actions));
    }
    /// The next action of that kind; those before it stay.
    template <class Action>
    std::optional<Action> next() {
        gather();
        const auto found = std::find_if(actions.begin(), actions.end(),
                                        [](const auto& one) { return std::holds_alternative<Action>(one); });
        if (found == actions.end())
            return std::nullopt;
        auto out = std::get<Action>(*found);
        actions.erase(found);
        return out;
    }
    template <class Action>
    Action must() {
        auto out = next<Action>();
        BOOST_REQUIRE(out);
        return *out;
    }
    /// The next request, which has to be to that path.
    ask asked(const std::string& path) {
        auto out = must<ask>();
        BOOST_REQUIRE(out.what.path == path);
        return out;
    }
    void reply(const ask& to, const answer& with) { at.answered(to.id, with, now_ms); }
    void pass(std::int64_t ms) {
        now_ms += ms;
        at.tick(now_ms);
    }
    void watch_says(const std::string& text) { at.watch_piece(watch.id, text, now_ms); }

    /// With the map at revision 10, lease 5 for 9 s, and a watch.
    void connect() {
        at.start(now_ms);
        reply(asked("/v3/kv/range"), empty_map(10));
        reply(asked("/v3/lease/grant"), granted(5, 9));
        watch = must<open_watch>();
        watch_says(created(10));
        BOOST_REQUIRE(must<tell_map>().revision == 10);
        BOOST_REQUIRE(must<tell_reachable>().reachable);
        BOOST_REQUIRE(must<tell_lease>().now.id == 5);
    }

    session at;
    std::int64_t now_ms = 1'000;
    std::vector<action> actions;
    open_watch watch;
};

bool begins_after(const open_watch& watch, std::uint64_t revision) {
    return watch.what.body.find(fmt::format(R"("start_revision":"{}")", revision + 1)) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(etcd_session)

BOOST_AUTO_TEST_CASE(map_is_told_then_watched_from_there_and_reachable_only_with_the_watch) {
    world w;
    w.at.start(w.now_ms);
    w.reply(w.asked("/v3/kv/range"),
            good(header(10) + R"(,"kvs":[{"key":"L3QveA==","value":"MQ==","mod_revision":"4"}])"));
    const auto map = w.must<tell_map>();
    BOOST_TEST((map.all == std::vector<cluster::entry>{{"x", "1", 4}}));
    BOOST_TEST(map.revision == 10);
    BOOST_TEST(!w.next<tell_reachable>());
    w.watch = w.must<open_watch>();
    BOOST_TEST(begins_after(w.watch, 10));
    w.watch_says(created(12));
    BOOST_TEST(w.must<tell_reachable>().reachable);
    w.watch_says(events({11}));
    const auto changes = w.must<tell_changes>();
    BOOST_TEST(changes.revision == 11);
    BOOST_TEST((changes.changes == std::vector<cluster::change>{{"x", "1"}}));
}

BOOST_AUTO_TEST_CASE(endpoints_are_asked_a_little_after_each_other_and_the_first_that_answers_is_used) {
    world w(3);
    w.at.start(w.now_ms);
    const auto first = w.asked("/v3/kv/range");
    BOOST_TEST(!w.next<ask>());
    w.pass(w.at.wake_ms() - w.now_ms);
    const auto second = w.asked("/v3/kv/range");
    BOOST_TEST(second.endpoint != first.endpoint);
    w.reply(second, empty_map(10));
    BOOST_TEST(*w.at.endpoint() == second.endpoint);
    BOOST_TEST(w.must<leave>().endpoint == first.endpoint);
    // The other's answer comes too late to matter.
    w.reply(first, empty_map(11));
    BOOST_TEST(w.must<tell_map>().revision == 10);
    BOOST_TEST(!w.next<tell_map>());
    BOOST_TEST(*w.at.endpoint() == second.endpoint);
}

BOOST_AUTO_TEST_CASE(endpoint_that_fails_is_followed_by_the_next_at_once) {
    world w(2);
    w.at.start(w.now_ms);
    const auto first = w.asked("/v3/kv/range");
    w.at.failed(first.id, "Connection refused", w.now_ms);
    BOOST_TEST(w.at.wake_ms() <= w.now_ms);
    w.pass(0);
    BOOST_TEST(w.asked("/v3/kv/range").endpoint != first.endpoint);
    BOOST_TEST(!w.next<tell_reachable>());
}

BOOST_AUTO_TEST_CASE(when_all_fail_it_is_said_once_with_all_reasons_and_tried_again_with_back_off) {
    world w(2);
    w.at.start(w.now_ms);
    std::int64_t rest_ms = 0;
    for (int round = 0; round < 8; ++round) {
        w.at.failed(w.asked("/v3/kv/range").id, "Connection refused", w.now_ms);
        w.pass(0);
        w.reply(w.asked("/v3/kv/range"), bad("etcdserver: request timed out", 503, 14));
        BOOST_TEST(w.at.is_unreachable());
        const auto said = w.next<tell_reachable>();
        BOOST_TEST(said.has_value() == (round == 0));
        if (said) {
            BOOST_TEST(said->why.find("e0: Connection refused") != std::string::npos);
            BOOST_TEST(said->why.find("e1: etcd could not finish it: etcdserver: request timed out") !=
                       std::string::npos);
        }
        rest_ms = w.at.wake_ms() - w.now_ms;
        BOOST_TEST(rest_ms >= 50);
        BOOST_TEST(rest_ms <= 1'000);
        w.pass(rest_ms - 1);
        BOOST_TEST(!w.next<ask>());
        w.pass(1);
        std::optional<leave> left;
        while ((left = w.next<leave>())) {
        }
    }
    BOOST_TEST(rest_ms >= 500);
}

BOOST_AUTO_TEST_CASE(short_absence_is_not_told) {
    world w;
    w.connect();
    w.at.watch_ended(w.watch.id, "it closed the connection", w.now_ms);
    BOOST_TEST(!w.at.endpoint());
    w.pass(0);
    w.at.failed(w.asked("/v3/kv/txn").id, "Connection refused", w.now_ms);
    w.pass(1'000);
    w.reply(w.asked("/v3/kv/txn"), comparison(10, false));
    w.watch = w.must<open_watch>();
    w.watch_says(created(10));
    BOOST_TEST(!w.next<tell_reachable>());
    // A longer one is.
    w.at.watch_ended(w.watch.id, "it closed the connection", w.now_ms);
    for (int i = 0; i < 5; ++i) {
        w.pass(1'500);
        while (const auto one = w.next<ask>())
            w.at.failed(one->id, "Connection refused", w.now_ms);
    }
    BOOST_TEST(!w.must<tell_reachable>().reachable);
}

BOOST_AUTO_TEST_CASE(lease_is_valid_from_before_the_request_was_sent) {
    world w;
    w.at.start(w.now_ms);
    w.now_ms += 100;
    w.reply(w.asked("/v3/kv/range"), empty_map(10));
    const auto grant = w.asked("/v3/lease/grant");
    BOOST_TEST(grant.what.body == R"({"TTL":"9"})");
    w.now_ms += 700;
    w.reply(grant, granted(5, 9));
    BOOST_TEST((w.must<tell_lease>().now == cluster::lease{5, 1'100 + 9'000}));
    w.watch = w.must<open_watch>();
    w.watch_says(created(10));
    w.pass(2'300); // a third of the time since it was sent
    const auto keep = w.asked("/v3/lease/keepalive");
    BOOST_TEST(keep.what.body == R"({"ID":"5"})");
    BOOST_TEST(keep.time_out_ms == 3'000);
    w.now_ms += 400;
    w.reply(keep, kept(5, 9));
    BOOST_TEST((w.must<tell_lease>().now == cluster::lease{5, 4'100 + 9'000}));
}

BOOST_AUTO_TEST_CASE(ttl_is_rounded_up_to_seconds_and_what_etcd_grants_counts) {
    world w(1, 1'500);
    w.at.start(w.now_ms);
    w.reply(w.asked("/v3/kv/range"), empty_map(10));
    const auto grant = w.asked("/v3/lease/grant");
    BOOST_TEST(grant.what.body == R"({"TTL":"2"})");
    w.reply(grant, granted(5, 3));
    BOOST_TEST(w.must<tell_lease>().now.valid_until_ms == w.now_ms + 3'000);
}

BOOST_AUTO_TEST_CASE(lease_that_etcd_does_not_know_is_lost_and_replaced) {
    world w;
    w.connect();
    w.pass(3'000);
    w.reply(w.asked("/v3/lease/keepalive"), kept(5, 0));
    BOOST_TEST((w.must<tell_lease>().now == cluster::lease{}));
    w.next<ask>(); // the comparison
    w.reply(w.asked("/v3/lease/grant"), granted(6, 9));
    BOOST_TEST(w.must<tell_lease>().now.id == 6);
    // A commit found it first; the keepalive that was on its way says nothing of the new one.
    w.pass(3'000);
    const auto keep = w.asked("/v3/lease/keepalive");
    w.at.lease_gone(6, w.now_ms);
    w.at.lease_gone(6, w.now_ms);
    BOOST_TEST((w.must<tell_lease>().now == cluster::lease{}));
    w.reply(w.asked("/v3/lease/grant"), granted(7, 9));
    w.reply(keep, kept(6, 0));
    BOOST_TEST(w.must<tell_lease>().now.id == 7);
    BOOST_TEST(!w.next<tell_lease>());
    BOOST_TEST(w.at.lease_id() == 7);
}

BOOST_AUTO_TEST_CASE(answer_about_another_lease_is_not_believed) {
    world w;
    w.connect();
    w.pass(3'000);
    w.reply(w.asked("/v3/lease/keepalive"), kept(6, 9));
    BOOST_TEST(!w.next<tell_lease>());
    BOOST_TEST(!w.at.endpoint());
}

BOOST_AUTO_TEST_CASE(lease_whose_time_was_over_and_that_etcd_still_knows_lives_on) {
    world w;
    w.connect();
    w.at.watch_ended(w.watch.id, "it closed the connection", w.now_ms);
    w.pass(20'000);
    w.reply(w.asked("/v3/kv/txn"), comparison(10, false));
    w.reply(w.asked("/v3/lease/keepalive"), kept(5, 9));
    BOOST_TEST((w.must<tell_lease>().now == cluster::lease{5, w.now_ms + 9'000}));
}

BOOST_AUTO_TEST_CASE(lease_that_is_refused_for_want_of_space_is_asked_for_again_at_the_same_endpoint) {
    world w;
    w.at.start(w.now_ms);
    w.reply(w.asked("/v3/kv/range"), empty_map(10));
    w.reply(w.asked("/v3/lease/grant"), bad("etcdserver: mvcc: database space exceeded", 429, 8));
    BOOST_TEST(w.at.endpoint().has_value());
    BOOST_TEST(!w.next<tell_lease>());
    w.pass(3'000);
    w.asked("/v3/lease/grant");
}

BOOST_AUTO_TEST_CASE(keepalive_that_fails_leads_to_another_endpoint_and_the_lease_goes_on_there) {
    world w(2);
    w.connect();
    const auto before = *w.at.endpoint();
    w.pass(3'000);
    w.at.failed(w.asked("/v3/lease/keepalive").id, "it did not answer within 3000 ms", w.now_ms);
    BOOST_TEST(w.must<leave>().endpoint == before);
    w.next<ask>(); // the comparison that went there, too
    w.pass(0);
    const auto hello = w.asked("/v3/kv/txn");
    BOOST_TEST(hello.endpoint != before);
    w.reply(hello, comparison(10, false));
    BOOST_TEST(w.asked("/v3/lease/keepalive").endpoint == hello.endpoint);
    BOOST_TEST(w.must<open_watch>().endpoint == hello.endpoint);
    BOOST_TEST(!w.next<tell_map>());
    BOOST_TEST(!w.next<tell_reachable>());
}

BOOST_AUTO_TEST_CASE(watch_goes_on_after_what_was_told_or_is_known_to_be_the_same) {
    world w;
    w.connect();
    w.watch_says(events({11, 11, 13}));
    for (const auto& [revision, count] : {std::pair(11, 2U), {13, 1U}}) { // what is compared later is of each key
        const auto told = w.must<tell_changes>();
        BOOST_TEST(told.revision == revision);
        BOOST_TEST(told.changes.size() == count);
    }
    w.watch_says(progress(20));
    BOOST_TEST(!w.next<tell_changes>());
    w.at.watch_ended(w.watch.id, "it closed the connection", w.now_ms);
    w.pass(0);
    w.reply(w.asked("/v3/kv/txn"), comparison(20, false));
    const auto old = std::exchange(w.watch, w.must<open_watch>());
    BOOST_TEST(begins_after(w.watch, 20));
    w.at.watch_piece(old.id, events({21}), w.now_ms); // of the connection that was left
    BOOST_TEST(!w.next<tell_changes>());
    w.watch_says(created(22) + events({21}).substr(0, 30));
    w.watch_says(events({21}).substr(30) + events({22}));
    BOOST_TEST(w.must<tell_changes>().revision == 21);
    BOOST_TEST(w.must<tell_changes>().revision == 22);
}

BOOST_AUTO_TEST_CASE(what_was_told_is_not_told_again) {
    world w;
    w.connect();
    w.watch_says(events({11}) + events({11}) + events({9, 10, 11}));
    BOOST_TEST(w.must<tell_changes>().revision == 11);
    BOOST_TEST(!w.next<tell_changes>());
    BOOST_TEST(w.at.endpoint().has_value());
    // Where known and new are mixed it is not what was asked for: nothing of it is told.
    w.watch_says(events({11, 12}));
    BOOST_TEST(!w.next<tell_changes>());
    BOOST_TEST(!w.at.endpoint());
}

BOOST_AUTO_TEST_CASE(compacted_watch_reads_the_map_again) {
    world w;
    w.connect();
    w.watch_says(fmt::format("{{\"result\":{{{},\"canceled\":true,\"compact_revision\":\"15\"}}}}\n", header(0)));
    BOOST_TEST(w.must<close_watch>().id == w.watch.id);
    const auto again = w.asked("/v3/kv/range");
    BOOST_TEST(!w.next<open_watch>());
    w.reply(again, empty_map(30));
    BOOST_TEST(w.must<tell_map>().revision == 30);
    BOOST_TEST(begins_after(w.must<open_watch>(), 30));
    BOOST_TEST(!w.next<tell_reachable>());
}

BOOST_AUTO_TEST_CASE(compaction_seen_when_connecting_reads_the_map_again) {
    world w;
    w.connect();
    w.at.watch_ended(w.watch.id, "it closed the connection", w.now_ms);
    w.pass(0);
    w.reply(w.asked("/v3/kv/txn"), bad("etcdserver: mvcc: required revision has been compacted", 400, 11));
    w.reply(w.asked("/v3/kv/range"), empty_map(30));
    BOOST_TEST(w.must<tell_map>().revision == 30);
}

BOOST_AUTO_TEST_CASE(line_that_is_too_long_reads_the_map_again) {
    world w;
    w.connect();
    const std::string piece(session::watch_line_bytes_max / 4 + 1, ' ');
    for (int i = 0; i < 4; ++i)
        w.watch_says(piece);
    w.asked("/v3/kv/range");
}

BOOST_AUTO_TEST_CASE(watch_that_stands_still_while_the_map_changes_is_not_believed) {
    world w;
    w.connect();
    const auto compare = [&](bool changed, std::uint64_t revision) {
        w.pass(3'000);
        w.reply(w.asked("/v3/lease/keepalive"), kept(5, 9));
        w.reply(w.asked("/v3/kv/txn"), comparison(revision, changed));
    };
    compare(true, 11);
    w.watch_says(events({11})); // it was only a little late
    compare(true, 12);
    BOOST_TEST(!w.next<close_watch>());
    compare(true, 12);
    BOOST_TEST(w.must<close_watch>().id == w.watch.id);
    w.reply(w.asked("/v3/kv/range"), empty_map(12));
    w.must<tell_map>();
    w.watch = w.must<open_watch>();
    BOOST_TEST(begins_after(w.watch, 12));
    w.watch_says(created(12));
    // What others write elsewhere in etcd is no reason, and moves the place to go on from.
    compare(false, 100);
    compare(false, 200);
    BOOST_TEST(!w.next<close_watch>());
    w.at.watch_ended(w.watch.id, "it closed the connection", w.now_ms);
    w.pass(0);
    BOOST_TEST(w.asked("/v3/kv/txn").what.body.find(R"("revision":"200")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_etcd_is_refused) {
    const auto refused = [](const answer& hello, std::string_view word) {
        world w;
        w.connect();
        w.at.watch_ended(w.watch.id, "it closed the connection", w.now_ms);
        w.pass(4'000);
        w.reply(w.asked("/v3/kv/txn"), hello);
        BOOST_TEST(!w.at.endpoint());
        BOOST_TEST(w.must<tell_reachable>().why.find(word) != std::string::npos);
    };
    refused(comparison(10, false, 8), "another cluster");
    refused(comparison(9, false), "knows less");
    refused(bad("etcdserver: mvcc: required revision is a future revision", 400, 11), "knows less");
    refused({200, "{}"}, "cannot be understood");
}

BOOST_AUTO_TEST_CASE(endpoint_whose_watch_never_lasts_is_unreachable_in_the_end) {
    world w;
    w.at.start(w.now_ms);
    w.reply(w.asked("/v3/kv/range"), empty_map(10));
    for (int i = 0; i < 3; ++i) {
        w.watch = w.must<open_watch>();
        w.watch_says(
            fmt::format(
                R"({{"result":{{{},"created":true,"canceled":true,"cancel_reason":"etcdserver: permission denied"}}}})",
                header(10)) +
            "\n");
        BOOST_TEST(!w.at.endpoint());
        w.actions.clear();
        if (w.at.is_unreachable())
            break;
        w.pass(1'000);
        w.reply(w.asked("/v3/kv/txn"), comparison(10, false));
    }
    BOOST_TEST(w.at.is_unreachable());
    BOOST_TEST(w.at.why_unreachable().find("permission denied") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(stop_gives_the_lease_back_and_says_no_more) {
    world w;
    w.connect();
    w.at.stop(w.now_ms);
    BOOST_TEST(!w.at.is_over());
    const auto revoke = w.asked("/v3/lease/revoke");
    BOOST_TEST(revoke.what.body == R"({"ID":"5"})");
    w.watch_says(events({11}));
    w.pass(10'000);
    BOOST_TEST(!w.next<tell_changes>());
    BOOST_TEST(!w.next<ask>());
    w.reply(revoke, good(header(11)));
    BOOST_TEST(w.at.is_over());
    // Without a lease, or without etcd, there is nothing to wait for.
    world other;
    other.at.start(other.now_ms);
    other.at.stop(other.now_ms);
    BOOST_TEST(other.at.is_over());
}

BOOST_AUTO_TEST_SUITE_END()
