#include "actors/kinds/code_generator/code_measure.hpp"
#include "actors/kinds/declared_kinds.hpp"
#include "actors/kinds/parameters.hpp"

#include <algorithm>
#include <array>

namespace troupe::actors {

namespace {

constexpr std::array<std::string_view, 7> known_languages = {"python", "javascript", "typescript", "java",
                                                             "go",     "c++",        "rust"};

struct generator_parameters {
    std::string requirements;
    std::string language;
    static constexpr field_rule rules[] = {
        {.name = "requirements",
         .required = true,
         .min = 11,
         .max = 100'000,
         .doc = "What the code has to do, in words."},
        {.name = "language", .required = true, .doc = "python, javascript, typescript, java, go, c++ or rust."}};

    void check(std::vector<field_error>& errors) const {
        if (std::ranges::find(known_languages, language) == known_languages.end()) {
            errors.push_back({"/language", "expected one of python, javascript, typescript, java, go, c++, rust"});
        }
        const auto characters =
            std::ranges::count_if(requirements, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
        if (characters <= 10) {
            errors.push_back({"/requirements", "needs more than 10 characters"});
        }
    }
};
BOOST_DESCRIBE_STRUCT(generator_parameters, (), (requirements, language))

struct generated_metadata {
    std::vector<code_measure> measures;
    std::optional<double> coverage;
    static constexpr field_rule rules[] = {
        {.name = "measures", .required = true, .doc = "As measure_code reported them, a language each."},
        {.name = "coverage", .doc = "Percent of lines, as run_tests measured; left out when it did not."}};
};
BOOST_DESCRIBE_STRUCT(generated_metadata, (), (measures, coverage))

struct generator_result {
    std::vector<std::string> code;
    std::string analysis;
    std::vector<std::string> tests;
    std::string language;
    generated_metadata metadata;
    static constexpr field_rule rules[] = {
        {.name = "code", .required = true, .min = 1, .doc = "Files of the project that were written or changed."},
        {.name = "analysis", .required = true, .doc = "How it works, what was decided, and what it does not do."},
        {.name = "tests", .required = true, .min = 1, .doc = "Files of tests."},
        {.name = "language", .required = true},
        {.name = "metadata", .required = true}};
};
BOOST_DESCRIBE_STRUCT(generator_result, (), (code, analysis, tests, language, metadata))

constexpr std::array<std::string_view, 2> tools = {"measure_code", "run_tests"};
constexpr std::array<std::string_view, 1> verifying = {"run_tests"};

constexpr std::string_view instructions =
    R"(You write code that does what is required, and show that it does. Work like this:
1. Look at the project first: its layout, its style, its tests, how it is built. Fit in.
2. Write the smallest clear code that meets the requirements, in the language of the parameters, in files of the project.
   No placeholders. Use nothing that has to be downloaded unless the project has it.
3. Write tests for what is required and for bad input, so that run_tests finds them. Each has to fail without the code.
4. Call run_tests, with coverage, until it says that the work is verified. Mend the code, not the tests, unless a test is
   wrong.
5. Call measure_code on the files that you wrote. Its figures and those of run_tests are the only ones that you may report.
6. Finish with `output`. Say what is not done. When it cannot be done, finish with success false and say why.)";

constexpr std::string_view rehearsal = R"yaml(name: code generator without a language model
rules:
  - say: |
      I am a scripted rehearsal, not a language model. Writing code needs one, so nothing was written.
    call:
      - tool: finish
        arguments:
          success: false
          result: Nothing was written. To write code needs a language model; choose one for this agent.
)yaml";

} // namespace

agent_kind code_generator_kind() {
    return {.name = "code_generator",
            .description = "Writes code into a project, with tests, and runs them before it says that it is done.",
            .instructions = instructions,
            .tools = tools,
            .parameters_schema = json_schema<generator_parameters>,
            .check_parameters = check_parameters<generator_parameters>,
            .result_schema = json_schema<generator_result>,
            .verified_by = verifying,
            .rehearsal = rehearsal};
}

} // namespace troupe::actors
