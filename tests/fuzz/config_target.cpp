// A configuration file; and flags, one a line, behind a line "--".
#include "runtime/config/config.hpp"
#include "runtime/config/prices.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/temporary_directory.hpp"

#include <fstream>
#include <sstream>

namespace troupe::fuzz {

namespace {

using namespace runtime;

void check_file(std::string_view text) {
    static const test::temporary_directory directory;
    config_sources sources;
    sources.file = directory.path / "troupe.yaml";
    const auto write = [&](std::string_view content) {
        std::ofstream(*sources.file, std::ios::binary | std::ios::trunc) << content;
        return load_config(sources);
    };
    auto loaded = write(text);
    if (!loaded) {
        claim(!loaded.error().errors.empty(), "a refusal names the places");
        return;
    }
    const auto shown = show_config(*loaded);
    const auto again = write(shown);
    claim(again.has_value(), "what is shown can be read");
    for (const auto& p : properties()) { // they are left out
        if (p.secret) {
            loaded->values.*std::get<std::string config::*>(p.member) =
                again->values.*std::get<std::string config::*>(p.member);
        }
    }
    claim(again->values == loaded->values, "what is shown is what was loaded");
    claim(config_changes(loaded->values, again->values).empty(), "what is equal has no changes");
}

void check_flags(std::string_view text) {
    std::vector<std::string> arguments;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        arguments.push_back(line);
    }
    if (auto sources = parse_config_arguments(arguments)) {
        sources->file.reset();
        (void)load_config(*sources);
    }
    (void)parse_prices(text);
}

} // namespace

void try_input(std::string_view input) {
    if (const auto mark = input.find("--\n"); mark != std::string_view::npos) {
        check_flags(input.substr(mark + 3));
        input = input.substr(0, mark);
    }
    check_file(input);
}

} // namespace troupe::fuzz
