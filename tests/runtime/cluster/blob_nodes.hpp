#pragma once

// The blobs of a cluster's nodes: stores on the disk, links in memory, and threads that a test turns by hand.

#include "runtime/cluster/blob_exchange.hpp"
#include "runtime/cluster/memory_coordinator.hpp"
#include "storage/blob_copies.hpp"
#include "storage/blobs.hpp"
#include "storage/key_store.hpp"
#include "storage/keys.hpp"
#include "storage/views.hpp"
#include "tests/runtime/cluster/memory_links.hpp"
#include "tests/storage/fake_wrapping.hpp"
#include "tests/storage/replicas.hpp"
#include "tests/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::test {

struct blob_node final : links_listener {
    blob_node(std::size_t index, cables& net, std::int64_t& now, std::function<void(const std::function<bool()>&)> wait)
        : replica(id_of(index)), now_ms(now), pump(std::move(wait)), peers(net, card_of(replica)) {
        open({});
        peers.start(*this);
    }

    static node_card card_of(const uuid& replica) {
        node_card out;
        out.replica = replica;
        return out;
    }
    void close() {
        exchange.reset();
        store.reset();
    }
    void open(storage::store_options options) {
        close();
        options.directory = directory.path;
        options.shards = 4;
        store = std::move(storage::store::open(options).value());
        exchange = std::make_unique<blob_exchange>(peers, blob_ports{.self = replica,
                                                                     .store = store.get(),
                                                                     .monotonic = [this] { return now_ms; },
                                                                     .post = jobs.as_executor(),
                                                                     .wait = pump});
        storage::attach_blob_peers(*store, *exchange);
    }

    void on_up(const node_card& peer) override { exchange->on_up(peer.replica); }
    void on_down(const uuid& peer, const std::string&) override { exchange->on_down(peer); }
    void on_frame(const uuid& from, lane on, std::string_view bytes) override {
        BOOST_TEST((on == lane::bulk));
        BOOST_REQUIRE(bytes.starts_with(blob_channel));
        exchange->on_frame(from, bytes.substr(1));
    }

    const uuid replica;
    std::int64_t& now_ms;
    std::function<void(const std::function<bool()>&)> pump;
    temporary_directory directory;
    run_queue jobs; ///< Of its thread.
    memory_links peers;
    std::unique_ptr<storage::store> store;
    std::unique_ptr<blob_exchange> exchange;
};

/// Three of them, connected.
struct blob_nodes {
    blob_nodes() {
        for (std::size_t i = 0; i < 3; ++i) {
            nodes.push_back(std::make_unique<blob_node>(i, net, now_ms, [this](const std::function<bool()>& is_over) {
                if (const auto first = std::exchange(meanwhile, nullptr)) {
                    first();
                }
                until("an answer", is_over);
            }));
        }
        for (auto& n : nodes) {
            std::vector<peer_place> places;
            for (auto& other : nodes) {
                places.push_back({other->replica, "", "", 0});
            }
            n->peers.set_peers(places);
            introduce(*n);
        }
        settle();
    }

    /// Members, and whoever is connected.
    void introduce(blob_node& n) {
        std::set<uuid> others;
        for (auto& other : nodes) {
            if (other.get() != &n) {
                others.insert(other->replica);
                if (net.connects(n.replica, other->replica)) {
                    n.exchange->on_up(other->replica);
                }
            }
        }
        n.exchange->set_members(others);
    }
    /// As a crash of the process; it knows nothing of before.
    void restart(std::size_t index, storage::store_options options = {}) {
        const bool was_up = !net.cut.contains(nodes[index]->replica);
        if (was_up) {
            cut(index);
        }
        nodes[index]->jobs.run_some();
        nodes[index]->open(std::move(options));
        introduce(*nodes[index]);
        if (was_up) {
            mend(index);
        }
    }
    void cut(std::size_t index) {
        const auto id = nodes[index]->replica;
        net.cut.insert(id);
        for (auto& n : nodes) {
            if (n->replica != id) {
                n->exchange->on_down(id);
                nodes[index]->exchange->on_down(n->replica);
            }
        }
        settle();
    }
    void mend(std::size_t index) {
        net.plug_in(nodes[index]->replica);
        settle();
    }

    /// All that happens without time.
    void settle() {
        for (bool more = true; more;) {
            more = net.frames.run_some() > 0;
            for (auto& n : nodes) {
                more = n->jobs.run_some() > 0 || more;
            }
        }
    }
    void step(std::int64_t ms = blob_exchange::tick_ms) {
        now_ms += ms;
        for (auto& n : nodes) {
            n->jobs.as_executor()([&n] { n->exchange->tick(); });
        }
        settle();
    }
    void pass(std::int64_t ms) {
        for (const auto end = now_ms + ms; now_ms < end;) {
            step();
        }
    }
    void until(const char* what, const std::function<bool()>& holds) {
        settle();
        for (int i = 0; !holds(); ++i) {
            require(i < 3000, std::string("it comes to this: ") + what);
            step();
        }
    }

    storage::store& at(std::size_t index) { return *nodes[index]->store; }
    expected<std::string> put(std::size_t index, std::string_view bytes) {
        return storage::put_blob(at(index), organization, bytes);
    }
    expected<std::string> get(std::size_t index, const std::string& name) {
        return storage::get_blob(at(index), organization, name, 64 << 20);
    }
    [[nodiscard]] storage::blob_id id(const std::string& name) const {
        return {organization, *storage::blob_hash_of(name)};
    }
    /// A state of that node names it.
    void name(std::size_t index, const std::string& blob) {
        const entity_address a{organization, "album", make_uuid()};
        storage::view_rows rows;
        const auto hash = *storage::blob_hash_of(blob);
        rows.puts.emplace_back(storage::keys::reference(at(index).shard_of(a), storage::as_bytes(hash), a), "");
        BOOST_REQUIRE(storage::write_view_rows(at(index), rows).has_value());
    }
    /// Whether the whole blob is in a node's own store.
    bool holds(std::size_t index, const std::string& name) {
        return storage::verify_blob(at(index), organization, *storage::blob_hash_of(name)).has_value();
    }

    const uuid organization = system_organization;
    std::int64_t now_ms = 1000;
    std::function<void()> meanwhile; ///< While somebody waits.
    cables net;
    std::vector<std::unique_ptr<blob_node>> nodes;
};

} // namespace troupe::test
