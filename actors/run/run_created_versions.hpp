#pragma once

#include "actors/common/upcast.hpp"
#include "actors/run/create_run_v1.hpp"
#include "actors/run/create_run_v2.hpp"
#include "actors/run/create_run_v3.hpp"
#include "schemas/base/described.hpp"

/// The first event of a run as it was stored once. Never changes.
namespace troupe::actors {

namespace v1 {

struct run_created : create_run {
    uuid organization;
};
BOOST_DESCRIBE_STRUCT(run_created, (create_run), (organization))

} // namespace v1

namespace v2 {

struct run_created : create_run {
    static constexpr int version = 2;
    using previous = v1::run_created;
    uuid organization;
};
BOOST_DESCRIBE_STRUCT(run_created, (create_run), (organization))

} // namespace v2

namespace v3 {

struct run_created : create_run {
    static constexpr int version = 3;
    using previous = v2::run_created;
    uuid organization;
};
BOOST_DESCRIBE_STRUCT(run_created, (create_run), (organization))

} // namespace v3

namespace v1 {

inline auto upcast(const run_created& old) { return with_defaults<v2::run_created>(old); }

} // namespace v1

namespace v2 {

inline auto upcast(const run_created& old) { return with_defaults<v3::run_created>(old); }

} // namespace v2

} // namespace troupe::actors
