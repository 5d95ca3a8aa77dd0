#include "bin/cli/mcp_progress.hpp"

#include "bin/cli/interrupt.hpp"
#include "bin/cli/text.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/mcp.hpp"
#include "schemas/mcp_offers.hpp"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <stop_token>
#include <thread>
#include <utility>

namespace troupe::cli {
namespace {

constexpr auto open_max = std::chrono::seconds(2); ///< Without its progress a call is worth as much.

std::string shown(const mcp_progress& p) {
    return fmt::format("{}{}{}{}", p.progress, p.total ? fmt::format(" of {}", *p.total) : "",
                       p.message.empty() ? "" : ": ", clean_line(p.message));
}

} // namespace

expected<std::string> call_with_progress(context& c, const std::string& tool, const json::raw& arguments) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto name = to_string(make_uuid());
    const interrupt stop;
    // Each thread has a connection of its own.
    const auto where = (*node)->where();
    std::promise<void> opened;
    auto is_open = opened.get_future();
    std::jthread watcher([&, watching = api(where)](const std::stop_token& done) mutable {
        bool said = false;
        const auto open = [&] {
            if (!std::exchange(said, true)) {
                opened.set_value();
            }
        };
        // Where it cannot be watched, the call is made all the same.
        (void)watching.stream(with_query("/ws/mcp", {{"kind", "mcp_progress"}, {"where", "call=" + name}}), done, open,
                              [&](const stream_event& e) {
                                  if (const auto p = from_json<mcp_progress>(e.data, strictness::stored)) {
                                      c.can_ask() ? c.progress(shown(*p)) : c.note(shown(*p));
                                  }
                                  return true;
                              });
        open();
    });
    is_open.wait_for(open_max);
    const std::stop_callback cancel(stop.token(), [&] {
        (void)api(where).post("/mcp/calls/" + name + "/cancel", "{}"); // over already: then there is nothing to cancel
    });
    auto answer = (*node)->post("/mcp/tools/" + encode_segment(tool) + "/execute",
                                to_json(execute_mcp_tool_body{arguments, name}));
    watcher.request_stop();
    watcher.join();
    if (c.can_ask()) {
        c.progress("");
    }
    return answer;
}

} // namespace troupe::cli
