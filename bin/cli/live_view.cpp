#include "bin/cli/live_view.hpp"

#include "bin/cli/interrupt.hpp"
#include "bin/cli/text.hpp"

#include <algorithm>
#include <sys/ioctl.h>
#include <unistd.h>

namespace troupe::cli {
namespace {

std::size_t rows_of_terminal() {
    winsize size{};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

} // namespace

std::string framed(std::string_view picture, std::size_t rows) {
    std::string out = "\x1b[H";
    const auto lines = lines_of(picture);
    const auto shown = rows == 0 ? lines.size() : std::min(lines.size(), rows - 1);
    for (std::size_t i = 0; i < shown; ++i) {
        out += lines[i] + "\x1b[K\n"; // what the line before had behind is cleared
    }
    return out + "\x1b[J";
}

expected<int> show_live(context& c, std::int64_t every_ms, const std::function<expected<std::string>()>& draw) {
    const interrupt stop;
    auto picture = draw();
    if (!picture) {
        return picture.error();
    }
    c.print("\x1b[2J");
    while (c.written()) {
        c.print(framed(picture ? *picture : problem_text(picture.error(), c.out_screen()), rows_of_terminal()));
        if (!stop.sleep(every_ms)) {
            break;
        }
        if (!picture) {
            c.find_node_again();
        }
        picture = draw();
    }
    return 0;
}

} // namespace troupe::cli
