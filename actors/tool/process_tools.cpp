#include "actors/tool/process_desk.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

namespace troupe::actors::process_tools {
namespace {

/// The rest is for the lines around it.
constexpr std::size_t text_bytes_max = tool_content_bytes_max - 1024;

std::optional<tool_result> missing(const tool_environment& where) {
    if (where.processes == nullptr || where.commands == nullptr || where.run.id.is_nil()) {
        return refuse("processes are not available here: the node has no sandbox to run them in");
    }
    return {};
}

tool_result shown(const process_output& o, std::string_view name) {
    tool_result r;
    r.content = o.ended ? fmt::format("{} is not at work any more: {}\n", name, *o.ended)
                        : fmt::format("{} is at work\n", name);
    if (o.skipped > 0) {
        r.content += fmt::format("[{} bytes before this are left out]\n", o.skipped);
    }
    r.content +=
        o.text.empty() ? "output: none\n" : fmt::format("output:\n{}{}", o.text, o.text.ends_with('\n') ? "" : "\n");
    r.content += fmt::format("next: {}\n", o.next);
    r.details.text.clear();
    json::object_writer w(r.details.text);
    w.field("process", name).field("at_work", !o.ended).field("next", o.next);
    w.end();
    return r;
}

tool_result shown(const expected<process_output>& o, std::string_view name) {
    return o ? shown(*o, name) : refuse(o.error());
}

} // namespace

tool_result start(const process_start_arguments& a, const tool_environment& where) {
    if (auto none = missing(where)) {
        return *none;
    }
    runtime::command_spec spec;
    spec.argv = {"sh", "-c", a.command};
    spec.project = where.project;
    spec.working_directory = a.working_directory;
    spec.network = where.network;
    spec.limits = where.limits;
    constexpr std::int64_t life_ms_max = 24 * 3'600'000;
    spec.limits.time_ms = life_ms_max;
    if (auto started = where.processes->start(where.run, a.name, std::move(spec)); !started) {
        return refuse(started.error());
    }
    return shown(where.processes->read(where.run, a.name, 0, {a.wait_ms, a.wait_for}, text_bytes_max, where.stop),
                 a.name);
}

tool_result output(const process_output_arguments& a, const tool_environment& where) {
    if (auto none = missing(where)) {
        return *none;
    }
    return shown(where.processes->read(where.run, a.name, a.since, {a.wait_ms, a.wait_for}, text_bytes_max, where.stop),
                 a.name);
}

tool_result input(const process_input_arguments& a, const tool_environment& where) {
    if (auto none = missing(where)) {
        return *none;
    }
    if (auto written = where.processes->write(where.run, a.name, a.text); !written) {
        return refuse(written.error());
    }
    tool_result r;
    r.content = fmt::format("{} bytes were written to {}\n", a.text.size(), a.name);
    return r;
}

tool_result stop(const process_stop_arguments& a, const tool_environment& where) {
    if (auto none = missing(where)) {
        return *none;
    }
    return shown(where.processes->end(where.run, a.name, text_bytes_max), a.name);
}

} // namespace troupe::actors::process_tools
