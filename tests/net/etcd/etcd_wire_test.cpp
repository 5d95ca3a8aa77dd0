// What etcd 3.4.23 answers, as it was recorded, and what it might.
#include "net/etcd/etcd_wire.hpp"
#include "net/line_splitter.hpp"
#include "schemas/base/json.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::net::etcd;
using cluster::change;
using cluster::entry;

namespace {

const std::string header = R"("header":{"cluster_id":"324952591200643719","member_id":"3319814642761637952",)"
                           R"("revision":"3","raft_term":"2"})";

code code_of(int status, const std::string& body) {
    const auto failed = failure_of({status, body});
    BOOST_REQUIRE(failed);
    BOOST_TEST(!failed->what.detail.empty());
    return failed->what.code;
}
std::string error(const std::string& message, int grpc_code) {
    return R"({"error":")" + message + R"(","message":")" + message + R"(","code":)" + std::to_string(grpc_code) + "}";
}

} // namespace

BOOST_AUTO_TEST_SUITE(etcd_wire)

BOOST_AUTO_TEST_CASE(requests_are_as_the_gateway_wants_them) {
    BOOST_TEST(read_map("/a/").path == "/v3/kv/range");
    BOOST_TEST(read_map("/a/").body == R"({"key":"L2Ev","range_end":"L2Ew"})");
    BOOST_TEST(watch_map("/a/", 7).body ==
               R"({"create_request":{"key":"L2Ev","range_end":"L2Ew","start_revision":"7","progress_notify":true}})");
    BOOST_TEST(grant_lease(5).body == R"({"TTL":"5"})");
    BOOST_TEST(keep_lease(18446744073709551615U).body == R"({"ID":"18446744073709551615"})");
    BOOST_TEST(authenticate("a\"b", "p\\").body == R"({"name":"a\"b","password":"p\\"})");
    const auto made = commit_transaction(
        "/a/", {{{"x", 0}}, {{"x", "\xff\xff\xfe?", true}, {"y", "", false}, {"z", std::nullopt}}}, 9);
    BOOST_TEST(made.path == "/v3/kv/txn");
    // "//8=" and not "__8": Go reads neither the other alphabet nor a missing padding.
    BOOST_TEST(made.body == R"({"compare":[{"key":"L2EveA==","target":"MOD","result":"EQUAL","mod_revision":"0"}],)"
                            R"("success":[{"request_put":{"key":"L2EveA==","value":"///+Pw==","lease":"9"}},)"
                            R"({"request_put":{"key":"L2EveQ==","value":"","lease":"0"}},)"
                            R"({"request_delete_range":{"key":"L2Eveg=="}}],)"
                            R"("failure":[{"request_range":{"key":"L2EveA=="}}]})");
    for (const auto& one : {made, compare_map("/a/", 3), commit_transaction("/a/", {}, 0)})
        BOOST_TEST(json::document::parse(one.body).has_value());
}

BOOST_AUTO_TEST_CASE(map_is_read_and_an_empty_one_has_no_list) {
    const auto map = read_map_answer("{" + header +
                                         R"(,"kvs":[{"key":"YS94","create_revision":"2","mod_revision":"2",)"
                                         R"("version":"1","value":"MQ=="},{"key":"YS95",)"
                                         R"("create_revision":"3","mod_revision":"3","version":"1"}],"count":"2"})",
                                     "a/");
    BOOST_REQUIRE(map);
    BOOST_TEST((map->header == answer_header{324952591200643719U, 3}));
    BOOST_TEST((map->entries == std::vector<entry>{{"x", "1", 2}, {"y", "", 3}}));
    BOOST_TEST(read_map_answer("{" + header + "}", "a/").value().entries.empty());
}

BOOST_AUTO_TEST_CASE(damaged_map_is_refused) {
    const auto with = [](const std::string& rest) { return read_map_answer("{" + header + rest + "}", "a/"); };
    BOOST_TEST(with(R"(,"kvs":[{"key":"YS94","mod_revision":"2"}])").has_value());
    BOOST_TEST(!with(R"(,"kvs":[{"key":"Yi94","mod_revision":"2"}])")); // another prefix
    BOOST_TEST(!with(R"(,"kvs":[{"key":"YS94","mod_revision":"2","value":"*"}])"));
    BOOST_TEST(!with(R"(,"kvs":[{"key":"YS94"}])"));
    BOOST_TEST(!with(R"(,"kvs":[{"key":"YS94","mod_revision":"-2"}])"));
    BOOST_TEST(!with(R"(,"kvs":[{"key":"YS94","mod_revision":"99999999999999999999"}])"));
    BOOST_TEST(!with(R"(,"kvs":[7])"));
    BOOST_TEST(!with(R"(,"more":true)"));
    for (const auto* bad :
         {"", "{}", "[]", "{", R"({"header":{}})", R"({"header":7})", R"({"header":{"revision":"3"}})"})
        BOOST_TEST(!read_map_answer(bad, "a/"));
}

BOOST_AUTO_TEST_CASE(transaction_that_did_not_apply_has_no_field_that_says_so) {
    const auto applied =
        read_transaction_answer("{" + header +
                                    R"(,"succeeded":true,"responses":[{"response_put":{"header":{"revision":"3"}}},)"
                                    R"({"response_delete_range":{"header":{"revision":"3"},"deleted":"1"}}]})",
                                "a/");
    BOOST_REQUIRE(applied);
    BOOST_TEST(applied->applied);
    BOOST_TEST(applied->revision == 3);
    const auto refused = read_transaction_answer(
        "{" + header +
            R"(,"responses":[{"response_range":{"header":{"revision":"3"}}},{"response_range":)"
            R"({"header":{"revision":"3"},"kvs":[{"key":"YS95","create_revision":"3","mod_revision":"3",)"
            R"("version":"1"}],"count":"1"}}]})",
        "a/");
    BOOST_REQUIRE(refused);
    BOOST_TEST(!refused->applied);
    BOOST_TEST((refused->found == std::vector<entry>{{"y", "", 3}}));
    BOOST_TEST(!read_transaction_answer("{" + header + R"(,"responses":[{"response_put":{}}]})", "a/"));
    BOOST_TEST(!read_transaction_answer("{}", "a/"));
}

BOOST_AUTO_TEST_CASE(comparison_sees_new_keys_and_fewer_keys) {
    const auto changed = [](const std::string& then, const std::string& now, const std::string& newer) {
        return read_comparison_answer("{" + header + R"(,"succeeded":true,"responses":[{"response_range":{)" + then +
                                      R"(}},{"response_range":{)" + now + R"(}},{"response_range":{)" + newer + "}}]}");
    };
    const std::string key = R"("kvs":[{"key":"YS94Mw==","create_revision":"4","mod_revision":"4","version":"1"}])";
    BOOST_TEST(!changed("", "", "").value().changed);
    BOOST_TEST(!changed(R"("count":"3")", R"("count":"3")", R"("count":"3")").value().changed);
    BOOST_TEST(changed(R"("count":"3")", R"("count":"2")", "").value().changed);
    BOOST_TEST(changed(R"("count":"1")", "", "").value().changed);
    BOOST_TEST(changed(R"("count":"3")", R"("count":"3")", key).value().changed);
    BOOST_TEST(changed("", "", "").value().header.revision == 3);
    BOOST_TEST(!read_comparison_answer("{" + header + R"(,"succeeded":true})"));
    BOOST_TEST(!read_comparison_answer("{" + header + "}"));
}

BOOST_AUTO_TEST_CASE(keepalive_of_an_unknown_lease_is_a_good_answer_without_time) {
    const auto unknown = read_lease_answer("{\"result\":{" + header + R"(,"ID":"77"}})");
    BOOST_REQUIRE(unknown);
    BOOST_TEST(unknown->ttl_s == 0);
    const auto known = read_lease_answer("{\"result\":{" + header + R"(,"ID":"2324035535519181832","TTL":"5"}})");
    BOOST_REQUIRE(known);
    BOOST_TEST(known->id == 2324035535519181832U);
    BOOST_TEST(known->ttl_s == 5);
    const auto granted = read_lease_answer("{" + header + R"(,"ID":"2324035535519181832","TTL":"5"})");
    BOOST_REQUIRE(granted);
    BOOST_TEST(granted->ttl_s == 5);
    BOOST_TEST(read_lease_answer("{" + header + R"(,"ID":"1","TTL":"18446744073709551615"})").value().ttl_s > 0);
    BOOST_TEST(!read_lease_answer(R"({"error":{"grpc_code":14,"http_code":503,"message":"no leader"}})"));
}

BOOST_AUTO_TEST_CASE(watch_tells_whole_transactions) {
    const auto line = "{\"result\":{" + header +
                      R"(,"events":[{"kv":{"key":"YS94","create_revision":"2","mod_revision":"2","version":"1",)"
                      R"("value":"MQ==","lease":"9"}},{"kv":{"key":"YS95","create_revision":"3","mod_revision":"3",)"
                      R"("version":"1"}},{"type":"DELETE","kv":{"key":"YS94","mod_revision":"3"}}]}})";
    const auto mine = read_watch_line(line, "a/", 9);
    BOOST_REQUIRE(mine);
    BOOST_TEST((mine->changes == std::vector<change>{{"x", "1", true}, {"y", ""}, {"x", std::nullopt}}));
    BOOST_TEST(mine->first_revision == 2);
    BOOST_TEST(mine->last_revision == 3);
    BOOST_TEST(!mine->is_progress());
    BOOST_TEST(!read_watch_line(line, "a/", 8).value().changes[0].leased);
    BOOST_TEST(!read_watch_line(line, "a/", 0).value().changes[0].leased);
    BOOST_TEST(!read_watch_line(line, "b/", 9));
}

BOOST_AUTO_TEST_CASE(watch_says_that_it_began_goes_on_or_ended) {
    const auto created = read_watch_line("{\"result\":{" + header + R"(,"created":true}})", "a/", 0).value();
    BOOST_TEST(created.created);
    BOOST_TEST(!created.canceled);
    BOOST_TEST(!created.is_progress());
    BOOST_TEST(read_watch_line("{\"result\":{" + header + "}}", "a/", 0).value().is_progress());
    const auto compacted =
        read_watch_line(R"({"result":{"header":{"cluster_id":"324952591200643719","member_id":"3319814642761637952",)"
                        R"("raft_term":"2"},"canceled":true,"compact_revision":"3"}})",
                        "a/", 0)
            .value();
    BOOST_TEST(compacted.canceled);
    BOOST_TEST(compacted.compacted);
    const auto denied = read_watch_line("{\"result\":{" + header +
                                            R"(,"created":true,"canceled":true,"cancel_reason":)"
                                            R"("etcdserver: permission denied"}})",
                                        "a/", 0)
                            .value();
    BOOST_TEST(denied.canceled);
    BOOST_TEST(!denied.compacted);
    BOOST_TEST(denied.why == "etcdserver: permission denied");
    const auto failed = read_watch_line(R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader",)"
                                        R"("http_status":"Service Unavailable"}})",
                                        "a/", 0)
                            .value();
    BOOST_TEST(failed.canceled);
    BOOST_TEST(failed.why == "etcdserver: no leader");
}

BOOST_AUTO_TEST_CASE(damaged_line_of_a_watch_is_refused) {
    const auto with = [](const std::string& events) {
        return read_watch_line("{\"result\":{" + header + R"(,"events":[)" + events + "]}}", "a/", 0);
    };
    const std::string at3 = R"({"kv":{"key":"YS94","mod_revision":"3"}})";
    const std::string at2 = R"({"kv":{"key":"YS94","mod_revision":"2"}})";
    BOOST_TEST(with(at2 + "," + at3).has_value());
    BOOST_TEST(!with(at3 + "," + at2));
    BOOST_TEST(!with(R"({"type":"OTHER","kv":{"key":"YS94","mod_revision":"3"}})"));
    BOOST_TEST(!with("{}"));
    for (const auto* bad : {"", "{}", "{\"result\":{}}", "{\"result\":7}", "null"})
        BOOST_TEST(!read_watch_line(bad, "a/", 0));
}

BOOST_AUTO_TEST_CASE(what_was_certainly_not_applied_is_told_from_what_may_be) {
    BOOST_TEST(!failure_of({200, "{}"}));
    // Certainly not.
    BOOST_TEST((code_of(404, error("etcdserver: requested lease not found", 5)) == code::unavailable));
    BOOST_TEST(failure_of({404, error("etcdserver: requested lease not found", 5)})->no_lease);
    BOOST_TEST(
        (code_of(400, error("etcdserver: mvcc: required revision has been compacted", 11)) == code::unavailable));
    BOOST_TEST(failure_of({400, error("etcdserver: mvcc: required revision has been compacted", 11)})->compacted);
    BOOST_TEST(
        (code_of(400, error("etcdserver: mvcc: required revision is a future revision", 11)) == code::unavailable));
    BOOST_TEST((code_of(401, error("etcdserver: invalid auth token", 16)) == code::unavailable));
    BOOST_TEST(failure_of({401, error("etcdserver: invalid auth token", 16)})->bad_token);
    BOOST_TEST((code_of(403, error("etcdserver: permission denied", 7)) == code::unavailable));
    BOOST_TEST((code_of(429, error("etcdserver: mvcc: database space exceeded", 8)) == code::unavailable));
    BOOST_TEST((code_of(500, error("raft proposal dropped", 2)) == code::unavailable));
    BOOST_TEST((code_of(503, error("etcdserver: no leader", 14)) == code::unavailable));
    BOOST_TEST((code_of(400, error("etcdserver: duplicate key given in txn request", 3)) == code::invalid_request));
    BOOST_TEST((code_of(400, error("etcdserver: request is too large", 3)) == code::invalid_request));
    BOOST_TEST((code_of(404, "Not Found\n") == code::unavailable));
    // Nobody knows.
    BOOST_TEST((code_of(503, error("etcdserver: request timed out", 14)) == code::unknown_outcome));
    BOOST_TEST((code_of(503, error("etcdserver: leader changed", 14)) == code::unknown_outcome));
    BOOST_TEST((code_of(503, error("etcdserver: server stopped", 14)) == code::unknown_outcome));
    BOOST_TEST((code_of(503, error("transport is closing", 14)) == code::unknown_outcome));
    BOOST_TEST((code_of(408, error("context canceled", 1)) == code::unknown_outcome));
    BOOST_TEST((code_of(500, error("something new", 2)) == code::unknown_outcome));
    BOOST_TEST((code_of(502, "<html>Bad Gateway</html>") == code::unknown_outcome));
    BOOST_TEST((code_of(500, "{") == code::unknown_outcome));
    BOOST_TEST((code_of(503, R"({"error":{"grpc_code":14,"message":"etcdserver: request timed out"}})") ==
                code::unknown_outcome));
}

BOOST_AUTO_TEST_CASE(token_has_to_fit_into_a_header) {
    BOOST_TEST(read_token_answer("{" + header + R"(,"token":"abc.7"})").value() == "abc.7");
    BOOST_TEST(!read_token_answer("{" + header + "}"));
    BOOST_TEST(!read_token_answer(R"({"token":"a\r\nX: y"})"));
}

BOOST_AUTO_TEST_CASE(lines_are_cut_however_the_pieces_come) {
    for (std::size_t size = 1; size < 12; ++size) {
        std::vector<std::string> lines;
        net::line_splitter splitter(5);
        const std::string text = "a\n\nbc\nlong!\nrest";
        for (std::size_t at = 0; at < text.size(); at += size)
            BOOST_TEST(splitter.feed(std::string_view(text).substr(at, size), [&](std::string_view line) {
                lines.emplace_back(line);
                return true;
            }));
        BOOST_TEST((lines == std::vector<std::string>{"a", "bc", "long!"}));
    }
    net::line_splitter splitter(5);
    const auto ignore = [](std::string_view) { return true; };
    BOOST_TEST(splitter.feed("12345", ignore));
    BOOST_TEST(!splitter.feed("6", ignore));
    net::line_splitter other(5);
    BOOST_TEST(!other.feed("1\n2\n", [](std::string_view line) { return line != "1"; }));
}

BOOST_AUTO_TEST_SUITE_END()
