#pragma once

#include "runtime/services.hpp"

#include <filesystem>
#include <memory>

namespace troupe::actors {

/// The board of the default organization as a file, both ways, from a thread of its own until it is destroyed.
///
/// The file is written in one step, within a second of a change of the board. What somebody changed in it is taken over
/// as PUT /state/working-md does: merged with what others did since the text was written. A text that is refused is
/// kept beside it as FILE.rejected, with the reasons on top, and the file shows the board again. The services outlive
/// it.
class board_file {
public:
    board_file(const runtime::services& s, std::filesystem::path file);
    ~board_file();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace troupe::actors
