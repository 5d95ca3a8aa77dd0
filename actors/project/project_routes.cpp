#include "actors/project/project_routes.hpp"

#include "actors/common/media_type.hpp"
#include "actors/common/model.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/upload.hpp"
#include "actors/project/project_model.hpp"
#include "net/http/content.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/limits.hpp"
#include "storage/blobs.hpp"
#include "storage/store.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace troupe::actors {
namespace {

using net::route;
using net::verb;

const std::string kind{project_model::kind};
const std::string plural = "projects";

bool is_within(const std::filesystem::path& inner, const std::filesystem::path& outer) {
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

/// Tools and commands must not reach the node's keys and journal. In a folder of its usual name the tools leave it
/// alone.
bool reaches_node_data(const runtime::services& s, const std::filesystem::path& asked) {
    std::error_code failed; // a folder that cannot be resolved is refused, too
    const auto folder = std::filesystem::canonical(asked, failed);
    const auto data = failed ? folder : std::filesystem::canonical(s.store->directory(), failed);
    return failed || is_within(folder, data) || (is_within(data, folder) && data != folder / limits::node_data_name);
}

expected<net::command_payload> create_payload(const runtime::services& s, const net::request& r) {
    const auto body = from_json<create_project_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    if (body->folder && !r.who.admin) {
        return problem{code::forbidden,
                       "Only an administrator may let a project work in a folder of the node. Leave 'folder' out."};
    }
    if (std::error_code ignored; body->folder && !std::filesystem::is_directory(*body->folder, ignored)) {
        return problem{code::invalid_request,
                       "There is no folder " + *body->folder + " on the node. Make it first.",
                       {{"/folder", "is no folder on the node"}}};
    }
    if (body->folder && reaches_node_data(s, *body->folder)) {
        return problem{
            code::invalid_request,
            "The folder " + *body->folder +
                " shares files with the node's own data. Choose another, or start the node with --data elsewhere.",
            {{"/folder", "shares files with the node's own data"}}};
    }
    return net::command_payload{"create_project", r.body};
}

/// The file's row, or why there is none.
expected<file_document> find_file(const runtime::services& s, const entity_address& project, const std::string& path) {
    auto owner = storage::read_document(*s.store, project);
    if (!owner || !*owner) {
        return owner ? no_such(kind, project.id) : owner.error();
    }
    auto row = storage::read_item(*s.store, project, files_collection, path);
    if (!row || !*row) {
        return row ? problem{code::not_found,
                             "The project has no file '" + path + "'. List its files to see what is there."}
                   : row.error();
    }
    return from_json<file_document>(**row, strictness::stored);
}

std::string etag_of(const file_document& file) { return "\"" + file.sha256 + "\""; }

net::handler read_file(const runtime::services& s) {
    return [&s](net::request r, net::responder respond) {
        const auto id = net::resolve_id(s, r, kind);
        auto file = id ? find_file(s, {r.who.organization, kind, *id}, std::string(r.param("path")))
                       : expected<file_document>(id.error());
        const auto beginning =
            file ? storage::read_blob_piece(*s.store, r.who.organization, file->sha256, 0, media_type_bytes)
                 : expected<std::string>(file.error());
        if (!beginning) {
            respond(net::to_response(beginning.error(), r));
            return;
        }
        net::content out{file->bytes, etag_of(*file), text_type(*beginning), nullptr};
        out.read = [&s, organization = r.who.organization, name = file->sha256](std::uint64_t offset,
                                                                                std::uint64_t bytes_max) {
            return storage::read_blob_piece(*s.store, organization, name, offset, bytes_max);
        };
        respond(net::to_response(std::move(out), r));
    };
}

/// `If-Match` of a file is the hash of its contents; it is judged in the command, not by the project's version.
std::optional<std::string> take_expected_hash(net::request& r) {
    const auto found = r.headers.find("if-match");
    if (found == r.headers.end()) {
        return std::nullopt;
    }
    auto hash = std::move(found->second);
    r.headers.erase(found);
    std::erase(hash, '"');
    return hash == "*" ? std::nullopt : std::optional(std::move(hash));
}

/// The project to write a file of, if it is there and can have one of that path.
expected<entity_address> find_owner(const runtime::services& s, const net::request& r, const std::string& path) {
    const auto id = net::resolve_id(s, r, kind);
    if (!id) {
        return id.error();
    }
    entity_address project{r.who.organization, kind, *id};
    if (auto ok = check_project_path(path); !ok) {
        return ok.error();
    }
    auto owner = storage::read_document(*s.store, project);
    if (!owner || !*owner) {
        return owner ? no_such(kind, *id) : owner.error();
    }
    return project;
}

/// Changes the manifest, after the contents that it names are stored; answers with the file's row.
void name_file(const runtime::services& s, net::request r, write_file change, int status, net::responder respond) {
    const auto refuse = [&](const problem& p) { respond(net::to_response(p, r)); };
    auto project = find_owner(s, r, change.path);
    if (!project) {
        return refuse(project.error());
    }
    change.expect = take_expected_hash(r);
    auto c = net::make_command(r, *project, wire_name<write_file>::value, to_json(change));
    if (!c) {
        return refuse(c.error());
    }
    s.submit(std::move(*c), [&s, r = std::move(r), project = *project, path = std::move(change.path), status,
                             respond = std::move(respond)](runtime::reply answer) {
        auto file = answer ? find_file(s, project, path) : expected<file_document>(answer.error());
        if (!file) {
            respond(net::to_response(file.error(), r));
            return;
        }
        net::response out{.status = status, .body = to_json(*file)};
        out.headers.emplace_back("ETag", etag_of(*file));
        respond(std::move(out));
    });
}

/// Whether the organization's plan has room for a file of that size now. The command decides; this spares uploads.
expected<void> check_room(const runtime::services& s, const entity_address& project, const std::string& path,
                          std::uint64_t bytes) {
    const auto item = storage::read_item(*s.store, project, files_collection, path);
    const auto before =
        item && *item ? from_json<file_document>(**item, strictness::stored) : expected<file_document>(file_document{});
    const auto more = static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(before ? before->bytes : 0);
    return actors::check_room(s, project.organization, more);
}

net::handler create_file(const runtime::services& s) {
    return [&s](net::request r, net::responder respond) {
        const auto body = from_json<create_file_body>(r.body, strictness::input);
        if (!body) {
            respond(net::to_response(body.error(), r));
            return;
        }
        const auto owner = find_owner(s, r, body->path);
        const auto room =
            owner ? check_room(s, *owner, body->path, body->content.size()) : expected<void>(owner.error());
        auto blob =
            room ? storage::put_blob(*s.store, r.who.organization, body->content) : expected<std::string>(room.error());
        if (!blob) {
            respond(net::to_response(blob.error(), r));
            return;
        }
        write_file change{body->path, std::move(*blob), body->content.size(), body->executable, std::nullopt};
        name_file(s, std::move(r), std::move(change), 201, std::move(respond));
    };
}

expected<std::optional<bool>> executable_of(const net::request& r) {
    const auto text = r.query_value("executable");
    if (text && text != "true" && text != "false") {
        return problem{
            code::invalid_request, "executable can be true or false.", {{"executable", "can be true or false"}}};
    }
    return text ? std::optional(text == "true") : std::nullopt;
}

/// Nothing is uploaded in vain, as far as can be told before.
net::receiver receive_file(const runtime::services& s) {
    return [&s](const net::request& r) -> expected<std::shared_ptr<net::body_sink>> {
        const auto executable = executable_of(r);
        const auto owner =
            executable ? find_owner(s, r, std::string(r.param("path"))) : expected<entity_address>(executable.error());
        const auto room = owner ? check_room(s, *owner, std::string(r.param("path")), content_length(r))
                                : expected<void>(owner.error());
        if (!room) {
            return room.error();
        }
        return std::make_shared<upload>(*s.store, r.who.organization);
    };
}

net::handler put_file(const runtime::services& s) {
    return [&s](net::request r, net::responder respond) {
        const auto executable = executable_of(r);
        if (!executable) {
            respond(net::to_response(executable.error(), r));
            return;
        }
        const auto& received = static_cast<const upload&>(*r.received);
        r.body = received.sha256; // tells a repeat from another request
        write_file change{std::string(r.param("path")), received.sha256, received.content.size(), *executable,
                          std::nullopt};
        name_file(s, std::move(r), std::move(change), 200, std::move(respond));
    };
}

net::handler delete_file_handler(const runtime::services& s) {
    return [&s](net::request r, net::responder respond) {
        auto expect = take_expected_hash(r);
        const auto payload = [expect](const net::request& from) -> expected<net::command_payload> {
            return net::command_payload{std::string(wire_name<delete_file>::value),
                                        to_json(delete_file{std::string(from.param("path")), expect})};
        };
        net::change_entity(s, kind, payload, 204)(std::move(r), without_body(std::move(respond)));
    };
}

std::vector<route> file_routes(const runtime::services& s) {
    const auto document = net::reply_of<file_document>("file");
    const net::body_type raw{.name = "file_content",
                             .schema = nullptr,
                             .check = nullptr,
                             .bytes_max = limits::file_bytes_max,
                             .content_type = "application/octet-stream"};
    auto contents = raw;
    contents.other_types = {"text/plain; charset=utf-8"};
    return {
        {.verb = verb::get,
         .path = "/projects/{id}/files",
         .operation = "list_files",
         .summary = "Lists the files of a project by path.",
         .tag = plural,
         .permission = "project:read",
         .query = net::page_parameters(),
         .reply = page_of<file_document>("file_list"),
         .errors = {code::not_found},
         .run = net::list_items(s, kind, std::string(files_collection))},
        {.verb = verb::post,
         .path = "/projects/{id}/files",
         .operation = "create_file",
         .summary = "Writes a text file. What was at the path is replaced.",
         .tag = plural,
         .permission = "project:write",
         .body = net::body_of<create_file_body>("create_file"),
         .reply = document,
         .success = 201,
         .errors = {code::not_found, code::conflict, code::path_outside_project, code::quota_exceeded},
         .reply_headers = net::read_headers(),
         .run = create_file(s),
         .blocks = net::blocks_on_contents(s)},
        {.verb = verb::get,
         .path = "/projects/{id}/files/{path}",
         .operation = "get_file",
         .summary = "Gives the contents of a file, or one range of them. Its ETag is the hash of the contents.",
         .tag = plural,
         .permission = "project:read",
         .reply = contents,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .ranges = true,
         .run = read_file(s),
         .blocks = net::blocks_on_contents(s)},
        {.verb = verb::put,
         .path = "/projects/{id}/files/{path}",
         .operation = "put_file",
         .summary = "Writes a file of any kind. If-Match takes the ETag of the contents.",
         .tag = plural,
         .permission = "project:write",
         .query = {{"executable", "Whether it can be executed; as it was when not given.", R"({"type":"boolean"})"}},
         .body = raw,
         .reply = document,
         .errors = {code::not_found, code::conflict, code::precondition_failed, code::path_outside_project,
                    code::quota_exceeded},
         .reply_headers = net::read_headers(),
         .run = put_file(s),
         .receive = receive_file(s)},
        {.verb = verb::del,
         .path = "/projects/{id}/files/{path}",
         .operation = "delete_file",
         .summary = "Deletes a file.",
         .tag = plural,
         .permission = "project:write",
         .success = 204,
         .errors = {code::not_found, code::conflict, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = delete_file_handler(s)},
    };
}

} // namespace

std::vector<net::route> project_routes(const runtime::services& s) {
    const std::vector<std::string> filters{"name", "folder"};
    const auto document = net::reply_of<project_document>("project");
    const auto update = [&](verb v, std::string operation) {
        return route{.verb = v,
                     .path = "/projects/{id}",
                     .operation = std::move(operation),
                     .summary = "Replaces what is given.",
                     .tag = plural,
                     .permission = "project:write",
                     .body = net::body_of<update_project_body>("update_project"),
                     .reply = document,
                     .errors = {code::not_found, code::precondition_failed},
                     .reply_headers = net::changed_headers(),
                     .run = net::change_entity(s, kind, net::body_as("update_project"))};
    };
    std::vector<route> routes{
        {.verb = verb::get,
         .path = "/projects",
         .operation = "list_projects",
         .summary = "Lists projects, newest first.",
         .tag = plural,
         .permission = "project:read",
         .query = net::list_parameters(filters),
         .reply = page_of<project_document>("project_list"),
         .run = net::list_entities(s, kind, filters)},
        {.verb = verb::post,
         .path = "/projects",
         .operation = "create_project",
         .summary = "Creates a project.",
         .tag = plural,
         .permission = "project:write",
         .body = net::body_of<create_project_body>("create_project"),
         .reply = document,
         .success = 201,
         .errors = {code::forbidden},
         .reply_headers = net::created_headers(),
         .run = net::create_entity(s, kind, plural, "create_project",
                                   [&s](const net::request& r) { return create_payload(s, r); })},
        {.verb = verb::get,
         .path = "/projects/{id}",
         .operation = "get_project",
         .summary = "Shows a project.",
         .tag = plural,
         .permission = "project:read",
         .reply = document,
         .errors = {code::not_found},
         .reply_headers = net::read_headers(),
         .run = net::read_entity(s, kind)},
        update(verb::put, "update_project"),
        update(verb::patch, "patch_project"),
        {.verb = verb::del,
         .path = "/projects/{id}",
         .operation = "delete_project",
         .summary = "Deletes a project.",
         .tag = plural,
         .permission = "project:write",
         .success = 204,
         .errors = {code::not_found, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(s, kind, net::empty_command("delete_project"), 204)},
    };
    std::ranges::move(file_routes(s), std::back_inserter(routes));
    return routes;
}

} // namespace troupe::actors
