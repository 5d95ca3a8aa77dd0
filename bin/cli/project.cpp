#include "schemas/project.hpp"
#include "bin/cli/find_project.hpp"
#include "bin/cli/import.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/show.hpp"
#include "bin/cli/text.hpp"
#include "schemas/base/limits.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

struct named_project {
    api* node = nullptr;
    uuid id;
    [[nodiscard]] std::string path() const { return "/projects/" + to_string(id); }
    [[nodiscard]] std::string file(std::string_view file_path) const {
        return path() + "/files/" + encode_path(file_path);
    }
};

expected<named_project> find_named(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto id = resolve_project(**node, c.args().operand(0));
    return id ? expected<named_project>(named_project{*node, *id}) : expected<named_project>(id.error());
}

auto shown_project(context& c) {
    return [&c](const project_document& p) { return show_project(c.out_screen(), p, c.now()); };
}

expected<int> project_create(context& c) {
    create_project_body body{c.args().operand(0), c.args().value_or("description", ""), std::nullopt};
    if (const auto folder = c.args().value("folder")) {
        std::error_code failed;
        const auto absolute = fs::canonical(c.search().working_folder / *folder, failed);
        if (failed) {
            return c.usage({code::invalid_request, fmt::format("--folder {} does not exist.", *folder)});
        }
        body.folder = absolute.string();
    }
    auto node = c.node();
    return node ? print_document<project_document>(c, (*node)->post("/projects", to_json(body)), shown_project(c))
                : expected<int>(node.error());
}

expected<int> project_list(context& c) {
    return print_list<project_document>(
        c, "/projects", {}, "No projects. Make one with `troupe project create NAME`.",
        [&](const auto& projects) { return show_projects(c.out_screen(), projects, c.now()); });
}

expected<int> project_show(context& c) {
    const auto project = find_named(c);
    return project ? print_document<project_document>(c, project->node->get(project->path()), shown_project(c))
                   : expected<int>(project.error());
}

expected<int> project_files(context& c) {
    const auto project = find_named(c);
    if (!project) {
        return project.error();
    }
    return print_list<file_document>(c, project->path() + "/files", {}, "The project has no files.",
                                     [&](const auto& files) { return show_files(c.out_screen(), files, c.now()); });
}

expected<int> project_cat(context& c) {
    const auto project = find_named(c);
    if (!project) {
        return project.error();
    }
    if (!c.out_screen().interactive) { // to a file or a pipe as it is, piece by piece
        const auto done = project->node->download(project->file(c.args().operand(1)), [&](std::string_view piece) {
            c.write(piece);
            return c.can_write();
        });
        return done ? expected<int>(0) : expected<int>(done.error());
    }
    const auto content = project->node->get(project->file(c.args().operand(1)), "*/*");
    if (!content) {
        return content.error();
    }
    c.print(clean(*content)); // a terminal would obey what is in it
    return 0;
}

expected<int> project_put(context& c) {
    const auto source = c.args().operands().size() > 2 ? c.args().operand(2) : c.args().operand(1);
    auto content =
        source == "-"
            ? expected<net::body_source>(source_of(std::shared_ptr<std::istream>(std::shared_ptr<void>(), &std::cin),
                                                   std::nullopt, "Standard input"))
            : open_file(c.search().working_folder / source);
    if (!content) {
        return c.usage(content.error());
    }
    const auto project = find_named(c);
    if (!project) {
        return project.error();
    }
    const bool executable =
        c.args().has("executable") || (source != "-" && is_executable(c.search().working_folder / source));
    const auto path = with_query(project->file(c.args().operand(1)), {{"executable", executable ? "true" : ""}});
    const auto saved = project->node->put(path, std::move(*content), "application/octet-stream");
    const auto file = saved ? from_json<file_document>(*saved, strictness::stored) : expected<file_document>(problem{});
    return print_done(
        c, saved,
        fmt::format("{} is saved ({}).", clean_line(c.args().operand(1)), bytes_text(file ? file->bytes : 0)));
}

expected<int> project_rm(context& c) {
    const auto project = find_named(c);
    return project ? print_done(c, project->node->remove(project->file(c.args().operand(1))),
                                fmt::format("{} is deleted.", clean_line(c.args().operand(1))))
                   : expected<int>(project.error());
}

expected<int> project_delete(context& c) {
    const auto project = find_named(c);
    return project ? print_done(c, project->node->remove(project->path()), "The project is deleted.")
                   : expected<int>(project.error());
}

expected<int> project_import(context& c) {
    const auto files = files_to_import(c.search().working_folder / c.args().operand(0));
    if (!files) {
        return c.usage(files.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    std::error_code failed;
    const auto folder = fs::canonical(c.search().working_folder / c.args().operand(0), failed);
    const create_project_body body{c.args().value_or("name", folder.filename().string()), "", std::nullopt};
    const auto made = (*node)->post("/projects", to_json(body));
    const auto project =
        made ? from_json<project_document>(*made, strictness::stored) : expected<project_document>(made.error());
    if (!project) {
        return project.error();
    }
    const named_project target{*node, project->id};
    std::size_t done = 0;
    for (const auto& file : *files) {
        auto content = open_file(folder / file.path);
        if (!content) {
            return content.error();
        }
        const auto path = with_query(target.file(file.path), {{"executable", file.executable ? "true" : ""}});
        if (const auto saved = (*node)->put(path, std::move(*content), "application/octet-stream"); !saved) {
            auto p = saved.error();
            p.errors.push_back({file.path, fmt::format("{} of {} files were imported into project {}", done,
                                                       files->size(), to_string(project->id))});
            return p;
        }
        ++done;
        if (c.err_screen().interactive && !c.json()) {
            c.progress(fmt::format("{} of {} files", done, files->size()));
        }
    }
    if (c.err_screen().interactive && !c.json()) {
        c.progress("");
    }
    return print_document<project_document>(c, (*node)->get(target.path()), shown_project(c));
}

grammar one_project() { return {.operands = "PROJECT", .operands_min = 1, .operands_max = 1}; }
grammar one_file() { return {.operands = "PROJECT FILE", .operands_min = 2, .operands_max = 2}; }

} // namespace

std::vector<command> project_commands() {
    return {
        {"project create",
         "Make a project: files that the node keeps, or a folder to work in.",
         {.flags = {{"folder", "DIR", "Work in this folder of the node's machine."},
                    {"description", "TEXT", "What it is."}},
          .operands = "NAME",
          .operands_min = 1,
          .operands_max = 1},
         "troupe project create calculator\ntroupe project create site --folder ~/site",
         project_create},
        {"project list", "All projects.", {.flags = {limit_flag()}}, "troupe project list", project_list},
        {"project show", "All about a project.", one_project(), "troupe project show calculator", project_show},
        {"project import",
         "Make a project from a folder: copies its files, without .git, build folders and links.",
         {.flags = {{"name", "N", "The project's name; the folder's by default."}},
          .operands = "DIR",
          .operands_min = 1,
          .operands_max = 1},
         "troupe project import . --name calculator",
         project_import},
        {"project files",
         "The files of a project.",
         {.flags = {limit_flag()}, .operands = "PROJECT", .operands_min = 1, .operands_max = 1},
         "troupe project files calculator",
         project_files},
        {"project cat", "Print a file.", one_file(), "troupe project cat calculator src/calc.py", project_cat},
        {"project put",
         "Save a file; - reads standard input.",
         {.flags = {{"executable", "", "May be run; taken from the source otherwise.", 'x'}},
          .operands = "PROJECT FILE [SOURCE]",
          .operands_min = 2,
          .operands_max = 3},
         "troupe project put calculator src/calc.py\ntroupe project put calculator notes.md - < notes.md",
         project_put},
        {"project rm", "Delete a file.", one_file(), "troupe project rm calculator notes.md", project_rm},
        {"project delete", "Delete a project. A folder that it works in stays.", one_project(),
         "troupe project delete calculator", project_delete},
    };
}

} // namespace troupe::cli
