#pragma once

#include "bin/cli/node.hpp"
#include "schemas/base/described.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

/// The load of `troupe bench`: connections that stay open, each doing what a person with a board of tasks does, one
/// request after the other.
namespace troupe::cli {

struct bench_settings {
    std::size_t connections = 16;
    std::int64_t seconds = 10;
};

/// Of one kind of request, or of all.
struct bench_line {
    std::string request;
    std::uint64_t count = 0; ///< Errors included.
    std::uint64_t errors = 0;
    double per_second = 0;
    double p50_ms = 0;
    double p95_ms = 0;
    double p99_ms = 0;
    double largest_ms = 0;
};
BOOST_DESCRIBE_STRUCT(bench_line, (), (request, count, errors, per_second, p50_ms, p95_ms, p99_ms, largest_ms))

struct bench_result {
    std::string url;
    std::size_t connections = 0;
    double seconds = 0;
    bench_line all;
    std::vector<bench_line> requests;
    std::string first_error; ///< Empty: there was none.
};
BOOST_DESCRIBE_STRUCT(bench_result, (), (url, connections, seconds, all, requests, first_error))

/// Makes tasks, works with them and deletes them, for that time or until it is stopped; blocks. A problem when the node
/// cannot be reached at all or its URL is not plain http.
expected<bench_result> run_bench(const connection& where, const bench_settings& settings, const std::stop_token& stop);

} // namespace troupe::cli
