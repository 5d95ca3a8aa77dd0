// What agents work with does work in the sandbox.
#include "tests/runtime/process_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace troupe;
using namespace troupe::runtime;
using namespace troupe::runtime::test;

namespace {

/// In /usr, where a sandbox has it. Else the case says that it is skipped.
bool has(std::initializer_list<const char*> programs) {
    for (const std::string program : programs) {
        if (!fs::exists("/usr/bin/" + program)) {
            BOOST_TEST_MESSAGE("skipped: there is no /usr/bin/" << program);
            return false;
        }
    }
    return true;
}

command_result run(const workplace& w, const std::string& line) {
    auto r = w.open()->run(line, w.shell(line), {}, {});
    BOOST_REQUIRE_MESSAGE(r, r.error().detail);
    return std::move(*r);
}

void works(const workplace& w, const std::string& line, const std::string& out) {
    const auto r = run(w, line);
    BOOST_TEST(r.exit_code == 0, line << ": " << r.exit_code << r.out << r.err);
    BOOST_TEST((r.out + r.err).find(out) != std::string::npos, line << ": " << r.out << r.err);
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_tools)

BOOST_AUTO_TEST_CASE(compilers_and_make) {
    if (!has({"gcc", "make"})) {
        return;
    }
    const workplace w;
    w.write("a.c", "#include <stdio.h>\nint main(void) { puts(\"it runs\"); }\n");
    w.write("Makefile", "a: a.c\n\tgcc -o a a.c\n");
    works(w, "make -j2 && ./a", "it runs\n");
}

BOOST_AUTO_TEST_CASE(sanitizers_find_their_errors) {
    if (!has({"g++"})) {
        return;
    }
    const workplace w;
    w.write("a.cpp", "#include <cstdlib>\nint main(int c, char**) { auto* p = new int[4]; p[0] = c; const int r = c == "
                     "1 ? p[4] : 0; "
                     "delete[] p; return r; }\n");
    w.write("b.cpp", "#include <cstdlib>\nvoid* volatile p;\nint main() { p = std::malloc(7); p = nullptr; }\n");
    works(w, "g++ -g -fsanitize=address a.cpp -o a && g++ -g -fsanitize=address b.cpp -o b && ./a good && echo fine",
          "fine\n");
    auto r = run(w, "./a");
    BOOST_TEST(r.exit_code != 0);
    BOOST_TEST(r.err.find("heap-buffer-overflow") != std::string::npos, r.err);
    r = run(w, "./b");
    BOOST_TEST(r.err.find("detected memory leaks") != std::string::npos, r.err); // LeakSanitizer traces its parent
}

BOOST_AUTO_TEST_CASE(debuggers_run_a_program) {
    if (!has({"gcc", "gdb"})) {
        return;
    }
    const workplace w;
    w.write("a.c", "int twice(int n) { return 2 * n; }\nint main(void) { return twice(21) != 42; }\n");
    works(w, "gcc -g a.c -o a && gdb -nx -batch -ex 'break twice' -ex run -ex bt -ex 'print n + 1' -ex cont ./a",
          "$1 = 22");
}

BOOST_AUTO_TEST_CASE(python_with_threads_processes_and_locks) {
    if (!has({"python3"})) {
        return;
    }
    const workplace w;
    w.write("a.py", "import multiprocessing, subprocess, sys, tempfile, threading\n"
                    "def double(n): return 2 * n\n"
                    "if __name__ == '__main__':\n"
                    "    with multiprocessing.Pool(2) as p: print(p.map(double, [1, 2]))\n"
                    "    print(subprocess.run(['echo', 'child'], capture_output=True).stdout)\n");
    works(w, "/usr/bin/python3 a.py", "[2, 4]\nb'child\\n'\n");
}

BOOST_AUTO_TEST_CASE(node_with_workers_and_children) {
    if (!has({"node"})) {
        return;
    }
    const workplace w;
    w.write("a.cjs", "const {Worker, isMainThread, parentPort} = require('worker_threads');\n"
                     "if (isMainThread) new Worker(__filename).on('message', m => {\n"
                     "  console.log(m, require('child_process').execSync('echo child').toString()); })\n"
                     "else parentPort.postMessage('from a worker');\n");
    works(w, "/usr/bin/node a.cjs", "from a worker child");
}

BOOST_AUTO_TEST_CASE(git_keeps_what_was_done) {
    if (!has({"git"})) {
        return;
    }
    const workplace w;
    works(w,
          "git init -q . && echo x > a && git add a && git -c user.name=a -c user.email=a@b commit -qm first && git "
          "log --oneline",
          "first\n");
}

BOOST_AUTO_TEST_SUITE_END()
