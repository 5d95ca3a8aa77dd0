#pragma once

#include "schemas/base/described.hpp"

namespace troupe::actors {

/// The next version of something stored, for upcasters: all that it had is there under the same name, and what is new
/// has its default.
template <class Newer, class Older>
Newer with_defaults(const Older& old) {
    return from_json<Newer>(to_json(old), strictness::stored).value();
}

} // namespace troupe::actors
