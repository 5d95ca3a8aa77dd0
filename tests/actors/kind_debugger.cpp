#include "actors/kinds/debugger/suspects.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/actors/kind_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

/// "language kind: message" and " <- file:line:column function" for the frames, those in the project with a "*".
std::string shown(const suspect& s, std::size_t frames_max = 2) {
    auto out = fmt::format("{} {}: {}", s.language, troupe::detail::enum_name(s.kind), s.message.substr(0, 50));
    for (std::size_t i = 0; i < s.frames.size() && i < frames_max; ++i) {
        const auto& f = s.frames[i];
        out += fmt::format(" <- {}{}:{}:{} {}", f.in_project ? "*" : "", f.file, f.line, f.column, f.function);
    }
    return out;
}

const source_index& sources() {
    static const source_index all({"mem.cpp",
                                   "ub.cpp",
                                   "race.cpp",
                                   "seg.cpp",
                                   "as.cpp",
                                   "bad.cpp",
                                   "part.hpp",
                                   "link.cpp",
                                   "load.py",
                                   "syn.py",
                                   "take.js",
                                   "bad.ts",
                                   "shop/Cart.java",
                                   "Bad.java",
                                   "src/main.rs",
                                   "src/lib.rs",
                                   "tests/test_ranges.py",
                                   "t.cpp",
                                   "main.go",
                                   "cart/cart.go"});
    return all;
}

std::string first(const std::string& text, std::size_t frames_max = 2) {
    const auto all = read_suspects(text, sources());
    return all.empty() ? "nothing" : shown(all.front(), frames_max);
}
std::size_t count(const std::string& text) { return read_suspects(text, sources()).size(); }

} // namespace

BOOST_AUTO_TEST_SUITE(kind_debugger)

BOOST_AUTO_TEST_CASE(compilers_name_a_place_and_what_is_wrong) {
    BOOST_TEST(first(output_of("gcc.txt")) ==
               "c++ compiler: error: ‘undeclared’ was not declared in this s <- *part.hpp:1:31 ");
    BOOST_TEST(count(output_of("gcc.txt")) == 3u);
    BOOST_TEST(first(output_of("clang.txt")) ==
               "c++ compiler: error: use of undeclared identifier 'undeclared' <- *part.hpp:1:31 ");
    BOOST_TEST(count(output_of("clang.txt")) == 3u);
    BOOST_TEST(first(output_of("ld.txt")) == "c++ linker: undefined reference to `elsewhere(int)'");
    BOOST_TEST(first(output_of("tsc.txt")) ==
               "typescript compiler: error TS2322: Type 'string' is not assignable to t <- *bad.ts:1:7 ");
    BOOST_TEST(count(output_of("tsc.txt")) == 2u);
    BOOST_TEST(first(output_of("tsc_pretty.txt")) ==
               "typescript compiler: error TS2322: Type 'string' is not assignable to t <- *bad.ts:1:7 ");
    BOOST_TEST(first(output_of("javac.txt")) ==
               "java compiler: error: incompatible types: String cannot be conver <- *Bad.java:2:0 ");
    BOOST_TEST(first(output_of("rustc.txt")) ==
               "rust compiler: error[E0425]: cannot find value `m` in this scope <- *src/main.rs:3:20 ");
    BOOST_TEST(count(output_of("rustc.txt")) == 2u);
    BOOST_TEST(first("# shop/cart\ncart/cart.go:7:9: undefined: price\n") ==
               "go compiler: undefined: price <- *cart/cart.go:7:9 ");
    BOOST_TEST(first("a.cpp:3:1: warning: unused\n") == "nothing");
}

BOOST_AUTO_TEST_CASE(sanitizers_and_gdb_give_the_stack_where_it_happened) {
    BOOST_TEST(first(output_of("asan.txt")) == "c++ sanitizer: AddressSanitizer: heap-buffer-overflow on address  "
                                               "<- *mem.cpp:3:0 take(int*, int) <- *mem.cpp:7:0 main");
    BOOST_TEST(count(output_of("asan.txt")) == 1u); // who allocated is no suspect
    BOOST_TEST(first(output_of("ubsan.txt")) ==
               "c++ sanitizer: signed integer overflow: 2147483647 + 1 cannot be  <- *ub.cpp:4:7 ");
    BOOST_TEST(first(output_of("tsan.txt"), 1) ==
               "c++ sanitizer: ThreadSanitizer: data race (pid=26869) <- *race.cpp:4:0 add()");
    BOOST_TEST(first(output_of("gdb.txt")) == "c++ crash: Program received signal SIGSEGV, Segmentation faul "
                                              "<- *seg.cpp:2:0 walk <- *seg.cpp:5:0 main");
    BOOST_TEST(first(output_of("assert.txt")) == "c++ assertion: Assertion `count > 3' failed. <- *as.cpp:3:0 ");
}

BOOST_AUTO_TEST_CASE(traces_of_run_times_begin_where_it_was_thrown) {
    const auto python = read_suspects(output_of("python.txt"), sources());
    BOOST_REQUIRE(python.size() == 2u); // the cause, then what came of it
    BOOST_TEST(shown(python[1]) ==
               "python exception: RuntimeError: the list cannot be read <- *load.py:8:0 load <- *load.py:12:0 main");
    BOOST_TEST(python[0].frames.size() == 4u);
    BOOST_TEST(python[0].frames.back().in_project);
    BOOST_TEST(!python[0].frames.front().in_project);
    BOOST_TEST(first(output_of("python_syntax.txt")) ==
               "python exception: SyntaxError: invalid syntax <- *syn.py:1:0 ");
    BOOST_TEST(first(output_of("node.txt")) ==
               "javascript exception: TypeError: Cannot read properties of undefined (re "
               "<- *take.js:2:22 take <- *take.js:5:15 main");
    const auto java = read_suspects(output_of("java.txt"), sources());
    BOOST_REQUIRE(java.size() == 2u);
    BOOST_TEST(shown(java[0]) == "java exception: java.lang.IllegalStateException: bad price x "
                                 "<- *shop/Cart.java:16:0 shop.Cart.parse <- *shop/Cart.java:7:0 shop.Cart.total");
    BOOST_TEST(java[1].frames.size() == 4u);
    BOOST_TEST(first(output_of("rust_panic.txt"), 3) ==
               "rust exception: index out of bounds: the len is 2 but the index is <- *src/main.rs:1:40  "
               "<- *src/main.rs:1:40 bad::take <- *src/main.rs:3:20 bad::main");
    BOOST_TEST(first("panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n"
                     "main.take(...)\n\t/home/me/shop/main.go:6\nmain.main()\n\t/home/me/shop/main.go:10 +0x1d\n"
                     "\ngoroutine 7 [select]:\nx.y()\n\t/home/me/shop/cart/cart.go:3 +0x2\nexit status 2\n",
                     9) == "go exception: panic: runtime error: index out of range [5] with  <- *main.go:6:0 main.take "
                           "<- *main.go:10:0 main.main");
}

BOOST_AUTO_TEST_CASE(tests_that_fail_are_suspects) {
    BOOST_TEST(first(output_of("unittest.txt")) ==
               "python assertion: AssertionError: 4 != 3 <- *tests/test_ranges.py:11:0 test_a_page_counts_once");
    BOOST_TEST(first(output_of("pytest.txt")) == "python test: AssertionError: 4 != 3 <- *tests/test_ranges.py:11:0 ");
    BOOST_TEST(first(output_of("boost_short.txt")) ==
               "c++ test: error: in \"bounds/high\": check a == 2 has failed [ <- *t.cpp:7:0 ");
    BOOST_TEST(contains(first(output_of("gtest.txt")), "c++ test: Expected equality of these values:"));
    BOOST_TEST(count(output_of("gtest.txt")) == 2u);
    BOOST_TEST(contains(first(output_of("cargo.txt")),
                        "rust assertion: assertion `left == right` failed <- *src/lib.rs:8:25"));
}

BOOST_AUTO_TEST_CASE(what_is_in_the_project_comes_first) {
    const auto all = read_suspects(
        "/elsewhere/x.cpp:1:1: error: one\nmem.cpp:2:1: error: two\n/elsewhere/y.cpp:1:1: error: three\n", sources());
    BOOST_REQUIRE(all.size() == 3u);
    BOOST_TEST(all[0].message == "error: two");
    BOOST_TEST(all[0].in_project);
    BOOST_TEST(all[1].message == "error: one");
}

BOOST_AUTO_TEST_CASE(files_are_found_wherever_the_project_stood) {
    const source_index index({"src/a.cpp", "lib/a.cpp", "b.py", "src/deep/c.ts"});
    BOOST_TEST(index.find("src/a.cpp") == "src/a.cpp");
    BOOST_TEST(index.find("./src/a.cpp") == "src/a.cpp");
    BOOST_TEST(index.find("/project/lib/a.cpp") == "lib/a.cpp");
    BOOST_TEST(index.find("/home/me/p/src/a.cpp") == "src/a.cpp");
    BOOST_TEST(index.find("a.cpp") == ""); // there are two
    BOOST_TEST(index.find("c.ts") == "src/deep/c.ts");
    BOOST_TEST(index.find("deep/c.ts") == "src/deep/c.ts");
    BOOST_TEST(index.find("/other/c.ts") == "");
    BOOST_TEST(index.find("/usr/lib/python3/b.py") == "");
    BOOST_TEST(index.find("") == "");
    BOOST_TEST(index.find("/") == "");
}

BOOST_AUTO_TEST_CASE(hostile_text_is_read_in_bounds) {
    std::string many;
    for (int i = 0; i < 100'000; ++i) {
        many += "File \"a.py\", line 1\n#0 0x1 in f /a.c:1\n    at f (a.js:1:1)\npanic: x\n\tgoroutine\n";
    }
    for (const auto& text : {many, std::string(10 << 20, 'a'), std::string(1 << 20, '\0'), std::string(1 << 20, '#'),
                             std::string(1 << 20, '\x1b'), std::string(1 << 20, '(')}) {
        const auto all = read_suspects(text, sources());
        BOOST_TEST(all.size() <= suspects_max);
        for (const auto& s : all) {
            BOOST_TEST(s.frames.size() <= suspect::frames_max);
        }
    }
    std::string deep = "Traceback (most recent call last):\n";
    for (int i = 1; i <= 1000; ++i) {
        deep += fmt::format("  File \"load.py\", line {}, in f\n", i);
    }
    const auto all = read_suspects(deep + "RecursionError: too deep\n", sources());
    BOOST_TEST(all.front().frames.front().line == 1000u); // the innermost are kept
}

BOOST_AUTO_TEST_CASE(the_tool_takes_text_or_a_file) {
    tool_place p;
    p.write("load.py", "");
    p.write("log.txt", output_of("python.txt"));
    const auto r = p.perform("parse_errors", R"({"path":"log.txt"})");
    BOOST_TEST(r.content.starts_with("suspects: 2\n1. python exception: json.decoder.JSONDecodeError"), r.content);
    BOOST_TEST(contains(r.content, "   load.py:8 in load\n"));
    BOOST_TEST(contains(r.content, "   (not in the project) /usr/lib/python3.11/json/decoder.py:353 in raw_decode\n"));
    BOOST_TEST(details_of(r).root().pointer("/suspects/1/frames/0/line").value().as_int().value() == 8);
    // A log that came through JSON twice.
    BOOST_TEST(
        contains(p.perform("parse_errors",
                           R"({"text":"Traceback (most recent call last):\\n  File \\\"load.py\\\", line 2\\nE: x"})")
                     .content,
                 "suspects: 1\n1. python exception: E: x\n   load.py:2"));
    BOOST_TEST(contains(p.perform("parse_errors", R"({"text":"all is well"})").content, "suspects: 0"));
    BOOST_TEST(p.perform("parse_errors", "{}").is_error);
    BOOST_TEST(p.perform("parse_errors", R"({"text":"a","path":"log.txt"})").is_error);
    BOOST_TEST(p.perform("parse_errors", R"({"path":"none"})").is_error);
}

BOOST_AUTO_TEST_SUITE_END()
