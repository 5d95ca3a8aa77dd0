#include "actors/application/node_metrics.hpp"

#include "runtime/cluster/membership.hpp"
#include "runtime/entity/troubles.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/failures.hpp"

#include <string_view>

namespace troupe::actors {

void publish_metrics(runtime::node& node) {
    auto& m = runtime::metrics();
    m.read_counter("troupe_commands_total", "Commands that were accepted.",
                   [&node] { return static_cast<double>(node.statistics().commands_accepted); });
    m.read_counter("troupe_commands_refused_total", "Commands that were refused.",
                   [&node] { return static_cast<double>(node.statistics().commands_refused); });
    m.read_counter("troupe_commands_repeated_total", "Repeats that got the answer of the first.",
                   [&node] { return static_cast<double>(node.statistics().commands_repeated); });
    m.read_counter("troupe_commits_total", "Writes of the journal, one fsync each.",
                   [&node] { return static_cast<double>(node.statistics().commits); });
    for (const std::string_view kind : runtime::dead_letters::kinds) {
        m.read_counter("troupe_dead_letters_total",
                       "Messages that nobody worked on; GET /dead-letters lists the newest.",
                       [letters = node.parts().letters, kind] { return static_cast<double>(letters->count(kind)); },
                       {{"kind", kind}});
    }
    for (const std::string_view module : runtime::failure_board::modules) {
        for (const std::string_view level : runtime::failure_board::levels) {
            m.read_counter("troupe_failures_total",
                           "Lines of level error or critical, and requests that the node failed; GET /system/failures "
                           "groups them.",
                           [failures = node.parts().failures, module, level] {
                               return static_cast<double>(failures->count(module, level));
                           },
                           {{"module", module}, {"level", level}});
        }
    }
    m.read_gauge("troupe_entities_in_trouble", "Entities that crashed, cannot be read, or try an effect again.",
                 [troubles = node.parts().troubles] { return static_cast<double>(troubles->entities()); });
    m.read_counter("troupe_appends_total", "Appends of entities; several share a commit.",
                   [&node] { return static_cast<double>(node.statistics().appends); });
    m.read_gauge("troupe_effects_performing", "Model calls, tools and commands at work.",
                 [&node] { return static_cast<double>(node.statistics().performing); });
    m.read_gauge("troupe_commands_outstanding_bytes", "Bytes of the commands in hand.",
                 [&node] { return static_cast<double>(node.statistics().bytes_outstanding); });
    m.read_counter("troupe_retention_events_cut_total", "Events that retention took out of histories.",
                   [&node] { return static_cast<double>(node.statistics().events_cut); });
    m.read_counter("troupe_retention_records_trimmed_total", "Records that retention took out of logs.",
                   [&node] { return static_cast<double>(node.statistics().records_trimmed); });
    m.read_counter("troupe_retention_rounds_total", "Rounds of retention through all shards.",
                   [&node] { return static_cast<double>(node.statistics().retention_rounds); });
    m.read_counter("troupe_retention_failures_total", "Entities and logs that retention could not serve.",
                   [&node] { return static_cast<double>(node.statistics().retention_failures); });
    m.read_gauge("troupe_commands_outstanding", "Commands in hand.",
                 [&node] { return static_cast<double>(node.statistics().commands_outstanding); });
    m.read_gauge("troupe_commands_waiting", "Of those: waiting for their turn.",
                 [&node] { return static_cast<double>(node.statistics().commands_waiting); });
    m.read_counter("troupe_commands_overloaded_total", "Commands that were refused because the node had too many.",
                   [&node] { return static_cast<double>(node.statistics().commands_overloaded); });
    m.read_counter("troupe_timers_late_total", "Durable timers that fired later than timers.lateness_ms.",
                   [&node] { return static_cast<double>(node.statistics().timers_late); });
    m.read_gauge("troupe_timer_lateness_max_seconds", "The latest durable timer since the start.",
                 [&node] { return static_cast<double>(node.statistics().timer_lateness_max_ms) / 1e3; });
    m.read_gauge("troupe_entities_active", "Entities in memory.",
                 [&node] { return static_cast<double>(node.statistics().entities_active); });
    m.read_gauge("troupe_subscribers", "Live subscriptions.",
                 [&node] { return static_cast<double>(node.statistics().subscribers); });
}

void publish_cluster_metrics(runtime::node& node) {
    using figures = runtime::cluster::cluster_statistics;
    const auto* member = node.member();
    if (!member) {
        return;
    }
    auto& m = runtime::metrics();
    const auto read = [member](auto figure) {
        return [=] { return static_cast<double>(member->statistics().*figure); };
    };
    constexpr std::string_view nodes = "Nodes of the cluster, by what this one knows of them.";
    m.read_gauge("troupe_cluster_nodes", nodes,
                 [member] {
                     const auto now = member->statistics();
                     return static_cast<double>(now.nodes_up - now.nodes_draining);
                 },
                 {{"status", "up"}});
    m.read_gauge("troupe_cluster_nodes", nodes, read(&figures::nodes_draining), {{"status", "draining"}});
    m.read_gauge("troupe_cluster_nodes", nodes, read(&figures::nodes_down), {{"status", "down"}});
    m.read_gauge("troupe_cluster_peers_connected", "Other nodes that this one is connected with.",
                 read(&figures::peers));
    m.read_gauge("troupe_cluster_shards_led", "Shards that this node leads.", read(&figures::shards_led));
    m.read_gauge("troupe_cluster_shards_held", "Shards of which this node has a copy that votes.",
                 read(&figures::shards_held));
    m.read_gauge("troupe_cluster_shards_closed",
                 "Shards that take no commands: without a leader, or without a majority of their copies.",
                 read(&figures::shards_closed));
    m.read_gauge("troupe_cluster_lease_left_seconds",
                 "For how long this node may still show what it leads, if its lease is not renewed.",
                 [member] { return static_cast<double>(member->statistics().lease_left_ms) / 1e3; });
    m.read_gauge(
        "troupe_cluster_lag_entries",
        "How many entries the slowest copy on a node that is up is behind, of the shards that this node leads.",
        read(&figures::lag_entries));
    m.read_counter("troupe_cluster_leader_changes_total", "Shards that another node leads than before, as seen here.",
                   read(&figures::leader_changes));
    m.read_counter("troupe_cluster_commands_sent_total", "Commands that this node sent to the owners of their shards.",
                   read(&figures::commands_sent));
    m.read_counter("troupe_cluster_commands_taken_total", "Commands that other nodes sent to this one.",
                   read(&figures::commands_taken));
    m.read_counter("troupe_cluster_read_rounds_total",
                   "Rounds in which this node asked owners how far they are, so that reads here show the newest.",
                   read(&figures::read_rounds));
    constexpr std::string_view checkpoints = "Whole shards that went to or came from other nodes.";
    m.read_counter("troupe_cluster_checkpoints_total", checkpoints, read(&figures::checkpoints_sent),
                   {{"direction", "sent"}});
    m.read_counter("troupe_cluster_checkpoints_total", checkpoints, read(&figures::checkpoints_received),
                   {{"direction", "received"}});
}

} // namespace troupe::actors
