#pragma once

#include "schemas/base/described.hpp"

/// GET /load: what a node does now. Counts go up since its start; two answers give a rate.
namespace troupe {

/// How long things took, as counts of a histogram: `counts[i]` up to `bounds_s[i]` seconds, the last one beyond all.
struct latency_counts {
    std::vector<double> bounds_s;
    std::vector<std::uint64_t> counts;
};
BOOST_DESCRIBE_STRUCT(latency_counts, (), (bounds_s, counts))

/// An actor or a part of the node that has work. What is not known is left out.
struct busy_entry {
    std::string path;
    std::string kind;
    std::string status;
    std::uint64_t restarts = 0;
    std::uint64_t uptime_ms = 0;
    std::optional<std::uint64_t> mailbox_depth; ///< What it was given and has not done; of an entity: its commands.
    std::optional<std::uint64_t> messages;      ///< Since its start.
    std::optional<std::uint64_t> memory_bytes;  ///< An estimate.
};
BOOST_DESCRIBE_STRUCT(busy_entry, (), (path, kind, status, restarts, uptime_ms, mailbox_depth, messages, memory_bytes))

struct load_document {
    timestamp at;
    std::string node;
    std::string status;
    std::string version;
    std::int64_t uptime_ms = 0;
    std::uint64_t commands_accepted = 0;
    std::uint64_t commands_refused = 0;
    std::uint64_t commands_repeated = 0;
    latency_counts command_latency; ///< Of commands from the edge, to their answer.
    std::uint64_t commands_outstanding = 0;
    std::uint64_t commands_outstanding_max = 0;
    std::uint64_t bytes_outstanding = 0;
    std::uint64_t bytes_outstanding_max = 0;
    std::uint64_t commits = 0; ///< Writes of the journal, one fsync each.
    std::uint64_t appends = 0; ///< Of entities; several share a commit.
    std::uint64_t entities_active = 0;
    std::uint64_t runs_running = 0; ///< At most 200 are counted.
    std::uint64_t runs_waiting = 0; ///< Likewise.
    std::uint64_t performing = 0;   ///< Model calls, tools and commands at work.
    std::uint64_t performing_max = 0;
    std::uint64_t connections = 0;
    std::uint64_t subscribers = 0;
    std::uint64_t resident_bytes = 0;
    double cpu_seconds = 0; ///< User and system, since the start.
    std::uint64_t threads = 0;
    std::uint64_t disk_free_bytes = 0;
    std::uint64_t disk_free_bytes_min = 0; ///< Below, writes are refused.
    std::uint64_t dead_letters = 0;
    std::uint64_t entities_in_trouble = 0; ///< Crashed, quarantined, or with effects that are tried again.
    std::vector<busy_entry> busiest;
};
BOOST_DESCRIBE_STRUCT(load_document, (),
                      (at, node, status, version, uptime_ms, commands_accepted, commands_refused, commands_repeated,
                       command_latency, commands_outstanding, commands_outstanding_max, bytes_outstanding,
                       bytes_outstanding_max, commits, appends, entities_active, runs_running, runs_waiting, performing,
                       performing_max, connections, subscribers, resident_bytes, cpu_seconds, threads, disk_free_bytes,
                       disk_free_bytes_min, dead_letters, entities_in_trouble, busiest))

} // namespace troupe
