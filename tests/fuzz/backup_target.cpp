// The manifest of a backup, as restore, verify and the lists read it.
#include "storage/backup.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/temporary_directory.hpp"

#include <fstream>

namespace troupe::fuzz {

void try_input(std::string_view input) {
    static const test::temporary_directory directory;
    const auto write = [](std::string_view text) {
        std::ofstream(directory.path / "manifest.json", std::ios::binary | std::ios::trunc) << text;
        return storage::read_manifest(directory.path);
    };
    const auto manifest = write(input);
    if (!manifest) {
        return;
    }
    claim(manifest->last_seqs.size() == manifest->shards, "a manifest knows where each log ends");
    for (const auto& file : manifest->files) {
        const std::filesystem::path path(file.path);
        claim(!path.is_absolute() && path.lexically_normal().begin()->string() != "..",
              "no file lies outside its backup");
    }
    const auto again = write(to_json(*manifest));
    claim(again && to_json(*again) == to_json(*manifest), "a manifest is read as it was written");
}

} // namespace troupe::fuzz
