#pragma once

#include "actors/kinds/tester/test_report.hpp"

#include <optional>
#include <string_view>

/// Reads what programs that run tests write. Nothing: the text holds no whole result of that program. Pure; linear in
/// the text, whatever it holds.
namespace troupe::actors {

/// JUnit's XML, as pytest, CTest, GoogleTest, Boost.Test and many others write it. Documents with a DTD are refused.
std::optional<test_outcomes> read_junit(std::string_view xml);
std::optional<test_outcomes> read_jest_json(std::string_view json);
std::optional<test_outcomes> read_go_json(std::string_view lines);

std::optional<test_outcomes> read_tap(std::string_view text);
std::optional<test_outcomes> read_node_spec(std::string_view text);
std::optional<test_outcomes> read_mocha(std::string_view text);
std::optional<test_outcomes> read_jest(std::string_view text);
std::optional<test_outcomes> read_pytest(std::string_view text);
std::optional<test_outcomes> read_unittest(std::string_view text);
std::optional<test_outcomes> read_ctest(std::string_view text);
std::optional<test_outcomes> read_boost_log(std::string_view text);
std::optional<test_outcomes> read_google_test(std::string_view text);
std::optional<test_outcomes> read_cargo(std::string_view text);
std::optional<test_outcomes> read_go_text(std::string_view text);

/// Of the first of them that finds something.
std::optional<test_outcomes> read_any(std::string_view text);

/// Lines that were executed. Nothing: the text is none of that program, or there were no lines.
std::optional<line_coverage> read_coverage_py(std::string_view json);
/// A line with the folder of the sources, then what `gcov --json-format --stdout` writes, a document a line. Files
/// outside of the folder do not count.
std::optional<line_coverage> read_gcov(std::string_view lines);
std::optional<line_coverage> read_lcov(std::string_view text);
/// The `json-summary` of c8 and istanbul.
std::optional<line_coverage> read_c8(std::string_view json);

} // namespace troupe::actors
