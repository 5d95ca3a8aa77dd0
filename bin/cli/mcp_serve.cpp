#include "bin/cli/commands.hpp"
#include "bin/cli/mcp_bridge.hpp"
#include "net/line_splitter.hpp"
#include "net/mcp/rpc.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

/// Troupe as a server of the Model Context Protocol over standard input and output.
namespace troupe::cli {
namespace {

expected<int> mcp_serve(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    mcp_bridge bridge(**node, [&](std::string_view line) { c.print(std::string(line) + "\n"); });
    net::line_splitter lines(net::mcp::message_bytes_max);
    std::array<char, 64 << 10> piece{};
    for (;;) {
        const auto got = ::read(STDIN_FILENO, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        const bool whole = lines.feed({piece.data(), static_cast<std::size_t>(got)}, [&](std::string_view line) {
            bridge.take(std::string(line));
            return c.written();
        });
        if (!whole) {
            if (!c.written()) {
                break;
            }
            return problem{code::payload_too_large, "A line of standard input is over 10 MiB."};
        }
    }
    bridge.finish();
    return 0;
}

} // namespace

std::vector<command> mcp_serve_commands() {
    return {{"mcp serve",
             "Be a server of the Model Context Protocol on standard input and output, for editors and assistants.",
             {},
             "troupe mcp serve\nclaude mcp add troupe -- troupe mcp serve",
             mcp_serve}};
}

} // namespace troupe::cli
