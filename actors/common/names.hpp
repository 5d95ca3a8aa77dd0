#pragma once

#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <string>

/// Unique names, from routes: reserve, create the owner (which confirms through its outbox), or give up.
namespace troupe::actors {

struct wanted_name {
    uuid organization;
    std::string kind; ///< Of the owner.
    std::string name;
    uuid owner;
};

/// Keeps the name for its owner; `already_exists` when somebody else has it. Idempotent by the owner.
void reserve(const runtime::services& s, const net::request& r, const wanted_name& wanted,
             std::function<void(expected<void>)> done);

/// Gives up what the owner's version `claim` gave up; 0: no more than a reservation. Also right when nobody knows
/// whether the owner took it: its own confirmation takes a name that is free again.
void release(const runtime::services& s, const net::request& r, const wanted_name& wanted, std::uint64_t claim,
             std::function<void()> done);

} // namespace troupe::actors
