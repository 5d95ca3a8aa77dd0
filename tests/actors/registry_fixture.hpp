#pragma once

#include "actors/provider/provider.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace troupe::actors::test {

inline model_registry registry(provider_settings settings) {
    auto made = model_registry::make(std::move(settings));
    if (!made)
        BOOST_FAIL(made.error().detail);
    return *std::move(made);
}

/// What that name leads to, or the problem.
inline std::string described(const model_registry& models, std::string_view name) {
    const auto found = models.find(name);
    return found ? (*found)->describe() : std::string(explain(found.error().code).name) + ": " + found.error().detail;
}

} // namespace troupe::actors::test
