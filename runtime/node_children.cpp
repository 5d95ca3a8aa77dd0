#include "runtime/node_impl.hpp"

#include "runtime/config/retention.hpp"
#include "runtime/entity/rebuild.hpp"
#include "storage/trim.hpp"
#include "storage/views.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

// What a node starts: its place in a cluster, the committer, and the actors below its supervisor.
namespace troupe::runtime {

void node::impl::keep_blobs() {
    if (const auto known = complete_references(*store, kinds); !known) {
        log_for("blobs").error("nothing is collected: what names contents is not known: {}", known.error().detail);
    } else if (settings.blobs_collect_every_ms > 0) {
        blobs = std::make_unique<blob_keeper>(*store, settings, [this] { return now(); });
    }
}

expected<cluster::membership::engine> node::impl::open_committer() {
    const auto free_bytes_min = static_cast<std::uint64_t>(settings.storage_free_bytes_min);
    if (member) {
        return member->join(free_bytes_min);
    }
    auto alone = storage::committer::open(*store, free_bytes_min);
    return alone ? expected<cluster::membership::engine>(cluster::membership::engine{std::move(*alone), nullptr})
                 : alone.error();
}

std::vector<supervised_child> node::impl::children(cluster::membership::engine first) {
    std::vector<supervised_child> routers;
    for (std::uint32_t shard = 0; shard < store->who().shards; ++shard) {
        routers.push_back(shard_child(shard));
    }
    std::vector<supervised_child> out;
    out.push_back(committer_child(std::move(first)));
    out.push_back(supervisor_child({.id = "shards", .kind = child_kind::supervisor}, {.restarts_max = 50},
                                   std::move(routers), &tree));
    out.push_back(timers_child());
    out.push_back(audit_child());
    std::ranges::move(retention_children(), std::back_inserter(out));
    std::ranges::move(backup_children(), std::back_inserter(out));
    if (blobs) {
        out.push_back(blobs->child());
    }
    out.push_back(placed_here.child());
    return out;
}

supervised_child node::impl::committer_child(cluster::membership::engine first) {
    auto opened = std::make_shared<cluster::membership::engine>(std::move(first));
    return {{.id = "committer", .label = "committer"}, [this, opened](const child_context& child) {
                auto owned = std::move(*opened);
                if (!owned.committer && member) {
                    fatal("the committer failed, and others take over what this node had");
                }
                if (!owned.committer) {
                    auto again =
                        storage::committer::open(*store, static_cast<std::uint64_t>(settings.storage_free_bytes_min));
                    owned.committer = std::move(again.value()); // a failure of the child: the supervisor says so
                }
                child.entry.show(host.committer_figures);
                const std::unique_lock lock(handles);
                committer = spawn_committer(system, host, std::move(owned.committer), true, std::move(owned.driver));
                return caf::actor_cast<caf::actor>(committer);
            }};
}

supervised_child node::impl::shard_child(std::uint32_t shard) {
    return {{.id = std::to_string(shard), .label = "shard"}, [this, shard](const child_context& child) {
                child.entry.show(host.router_figures[shard]);
                const std::unique_lock lock(handles);
                if (!shards[shard]) {
                    started.count_down();
                }
                shards[shard] = spawn_shard(system, host, committer, shard);
                if (host.owns && host.owns(shard)) { // it was told before
                    caf::anon_send(shards[shard], ownership_msg{true});
                }
                board->lower(shard, host.clock()); // timers that nobody announced
                for (auto& a : storage::read_owed(*store, shard)) {
                    caf::anon_send(shards[shard], wake_msg{std::move(a)});
                }
                return caf::actor_cast<caf::actor>(shards[shard]);
            }};
}

std::vector<supervised_child> node::impl::backup_children() {
    auto out = backups->children();
    out.back().start = [this, start = out.back().start, first = true](const child_context& c) mutable {
        auto made = start(c);
        if (std::exchange(first, false)) {
            started.count_down();
        }
        return made;
    };
    return out;
}

supervised_child node::impl::timers_child() {
    return {{.id = "timers", .label = "timers"},
            [this](const child_context&) { return spawn_timers(system, host, *board); }};
}

supervised_child node::impl::audit_child() {
    return {{.id = "audit", .label = "audit_writer"}, [this](const child_context&) {
                return spawn_audit_writer(system, *audit, host.settings.node_path + "/audit", &letters, true);
            }};
}

std::vector<supervised_child> node::impl::retention_children() {
    const auto policy = retention_of(settings);
    std::vector<supervised_child> out;
    if (policy.shortest_ms() > 0) {
        out.push_back({{.id = "retention", .label = "retention"}, [this, policy](const child_context&) {
                           retention_parts parts{policy,
                                                 [this] {
                                                     const std::shared_lock lock(handles);
                                                     return committer;
                                                 },
                                                 [this](std::uint32_t shard) { return router_of(shard); }, &retention,
                                                 [this] { return storage::reclaim_logs(*store); }};
                           return spawn_retention(system, host, std::move(parts), true);
                       }});
    }
    return out;
}

expected<void> node::impl::join() {
    cluster::node_ports ports;
    ports.take = [this](held_ptr held) { take(std::move(held)); };
    ports.publish = [this](live_event e) { live->publish(std::move(e)); };
    ports.placed = &placed_here;
    ports.own = [this](std::uint32_t shard, bool owned) {
        caf::anon_send(router_of(shard), ownership_msg{owned});
        if (owned) {
            board->lower(shard, host.clock());
        }
    };
    ports.applied = [this](std::uint32_t shard) {
        if (auto told = live->applied(shard); !told) {
            log_for("bus").error("what came of shard {} cannot be published: {}", shard, told.error().detail);
        }
        audit->committed();
    };
    auto made = cluster::membership::make(*place, host, std::move(ports));
    if (!made) {
        return made.error();
    }
    member = std::move(*made);
    shared.owns = [this](const entity_address& a) { return host.owns(store->shard_of(a)); };
    shared.wait_to_read = [this](auto then) { member->commands().wait_to_read(std::move(then)); };
    return {};
}

} // namespace troupe::runtime
