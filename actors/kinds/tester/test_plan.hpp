#pragma once

#include "actors/kinds/tester/test_report.hpp"

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How a project's tests are run: found out from its files, and written as a line for sh. Pure.
namespace troupe::actors {

enum class test_framework : std::uint8_t {
    ctest,
    boost_test,
    google_test,
    pytest,
    unittest,
    jest,
    mocha,
    node_test,
    npm_test,
    go_test,
    cargo_test,
    make_test,
};
BOOST_DESCRIBE_ENUM(test_framework, ctest, boost_test, google_test, pytest, unittest, jest, mocha, node_test, npm_test,
                    go_test, cargo_test, make_test)

/// What is known of a project.
struct project_files {
    std::vector<std::string> paths;
    std::map<std::string, std::string> contents; ///< Of those that `tells_of_tests`.
};

/// Whether the file's content matters to `detect_tests`.
bool tells_of_tests(std::string_view path);

struct test_setup {
    test_framework framework = test_framework::make_test;
    std::string folder; ///< Where it is run, relative to the project.
    std::string start;  ///< unittest: the folder with the tests, relative to `folder`.
    std::string why;    ///< "CMakeLists.txt adds tests"
};

/// What the files speak for, the best first: the folder nearest to the top, then what says it most clearly.
std::vector<test_setup> detect_tests(const project_files& files);

struct test_wish {
    std::string filter; ///< As the framework takes it.
    std::string file;   ///< Only this one, relative to the setup's folder.
    bool coverage = false;
};

struct test_script {
    std::string command; ///< For people: what runs the tests.
    std::string text;    ///< For sh: ends with the command's exit code; results stand behind `mark` lines.
};

/// `mark` begins the lines "MARK junit", "MARK gcov", … behind which results stand: a word that no test writes by
/// chance.
test_script script_of(const test_setup& setup, const test_wish& wish, std::string_view mark);

/// Figures out of what the script wrote.
struct script_output {
    std::optional<test_outcomes> outcomes;
    std::optional<line_coverage> coverage;
    std::string text; ///< What the tests wrote, without the sections.
};
script_output read_script_output(test_framework framework, std::string_view out, std::string_view err,
                                 std::string_view mark);

/// For sh, as one word.
std::string shell_quoted(std::string_view text);

} // namespace troupe::actors
