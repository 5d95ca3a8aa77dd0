#pragma once

#include "tests/actors/tool_fixture.hpp"
#include "tests/source_folder.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace troupe::actors::test {

inline fs::path kinds_folder() { return troupe::test::source_folder() / "tests/fixtures/kinds"; }

/// What a tool once wrote: tests/fixtures/kinds/output.
inline std::string output_of(const std::string& name) {
    std::ifstream file(kinds_folder() / "output" / name);
    BOOST_REQUIRE_MESSAGE(file, name);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// A copy of one of the projects there, and tools that work in it.
struct fixture_project : tool_place {
    explicit fixture_project(const std::string& name) {
        fs::copy(kinds_folder() / name, project, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    }
};

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace troupe::actors::test
