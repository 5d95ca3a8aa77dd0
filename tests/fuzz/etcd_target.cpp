// What etcd answers: the decoders alone, and a node's session with an etcd that says anything.
#include "net/etcd/etcd_session.hpp"
#include "net/etcd/etcd_wire.hpp"
#include "net/line_splitter.hpp"
#include "schemas/base/log.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace troupe::fuzz {

namespace {

using namespace net::etcd;

void decode(std::string_view text) {
    if (const auto map = read_map_answer(text, "/t/"))
        for (const auto& one : map->entries)
            claim(one.revision != 0, "what is there was changed once");
    if (const auto watch = read_watch_line(text, "/t/", 5)) {
        claim((watch->last_revision != 0) == !watch->changes.empty(), "changes have revisions");
        claim(watch->first_revision <= watch->last_revision, "in their order");
    }
    if (const auto lease = read_lease_answer(text))
        claim(lease->ttl_s >= 0, "time is not negative");
    if (const auto token = read_token_answer(text))
        claim(token->find_first_of("\r\n") == std::string::npos, "a token is one line");
    (void)read_comparison_answer(text);
    (void)read_transaction_answer(text, "/t/");
    for (const int status : {400, 404, 503})
        claim(failure_of({status, std::string(text)}).has_value(), "what is no 200 is a failure");
}

std::string header(cutter& in) {
    return fmt::format(R"("header":{{"cluster_id":"{}","revision":"{}"}})", 1 + in.byte() % 2, in.byte());
}

/// Often one that could be true.
answer some_answer(cutter& in) {
    switch (in.byte() % 8) {
    case 0:
        return {200, "{" + header(in) + R"(,"kvs":[{"key":"L3QveA==","value":"MQ==","mod_revision":"3"}]})"};
    case 1:
        return {200, fmt::format(R"({{{},"succeeded":true,"responses":[{{"response_range":{{"count":"{}"}}}},)"
                                 R"({{"response_range":{{}}}},{{"response_range":{{}}}}]}})",
                                 header(in), in.byte() % 2)};
    case 2:
        return {200, fmt::format(R"({{{},"ID":"{}","TTL":"{}"}})", header(in), in.byte() % 4, in.byte() % 3)};
    case 3:
        return {400, fmt::format(R"({{"error":"{}","code":{}}})", in.text(), in.byte() % 17)};
    case 4:
        return {400, R"({"error":"etcdserver: mvcc: required revision has been compacted","code":11})"};
    default:
        return {in.byte() % 2 == 0 ? 200 : 503, in.text()};
    }
}

std::string some_piece(cutter& in) {
    switch (in.byte() % 6) {
    case 0:
        return "{\"result\":{" + header(in) + ",\"created\":true}}\n";
    case 1:
        return "{\"result\":{" + header(in) + ",\"canceled\":true,\"compact_revision\":\"3\"}}\n";
    case 2:
        return "{\"result\":{" + header(in) + "}}\n";
    case 3:
        return fmt::format("{{\"result\":{{{},\"events\":[{{\"kv\":{{\"key\":\"L3QveA==\",\"mod_revision\":\"{}\"}}}},"
                           "{{\"type\":\"DELETE\",\"kv\":{{\"key\":\"L3QveA==\",\"mod_revision\":\"{}\"}}}}]}}}}\n",
                           header(in), in.byte(), in.byte());
    default:
        return in.text();
    }
}

/// Notes what was asked, and what a listener must never hear.
struct shell {
    void take(std::vector<action> actions) {
        for (const auto& one : actions) {
            if (const auto* request = std::get_if<ask>(&one)) {
                asked.push_back(request->id);
                claim(request->time_out_ms > 0 && request->endpoint < 2, "a request can be sent");
            } else if (const auto* watch = std::get_if<open_watch>(&one)) {
                watched = watch->id;
                claim(told.has_value(), "nothing is watched before there is a map");
            } else if (const auto* map = std::get_if<tell_map>(&one)) {
                claim(!told || map->revision >= *told, "no map is older than what was told");
                told = map->revision;
            } else if (const auto* changes = std::get_if<tell_changes>(&one)) {
                claim(told && changes->revision > *told, "changes come in order, after the map");
                claim(!changes->changes.empty(), "and there are some");
                told = changes->revision;
            } else if (const auto* now = std::get_if<tell_lease>(&one)) {
                claim(now->now.id == lease || now->now.id == 0 || lease == 0,
                      "a lease is lost before there is another");
                lease = now->now.id;
            } else if (const auto* said = std::get_if<tell_reachable>(&one)) {
                claim(reachable != said->reachable, "nothing is said twice");
                reachable = said->reachable;
            }
        }
    }
    std::vector<std::uint64_t> asked;
    std::uint64_t watched = 0;
    std::optional<std::uint64_t> told;
    std::uint64_t lease = 0;
    std::optional<bool> reachable;
};

void converse(cutter& in) {
    session at({{"a", "b"}, "/t/", 3'000, 1'000, in.byte()});
    shell around;
    std::int64_t now_ms = 1;
    at.start(now_ms);
    around.take(at.take_actions());
    while (!in.at_end()) {
        const auto what = in.byte();
        const auto id =
            around.asked.empty() ? 0 : around.asked[around.asked.size() - 1 - what / 8 % around.asked.size()];
        switch (what % 8) {
        case 0:
        case 1:
        case 2:
            at.answered(id, some_answer(in), now_ms);
            break;
        case 3:
            at.failed(id, "refused", now_ms);
            break;
        case 4:
        case 5:
            at.watch_piece(around.watched, some_piece(in), now_ms);
            break;
        case 6:
            at.watch_ended(around.watched, "closed", now_ms);
            break;
        default:
            at.lease_gone(in.byte() % 4, now_ms);
            now_ms += in.number<std::uint16_t>();
        }
        at.tick(now_ms);
        around.take(at.take_actions());
        claim(at.wake_ms() > now_ms, "the shell does not spin");
    }
    at.stop(now_ms);
    around.take(at.take_actions());
    if (!at.is_over())
        at.failed(around.asked.back(), "refused", now_ms);
    claim(at.is_over(), "it ends");
}

} // namespace

void try_input(std::string_view input) {
    static const bool quiet = set_log_levels("off").has_value();
    claim(quiet, "nothing is logged");
    cutter in(input);
    const auto seed = in.number<std::uint16_t>();
    if (seed % 2 == 0)
        return converse(in);
    decode(in.rest());
    std::string whole;
    std::string pieces;
    const auto note = [](std::string& into) {
        return [&into](std::string_view line) {
            into.append(line) += '\n';
            return true;
        };
    };
    net::line_splitter one(1 << 16);
    one.feed(in.rest(), note(whole));
    net::line_splitter other(1 << 16);
    in_pieces(in.rest(), seed, [&](std::string_view piece) { other.feed(piece, note(pieces)); });
    claim(whole == pieces, "the pieces do not matter");
}

} // namespace troupe::fuzz
