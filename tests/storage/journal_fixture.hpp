#pragma once

#include "storage/committer.hpp"
#include "storage/store.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe::test {

inline storage::store_options options_for(const std::filesystem::path& directory, std::uint32_t shards = 4) {
    storage::store_options options;
    options.directory = directory;
    options.shards = shards;
    options.cache_bytes = 8 << 20;
    return options;
}

/// A store and its committer without actors. Closing and opening again on the same directory is a restart.
class journal_fixture {
public:
    explicit journal_fixture(const std::filesystem::path& directory, std::uint32_t shards = 4) {
        auto opened = storage::store::open(options_for(directory, shards));
        BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().detail));
        store = std::move(*opened);
        auto writer = storage::committer::open(*store, 0);
        BOOST_REQUIRE_MESSAGE(writer.has_value(), (writer ? "" : writer.error().detail));
        committer = std::move(*writer);
    }

    /// An address in that shard.
    [[nodiscard]] entity_address address_in(std::uint32_t shard, const uuid& organization = system_organization) const {
        entity_address a{organization, "counter", make_uuid()};
        while (store->shard_of(a) != shard) {
            a.id = make_uuid();
        }
        return a;
    }

    storage::activation& activate(const entity_address& a) {
        auto activated = committer->activate(a);
        BOOST_REQUIRE(activated.has_value());
        return active[a] = *activated;
    }

    /// An append of one command with that many events; moves the known version on.
    storage::append prepare(const entity_address& a, std::uint32_t events = 1, std::string command_id = {},
                            std::string payload = "{}") {
        auto found = active.find(a);
        auto& activation = found == active.end() ? activate(a) : found->second;
        storage::append out;
        out.entity = a;
        out.activation = activation.id;
        out.expected_version = activation.version;
        for (std::uint32_t i = 0; i < events; ++i) {
            storage::record r;
            r.entity = a;
            r.entity_seq = ++activation.version;
            r.command_id = command_id.empty() ? "command-" + std::to_string(++commands) : command_id;
            r.request_hash = 7;
            r.index_in_batch = i;
            r.batch_size = events;
            r.type = "added";
            r.time = {1'700'000'000'000 + static_cast<std::int64_t>(++clock)};
            r.principal = "test";
            r.payload = payload;
            out.records.push_back(std::move(r));
            command_id = out.records.back().command_id;
        }
        return out;
    }

    std::vector<expected<storage::appended>> commit(std::vector<storage::append>& batch) {
        std::vector<expected<storage::appended>> results;
        BOOST_REQUIRE(committer->commit(batch, results).has_value());
        BOOST_REQUIRE(results.size() == batch.size());
        return results;
    }

    expected<storage::appended> commit(storage::append one) {
        std::vector<storage::append> batch;
        batch.push_back(std::move(one));
        return commit(batch).front();
    }

    /// Commits one command and gives its records as they were written.
    std::vector<storage::record> write(const entity_address& a, std::uint32_t events = 1, std::string payload = "{}") {
        std::vector<storage::append> batch;
        batch.push_back(prepare(a, events, {}, std::move(payload)));
        BOOST_REQUIRE(commit(batch).front().has_value());
        return std::move(batch.front().records);
    }

    std::unique_ptr<storage::store> store;
    std::unique_ptr<storage::committer> committer;
    std::unordered_map<entity_address, storage::activation> active;
    std::uint64_t commands = 0;
    std::uint64_t clock = 0;
};

} // namespace troupe::test
