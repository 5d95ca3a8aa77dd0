#pragma once

#include "actors/kinds/tester/test_plan.hpp"
#include "actors/tool/tool.hpp"

#include <optional>
#include <string>
#include <vector>

/// The tools that come with the kinds: their arguments, and what performs them. `product_tools.cpp` has their rows.
namespace troupe::actors {

struct run_tests_arguments {
    std::optional<test_framework> framework;
    std::string path;
    std::string filter;
    bool coverage = false;
    static constexpr field_rule rules[] = {
        {.name = "framework", .doc = "Found out from the project's files when left out."},
        {.name = "path", .max = 4096, .doc = "Folder that is tested, or one file of tests; empty: the project."},
        {.name = "filter", .max = 1000, .doc = "Only tests whose names fit, as the framework takes it."},
        {.name = "coverage", .doc = "Measures which lines the tests execute, where the project's tools can."}};
};
BOOST_DESCRIBE_STRUCT(run_tests_arguments, (), (framework, path, filter, coverage))
tool_result run_tests(const run_tests_arguments& a, const tool_environment& where);

struct scan_security_arguments {
    std::string path;
    std::vector<std::string> allow;
    std::string advisories;
    static constexpr field_rule rules[] = {
        {.name = "path", .max = 4096, .doc = "Folder or file to look at; empty: the project."},
        {.name = "allow",
         .max = 1000,
         .doc = "Findings that are no mistake, beside those of .troupe-audit-allow: \"RULE GLOB\", \"* GLOB\" or a "
                "fingerprint."},
        {.name = "advisories",
         .max = 4096,
         .doc = "Folder or file of the project with advisories in OSV's format; .osv when left out."}};
};
BOOST_DESCRIBE_STRUCT(scan_security_arguments, (), (path, allow, advisories))
tool_result scan_security(const scan_security_arguments& a, const tool_environment& where);
tool_result write_security_report(const scan_security_arguments& a, const tool_environment& where);

struct parse_errors_arguments {
    std::string text;
    std::string path;
    static constexpr field_rule rules[] = {
        {.name = "text", .max = 200'000, .doc = "What a compiler, a sanitizer, a debugger, a program or tests wrote."},
        {.name = "path", .max = 4096, .doc = "A file of the project that holds it, in place of text."}};
};
BOOST_DESCRIBE_STRUCT(parse_errors_arguments, (), (text, path))
tool_result parse_errors(const parse_errors_arguments& a, const tool_environment& where);

struct git_bisect_arguments {
    std::string good;
    std::string bad = "HEAD";
    std::string command;
    static constexpr field_rule rules[] = {
        {.name = "good", .required = true, .min = 1, .max = 200, .doc = "A revision in which it worked."},
        {.name = "bad", .min = 1, .max = 200, .doc = "A later one in which it fails; HEAD when left out."},
        {.name = "command",
         .required = true,
         .min = 1,
         .max = 10'000,
         .doc = "Shell command that builds and checks: 0 is good, 125 cannot be told, all else up to 127 is bad."}};
};
BOOST_DESCRIBE_STRUCT(git_bisect_arguments, (), (good, bad, command))
tool_result git_bisect(const git_bisect_arguments& a, const tool_environment& where);

struct measure_code_arguments {
    std::vector<std::string> paths;
    static constexpr field_rule rules[] = {
        {.name = "paths", .max = 1000, .doc = "Files and folders; the project when left out."}};
};
BOOST_DESCRIBE_STRUCT(measure_code_arguments, (), (paths))
tool_result measure_code(const measure_code_arguments& a, const tool_environment& where);

} // namespace troupe::actors
