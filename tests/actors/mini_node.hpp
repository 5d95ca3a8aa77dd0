#pragma once

#include "net/http/handlers.hpp"
#include "net/http/route.hpp"
#include "runtime/entity/derive.hpp"
#include "runtime/entity/kind.hpp"
#include "runtime/services.hpp"
#include "storage/committer.hpp"
#include "storage/store.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A node without threads: real models, store and routes; commands are decided and committed on the caller's stack,
/// and what entities owe each other is delivered by `settle`.
namespace troupe::actors::test {

class mini_node {
public:
    mini_node() {
        std::filesystem::remove_all(directory_);
        storage::store_options options;
        options.directory = directory_;
        options.shards = 4;
        store_ = std::move(*storage::store::open(options));
        committer_ = std::move(storage::committer::open(*store_, 0).value());
        services.store = store_.get();
        services.submit = [this](runtime::command c, const runtime::reply_port& port) { port(decide(c)); };
    }
    ~mini_node() {
        committer_.reset();
        store_.reset();
        std::filesystem::remove_all(directory_);
    }
    mini_node(const mini_node&) = delete;

    template <class Model>
    void host() {
        auto kind = runtime::make_kind<Model>();
        kinds_.emplace(kind.name, std::move(kind));
    }

    void serve(std::vector<net::route> routes) { std::ranges::move(routes, std::back_inserter(routes_)); }

    /// A request as the edge hands it over: body checked against the route.
    net::response call(net::verb verb, const std::string& path, std::string body = "",
                       std::map<std::string, std::string> headers = {}) {
        net::request r;
        r.verb = verb;
        r.path = path;
        r.body = std::move(body);
        r.headers = std::move(headers);
        r.who = {principal, organization, admin};
        if (const auto mark = r.path.find('?'); mark != std::string::npos) {
            const auto query = r.path.substr(mark + 1);
            r.query[query.substr(0, query.find('='))] = query.substr(query.find('=') + 1);
            r.path.resize(mark);
        }
        for (const auto& route : routes_) {
            if (route.verb == verb && matches(route.path, r)) {
                if (route.body && route.body->check) {
                    if (auto ok = route.body->check(r.body); !ok) {
                        return net::to_response(ok.error(), r);
                    }
                }
                if (route.receive) {
                    auto sink = route.receive(r);
                    auto taken = sink ? (*sink)->take(r.body) : expected<void>(sink.error());
                    taken = taken ? (*sink)->finish() : taken;
                    if (!taken) {
                        return net::to_response(taken.error(), r);
                    }
                    r.received = std::move(*sink);
                    r.body.clear();
                }
                std::optional<net::response> answer;
                route.run(r, [&](net::response given) { answer = std::move(given); });
                BOOST_REQUIRE_MESSAGE(answer, path << " was not answered");
                return std::move(*answer);
            }
        }
        BOOST_FAIL("no route for " << path);
        return {};
    }

    runtime::reply decide(const runtime::command& c) {
        auto& host = entity_of(c.to);
        if (refuse_next.erase(c.type) > 0) {
            return problem{code::overloaded, "Too much to do."};
        }
        if (!c.id.empty() && host.answered.contains(c.id)) {
            return runtime::outcome{host.version, true, host.answered.at(c.id)};
        }
        const runtime::context context{c.to, host.version, now, c.principal, make_uuid};
        auto decided = host.instance->handle(c, context);
        if (!decided) {
            return decided.error();
        }
        commit(host, c, *decided);
        if (!c.id.empty()) {
            host.answered[c.id] = decided->answer;
        }
        return runtime::outcome{host.version, false, decided->answer};
    }

    /// Delivers what entities owe each other until nothing is owed to the kinds that are hosted here.
    void settle() {
        for (bool any = true; any;) {
            any = false;
            for (const auto& [from, send] : owed(true)) {
                any = true;
                const auto id = to_string(from) + "/" + send.key;
                deliver(from, send, decide(command(send.to, send.type, send.payload, id)));
            }
        }
    }

    /// The kinds that are not hosted here take what is owed to them; what that was.
    std::vector<runtime::send_effect> take_outside() {
        std::vector<runtime::send_effect> out;
        for (const auto& [from, send] : owed(false)) {
            deliver(from, send, runtime::outcome{});
            out.push_back(send);
        }
        return out;
    }

    static runtime::command command(entity_address to, std::string type, std::string payload, std::string id = {}) {
        runtime::command c;
        c.to = std::move(to);
        c.type = std::move(type);
        c.payload = std::move(payload);
        c.id = std::move(id);
        c.principal = "node";
        return c;
    }

    runtime::services services;
    uuid organization = make_uuid();
    std::string principal = "key/tester";
    bool admin = true;
    timestamp now{1'800'000'000'000};
    std::set<std::string> refuse_next; ///< Command types of which the next one is `overloaded`.

private:
    struct hosted {
        std::unique_ptr<runtime::entity_instance> instance;
        std::uint64_t version = 0;
        std::uint64_t activation = 0;
        runtime::derived_rows rows;
        std::map<std::string, std::string> answered;
    };

    /// What entities owe the kinds that are hosted here, or the others, and who owes it.
    std::vector<std::pair<entity_address, runtime::send_effect>> owed(bool hosted_here) const {
        std::vector<std::pair<entity_address, runtime::send_effect>> out;
        for (const auto& [address, host] : entities_) {
            for (const auto& effect : host.instance->resume()) {
                const auto* send = std::get_if<runtime::send_effect>(&effect);
                if (send && kinds_.contains(send->to.kind) == hosted_here) {
                    out.emplace_back(address, *send);
                }
            }
        }
        return out;
    }

    hosted& entity_of(const entity_address& a) {
        auto& host = entities_[a];
        if (!host.instance) {
            const auto kind = kinds_.find(a.kind);
            BOOST_REQUIRE_MESSAGE(kind != kinds_.end(), "no kind " << a.kind);
            host.instance = kind->second.make();
            host.activation = committer_->activate(a)->id;
        }
        return host;
    }

    void commit(hosted& host, const runtime::command& c, const runtime::decided& decided) {
        if (decided.events.empty()) {
            return;
        }
        storage::append append{c.to, host.activation, host.version, {}, {}, decided.used, {}};
        for (const auto& e : decided.events) {
            storage::record r;
            r.entity = c.to;
            r.entity_seq = ++host.version;
            r.index_in_batch = static_cast<std::uint32_t>(append.records.size());
            r.batch_size = static_cast<std::uint32_t>(decided.events.size());
            r.type = e.type;
            r.payload = e.payload;
            r.time = now;
            r.principal = c.principal;
            append.records.push_back(std::move(r));
        }
        append.derived = runtime::derive(*host.instance, store_->shard_of(c.to), c.to, host.version, host.rows);
        append.subject = host.instance->subject();
        std::vector<storage::append> batch;
        batch.push_back(std::move(append));
        std::vector<expected<storage::appended>> results;
        BOOST_REQUIRE(committer_->commit(batch, results));
        BOOST_REQUIRE(results.at(0));
    }

    void deliver(const entity_address& from, const runtime::send_effect& send, const runtime::reply& answer) {
        std::string payload = R"({"key":)" + json::quoted(send.key) + R"(,"ok":)" + (answer ? "true" : "false");
        if (!answer) {
            payload += R"(,"detail":)" + json::quoted(answer.error().detail);
        }
        BOOST_REQUIRE(decide(command(from, send.then, payload + "}")));
    }

    static bool matches(const std::string& pattern, net::request& r) {
        std::map<std::string, std::string> params;
        std::string_view left = pattern;
        std::string_view path = r.path;
        while (!left.empty()) {
            if (left.front() != '{') {
                if (path.empty() || path.front() != left.front()) {
                    return false;
                }
                left.remove_prefix(1);
                path.remove_prefix(1);
                continue;
            }
            const auto name = left.substr(1, left.find('}') - 1);
            left.remove_prefix(name.size() + 2);
            const auto value = name == "path" ? path : path.substr(0, path.find('/'));
            params[std::string(name)] = value;
            path.remove_prefix(value.size());
        }
        if (!path.empty()) {
            return false;
        }
        r.params = std::move(params);
        return true;
    }

    std::filesystem::path directory_ =
        std::filesystem::temp_directory_path() / ("troupe-mini-" + to_string(make_uuid()));
    std::unique_ptr<storage::store> store_;
    std::unique_ptr<storage::committer> committer_;
    runtime::kind_registry kinds_;
    std::map<entity_address, hosted> entities_;
    std::vector<net::route> routes_;
};

} // namespace troupe::actors::test
