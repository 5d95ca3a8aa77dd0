#pragma once

#include "actors/project/project_manifest.hpp"
#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/project_messages.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// A project: a name, perhaps a folder, and the manifest of its files. Pure; contents are blobs.
namespace troupe::actors {

inline constexpr std::string_view files_collection = "@files"; // by path

/// Commands of people: the bodies of the API.
struct create_project : create_project_body {};
BOOST_DESCRIBE_STRUCT(create_project, (create_project_body), ())

struct update_project : update_project_body {};
BOOST_DESCRIBE_STRUCT(update_project, (update_project_body), ())

struct delete_project {};
BOOST_DESCRIBE_STRUCT(delete_project, (), ())

/// One file; its blob has to be durable before.
struct write_file {
    std::string path;
    std::string sha256;
    std::uint64_t bytes = 0;
    std::optional<bool> executable;    ///< Nothing: as it was.
    std::optional<std::string> expect; ///< `precondition_failed` unless the file has this hash.
};
BOOST_DESCRIBE_STRUCT(write_file, (), (path, sha256, bytes, executable, expect))

struct delete_file {
    std::string path;
    std::optional<std::string> expect;
};
BOOST_DESCRIBE_STRUCT(delete_file, (), (path, expect))

struct project_created {
    uuid organization;
    std::string name;
    std::string description;
    std::optional<std::string> folder;
};
BOOST_DESCRIBE_STRUCT(project_created, (), (organization, name, description, folder))

struct project_updated {
    std::optional<std::string> name;
    std::optional<std::string> description;
};
BOOST_DESCRIBE_STRUCT(project_updated, (), (name, description))

struct project_deleted {};
BOOST_DESCRIBE_STRUCT(project_deleted, (), ())

struct file_saved {
    std::string path;
    std::string sha256;
    std::uint64_t bytes = 0;
    bool executable = false;
    std::string by;
};
BOOST_DESCRIBE_STRUCT(file_saved, (), (path, sha256, bytes, executable, by))

struct file_deleted {
    std::string path;
    std::string by;
};
BOOST_DESCRIBE_STRUCT(file_deleted, (), (path, by))

/// A path of `save_files` that was not saved: what the folder has and the project does not.
struct file_refused {
    std::string path;
    std::string code;
    std::string detail;
    std::string by;
};
BOOST_DESCRIBE_STRUCT(file_refused, (), (path, code, detail, by))

struct project_state {
    static constexpr int version = 1;
    uuid id;
    uuid organization;
    bool deleted = false;
    std::string name;
    std::string description;
    std::optional<std::string> folder;
    manifest files;
    std::uint64_t bytes = 0; ///< Sum over the files.
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(project_state, (),
                      (id, organization, deleted, name, description, folder, files, bytes, created_by, created_at,
                       updated_at))

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::create_project)
TROUPE_NAMED(troupe::actors::update_project)
TROUPE_NAMED(troupe::actors::delete_project)
TROUPE_NAMED(troupe::actors::write_file)
TROUPE_NAMED(troupe::actors::delete_file)
TROUPE_NAMED(troupe::actors::project_created)
TROUPE_NAMED(troupe::actors::project_updated)
TROUPE_NAMED(troupe::actors::project_deleted)
TROUPE_NAMED(troupe::actors::file_saved)
TROUPE_NAMED(troupe::actors::file_deleted)
TROUPE_NAMED(troupe::actors::file_refused)

namespace troupe::actors {

struct project_model {
    static constexpr std::string_view kind = "project";
    using state = project_state;
    using command = std::variant<create_project, update_project, delete_project, write_file, delete_file, save_files>;
    using event =
        std::variant<project_created, project_updated, project_deleted, file_saved, file_deleted, file_refused>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
    /// `files_collection`: `file_document` by path; an empty document removes the path.
    static std::vector<runtime::item> items(const state& after, const event&, const runtime::event_context&);
    /// The contents of its files.
    static std::vector<std::string_view> blobs(const state&);
    /// The bytes of its files: each file's, whether or not others have the same content.
    static std::vector<usage_amount> holds(const state&);
    /// The `save_files_result` of events about files, else the project's document.
    static std::string answer(const state& after, const std::vector<event>&, const runtime::view_context&);
};

} // namespace troupe::actors
