#include "actors/tool/tool_performers.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>

namespace troupe::actors {

namespace {

/// Both streams share what a model reads of a tool; the rest is for the lines between them. What one leaves unused, the
/// other may take.
constexpr std::size_t streams_bytes_max = tool_content_bytes_max - 1024;

std::string section(std::string_view name, std::string_view text, std::uint64_t bytes, std::size_t bytes_max) {
    if (text.empty()) {
        return fmt::format("{}: empty\n", name);
    }
    return fmt::format("{} ({} bytes):\n{}{}", name, bytes, shorten(text, bytes_max), text.ends_with('\n') ? "" : "\n");
}

std::string text_of(const runtime::command_result& c) {
    auto head = fmt::format("exit code: {}\n", c.exit_code);
    if (c.timed_out) {
        head += fmt::format("ended with all its processes after {} ms: over its time limit\n", c.duration_ms);
    } else if (c.cancelled) {
        head += "ended with all its processes: cancelled\n";
    }
    if (!c.over_limit.empty()) {
        head += fmt::format("{}\n", c.over_limit);
    }
    if (c.connections_refused > 0) {
        head +=
            fmt::format("connections refused: {}, to hosts that are not in sandbox.network\n", c.connections_refused);
    }
    const auto half = streams_bytes_max / 2;
    const auto out_max = std::max(half, streams_bytes_max - std::min(c.err.size(), half));
    const auto err_max = streams_bytes_max - std::min(c.out.size(), out_max);
    return head + section("stdout", c.out, c.out_bytes, out_max) + section("stderr", c.err, c.err_bytes, err_max);
}

} // namespace

tool_result shown(const runtime::command_result& done) {
    tool_result r;
    r.content = text_of(done);
    r.is_error = done.cancelled;
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("exit_code", done.exit_code).field("duration_ms", done.duration_ms).field("timed_out", done.timed_out);
    w.field("cancelled", done.cancelled)
        .field("over_limit", done.over_limit)
        .field("out_bytes", done.out_bytes)
        .field("err_bytes", done.err_bytes);
    w.end();
    return r;
}

tool_result run_command(const run_command_arguments& a, const tool_environment& where) {
    if (where.commands == nullptr) {
        return refuse("run_command is not available here: the node has no sandbox to run it in");
    }
    runtime::command_spec spec;
    spec.argv = {"sh", "-c", a.command};
    spec.project = where.project;
    spec.working_directory = a.working_directory;
    spec.network = where.network;
    spec.limits = where.limits;
    if (a.time_limit_ms > 0) {
        spec.limits.time_ms = std::min(a.time_limit_ms, where.limits.time_ms);
    }
    const auto done = where.commands->run(where.key, spec, where.stop, where.on_output);
    if (!done) {
        return refuse(done.error());
    }
    return shown(*done);
}

} // namespace troupe::actors
