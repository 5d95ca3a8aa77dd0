#include "net/etcd/etcd_wire.hpp"

#include "schemas/base/cipher.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <utility>

namespace troupe::net::etcd {

namespace {

// ---- requests

/// The first key after all that begin with `prefix`.
std::string end_of(std::string_view prefix) {
    assert(!prefix.empty() && static_cast<unsigned char>(prefix.back()) < 0xff);
    std::string out(prefix);
    ++out.back();
    return out;
}

/// The members of an object that name the whole map.
std::string whole_map(std::string_view prefix) {
    return fmt::format(R"("key":"{}","range_end":"{}")", to_base64(prefix), to_base64(end_of(prefix)));
}

std::string encode(std::string_view prefix, const cluster::condition& c) {
    return fmt::format(R"({{"key":"{}","target":"MOD","result":"EQUAL","mod_revision":"{}"}})",
                       to_base64(std::string(prefix) + c.key), c.revision);
}

std::string encode(std::string_view prefix, const cluster::change& c, std::uint64_t lease) {
    const auto key = to_base64(std::string(prefix) + c.key);
    if (!c.value)
        return fmt::format(R"({{"request_delete_range":{{"key":"{}"}}}})", key);
    return fmt::format(R"({{"request_put":{{"key":"{}","value":"{}","lease":"{}"}}}})", key, to_base64(*c.value),
                       c.leased ? lease : 0);
}

/// `[A,B]` of what `make` makes of each.
template <class List, class Make>
std::string array_of(const List& list, Make make) {
    std::string out = "[";
    for (const auto& one : list)
        out += (out.size() > 1 ? "," : "") + make(one);
    return out + "]";
}

// ---- answers

problem not_understood(std::string_view what) {
    return {code::internal, fmt::format("etcd's answer cannot be understood: {}.", what)};
}

/// A number as the gateway writes it: a string, or nothing for 0. Plain numbers are taken as well.
std::uint64_t number(const json::value& object, std::string_view name) {
    const auto found = object.find(name);
    if (!found)
        return 0;
    if (const auto plain = found->as_uint())
        return *plain;
    const auto text = found->as_string().value_or("");
    std::uint64_t out = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
    return bad == std::errc() && end == text.data() + text.size() ? out : 0;
}

bool flag(const json::value& object, std::string_view name) {
    const auto found = object.find(name);
    return found && found->as_bool().value_or(false);
}

std::optional<std::string> bytes(const json::value& object, std::string_view name) {
    const auto found = object.find(name);
    if (!found)
        return "";
    const auto text = found->as_string();
    return text ? from_base64(*text) : std::nullopt;
}

/// Every answer has a header with a cluster: what has none is no answer of etcd's.
std::optional<answer_header> header_of(const json::value& object) {
    const auto header = object.find("header");
    if (!header)
        return std::nullopt;
    const answer_header out{number(*header, "cluster_id"), number(*header, "revision")};
    return out.cluster != 0 ? std::optional(out) : std::nullopt;
}

/// What `read(root, header)` makes of an answer.
template <class Answer, class Read>
expected<Answer> read_answer(std::string_view body, Read read) {
    const auto document = json::document::parse(body);
    if (!document)
        return not_understood(document.error().detail);
    const auto header = header_of(document->root());
    return header ? read(document->root(), *header) : expected<Answer>(not_understood("it has no header"));
}

struct key_value {
    std::string key;
    std::string value;
    std::uint64_t revision = 0;
    std::uint64_t lease = 0;
};

std::optional<key_value> read_key_value(const json::value& from, std::string_view prefix) {
    auto key = bytes(from, "key");
    auto value = bytes(from, "value");
    if (!key || !value || !key->starts_with(prefix))
        return std::nullopt;
    key_value out{key->substr(prefix.size()), std::move(*value), number(from, "mod_revision"), number(from, "lease")};
    return out.revision != 0 ? std::optional(std::move(out)) : std::nullopt;
}

/// Calls `take` for each element of the array of that name; a missing one is empty. False: one was refused.
template <class Take>
bool each_of(const json::value& object, std::string_view name, Take take) {
    bool good = true;
    if (const auto list = object.find(name))
        list->each_element([&](json::value one) { good = good && take(one); });
    return good;
}

bool read_entries(const json::value& from, std::string_view prefix, std::vector<cluster::entry>& into) {
    return each_of(from, "kvs", [&](const json::value& one) {
        auto read = read_key_value(one, prefix);
        if (read)
            into.push_back({std::move(read->key), std::move(read->value), read->revision});
        return read.has_value();
    });
}

// ---- failures

struct known_failure {
    std::string_view text;
    failure means;
};

const std::array<known_failure, 10>& known_failures() {
    static const std::array<known_failure, 10> all{{
        {"requested lease not found",
         {.what = {code::unavailable, "This node's lease at etcd has ended."}, .no_lease = true}},
        {"required revision has been compacted",
         {.what = {code::unavailable, "etcd has compacted the changes that were asked for."}, .compacted = true}},
        {"required revision is a future revision",
         {.what = {code::unavailable, "This etcd knows less than it did before: it was made anew or restored from a "
                                      "backup. Bring back the etcd that this node knew."},
          .endpoint_is_well = false}},
        {"invalid auth token",
         {.what = {code::unavailable, "etcd does not know this node's session any more."}, .bad_token = true}},
        {"revision of auth store is old",
         {.what = {code::unavailable, "Users of etcd were changed since this node's session there began."},
          .bad_token = true}},
        {"user name is empty", {.what = {code::unavailable, "etcd asks for a user and a password: configure them."}}},
        {"raft proposal dropped",
         {.what = {code::unavailable, "This member of etcd has no leader."}, .endpoint_is_well = false}},
        {"etcdserver: no leader",
         {.what = {code::unavailable, "This member of etcd has no leader."}, .endpoint_is_well = false}},
        {"database space exceeded",
         {.what = {code::unavailable, "etcd's database is full: compact and defragment it, then disarm its alarm "
                                      "(etcdctl alarm disarm)."}}},
        {"authentication is not enabled",
         {.what = {code::unavailable, "A user is configured for etcd, but authentication is not enabled there."},
          .endpoint_is_well = false}},
    }};
    return all;
}

/// Whether etcd refuses with this code of gRPC before anything is applied.
bool refuses(std::int64_t grpc_code, std::string_view message) {
    constexpr std::array certain{5, 7, 8, 9, 11, 16}; // not found, forbidden, exhausted, precondition, range, who
    return message.starts_with("etcdserver:") && std::find(certain.begin(), certain.end(), grpc_code) != certain.end();
}

/// Of a unary answer {"error":"…","code":14}, or of a stream {"error":{"message":"…","grpc_code":14}}.
std::pair<std::string, std::int64_t> error_in(const json::value& root) {
    const auto error = root.find("error");
    if (!error)
        return {"", 0};
    if (error->type() == json::kind::object)
        return {error->text_or("message"), error->int_or("grpc_code")};
    return {std::string(error->as_string().value_or("")), root.int_or("code")};
}

} // namespace

request read_map(std::string_view prefix) { return {"/v3/kv/range", fmt::format("{{{}}}", whole_map(prefix))}; }

request compare_map(std::string_view prefix, std::uint64_t revision) {
    const auto all = whole_map(prefix);
    return {"/v3/kv/txn",
            fmt::format(R"({{"success":[{{"request_range":{{{0},"revision":"{1}","count_only":true}}}},)"
                        R"({{"request_range":{{{0},"count_only":true}}}},)"
                        R"({{"request_range":{{{0},"min_mod_revision":"{2}","limit":"1","keys_only":true}}}}]}})",
                        all, revision, revision + 1)};
}

request watch_map(std::string_view prefix, std::uint64_t from_revision) {
    return {"/v3/watch", fmt::format(R"({{"create_request":{{{},"start_revision":"{}","progress_notify":true}}}})",
                                     whole_map(prefix), from_revision)};
}

request commit_transaction(std::string_view prefix, const cluster::transaction& what, std::uint64_t lease) {
    return {"/v3/kv/txn", fmt::format(R"({{"compare":{},"success":{},"failure":{}}})",
                                      array_of(what.when, [&](const auto& c) { return encode(prefix, c); }),
                                      array_of(what.then, [&](const auto& c) { return encode(prefix, c, lease); }),
                                      array_of(what.when, [&](const auto& c) {
                                          return fmt::format(R"({{"request_range":{{"key":"{}"}}}})",
                                                             to_base64(std::string(prefix) + c.key));
                                      }))};
}

request grant_lease(std::int64_t ttl_s) { return {"/v3/lease/grant", fmt::format(R"({{"TTL":"{}"}})", ttl_s)}; }
request keep_lease(std::uint64_t lease) { return {"/v3/lease/keepalive", fmt::format(R"({{"ID":"{}"}})", lease)}; }
request revoke_lease(std::uint64_t lease) { return {"/v3/lease/revoke", fmt::format(R"({{"ID":"{}"}})", lease)}; }

request authenticate(std::string_view user, std::string_view password) {
    return {"/v3/auth/authenticate",
            fmt::format(R"({{"name":{},"password":{}}})", json::quoted(user), json::quoted(password))};
}

std::optional<failure> failure_of(const answer& from) {
    if (from.status == 200)
        return std::nullopt;
    const auto document = json::document::parse(from.body);
    const auto [message, grpc_code] = document ? error_in(document->root()) : std::pair<std::string, std::int64_t>();
    if (message.empty() && from.status == 404)
        return failure{.what = {code::unavailable, "What listens there has no JSON gateway of etcd's version 3: is it "
                                                   "the client address of an etcd from 3.4 on?"},
                       .endpoint_is_well = false};
    if (message.empty())
        return failure{.what = {code::unknown_outcome, fmt::format("etcd answered with status {}.", from.status)},
                       .endpoint_is_well = false};
    for (const auto& known : known_failures())
        if (message.find(known.text) != std::string::npos)
            return known.means;
    if (grpc_code == 3)
        return failure{.what = {code::invalid_request, fmt::format("etcd refuses the request: {}.", message)}};
    if (refuses(grpc_code, message))
        return failure{.what = {code::unavailable, fmt::format("etcd refuses: {}.", message)}};
    return failure{.what = {code::unknown_outcome, fmt::format("etcd could not finish it: {}.", message)},
                   .endpoint_is_well = false};
}

expected<map_answer> read_map_answer(std::string_view body, std::string_view prefix) {
    return read_answer<map_answer>(body, [&](const json::value& root, answer_header header) -> expected<map_answer> {
        map_answer out{header, {}};
        if (!read_entries(root, prefix, out.entries))
            return not_understood("a key or value is damaged or has another prefix");
        if (flag(root, "more"))
            return not_understood("the map is not whole");
        return out;
    });
}

expected<comparison_answer> read_comparison_answer(std::string_view body) {
    using result = comparison_answer;
    return read_answer<result>(body, [](const json::value& root, answer_header header) -> expected<result> {
        if (!flag(root, "succeeded"))
            return not_understood("it did not succeed");
        std::vector<std::uint64_t> counts;
        const bool good = each_of(root, "responses", [&](const json::value& one) {
            const auto range = one.find("response_range");
            if (!range)
                return false;
            const auto keys = range->find("kvs");
            counts.push_back(counts.size() < 2 ? number(*range, "count") : keys ? keys->size() : 0);
            return true;
        });
        if (!good || counts.size() != 3)
            return not_understood("parts of the comparison are missing");
        return result{header, counts[0] != counts[1] || counts[2] != 0};
    });
}

expected<cluster::transaction_result> read_transaction_answer(std::string_view body, std::string_view prefix) {
    using result = cluster::transaction_result;
    return read_answer<result>(body, [&](const json::value& root, answer_header header) -> expected<result> {
        result out{flag(root, "succeeded"), header.revision, {}};
        const bool good = out.applied || each_of(root, "responses", [&](const json::value& one) {
                              const auto range = one.find("response_range");
                              return range && read_entries(*range, prefix, out.found);
                          });
        return good ? expected<result>(std::move(out))
                    : not_understood("a key or value is damaged or has another prefix");
    });
}

expected<lease_answer> read_lease_answer(std::string_view body) {
    const auto document = json::document::parse(body);
    if (!document)
        return not_understood(document.error().detail);
    // A keepalive's is the only message of a stream.
    const auto from = document->root().find("result").value_or(document->root());
    const auto header = header_of(from);
    if (!header)
        return not_understood("it has no header");
    constexpr std::uint64_t ttl_max_s = 9'000'000'000; // etcd's own
    return lease_answer{*header, number(from, "ID"),
                        static_cast<std::int64_t>(std::min(number(from, "TTL"), ttl_max_s))};
}

expected<std::string> read_token_answer(std::string_view body) {
    const auto document = json::document::parse(body);
    if (!document)
        return not_understood(document.error().detail);
    auto token = document->root().text_or("token");
    const bool plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (token.empty() || !plain)
        return not_understood("it has no token");
    return token;
}

expected<watch_answer> read_watch_line(std::string_view line, std::string_view prefix, std::uint64_t own_lease) {
    const auto document = json::document::parse(line);
    if (!document)
        return not_understood(document.error().detail);
    watch_answer out;
    const auto result = document->root().find("result");
    if (!result) {
        out.why = error_in(document->root()).first;
        out.canceled = true;
        return out.why.empty() ? expected<watch_answer>(not_understood("a line of a watch is neither result nor error"))
                               : out;
    }
    const auto header = header_of(*result);
    if (!header)
        return not_understood("it has no header");
    out.header = *header;
    out.created = flag(*result, "created");
    out.canceled = flag(*result, "canceled");
    out.compacted = number(*result, "compact_revision") != 0;
    out.why = result->text_or("cancel_reason", out.compacted ? "changes were compacted" : "");
    const bool good = each_of(*result, "events", [&](const json::value& event) {
        const auto kv = event.find("kv");
        auto read = kv ? read_key_value(*kv, prefix) : std::nullopt;
        if (!read || read->revision < out.last_revision)
            return false;
        if (out.changes.empty())
            out.first_revision = read->revision;
        out.last_revision = read->revision;
        out.revisions.push_back(read->revision);
        const auto type = event.text_or("type", "PUT");
        if (type == "DELETE")
            out.changes.push_back({std::move(read->key), std::nullopt});
        else
            out.changes.push_back(
                {std::move(read->key), std::move(read->value), own_lease != 0 && read->lease == own_lease});
        return type == "DELETE" || type == "PUT";
    });
    if (!good)
        return not_understood("an event is damaged or out of order");
    return out;
}

} // namespace troupe::net::etcd
