#include "actors/task/attachment_routes.hpp"

#include "actors/common/media_type.hpp"
#include "actors/common/message_ids.hpp"
#include "actors/common/model.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/upload.hpp"
#include "actors/task/task_board.hpp"
#include "actors/task/task_model.hpp"
#include "net/http/content.hpp"
#include "net/http/handlers.hpp"
#include "net/http/text.hpp"
#include "schemas/base/limits.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::route;
using net::verb;

const std::string kind{task_model::kind};
const std::string tag = "attachments";
constexpr std::size_t name_bytes_max = 255;
/// Should a browser show it all the same: nothing is loaded and nothing runs.
constexpr std::string_view content_policy = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// The task of the path.
expected<entity_address> find_task(const runtime::services& s, const net::request& r) {
    const auto id = net::resolve_id(s, r, kind, task_key_filter);
    if (!id) {
        return id.error();
    }
    entity_address at{r.who.organization, kind, *id};
    const auto there = storage::read_document(*s.store, at);
    if (!there || !*there) {
        return there ? no_such(kind, *id) : there.error();
    }
    return at;
}

std::uint64_t number_in_path(const net::request& r) {
    const auto text = r.param("n");
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? out : 0;
}

expected<attachment_document> find_attachment(const runtime::services& s, const net::request& r) {
    const auto task = find_task(s, r);
    if (!task) {
        return task.error();
    }
    auto found =
        read_stored<attachment_document>(*s.store, *task, attachments_collection, message_key(number_in_path(r)));
    if (!found) {
        return found.error();
    }
    return *found ? expected<attachment_document>(std::move(**found))
                  : problem{code::not_found, "The task has no attachment '" + std::string(r.param("n")) +
                                                 "'. List its attachments to see what is there."};
}

/// The name of a file, without folders.
expected<std::string> name_of(const net::request& r) {
    auto name = std::string(r.query_value("name").value_or(""));
    const bool good =
        !name.empty() && name.size() <= name_bytes_max && name != "." && name != ".." &&
        std::ranges::none_of(name, [](unsigned char c) { return c < ' ' || c == 0x7f || c == '/' || c == '\\'; });
    return good ? expected<std::string>(std::move(name))
                : problem{code::invalid_request,
                          "name has to be the name of a file: 1 to 255 bytes, without folders and control characters.",
                          {{"name", "is no name of a file"}}};
}

net::receiver receive(const runtime::services& s) {
    return [&s](const net::request& r) -> expected<std::shared_ptr<net::body_sink>> {
        const auto name = name_of(r);
        const auto task = name ? find_task(s, r) : expected<entity_address>(name.error());
        const auto room = task ? check_room(s, r.who.organization, static_cast<std::int64_t>(content_length(r)))
                               : expected<void>(task.error());
        if (!room) {
            return room.error();
        }
        return std::make_shared<upload>(*s.store, r.who.organization);
    };
}

net::handler attach(const runtime::services& s) {
    const net::to_command command = [](const net::request& r) -> expected<net::command_payload> {
        const auto& received = static_cast<const upload&>(*r.received);
        auto name = name_of(r);
        return name ? expected<net::command_payload>(
                          net::command_payload{std::string(wire_name<attach_file>::value),
                                               to_json(attach_file{std::move(*name), media_type_of(received.beginning),
                                                                   received.content.size(), received.sha256})})
                    : name.error();
    };
    return [change = net::change_entity(s, kind, command, 201, std::string(task_key_filter))](net::request r,
                                                                                              net::responder respond) {
        // What tells a repeat from another request.
        r.body =
            std::string(r.query_value("name").value_or("")) + "\n" + static_cast<const upload&>(*r.received).sha256;
        change(std::move(r), std::move(respond));
    };
}

net::handler download(const runtime::services& s) {
    return [&s](const net::request& r, const net::responder& respond) {
        const auto found = find_attachment(s, r);
        if (!found) {
            return respond(net::to_response(found.error(), r));
        }
        net::content out{found->bytes, "\"" + found->sha256 + "\"", found->media_type, nullptr};
        out.read = [&s, organization = r.who.organization, name = found->sha256](std::uint64_t offset,
                                                                                 std::uint64_t bytes_max) {
            return storage::read_blob_piece(*s.store, organization, name, offset, bytes_max);
        };
        auto answer = net::to_response(std::move(out), r);
        answer.headers.emplace_back("Content-Disposition",
                                    "attachment; filename*=UTF-8''" + net::percent_encode(found->name));
        answer.headers.emplace_back("Content-Security-Policy", content_policy);
        respond(std::move(answer));
    };
}

net::handler remove(const runtime::services& s) {
    const net::to_command command = [](const net::request& r) -> expected<net::command_payload> {
        return net::command_payload{std::string(wire_name<remove_attachment>::value),
                                    to_json(remove_attachment{number_in_path(r)})};
    };
    return [change = net::change_entity(s, kind, command, 204, std::string(task_key_filter))](
               net::request r, net::responder respond) { change(std::move(r), without_body(std::move(respond))); };
}

const net::query_parameter number{"n", "Its number.", R"({"type":"string"})", R"("1")"};

} // namespace

std::vector<net::route> attachment_routes(const runtime::services& s) {
    const net::body_type raw{.name = "attachment_content",
                             .schema = nullptr,
                             .check = nullptr,
                             .bytes_max = limits::file_bytes_max,
                             .content_type = "application/octet-stream"};
    auto contents = raw;
    contents.other_types = {
        "text/plain; charset=utf-8", "image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"};
    return {{.verb = verb::get,
             .path = "/tasks/{id}/attachments",
             .operation = "list_attachments",
             .summary = "Lists the files of a task, oldest first.",
             .tag = tag,
             .permission = "task:read",
             .query = net::page_parameters(),
             .in_path = {task_in_path()},
             .reply = page_of<attachment_document>("attachment_list"),
             .errors = {code::not_found},
             .run = net::list_items(s, kind, std::string(attachments_collection), false, std::string(task_key_filter))},
            {.verb = verb::post,
             .path = "/tasks/{id}/attachments",
             .operation = "attach_file",
             .summary = "Puts a file to a task. The body is its content.",
             .tag = tag,
             .permission = "task:write",
             .query = {{"name", "The name of the file.", R"({"type":"string"})", R"("report.pdf")"}},
             .in_path = {task_in_path()},
             .body = raw,
             .reply = net::reply_of<attachment_document>("attachment"),
             .success = 201,
             .errors = {code::not_found, code::conflict, code::precondition_failed, code::quota_exceeded},
             .reply_headers = net::changed_headers(),
             .run = attach(s),
             .blocks = net::blocks_on_contents(s),
             .receive = receive(s)},
            {.verb = verb::get,
             .path = "/tasks/{id}/attachments/{n}",
             .operation = "get_attachment",
             .summary = "Gives the content of an attachment, or one range of it, as a download.",
             .tag = tag,
             .permission = "task:read",
             .in_path = {task_in_path(), number},
             .reply = contents,
             .errors = {code::not_found},
             .reply_headers = net::read_headers(),
             .ranges = true,
             .run = download(s),
             .blocks = net::blocks_on_contents(s)},
            {.verb = verb::del,
             .path = "/tasks/{id}/attachments/{n}",
             .operation = "remove_attachment",
             .summary = "Removes an attachment. Messages still say that it was there.",
             .tag = tag,
             .permission = "task:write",
             .in_path = {task_in_path(), number},
             .success = 204,
             .errors = {code::not_found, code::precondition_failed},
             .reply_headers = net::changed_headers(),
             .run = remove(s)}};
}

} // namespace troupe::actors
