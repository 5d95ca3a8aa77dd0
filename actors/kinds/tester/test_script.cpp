#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/tester/test_plan.hpp"
#include "actors/kinds/tester/test_results.hpp"

#include <fmt/format.h>

namespace troupe::actors {

namespace {

/// The folder of results stands in $results; it is outside of the project and goes with the script. So does a build:
/// nothing of a test run is left among the project's files.
constexpr std::string_view begin_text = R"(results=$(mktemp -d) || exit 125
trap 'rm -rf "$results"' EXIT
export PYTHONDONTWRITEBYTECODE=1 CI=1 NO_COLOR=1 CARGO_TARGET_DIR="$results/target" results
)";

/// What a framework's command is, and which results it leaves in $results.
struct recipe {
    std::string command;
    std::string after = {};        ///< Makes coverage out of what the tests left.
    std::string_view results = {}; ///< Names of sections; the files are called so.
    std::string_view coverage = {};
};

std::string option(std::string_view before, const std::string& value) {
    return value.empty() ? std::string() : fmt::format("{}{}", before, shell_quoted(value));
}

std::string cmake(bool coverage) {
    return fmt::format(
        "cmake -S . -B \"$results/build\" -DCMAKE_BUILD_TYPE=Debug{} && cmake --build \"$results/build\" "
        "--parallel 2",
        coverage ? " -DCMAKE_C_FLAGS=--coverage -DCMAKE_CXX_FLAGS=--coverage" : "");
}

/// The folder of the sources, then a document of gcov a line.
constexpr std::string_view gcov =
    R"({ echo "$PWD"; find "$results/build" -name '*.gcda' -exec gcov --json-format --stdout {} +; } > "$results/gcov" 2>/dev/null)";

recipe cmake_programs(const test_wish& w, std::string_view arguments) {
    return {fmt::format("{} && for test in $(find \"$results/build\" -type f -perm -u+x -name '*test*' ! -name '*.so*' "
                        "! -path '*/CMakeFiles/*'); do \"$test\" {} || failed=1; done; [ -z \"$failed\" ]",
                        cmake(w.coverage), arguments),
            std::string(gcov), "junit", "gcov"};
}

recipe python(const test_setup& s, const test_wish& w) {
    // Measured where coverage.py is installed.
    const std::string run = w.coverage ? "python3 $(python3 -c 'import coverage' 2>/dev/null && echo -m coverage run "
                                         "--data-file=\"$results/data\" --source=.) "
                                       : "python3 ";
    const std::string after =
        "python3 -m coverage json -q --data-file=\"$results/data\" -o \"$results/coverage.py\" >/dev/null 2>&1";
    if (s.framework == test_framework::pytest) {
        return {run + "-m pytest -p no:cacheprovider --junitxml=\"$results/junit\"" + option(" -k ", w.filter) +
                    option(" ", w.file),
                after, "junit", "coverage.py"};
    }
    if (!w.file.empty()) {
        return {run + "-m unittest -v" + option(" -k ", w.filter) + option(" ", w.file), after, {}, "coverage.py"};
    }
    const bool package = !s.start.empty() && s.why.find("is no package") == std::string::npos;
    const auto pattern = s.why.find("_test.py") != std::string::npos ? " -p '*_test.py'" : "";
    return {run + "-m unittest discover -v" + option(" -s ", s.start) + (package ? " -t ." : "") + pattern +
                option(" -k ", w.filter),
            after,
            {},
            "coverage.py"};
}

/// c8 measures what any command of Node does, where the project has it.
std::string with_c8(bool coverage) {
    return coverage
               ? "$([ -x node_modules/.bin/c8 ] && echo node_modules/.bin/c8 -r json-summary -o \"$results/c8.d\") "
               : "";
}
constexpr std::string_view c8_after = R"(cp "$results/c8.d/coverage-summary.json" "$results/c8" 2>/dev/null)";

recipe recipe_of(const test_setup& s, const test_wish& w) {
    switch (s.framework) {
    case test_framework::ctest:
        return {cmake(w.coverage) +
                    " && ctest --test-dir \"$results/build\" --output-on-failure --output-junit "
                    "\"$results/junit\"" +
                    option(" -R ", w.filter),
                std::string(gcov), "junit", "gcov"};
    case test_framework::boost_test:
        return cmake_programs(w, "--color_output=no --logger=HRF,test_suite:JUNIT,all,\"$results/junit\"" +
                                     option(" --run_test=", w.filter));
    case test_framework::google_test:
        return cmake_programs(w, "--gtest_output=xml:\"$results/junit\"" + option(" --gtest_filter=", w.filter));
    case test_framework::pytest:
    case test_framework::unittest:
        return python(s, w);
    case test_framework::jest:
        return {with_c8(w.coverage) + "npx --no-install jest --json --outputFile=\"$results/jest\"" +
                    option(" -t ", w.filter) + option(" ", w.file),
                std::string(c8_after), "jest", "c8"};
    case test_framework::mocha:
        return {with_c8(w.coverage) + "npx --no-install mocha" + option(" -g ", w.filter) + option(" ", w.file),
                std::string(c8_after),
                {},
                "c8"};
    case test_framework::node_test:
        return {std::string("node --test --test-reporter=tap --test-reporter-destination=stdout") +
                    (w.coverage ? " --experimental-test-coverage --test-reporter=lcov "
                                  "--test-reporter-destination=\"$results/lcov\""
                                : "") +
                    option(" --test-name-pattern=", w.filter) + option(" ", w.file),
                {},
                {},
                "lcov"};
    case test_framework::npm_test:
        return {with_c8(w.coverage) + "npm test --silent" + option(" -- ", w.filter), std::string(c8_after), {}, "c8"};
    case test_framework::go_test:
        return {"go test -json" + option(" -run ", w.filter) + " ./...", {}, {}, {}};
    case test_framework::cargo_test:
        return {"cargo test --no-fail-fast" + option(" ", w.filter), {}, {}, {}};
    case test_framework::make_test:
        break;
    }
    return {"make " + (s.start.empty() ? std::string("test") : s.start), {}, {}, {}};
}

std::string_view section_of(std::string_view text, std::string_view mark, std::string_view name) {
    const auto begin = fmt::format("\n{} {}\n", mark, name);
    const auto at = text.find(begin);
    if (at == text.npos) {
        return {};
    }
    const auto body = text.substr(at + begin.size());
    return body.substr(0, body.find(fmt::format("\n{} ", mark)));
}

std::optional<test_outcomes> outcomes_of(test_framework framework, std::string_view out, std::string_view err) {
    switch (framework) {
    case test_framework::ctest:
        return read_ctest(out);
    case test_framework::boost_test:
        return read_boost_log(std::string(out) + "\n" + std::string(err));
    case test_framework::google_test:
        return read_google_test(out);
    case test_framework::pytest:
        return read_pytest(out);
    case test_framework::unittest:
        return read_unittest(err);
    case test_framework::node_test:
        return read_tap(out);
    case test_framework::jest:
        return read_jest(err);
    case test_framework::mocha:
        return read_mocha(out);
    case test_framework::go_test:
        return read_go_json(out);
    case test_framework::cargo_test:
        return read_cargo(out);
    case test_framework::npm_test:
    case test_framework::make_test:
        break;
    }
    auto found = read_any(out);
    return found ? found : read_any(err);
}

} // namespace

std::string shell_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

test_script script_of(const test_setup& setup, const test_wish& wish, std::string_view mark) {
    const auto r = recipe_of(setup, wish);
    std::string text(begin_text);
    text += fmt::format("{{ {}; }}\ncode=$?\n", r.command);
    if (wish.coverage && !r.after.empty()) {
        text += r.after + "\n";
    }
    for (const auto name : {r.results, wish.coverage ? r.coverage : std::string_view()}) {
        if (!name.empty()) {
            text +=
                fmt::format("[ -f \"$results/{0}\" ] && printf '\\n{1} {0}\\n' && cat \"$results/{0}\"\n", name, mark);
        }
    }
    text += fmt::format("printf '\\n{} end\\n'\nexit $code\n", mark);
    return {r.command, std::move(text)};
}

script_output read_script_output(test_framework framework, std::string_view out, std::string_view err,
                                 std::string_view mark) {
    script_output r;
    r.text = std::string(out.substr(0, out.find(fmt::format("\n{} ", mark))));
    if (const auto xml = section_of(out, mark, "junit"); !xml.empty()) {
        r.outcomes = read_junit(xml);
    } else if (const auto json = section_of(out, mark, "jest"); !json.empty()) {
        r.outcomes = read_jest_json(json);
    }
    if (!r.outcomes) {
        r.outcomes = outcomes_of(framework, r.text, err);
    }
    using reader = std::optional<line_coverage> (*)(std::string_view);
    constexpr std::pair<std::string_view, reader> measures[] = {
        {"coverage.py", read_coverage_py}, {"gcov", read_gcov}, {"lcov", read_lcov}, {"c8", read_c8}};
    for (const auto& [name, read] : measures) {
        if (const auto section = section_of(out, mark, name); !section.empty()) {
            r.coverage = read(section);
        }
    }
    return r;
}

} // namespace troupe::actors
