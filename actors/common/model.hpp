#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <string>
#include <string_view>

/// Small things that the pure models share.
namespace troupe::actors {

/// One function object out of several lambdas, for std::visit.
template <class... Lambdas>
struct visitor : Lambdas... {
    using Lambdas::operator()...;
};
template <class... Lambdas>
visitor(Lambdas...) -> visitor<Lambdas...>;

/// `not_found` for an entity that was never made or is deleted.
inline problem no_such(std::string_view kind, const uuid& id) {
    return {code::not_found, "There is no " + std::string(kind) + " " + to_string(id) + ". It may have been deleted."};
}

/// `already_exists` for a second creation.
inline problem exists_already(std::string_view kind, const uuid& id) {
    return {code::already_exists,
            "The " + std::string(kind) + " " + to_string(id) + " exists already, or did once. Use a new id."};
}

} // namespace troupe::actors
