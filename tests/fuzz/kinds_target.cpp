// What the kinds of agents read of other programs: results of tests, errors, sources, lock files, advisories. The first
// byte says which of them.
#include "actors/kinds/code_generator/code_measure.hpp"
#include "actors/kinds/debugger/suspects.hpp"
#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/security_auditor/advisories.hpp"
#include "actors/kinds/security_auditor/audit_report.hpp"
#include "actors/kinds/tester/test_plan.hpp"
#include "actors/kinds/tester/test_results.hpp"
#include "schemas/base/json.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

namespace troupe::fuzz {

namespace {

using namespace troupe::actors;

void results(std::string_view text) {
    for (const auto read :
         {read_junit, read_jest_json, read_go_json, read_tap, read_node_spec, read_mocha, read_jest, read_pytest,
          read_unittest, read_ctest, read_boost_log, read_google_test, read_cargo, read_go_text}) {
        if (const auto found = read(text)) {
            claim(found->failures.size() <= test_outcomes::failures_max, "failures are bounded");
        }
    }
    for (const auto read : {read_coverage_py, read_gcov, read_lcov, read_c8}) {
        if (const auto found = read(text)) {
            claim(found->covered <= found->lines && found->percent <= 100, "no more lines are covered than there are");
        }
    }
}

void suspects(std::string_view text) {
    static const source_index sources({"src/a.cpp", "b.py", "c/d.js"});
    const auto found = read_suspects(text, sources);
    claim(found.size() <= suspects_max, "suspects are bounded");
    claim(std::is_partitioned(found.begin(), found.end(), [](const auto& s) { return s.in_project; }),
          "those in the project come first");
    for (const auto& s : found) {
        claim(s.frames.size() <= suspect::frames_max, "frames are bounded");
        claim(s.in_project == std::ranges::any_of(s.frames, &stack_frame::in_project), "one of its frames is");
    }
}

void sources(std::string_view text) {
    for (const auto* path : {"a.py", "a.js", "a.ts", "A.java", "a.go", "a.cpp", "a.rs"}) {
        const auto m = measure_source(path, text).value();
        claim(m.code_lines <= m.lines, "lines of code are lines");
        claim(m.complexity == m.functions + m.decisions, "complexity is what it says");
    }
    std::vector<audit_finding> found;
    for (const auto* path : {"a.py", "a.js", "a.c", "a.go", "a.rs", "A.java", "a.sh"}) {
        find_secrets(path, text, found);
        find_dangerous_calls(path, text, found);
    }
    const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
    claim(std::ranges::all_of(found, [&](const auto& f) { return f.line >= 1 && f.line <= lines; }), "lines are there");
    audit_report report;
    report.findings = found;
    claim(json::document::parse(to_sarif(report)).has_value(), "SARIF is JSON");
}

void dependencies(std::string_view text) {
    dependency_table table;
    for (const auto* path : {"package-lock.json", "requirements.txt", "Cargo.lock", "go.mod"}) {
        table.add(read_lock_file(path, text));
    }
    table.add({{"npm", "left", "1.3.0", "package-lock.json", 0}});
    std::vector<audit_finding> found;
    std::uint64_t advisories = 0;
    (void)table.judge(text, found, advisories);
    const auto half = text.size() / 2;
    const auto a = text.substr(0, half), b = text.substr(half);
    claim((compare_versions(a, b) < 0) == (compare_versions(b, a) > 0), "an order has two sides");
    claim(compare_versions(a, a) == 0, "a version is itself");
}

void projects(std::string_view text) {
    project_files files;
    for (const auto* path : {"CMakeLists.txt", "package.json", "Makefile", "pyproject.toml", "tests/test_a.py"}) {
        files.paths.emplace_back(path);
        files.contents.emplace(path, std::string(text));
    }
    for (const auto& setup : detect_tests(files)) {
        claim(!script_of(setup, {}, "mark").text.empty(), "each has a script");
        (void)read_script_output(setup.framework, text, text, "mark");
    }
    const auto plain = without_escapes(text);
    claim(plain.find('\x1b') == plain.npos, "no escape is left");
    claim(without_escapes(plain) == plain, "it is done once");
}

} // namespace

void try_input(std::string_view input) {
    if (input.empty()) {
        return;
    }
    constexpr void (*all[])(std::string_view) = {results, suspects, sources, dependencies, projects};
    all[static_cast<unsigned char>(input[0]) % std::size(all)](input.substr(1));
}

} // namespace troupe::fuzz
