#pragma once

#include "schemas/base/problem.hpp"
#include "storage/store.hpp"

namespace troupe::storage {

/// Brings the rows of an older directory up to `directory_format`, and then its format; of one that is up to date
/// nothing. After the keys are attached, before anything is read or written. What a crash leaves half done is done by
/// the next call.
expected<void> upgrade(store& s);

} // namespace troupe::storage
