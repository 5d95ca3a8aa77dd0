#include "actors/kinds/code_generator/code_measure.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/actors/kind_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// "lines code_lines functions decisions complexity"
std::string measured(std::string_view path, std::string_view text) {
    const auto m = measure_source(path, text);
    return m ? fmt::format("{} {} {} {} {}", m->lines, m->code_lines, m->functions, m->decisions, m->complexity)
             : "nothing";
}

} // namespace

BOOST_AUTO_TEST_SUITE(kind_code_generator)

BOOST_AUTO_TEST_CASE(sources_are_counted_by_language) {
    BOOST_TEST(measured("a.py", "\"\"\"Says\nif and or.\"\"\"\n\n# if\ndef f(x):\n    if x and \"if\":  # or\n        "
                                "return 1\n    return [y for y in x]\n") == "8 4 1 3 4");
    BOOST_TEST(measured("a.js", "// if\nfunction f(a) {\n  /* while\n  */\n  return a?.b ?? (a ? 'if' : "
                                "`x\nif`);\n}\nconst g = (x) => x || 1;\n") == "8 5 2 2 4");
    BOOST_TEST(measured("a.ts", "interface A { b?: string }\nexport const f = (a: A) => a.b && 1;\n") == "2 2 1 1 2");
    BOOST_TEST(measured("a.go", "package a\n\nfunc f(x int) int {\n\tfor x > 0 && x < 9 {\n\t\tif x == 3 { x = 1 "
                                "}\n\t}\n\treturn x\n}\n") == "8 7 1 3 4");
    BOOST_TEST(
        measured("a.rs",
                 "fn f<'a>(x: &'a str) -> u8 {\n    match x {\n        \"a\" => 1,\n        _ => 2,\n    }\n}\n") ==
        "6 6 1 2 3");
    BOOST_TEST(measured("A.java", "class A {\n    int f(int x) {\n        return x > 1 ? 1 : 2;\n    }\n    void g() { "
                                  "try { f(1); } catch (Exception e) { } }\n}\n") == "6 6 2 2 4");
    BOOST_TEST(measured("a.cpp", "namespace a {\nstruct s {\n    int x = f(1);\n    s() : x(2) {}\n    int g() "
                                 "const;\n};\n\nint s::g() const {\n    if (x) {\n        return h([] { return 1; "
                                 "});\n    }\n    return 0;\n}\nconst int list[] = {f(1)};\n} // namespace a\n") ==
               "15 14 2 1 3");
    BOOST_TEST(measured("a.txt", "if\n") == "nothing");
    BOOST_TEST(measured("Makefile", "if\n") == "nothing");
    BOOST_TEST(measured("a.py", "") == "0 0 0 0 0");
}

BOOST_AUTO_TEST_CASE(texts_that_never_end_are_read_to_the_end) {
    for (const auto* path : {"a.py", "a.js", "a.ts", "a.go", "a.rs", "A.java", "a.cpp"}) {
        for (const auto* text :
             {"\"", "'", "`", "/*", "\"\"\"", "\\", "'\\", "{{{{", "((((", "}}}}", "))))", "?", "=>"}) {
            std::string many;
            while (many.size() < 200'000) {
                many += text;
            }
            BOOST_TEST(measure_source(path, text)->lines == 1u);
            BOOST_TEST(measure_source(path, many)->lines == 1u);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_project_is_measured_as_it_is) {
    fixture_project p("python");
    p.write("binary.py", std::string("\0", 1));
    const auto r = p.perform("measure_code", "{}");
    BOOST_TEST(r.content == "python: files: 3, lines: 33, code lines: 20, functions: 5, decisions: 3, complexity: 8\n"
                            "[not everything was measured: 1 files are binary or too large]\n");
    BOOST_TEST(details_of(r).root().pointer("/languages/0/functions").value().as_int().value() == 5);
    BOOST_TEST(p.perform("measure_code", R"({"paths":["ranges.py"]})").content.starts_with("python: files: 1, "));
    BOOST_TEST(p.perform("measure_code", R"({"paths":["../x"]})").is_error);
    tool_place empty;
    BOOST_TEST(contains(empty.perform("measure_code", "{}").content, "no source"));
}

BOOST_AUTO_TEST_CASE(texts_over_several_lines_count_each_line_once) {
    const auto lines = [](const char* path, std::string_view text) {
        const auto m = measure_source(path, text).value();
        return std::pair(m.lines, m.code_lines);
    };
    BOOST_TEST((lines("a.js", "x = `a\n\nb`\n") == std::pair<std::uint64_t, std::uint64_t>(3, 2)));
    BOOST_TEST((lines("a.js", "x = `a\n") == std::pair<std::uint64_t, std::uint64_t>(1, 1))); // without its end
    BOOST_TEST((lines("a.py", "x = \"\"\"a\n") == std::pair<std::uint64_t, std::uint64_t>(1, 1)));
    BOOST_TEST((lines("a.cpp", "f(\"a\\\nb\");\n") == std::pair<std::uint64_t, std::uint64_t>(2, 2))); // goes on
}

BOOST_AUTO_TEST_SUITE_END()
