#include "bin/cli/attachment.hpp"

#include "bin/cli/download.hpp"
#include "bin/cli/import.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/show.hpp"
#include "bin/cli/text.hpp"
#include "schemas/task.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

/// `task attach`, `attachments`, `download`, `detach`: files of tasks.
namespace troupe::cli {
namespace {

std::string show_attachments(const screen& s, const std::vector<attachment_document>& all, timestamp now) {
    std::vector<std::vector<cell>> rows;
    for (const auto& a : all) {
        rows.push_back({{std::to_string(a.number), tone::accent},
                        {a.name, tone::strong},
                        {bytes_text(a.bytes)},
                        {a.media_type},
                        {relative_time(a.created_at, now), tone::faint},
                        {a.created_by, tone::faint}});
    }
    return table(s, {{"NO", true}, {"FILE", false, true, 16}, {"SIZE", true}, {"TYPE"}, {"ADDED"}, {"BY", false, true}},
                 rows);
}

expected<int> attach(context& c) {
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    const auto& given = c.args().operands();
    const auto done = attach_files(c, *task, {given.begin() + 1, given.end()});
    if (!done) {
        return done.error();
    }
    c.print(fmt::format("{} put to the task.\n", done->size() == 1 ? "The file is" : "The files are"));
    return 0;
}

expected<int> list(context& c) {
    const auto task = find_task(c);
    return task ? print_list<attachment_document>(
                      c, task->path("/attachments"), {},
                      "It has no files. Put one to it with `troupe task attach TASK FILE`.",
                      [&](const auto& all) { return show_attachments(c.out_screen(), all, c.now()); })
                : expected<int>(task.error());
}

/// Under the name that it has there, in the working folder; never over a file that is there.
expected<std::string> own_name(context& c, const named_task& task, std::string_view number) {
    const auto all = task.node->list<attachment_document>(task.path("/attachments"), {}, 1000);
    if (!all) {
        return all.error();
    }
    for (const auto& a : all->items) {
        if (std::to_string(a.number) != number) {
            continue;
        }
        const auto name = std::filesystem::path(a.name).filename().string();
        std::error_code ignored;
        return !std::filesystem::exists(c.search().working_folder / name, ignored)
                   ? expected<std::string>(name)
                   : problem{code::conflict, name + " is there already. Name another file to write to."};
    }
    return problem{code::not_found,
                   fmt::format("The task has no attachment {}. See `troupe task attachments`.", number)};
}

expected<int> download(context& c) {
    const auto task = find_task(c);
    if (!task) {
        return task.error();
    }
    const auto& number = c.args().operand(1);
    const auto file =
        c.args().operands().size() > 2 ? expected<std::string>(c.args().operand(2)) : own_name(c, *task, number);
    if (!file) {
        return file.error();
    }
    const auto done = download_to(c, task->path("/attachments/" + encode_segment(number)), *file);
    if (!done) {
        return done.error();
    }
    if (*file != "-") {
        c.print(clean_line(*file) + " is written.\n");
    }
    return 0;
}

expected<int> detach(context& c) {
    const auto task = find_task(c);
    return task ? print_done(c, task->node->remove(task->path("/attachments/" + encode_segment(c.args().operand(1)))),
                             "The file is removed.")
                : expected<int>(task.error());
}

} // namespace

expected<std::vector<std::uint64_t>> attach_files(context& c, const named_task& task,
                                                  const std::vector<std::string>& files) {
    std::vector<std::uint64_t> out;
    for (const auto& file : files) {
        const auto path = c.search().working_folder / file;
        auto content = open_file(path);
        if (!content) {
            return content.error();
        }
        const auto done = task.node->upload(with_query(task.path("/attachments"), {{"name", path.filename().string()}}),
                                            std::move(*content), "application/octet-stream");
        const auto kept = done ? from_json<attachment_document>(*done, strictness::stored)
                               : expected<attachment_document>(done.error());
        if (!kept) {
            return kept.error();
        }
        out.push_back(kept->number);
    }
    return out;
}

std::vector<command> attachment_commands() {
    return {{"task attach",
             "Put files to a task.",
             {.operands = "TASK FILE…", .operands_min = 2, .operands_max = any_number},
             "troupe task attach TASK-017 report.pdf",
             attach},
            {"task attachments",
             "The files of a task.",
             {.flags = {limit_flag()}, .operands = "TASK", .operands_min = 1, .operands_max = 1},
             "troupe task attachments TASK-017",
             list},
            {"task download",
             "Write a file of a task to this machine; - is standard output.",
             {.operands = "TASK NUMBER [FILE]", .operands_min = 2, .operands_max = 3},
             "troupe task download TASK-017 1",
             download},
            {"task detach",
             "Remove a file from a task.",
             {.operands = "TASK NUMBER", .operands_min = 2, .operands_max = 2},
             "troupe task detach TASK-017 1",
             detach}};
}

} // namespace troupe::cli
