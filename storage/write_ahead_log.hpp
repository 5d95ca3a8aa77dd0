#pragma once

#include "schemas/base/problem.hpp"

#include <filesystem>

namespace rocksdb {
class Env;
}

/// What RocksDB's recovery does not tell of its write-ahead logs (*.log) and manifests.
namespace troupe::storage {

/// Looks through the logs of a database before it is opened. `journal_damaged`, with file and place, for
/// damage that RocksDB takes for the end that a power cut tore off (a record's length beyond the end of the file, with
/// whole records behind it), for zeros that it skips, and for a log that is gone. A torn end is none of these. Reads
/// each log once; blocks.
expected<void> check_write_ahead_logs(rocksdb::Env& disk, const std::filesystem::path& database);

} // namespace troupe::storage
