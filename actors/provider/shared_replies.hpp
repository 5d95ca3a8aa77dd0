#pragma once

#include "net/model/model.hpp"
#include "runtime/config/model_providers.hpp"
#include "schemas/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

/// One answer for equal requests of one organization, where an operator wants it so.
namespace troupe::actors {

struct sharing_settings {
    std::string provider;
    runtime::equal_requests policy = runtime::equal_requests::each;
    std::int64_t kept_ms = 0;         ///< With `cache`.
    std::size_t bytes_max = 64 << 20; ///< Of all kept replies, about; the oldest go first.
    std::function<std::int64_t()> clock = monotonic_ms;
};

/// The model, asked once for requests of one caller that are the same in all that a provider sees: while one is in
/// flight, others wait for it and get its tokens as they come; with `cache`, also for a while after it. Who was not
/// asked for costs nothing, and its `choice` says why. A step that asks again gets an answer of its own: it did not
/// like the first. Problems go to all that waited, except that somebody else asks where the first one was cancelled.
/// With `each` it is the model itself.
std::shared_ptr<net::model> sharing(sharing_settings settings, std::shared_ptr<net::model> model);

} // namespace troupe::actors
