#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What became of a project's tests.
namespace troupe::actors {

struct test_failure {
    std::string name;
    std::string file;
    std::uint32_t line = 0; ///< 0: unknown.
    std::string message;
};
BOOST_DESCRIBE_STRUCT(test_failure, (), (name, file, line, message))

struct line_coverage {
    std::string tool; ///< Which measured it: "coverage.py", "gcov", "lcov", "c8".
    std::uint64_t lines = 0;
    std::uint64_t covered = 0;
    double percent = 0;
};
BOOST_DESCRIBE_STRUCT(line_coverage, (), (tool, lines, covered, percent))

/// Figures that a program's output named; nothing here is estimated.
struct test_outcomes {
    std::uint64_t total = 0;
    std::uint64_t passed = 0;
    std::uint64_t failed = 0; ///< Errors among them.
    std::uint64_t skipped = 0;
    std::vector<test_failure> failures; ///< At most `failures_max`.

    static constexpr std::size_t failures_max = 50;
    void add_failure(test_failure f);
    test_outcomes& operator+=(const test_outcomes& other);
};

struct test_report {
    std::string framework;
    std::string command;
    std::uint64_t total = 0;
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::uint64_t skipped = 0;
    std::vector<test_failure> failures;
    std::int64_t duration_ms = 0;
    std::optional<line_coverage> coverage;
    int exit_code = 0;
    bool counted = false; ///< Whether the figures were read; else they are 0 and say nothing.
    std::string note;     ///< What could not be read or measured; empty: nothing.
};
BOOST_DESCRIBE_STRUCT(test_report, (),
                      (framework, command, total, passed, failed, skipped, failures, duration_ms, coverage, exit_code,
                       counted, note))

/// Tests ran, all that ran passed, and the program says so too.
inline bool all_passed(const test_report& r) { return r.counted && r.exit_code == 0 && r.failed == 0 && r.passed > 0; }

} // namespace troupe::actors
