#include "bin/cli/download.hpp"

#include <fstream>

namespace troupe::cli {

expected<void> download_to(context& c, std::string_view path, const std::string& file) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (file == "-") {
        return (*node)->download(path, [&](std::string_view piece) {
            c.write(piece);
            return c.can_write();
        });
    }
    std::ofstream out; // opened once the node gives something: a refusal leaves what is there
    const auto open = [&] {
        if (!out.is_open()) {
            out.open(c.search().working_folder / file, std::ios::binary | std::ios::trunc);
        }
    };
    auto done = (*node)->download(path, [&](std::string_view piece) {
        open();
        out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
        return out.good();
    });
    if (done) {
        open();
    }
    out.close();
    return done && out.fail() ? problem{code::storage_failed, "The file " + file + " cannot be written."} : done;
}

} // namespace troupe::cli
