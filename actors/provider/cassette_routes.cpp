#include "actors/provider/cassette_routes.hpp"

#include "actors/common/routes.hpp"
#include "actors/provider/cassette.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/cassette.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

namespace fs = std::filesystem;

using net::verb;

constexpr std::size_t calls_shown_max = 1000;
constexpr std::size_t text_bytes_max = 300;

/// Reading files takes its time: not on an io thread.
bool always() { return true; }

cassette_document document_of(const fs::path& file, std::error_code& failed) {
    cassette_document out{file.stem().string(), fs::file_size(file, failed), {}};
    const auto changed = fs::last_write_time(file, failed);
    const auto since = std::chrono::file_clock::to_sys(changed).time_since_epoch();
    out.changed_at.ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
    return out;
}

std::string shortened(std::string text) {
    if (text.size() > text_bytes_max) {
        text = text.substr(0, text_bytes_max) + " …";
    }
    return text;
}

cassette_call_document shown(const cassette_entry& entry) {
    cassette_call_document out;
    out.model = entry.request.model;
    out.messages = entry.request.messages.size();
    out.asked = entry.request.messages.empty() ? "" : shortened(entry.request.messages.back().content);
    if (entry.reply) {
        out.answer = shortened(entry.reply->content);
        out.input_tokens = entry.reply->input_tokens;
        out.output_tokens = entry.reply->output_tokens;
        for (const auto& call : entry.reply->tool_calls) {
            out.tools.push_back(call.name);
        }
    }
    if (entry.problem) {
        out.problem = entry.problem->code + ": " + entry.problem->detail;
    }
    return out;
}

expected<fs::path> existing_file(const cassette_desk& desk, std::string_view name) {
    auto file = desk.file_of(name);
    std::error_code failed;
    if (!file || !fs::is_regular_file(*file, failed)) {
        return problem{code::not_found, fmt::format("There is no cassette \"{}\". See GET /cassettes.", name)};
    }
    return file;
}

expected<cassette_content_document> read(const cassette_desk& desk, std::string_view name) {
    const auto file = existing_file(desk, name);
    const auto text = file ? read_whole_file(*file, cassette_bytes_max) : expected<std::string>(file.error());
    const auto tape = text ? cassette::parse(*text) : expected<cassette>(text.error());
    if (!tape) {
        return tape.error();
    }
    std::error_code failed;
    cassette_content_document out;
    static_cast<cassette_document&>(out) = document_of(*file, failed);
    out.calls_count = tape->entries().size();
    for (const auto& entry : tape->entries()) {
        if (out.calls.size() < calls_shown_max) {
            out.calls.push_back(shown(entry));
        }
    }
    return out;
}

expected<std::vector<std::string>> list(const cassette_desk& desk) {
    std::vector<cassette_document> found;
    std::error_code failed;
    for (fs::directory_iterator at(desk.folder(), failed), end; !failed && at != end; at.increment(failed)) {
        std::error_code gone; // deleted meanwhile
        if (desk.file_of(at->path().stem().string()) && at->path().extension() == cassette_ending &&
            at->is_regular_file(gone)) {
            auto one = document_of(at->path(), gone);
            if (!gone) {
                found.push_back(std::move(one));
            }
        }
    }
    if (failed && !desk.folder().empty() && fs::exists(desk.folder())) {
        return problem{code::internal, fmt::format("The folder of cassettes {} cannot be read: {}",
                                                   desk.folder().string(), failed.message())};
    }
    std::ranges::sort(found, {}, &cassette_document::name);
    std::vector<std::string> items;
    for (const auto& one : found) {
        items.push_back(to_json(one));
    }
    return items;
}

expected<void> remove(const cassette_desk& desk, std::string_view name) {
    const auto file = existing_file(desk, name);
    if (!file) {
        return file.error();
    }
    std::error_code failed;
    fs::remove(*file, failed);
    return failed ? expected<void>(problem{
                        code::internal, fmt::format("The cassette {} cannot be deleted: {}", name, failed.message())})
                  : expected<void>{};
}

} // namespace

std::vector<net::route> cassette_routes(const cassette_desk& desk) {
    using net::request;
    using net::responder;
    using net::response;
    const std::string tag = "models";
    return {{.verb = verb::get,
             .path = "/cassettes",
             .operation = "list_cassettes",
             .summary = "The recorded model calls of this node, all on one page.",
             .tag = tag,
             .permission = "system:read",
             .reply = page_of<cassette_document>("cassettes"),
             .run =
                 [&desk](const request& r, const responder& respond) {
                     const auto items = list(desk);
                     respond(items ? response{.body = net::list_body(*items, std::nullopt)}
                                   : net::to_response(items.error(), r));
                 },
             .blocks = always},
            {.verb = verb::get,
             .path = "/cassettes/{name}",
             .operation = "get_cassette",
             .summary = "The calls of a cassette, in the order in which they were recorded.",
             .tag = tag,
             .permission = "system:read",
             .reply = net::reply_of<cassette_content_document>("cassette"),
             .errors = {code::not_found},
             .run =
                 [&desk](const request& r, const responder& respond) {
                     const auto found = read(desk, r.param("name"));
                     respond(found ? response{.body = to_json(*found)} : net::to_response(found.error(), r));
                 },
             .blocks = always},
            {.verb = verb::del,
             .path = "/cassettes/{name}",
             .operation = "delete_cassette",
             .summary = "Deletes a cassette's file on this node. Runs that play it fail at their next call.",
             .tag = tag,
             .permission = "system:admin",
             .success = 204,
             .errors = {code::not_found},
             .run =
                 [&desk](const request& r, const responder& respond) {
                     const auto gone = remove(desk, r.param("name"));
                     respond(gone ? response{.status = 204} : net::to_response(gone.error(), r));
                 },
             .blocks = always}};
}

} // namespace troupe::actors
