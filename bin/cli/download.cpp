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
    std::ofstream out(c.search().working_folder / file, std::ios::binary | std::ios::trunc);
    auto done = (*node)->download(path, [&](std::string_view piece) {
        out.write(piece.data(), static_cast<std::streamsize>(piece.size()));
        return out.good();
    });
    out.close();
    return done && out.fail() ? problem{code::storage_failed, "The file " + file + " cannot be written."} : done;
}

} // namespace troupe::cli
