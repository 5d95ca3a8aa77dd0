#include "actors/kinds/tester/test_plan.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace troupe::actors {

namespace {

std::string_view name_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == path.npos ? path : path.substr(slash + 1);
}
std::string folder_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == path.npos ? std::string() : std::string(path.substr(0, slash));
}
std::size_t depth_of(std::string_view folder) {
    return folder.empty() ? 0 : 1 + static_cast<std::size_t>(std::ranges::count(folder, '/'));
}
bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

bool is_python_test(std::string_view name) {
    return name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"));
}
bool is_javascript_test(std::string_view path) {
    const auto name = name_of(path);
    const bool script = name.ends_with(".js") || name.ends_with(".mjs") || name.ends_with(".cjs");
    return script && (has(name, ".test.") || has(name, ".spec.") || name.starts_with("test-") ||
                      (("/" + std::string(path)).find("/test/") != std::string::npos));
}

/// Whether a text has a line that begins with a word.
bool has_line(std::string_view text, std::string_view front) {
    return text.starts_with(front) || has(text, "\n" + std::string(front));
}

class detection {
public:
    explicit detection(const project_files& files) : files_(files), paths_(files.paths.begin(), files.paths.end()) {}

    std::vector<test_setup> all() {
        for (const auto& [path, content] : files_.contents) {
            const auto name = name_of(path);
            if (name == "CMakeLists.txt") {
                cmake(path, content);
            } else if (name == "package.json") {
                package(path, content);
            } else if (name == "Makefile" || name == "makefile" || name == "GNUmakefile") {
                make(path, content);
            } else if (name == "pytest.ini" || (name == "pyproject.toml" && has(content, "[tool.pytest")) ||
                       (name == "setup.cfg" && has(content, "[tool:pytest]")) ||
                       (name == "tox.ini" && has(content, "[pytest]"))) {
                add(test_framework::pytest, folder_of(path), path + " sets pytest up");
            } else if (is_python_test(name)) {
                python(path, content);
            }
        }
        for (const auto& path : files_.paths) {
            if (name_of(path) == "go.mod") {
                add(test_framework::go_test, folder_of(path), path + " is a module of Go");
            } else if (name_of(path) == "Cargo.toml") {
                add(test_framework::cargo_test, folder_of(path), path + " is a package of Rust");
            } else if (name_of(path) == "conftest.py") {
                add(test_framework::pytest, "", path + " is pytest's");
            }
        }
        if (!saw_package_ && javascript_test_) {
            add(test_framework::node_test, "", *javascript_test_ + " is named as a test");
        }
        return ranked();
    }

    void look_for_scripts() {
        const auto found = std::ranges::find_if(files_.paths, is_javascript_test);
        if (found != files_.paths.end()) {
            javascript_test_ = *found;
        }
    }

private:
    void add(test_framework framework, std::string folder, std::string why, std::string start = {}) {
        out_.push_back({framework, std::move(folder), std::move(start), std::move(why)});
    }

    void cmake(const std::string& path, std::string_view text) {
        const auto folder = folder_of(path);
        if (!has(text, "project(") && !has(text, "project (")) {
            return; // a part of another one's build
        }
        // Those below belong to the same build.
        std::string whole(text);
        for (const auto& [other, content] : files_.contents) {
            if (name_of(other) == "CMakeLists.txt" && other != path &&
                (folder.empty() || other.starts_with(folder + "/"))) {
                whole += content;
            }
        }
        if (has(whole, "enable_testing") || has(whole, "include(CTest)")) {
            add(test_framework::ctest, folder, path + " adds tests to CTest");
        } else if (has(whole, "GTest") || has(whole, "gtest")) {
            add(test_framework::google_test, folder, path + " uses GoogleTest");
        } else if (has(whole, "unit_test_framework")) {
            add(test_framework::boost_test, folder, path + " uses Boost.Test");
        }
    }

    void package(const std::string& path, std::string_view text) {
        const auto parsed = json::document::parse(text);
        const auto scripts = parsed ? parsed->root().find("scripts") : std::nullopt;
        const auto line = scripts ? scripts->text_or("test") : "";
        const auto folder = folder_of(path);
        saw_package_ = true;
        if (line.empty() || has(line, "no test specified")) {
            if (javascript_test_) {
                add(test_framework::node_test, folder, *javascript_test_ + " is named as a test");
            }
            return;
        }
        const auto why = path + " has the script test: " + line;
        if (line == "jest" || line.starts_with("jest ")) {
            add(test_framework::jest, folder, why);
        } else if (line == "mocha" || line.starts_with("mocha ")) {
            add(test_framework::mocha, folder, why);
        } else if (line == "node --test") {
            add(test_framework::node_test, folder, why);
        } else {
            add(test_framework::npm_test, folder, why);
        }
    }

    void make(const std::string& path, std::string_view text) {
        for (const char* target : {"test:", "check:"}) {
            if (has_line(text, target)) {
                const auto name = std::string(target).substr(0, std::string_view(target).size() - 1);
                return add(test_framework::make_test, folder_of(path), path + " has the target " + name, name);
            }
        }
    }

    void python(const std::string& path, std::string_view text) {
        if (has_line(text, "import pytest") || has_line(text, "from pytest") || has_line(text, "def test_")) {
            return add(test_framework::pytest, "", path + " is written for pytest");
        }
        const auto folder = folder_of(path);
        // A folder of tests that is a package is found from the top, so that it sees what it tests.
        add(test_framework::unittest, "", path + " is named as a test of Python", folder);
    }

    std::vector<test_setup> ranked() {
        std::ranges::stable_sort(out_, [](const test_setup& a, const test_setup& b) {
            return std::tuple(depth_of(a.folder), a.framework, depth_of(a.start)) <
                   std::tuple(depth_of(b.folder), b.framework, depth_of(b.start));
        });
        std::set<std::pair<test_framework, std::string>> seen;
        std::erase_if(out_, [&](const test_setup& s) { return !seen.emplace(s.framework, s.folder).second; });
        // unittest looks at the folders below its start only where they are packages.
        for (auto& setup : out_) {
            if (setup.framework == test_framework::unittest && !setup.start.empty() &&
                !paths_.contains(setup.start + "/__init__.py")) {
                setup.why += "; " + setup.start + " is no package";
            }
        }
        return std::move(out_);
    }

    const project_files& files_;
    std::set<std::string> paths_;
    std::vector<test_setup> out_;
    std::optional<std::string> javascript_test_;
    bool saw_package_ = false;
};

} // namespace

bool tells_of_tests(std::string_view path) {
    const auto name = name_of(path);
    return name == "CMakeLists.txt" || name == "package.json" || name == "Makefile" || name == "makefile" ||
           name == "GNUmakefile" || name == "pytest.ini" || name == "pyproject.toml" || name == "setup.cfg" ||
           name == "tox.ini" || is_python_test(name);
}

std::vector<test_setup> detect_tests(const project_files& files) {
    detection d(files);
    d.look_for_scripts();
    return d.all();
}

} // namespace troupe::actors
