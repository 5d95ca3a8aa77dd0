#include "tests/golden.hpp"

#include "tests/source_folder.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace troupe::test::golden {
namespace {

namespace fs = std::filesystem;

fs::path folder() { return source_folder() / "tests" / "golden"; }

std::set<std::string>& asked() {
    static std::set<std::string> names;
    return names;
}

std::optional<std::string> read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return in ? std::optional(std::string(std::istreambuf_iterator<char>(in), {})) : std::nullopt;
}

} // namespace

bool making() {
    const auto* mode = std::getenv("TROUPE_GOLDEN");
    return mode && std::string_view(mode) == "make";
}

std::optional<std::string> file(const std::string& name, const std::string& what,
                                const std::function<std::string()>& fresh) {
    asked().insert(name);
    const auto path = folder() / name;
    auto text = read(path);
    if (!text && making()) {
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << fresh();
        text = read(path);
        BOOST_TEST_MESSAGE("made tests/golden/" << name);
    }
    BOOST_CHECK_MESSAGE(text, what << " has no golden file tests/golden/" << name
                                   << ". If it is new, run tests/golden/make and commit what that makes; if the file "
                                      "was removed, put it back: what was stored once has to be read for ever");
    return text;
}

void check_orphans(const std::string& of, const std::function<bool(std::string_view, int, const std::string&)>& known) {
    std::error_code missing; // nothing was made yet
    for (fs::recursive_directory_iterator at(folder() / of, missing); at != fs::recursive_directory_iterator(); ++at) {
        const auto name = fs::relative(at->path(), folder()).generic_string();
        if (!at->is_regular_file() || asked().contains(name) || name.find("-as-v") != std::string::npos) {
            continue;
        }
        const auto text = read(at->path()).value_or("");
        const auto type = json::document::parse(member(text, "type"));
        const auto version = json::document::parse(member(text, "version"));
        const bool is_read = known && type && version &&
                             known(type->root().as_string().value_or(""),
                                   static_cast<int>(version->root().as_int().value_or(0)), member(text, "stored"));
        BOOST_CHECK_MESSAGE(is_read, "tests/golden/" << name
                                                     << " holds what was stored once, and nothing reads it any more: "
                                                        "keep the type, or an upcaster for it");
    }
}

std::string member(const std::string& text, std::string_view name) {
    const auto parsed = json::document::parse(text);
    const auto found = parsed ? parsed->root().find(name) : std::nullopt;
    return found ? found->dump() : std::string();
}

namespace detail {

std::string file_text(std::string_view type, int version, const std::string& shape, const std::string& stored) {
    return "{\"type\": " + json::quoted(type) + ",\n\"version\": " + std::to_string(version) +
           ",\n\"shape\": " + shape + ",\n\"stored\": " + stored + "}\n";
}

void check_shape(const std::string& what, const std::string& name, int version, const std::string& golden,
                 const std::string& now) {
    BOOST_CHECK_MESSAGE(golden == now, what << " changed, and is still version " << version
                                            << ". Keep the struct as it was under a namespace v" << version
                                            << ", raise `version` to " << version + 1
                                            << ", write its upcaster (schemas/base/versions.hpp), and run "
                                               "tests/golden/make.\n  tests/golden/"
                                            << name << " has " << golden << "\n  the struct has " << now);
}

} // namespace detail

} // namespace troupe::test::golden
