#pragma once

#include "runtime/backup/object_store.hpp"
#include "runtime/config/config.hpp"
#include "schemas/base/problem.hpp"

#include <memory>
#include <string_view>

namespace troupe::net {

/// A bucket of S3, or of anything that speaks its protocol (MinIO, Ceph, R2, …): `place` is "s3://BUCKET/PREFIX", the
/// endpoint, the region and the credentials are those of `backup.s3.*`. Asks nothing yet. `config_invalid` names what
/// is missing.
expected<std::unique_ptr<runtime::object_store>> make_s3_store(std::string_view place, const runtime::config& settings);

} // namespace troupe::net
