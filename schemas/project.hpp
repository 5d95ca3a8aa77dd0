#pragma once

#include "schemas/base/described.hpp"

/// Projects: a manifest of files in the log, contents as blobs; a folder on the node is a cache of it.
namespace troupe {

// ---- API bodies

/// POST /projects
struct create_project_body {
    std::string name;
    std::string description;
    std::optional<std::string> folder; ///< An existing folder on the node to work in, instead of a managed one (admin).
    static constexpr field_rule rules[] = {
        {.name = "name",
         .required = true,
         .min = 1,
         .max = 200,
         .doc = "Name for people.",
         .example = "\"calculator\""},
        {.name = "description", .max = 10000, .doc = "What it is."},
        {.name = "folder", .min = 1, .max = 4096, .doc = "Absolute path of a folder on the node to work in directly."}};
};
BOOST_DESCRIBE_STRUCT(create_project_body, (), (name, description, folder))

/// PUT and PATCH /projects/{id}: what is given is replaced.
struct update_project_body {
    std::optional<std::string> name;
    std::optional<std::string> description;
    static constexpr field_rule rules[] = {
        {.name = "name", .min = 1, .max = 200, .doc = "Name for people."},
        {.name = "description", .max = 10000, .doc = "What it is.", .example = "\"Sums, with a command line.\""}};
};
BOOST_DESCRIBE_STRUCT(update_project_body, (), (name, description))

/// POST /projects/{id}/files: a text file; PUT /projects/{id}/files/{path} takes raw bytes of any kind.
struct create_file_body {
    std::string path;
    std::string content;
    bool executable = false;
    static constexpr field_rule rules[] = {
        {.name = "path",
         .required = true,
         .min = 1,
         .max = 1024,
         .doc = "Relative path with slashes.",
         .example = "\"src/main.py\""},
        {.name = "content", .required = true, .doc = "UTF-8 text.", .example = "\"print(6 * 7)\\n\""}};
};
BOOST_DESCRIBE_STRUCT(create_file_body, (), (path, content, executable))

// ---- documents

/// GET /projects/{id}
struct project_document {
    uuid id;
    std::string name;
    std::string description;
    std::optional<std::string> folder;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t version = 0; ///< Grows with every change: the base of a run's diff.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(project_document, (),
                      (id, name, description, folder, files, bytes, version, created_by, created_at, updated_at))

/// An item of GET /projects/{id}/files.
struct file_document {
    std::string path;
    std::uint64_t bytes = 0;
    std::string sha256;
    bool executable = false;
    timestamp updated_at;
    std::string updated_by;
};
BOOST_DESCRIBE_STRUCT(file_document, (), (path, bytes, sha256, executable, updated_at, updated_by))

} // namespace troupe
