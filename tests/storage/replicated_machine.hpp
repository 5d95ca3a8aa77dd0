#pragma once

// What replicated_store_simulation.cpp is made of: nodes with their disks, and what goes between them.

#include "storage/committer.hpp"
#include "tests/storage/replicas.hpp"
#include "tests/storage/simulated_disk.hpp"
#include "tests/storage/simulated_env.hpp"
#include "tests/temporary_directory.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::test::replicated {

using namespace storage;
using namespace storage::replication;

inline constexpr std::uint32_t shards = 2;

struct frame {
    std::size_t from = 0;
    std::size_t to = 0;
    std::string bytes;
};
struct parcel {
    std::size_t to = 0;
    checkpoint_head head;
    std::vector<std::string> pieces;
    checkpoint_sum sum;
};
struct watched {
    std::size_t to = 0;
    std::uint32_t shard = 0;
    replica_set set;
};

/// One node: a disk, a store on it, and who asks it.
struct machine : log_peers {
    machine(std::size_t number, std::uint64_t seed, std::deque<frame>& wires)
        : index(number), disk(seed + number, directory.path.string()), env(disk, now_ms), net(wires) {
        identity who;
        who.replica = id_of(index);
        who.shards = shards;
        std::ofstream(directory.path / "identity.json") << to_json(who);
    }

    bool send(const replica_id& to, std::string bytes) override {
        if (!disk.is_cut()) {
            net.push_back({index, index_of(to), std::move(bytes)});
        }
        return true;
    }

    [[nodiscard]] bool is_up() const { return committer != nullptr; }

    void start() {
        disk.restart();
        store_options options;
        options.directory = directory.path;
        options.cache_bytes = 1 << 20;
        options.write_buffer_bytes = 2 << 20;
        options.env = env.env();
        auto opened = store::open(options);
        require(opened.has_value(), "a store opens after whatever happened: " + (opened ? "" : opened.error().detail));
        kept = std::move(*opened);
        log_options logs;
        logs.peers = this;
        logs.frame_bytes = 600;
        logs.tail_bytes = 2000;
        logs.changes_bytes = kept_bytes;
        auto made = committer::join(*kept, 0, logs);
        require(made.has_value(), "a committer joins after whatever happened: " + (made ? "" : made.error().detail));
        committer = std::move(*made);
    }

    void stop() {
        staged.reset();
        committer.reset();
        kept.reset();
        active.clear();
        busy.clear();
        asked.clear();
    }

    temporary_directory directory;
    std::size_t index;
    std::atomic<std::int64_t> now_ms{1'700'000'000'000};
    simulated_disk disk;
    simulated_env env;
    std::deque<frame>& net;
    std::unique_ptr<storage::store> kept;
    std::unique_ptr<storage::committer> committer;
    std::size_t kept_bytes = 16 << 20; ///< Of groups.
    std::optional<checkpoint_staging> staged;
    std::map<std::string, activation> active;
    std::set<std::string> busy;
    std::array<std::vector<record>, shards> seen; ///< By a reader, in all lives of the node.
    std::vector<register_wanted> asked;           ///< Of the register, and not answered yet.
};

} // namespace troupe::test::replicated
