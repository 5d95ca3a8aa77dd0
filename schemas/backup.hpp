#pragma once

#include "schemas/base/described.hpp"

/// Backups of a node: the manifest that makes a folder a backup, which is what the API shows too.
namespace troupe {

/// Why a backup was made: those on schedule are deleted by the schedule, the others by people.
enum class backup_maker : std::uint8_t { person, schedule };
BOOST_DESCRIBE_ENUM(backup_maker, person, schedule)

/// A file of a backup. What the database made at its start (LOG) is none.
struct backup_file {
    std::string path; ///< Inside the backup: "db/000012.sst".
    std::uint64_t bytes = 0;
    std::string sha256; ///< Lower-case hexadecimal.
};
BOOST_DESCRIBE_STRUCT(backup_file, (), (path, bytes, sha256))

/// What a list says of each.
struct backup_summary {
    std::string id; ///< "20261121T071441Z-3f2a91c0": also the name of its folder.
    timestamp created_at;
    backup_maker made_by = backup_maker::person;
    std::uint64_t records = 0;                 ///< Of the journal, in all shards.
    std::optional<timestamp> newest_record_at; ///< Nothing when the journal is empty.
    std::uint64_t bytes = 0;                   ///< Of all files, also of those that are shared with other backups.
    std::string directory;                     ///< Where it lies now: filled in when it is read.
};
BOOST_DESCRIBE_STRUCT(backup_summary, (), (id, created_at, made_by, records, newest_record_at, bytes, directory))

/// manifest.json. Written last: a folder without it is no backup.
struct backup_manifest : backup_summary {
    std::uint32_t format = 1; ///< Of the backup; a greater one than `backup_format` is refused.
    std::string made_with;    ///< Version of Troupe.
    std::string request_key;  ///< The `Idempotency-Key` that asked for it; empty: none.
    uuid cluster;
    uuid replica; ///< The node's data directory. A restored one is a new replica of the same cluster.
    std::uint32_t shards = 0;
    std::vector<std::uint64_t> last_seqs; ///< Of each shard's log.
    std::vector<backup_file> files;
};
BOOST_DESCRIBE_STRUCT(backup_manifest, (backup_summary),
                      (format, made_with, request_key, cluster, replica, shards, last_seqs, files))

inline constexpr std::uint32_t backup_format = 1;

/// GET /backups: an item.
struct backup_entry : backup_summary {
    std::string copy; ///< The object store that has a copy, "s3://BUCKET/PREFIX"; empty: none (yet).
};
BOOST_DESCRIBE_STRUCT(backup_entry, (backup_summary), (copy))

/// POST /backups and GET /backups/{id}.
struct backup_detail : backup_manifest {
    std::string copy; ///< As in the list.
};
BOOST_DESCRIBE_STRUCT(backup_detail, (backup_manifest), (copy))

} // namespace troupe
