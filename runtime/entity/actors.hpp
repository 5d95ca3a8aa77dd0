#pragma once

#include "runtime/cluster/driver.hpp"
#include "runtime/entity/host.hpp"
#include "runtime/entity/messages.hpp"

#include <caf/actor_system.hpp>

#include <cstdint>
#include <memory>

/// The actors of the durable command path. `services` has to outlive them.
namespace troupe::runtime {

/// Detached in a node; not detached under the deterministic scheduler of tests. In a cluster it hosts the driver of its
/// committer; a node alone has none.
committer_actor spawn_committer(caf::actor_system& system, host_services& services,
                                std::unique_ptr<storage::committer> owned, bool detached,
                                std::unique_ptr<cluster::driver> driver = nullptr);

shard_actor spawn_shard(caf::actor_system& system, host_services& services, committer_actor committer,
                        std::uint32_t shard);

/// Called by its shard only. `first` is decided before anything else is done: were it sent, an outcome that the last
/// incarnation died of could come after what it is the outcome of is done again. The entity keeps its memory estimate
/// in `figures` (may be null).
entity_actor spawn_entity(caf::actor_system& system, host_services& services, committer_actor committer,
                          shard_actor owner, std::uint32_t shard, entity_address address, std::vector<offer_msg> first,
                          std::shared_ptr<actor_figures> figures);

} // namespace troupe::runtime
