#include "actors/kinds/declared_kinds.hpp"
#include "actors/kinds/parameters.hpp"
#include "actors/kinds/tester/test_report.hpp"

#include <array>

namespace troupe::actors {

namespace {

enum class tested_level : std::uint8_t { all, unit, integration, system };
BOOST_DESCRIBE_ENUM(tested_level, all, unit, integration, system)

struct tester_parameters {
    tested_level test_type = tested_level::all;
    bool execute = true;
    static constexpr field_rule rules[] = {
        {.name = "test_type", .doc = "Which tests are looked after; all when left out."},
        {.name = "execute", .doc = "Runs them; when false, tests are only written. True when left out."}};
};
BOOST_DESCRIBE_STRUCT(tester_parameters, (), (test_type, execute))

struct tester_result_counts {
    std::string framework;
    std::uint64_t total = 0;
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::uint64_t skipped = 0;
    std::vector<test_failure> failures;
    static constexpr field_rule rules[] = {
        {.name = "total", .required = true},
        {.name = "passed", .required = true},
        {.name = "failed", .required = true},
        {.name = "failures", .doc = "As run_tests reported them, as far as they matter."}};
};
BOOST_DESCRIBE_STRUCT(tester_result_counts, (), (framework, total, passed, failed, skipped, failures))

struct tester_result {
    std::vector<std::string> tests;
    std::optional<tester_result_counts> test_results;
    std::optional<double> coverage;
    std::uint64_t test_count = 0;
    static constexpr field_rule rules[] = {
        {.name = "tests", .required = true, .doc = "Files of tests that were written or changed; empty: none."},
        {.name = "test_results", .doc = "Of the last run_tests; left out when tests were not run."},
        {.name = "coverage", .doc = "Percent of lines that run_tests measured; left out when it did not."},
        {.name = "test_count", .required = true, .doc = "Tests that run_tests counted; 0 when it counted none."}};
};
BOOST_DESCRIBE_STRUCT(tester_result, (), (tests, test_results, coverage, test_count))

constexpr std::array<std::string_view, 1> tools = {"run_tests"};

constexpr std::string_view instructions = R"(You test software. Work like this:
1. Call run_tests first, with coverage when it matters: it finds out the framework, and its figures are the only ones
   that you may report. Never estimate counts or coverage.
2. Read what is tested and what is not. Write tests that are missing with the framework that the project has, in the
   style of those that are there: one claim a test, the refusal beside the success, no sleeps, no network. Where there
   is no framework, choose the usual one of the language that needs nothing to be installed.
3. Run run_tests again after each change. A test that fails because the product is wrong stays as it is: report it with
   file and line, and what it shows. Do not weaken a test to make it pass, and do not change the product.
4. Finish with `output`: the files of tests that you wrote, the figures of the last run_tests, and its coverage if it
   was measured. Say plainly what you could not test. When tests fail at the end, finish with success false.)";

constexpr std::string_view rehearsal = R"yaml(name: tester without a language model
rules:
  - name: not to be run
    when: {step: 1, parameters_match: '"execute":false'}
    say: I am a scripted rehearsal, not a language model. I cannot write tests, and I am not to run those that are here.
    call:
      - tool: finish
        arguments:
          success: false
          result: "Nothing was done: tests were not to be run, and writing them needs a language model."
          output: {tests: [], test_count: 0}

  - name: run
    when: {step: 1, tools_available: [run_tests, finish]}
    say: |
      I am a scripted rehearsal, not a language model. I can run the tests that are here and report what became of them;
      I cannot write tests.
    call:
      - {tool: run_tests, arguments: {coverage: true}}

  - name: passed with coverage
    when: {last_tool: run_tests, last_is_error: false, last_result_matches: '^total: (?<total>\d+), passed: (?<passed>\d+), failed: (?<failed>\d+), skipped: (?<skipped>\d+)\ncoverage: (?<coverage>[\d.]+) %[\s\S]*?^verified: yes'}
    capture:
      - {matches: '^framework: (?<framework>\w+)'}
    say: All tests that ran passed.
    call:
      - tool: finish
        arguments:
          result: "${passed} of ${total} tests passed, ${skipped} were skipped; ${coverage} % of the lines were executed. Whether tests are missing was not judged: that needs a language model."
          output:
            tests: []
            test_results:
              framework: "${framework}"
              total: ${total}
              passed: ${passed}
              failed: ${failed}
              skipped: ${skipped}
              failures: []
            coverage: ${coverage}
            test_count: ${total}

  - name: passed
    when: {last_tool: run_tests, last_is_error: false, last_result_matches: '^total: (?<total>\d+), passed: (?<passed>\d+), failed: (?<failed>\d+), skipped: (?<skipped>\d+)\n[\s\S]*?^verified: yes'}
    capture:
      - {matches: '^framework: (?<framework>\w+)'}
    say: All tests that ran passed.
    call:
      - tool: finish
        arguments:
          result: "${passed} of ${total} tests passed, ${skipped} were skipped; coverage was not measured. Whether tests are missing was not judged: that needs a language model."
          output:
            tests: []
            test_results:
              framework: "${framework}"
              total: ${total}
              passed: ${passed}
              failed: ${failed}
              skipped: ${skipped}
              failures: []
            test_count: ${total}

  - name: failed
    when: {last_tool: run_tests, last_is_error: false, last_result_matches: '^total: (?<total>\d+), passed: (?<passed>\d+), failed: (?<failed>\d+), skipped: (?<skipped>\d+)'}
    capture:
      - {matches: '^framework: (?<framework>\w+)'}
    say: Not all is well.
    call:
      - tool: finish
        arguments:
          success: false
          result: "${failed} of ${total} tests failed. Why, and whether tests are missing, was not judged: that needs a language model. What run_tests reported:\n\n${result}"
          output:
            tests: []
            test_results:
              framework: "${framework}"
              total: ${total}
              passed: ${passed}
              failed: ${failed}
              skipped: ${skipped}
              failures: []
            test_count: ${total}

  - name: nothing counted
    when: {last_tool: run_tests}
    say: No test could be counted.
    call:
      - tool: finish
        arguments:
          success: false
          result: "The tests could not be run or counted, and writing tests needs a language model. What run_tests reported:\n\n${result}"
          output: {tests: [], test_count: 0}

  - name: tools are missing
    when: {step: 1}
    say: |
      I am a scripted rehearsal, not a language model, and this agent may not use run_tests: there is nothing that I can do.
)yaml";

} // namespace

agent_kind tester_kind() {
    return {.name = "tester",
            .description = "Runs a project's tests, says what became of them, and writes those that are missing.",
            .instructions = instructions,
            .tools = tools,
            .parameters_schema = json_schema<tester_parameters>,
            .check_parameters = check_parameters<tester_parameters>,
            .result_schema = json_schema<tester_result>,
            .verified_by = tools,
            .rehearsal = rehearsal};
}

} // namespace troupe::actors
