#include "actors/kinds/kind_tools.hpp"
#include "actors/kinds/project_tree.hpp"
#include "actors/kinds/scanned_text.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/limits.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace troupe::actors {

namespace {

/// Results stand at the end of what is kept, so that half of it is theirs.
constexpr std::size_t output_bytes_max = 16 * limits::mib;
constexpr std::size_t looked_at_files_max = 200;
constexpr std::size_t looked_at_bytes_max = 256 * limits::kib;
/// Of the output, where the report does not say enough.
constexpr std::size_t shown_output_bytes_max = 8 * limits::kib;
constexpr std::size_t shown_failures_max = 20;
constexpr std::size_t shown_message_bytes_max = 600;

/// Where tests are run: a folder of the project, and in it perhaps one file.
struct place {
    std::string folder;
    std::string file;
};

struct found_tests {
    place where;
    test_setup setup;
    std::size_t others = 0;
};

std::string joined(const std::string& folder, const std::string& name) {
    return folder.empty() ? name : name.empty() ? folder : folder + "/" + name;
}

project_files files_below(const project_folder& project, const project_tree& tree, const std::string& folder) {
    project_files out;
    for (const auto& e : tree.entries) {
        if (!S_ISREG(e.mode)) {
            continue;
        }
        auto path = folder.empty() ? e.path : e.path.substr(folder.size() + 1);
        if (tells_of_tests(path) && out.contents.size() < looked_at_files_max) {
            if (auto content = read_plain(project, e.path, looked_at_bytes_max)) {
                out.contents.emplace(path, std::move(*content));
            }
        }
        out.paths.push_back(std::move(path));
    }
    return out;
}

expected<place> place_of(const project_folder& project, const std::string& path) {
    auto clean = project_folder::normalize(path);
    if (!clean) {
        return clean.error();
    }
    const auto fd = project.open_at(*clean, O_PATH);
    struct stat s = {};
    if (!fd || ::fstat(fd->get(), &s) != 0) {
        return fd ? problem{code::storage_failed, "the path cannot be looked at"} : fd.error();
    }
    return S_ISDIR(s.st_mode) ? place{std::move(*clean), {}} : place{{}, std::move(*clean)};
}

expected<found_tests> find_tests(const run_tests_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    auto at = project ? place_of(*project, a.path) : expected<place>(project.error());
    if (!at) {
        return at.error();
    }
    const auto tree = list_tree(*project, at->folder, where.stop);
    if (!tree) {
        return tree.error();
    }
    auto all = detect_tests(files_below(*project, *tree, at->folder));
    if (a.framework) {
        std::erase_if(all, [&](const test_setup& s) { return s.framework != *a.framework; });
        if (all.empty()) { // the caller knows better
            all.push_back({*a.framework, {}, {}, "asked for"});
        }
    }
    // A file of tests is a matter of its language, whatever stands nearer to the top.
    const auto speaks = [&](const test_setup& s) {
        const bool python = s.framework == test_framework::pytest || s.framework == test_framework::unittest;
        const bool node = s.framework == test_framework::jest || s.framework == test_framework::mocha ||
                          s.framework == test_framework::node_test;
        return at->file.ends_with(".py") ? python : node;
    };
    if (!at->file.empty()) {
        std::erase_if(all, [&](const test_setup& s) { return !s.folder.empty() || !speaks(s); });
    }
    if (all.empty()) {
        return problem{code::not_found,
                       at->file.empty()
                           ? "no tests were found: there is no CMake project with tests, no pytest or unittest, no "
                             "package.json with a test script, no go.mod, Cargo.toml or Makefile with a target test. "
                             "Write tests first, or name the framework."
                           : at->file + " cannot be run alone: only files of Python and JavaScript tests can. Give its "
                                        "folder, and a filter."};
    }
    return found_tests{std::move(*at), std::move(all.front()), all.size() - 1};
}

/// Paths as the project has them, wherever the sandbox showed it.
void make_relative(test_report& r, const std::filesystem::path& project) {
    for (auto& f : r.failures) {
        for (const auto& root : {std::string("/project/"), project.native() + "/", std::string("./")}) {
            if (f.file.starts_with(root)) {
                f.file.erase(0, root.size());
            }
        }
    }
}

std::string ending_of(const runtime::command_result& done) {
    if (done.timed_out) {
        return "the tests were ended after their time limit; ";
    }
    return done.cancelled ? "the tests were cancelled; " : done.over_limit.empty() ? "" : done.over_limit + "; ";
}

test_report report_of(const found_tests& tests, const test_script& script, bool coverage,
                      const runtime::command_result& done, script_output& output) {
    test_report r;
    r.framework = troupe::detail::enum_name(tests.setup.framework);
    r.command = script.command;
    r.duration_ms = done.duration_ms;
    r.exit_code = done.exit_code;
    r.note = ending_of(done);
    if (output.outcomes) {
        r.counted = true;
        r.total = output.outcomes->total;
        r.passed = output.outcomes->passed;
        r.failed = output.outcomes->failed;
        r.skipped = output.outcomes->skipped;
        r.failures = std::move(output.outcomes->failures);
    } else {
        r.note += "no results could be read from the output; ";
    }
    r.coverage = std::move(output.coverage);
    if (coverage && !r.coverage) {
        r.note += "coverage could not be measured; ";
    }
    if (r.counted && r.failed == 0 && r.exit_code != 0) {
        r.note += "no test failed, but the command did; ";
    }
    if (r.note.ends_with("; ")) {
        r.note.resize(r.note.size() - 2);
    }
    return r;
}

std::string text_of(const test_report& r, const found_tests& tests, const runtime::command_result& done,
                    std::string_view output) {
    auto text = fmt::format("framework: {} ({})\ncommand: {}\n", r.framework, tests.setup.why, r.command);
    if (const auto folder = joined(tests.where.folder, tests.setup.folder); !folder.empty()) {
        text += "folder: " + folder + "\n";
    }
    text += fmt::format("exit code: {}\n", r.exit_code);
    text += r.counted ? fmt::format("total: {}, passed: {}, failed: {}, skipped: {}\n", r.total, r.passed, r.failed,
                                    r.skipped)
                      : std::string("total: unknown\n");
    if (r.coverage) {
        text +=
            fmt::format("coverage: {} % of {} lines ({})\n", r.coverage->percent, r.coverage->lines, r.coverage->tool);
    }
    if (!r.note.empty()) {
        text += "note: " + r.note + "\n";
    }
    text += fmt::format("verified: {}\n", all_passed(r) ? "yes" : "no");
    std::size_t shown = 0;
    for (const auto& f : r.failures) {
        if (++shown > shown_failures_max) {
            break;
        }
        text += fmt::format("\nFAILED {}{}\n{}\n", f.name, f.line > 0 ? fmt::format(" at {}:{}", f.file, f.line) : "",
                            utf8_prefix(f.message, shown_message_bytes_max));
    }
    if (r.failed > std::min(shown, shown_failures_max)) {
        text += fmt::format("\n[… {} more failed …]\n", r.failed - std::min(shown, shown_failures_max));
    }
    if (!r.counted || (r.failures.empty() && r.exit_code != 0)) {
        text += fmt::format("\nstdout:\n{}\nstderr:\n{}\n", shorten(without_escapes(output), shown_output_bytes_max),
                            shorten(without_escapes(done.err), shown_output_bytes_max));
    }
    if (tests.others > 0) {
        text += fmt::format("\n{} other ways to test were found here; name a framework or a path for another one.\n",
                            tests.others);
    }
    return text;
}

} // namespace

namespace {

/// What people see live: the output up to the results that are for the program, which begin with the mark.
class visible_output {
public:
    visible_output(std::string mark, std::function<void(bool, std::string_view)> to)
        : mark_(std::move(mark)), to_(std::move(to)) {}

    void operator()(bool is_stderr, std::string_view text) {
        if (!to_ || is_stderr || hidden_) {
            return to_ && is_stderr ? to_(true, text) : void();
        }
        held_ += text;
        const auto at = held_.find(mark_);
        hidden_ = at != held_.npos;
        const auto shown = hidden_ ? at : held_.size() - beginning_of_mark();
        if (shown > 0) {
            to_(false, std::string_view(held_).substr(0, shown));
        }
        held_.erase(0, shown);
    }

private:
    /// Bytes at the end that the mark may go on from.
    [[nodiscard]] std::size_t beginning_of_mark() const {
        for (auto size = std::min(mark_.size() - 1, held_.size()); size > 0; --size) {
            if (std::string_view(held_).substr(held_.size() - size) == std::string_view(mark_).substr(0, size)) {
                return size;
            }
        }
        return 0;
    }

    std::string mark_;
    std::function<void(bool, std::string_view)> to_;
    std::string held_;
    bool hidden_ = false;
};

} // namespace

tool_result run_tests(const run_tests_arguments& a, const tool_environment& where) {
    if (where.commands == nullptr) {
        return refuse("run_tests is not available here: the node has no sandbox to run tests in");
    }
    const auto tests = find_tests(a, where);
    if (!tests) {
        return refuse(tests.error());
    }
    // Of the call, so that a repeat reads what the first attempt left; not what a test writes by chance.
    const auto hash = sha256("results of " + where.key);
    const auto mark = "troupe-" + to_hex({reinterpret_cast<const char*>(hash.data()), 12});
    const auto script = script_of(tests->setup, {a.filter, tests->where.file, a.coverage}, mark);
    runtime::command_spec spec;
    spec.argv = {"sh", "-c", script.text};
    spec.project = where.project;
    spec.working_directory = joined(tests->where.folder, tests->setup.folder);
    spec.network = where.network;
    spec.limits = where.limits;
    spec.limits.output_bytes = std::max(spec.limits.output_bytes, output_bytes_max);
    const auto done = where.commands->run(where.key, spec, where.stop, visible_output(mark, where.on_output));
    if (!done) {
        return refuse(done.error());
    }
    auto output = read_script_output(tests->setup.framework, done->out, done->err, mark);
    auto report = report_of(*tests, script, a.coverage, *done, output);
    make_relative(report, where.project);
    tool_result r;
    r.content = shorten(text_of(report, *tests, *done, output.text), tool_content_bytes_max);
    r.is_error = done->cancelled;
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("verified", all_passed(report))
        .field("exit_code", report.exit_code)
        .field("duration_ms", report.duration_ms);
    w.raw_field("report", to_json(report));
    w.end();
    return r;
}

} // namespace troupe::actors
