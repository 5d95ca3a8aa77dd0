#include "actors/document/document_routes.hpp"

#include "actors/common/markdown.hpp"
#include "actors/common/model.hpp"
#include "actors/common/references.hpp"
#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "actors/document/document_list.hpp"
#include "actors/document/document_model.hpp"
#include "actors/document/template_text.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/unified_diff.hpp"
#include "schemas/organization.hpp"
#include "storage/blobs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::route;
using net::verb;

const std::string kind{document_kind};
const std::string plural = "documents";
/// Nothing is loaded and nothing runs, whatever a renderer lets through.
constexpr std::string_view page_policy =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

problem bad(const std::string& pointer, std::string what) { return {code::invalid_request, what, {{pointer, what}}}; }

/// What the handlers share. Immutable.
struct document_desk {
    const runtime::services& services;
    find_document_caller caller_of;
};
using desk = std::shared_ptr<const document_desk>;

/// A document that the caller may read.
struct readable {
    entity_address at;
    document_document document;
    document_access access = document_access::none;
};

expected<readable> open_document(const document_desk& me, const request& r, const uuid& id) {
    readable out{{r.who.organization, kind, id}, {}};
    auto found = read_stored<document_document>(*me.services.store, out.at);
    if (!found) {
        return found.error();
    }
    if (*found) {
        out.document = std::move(**found);
        out.access = access_of(me.caller_of(r.who), out.document.created_by, out.document.organization_access,
                               out.document.shared_with);
    }
    return out.access == document_access::none ? no_such(kind, id) : expected<readable>(std::move(out));
}

expected<readable> open_document(const document_desk& me, const request& r) {
    const auto id = net::resolve_id(me.services, r, kind);
    return id ? open_document(me, r, *id) : expected<readable>(id.error());
}

expected<document_version> open_version(const document_desk& me, const readable& from, std::uint64_t number) {
    auto found = read_stored<document_version>(*me.services.store, from.at, document_versions_collection,
                                               document_version_key(number));
    if (!found || !*found) {
        return found
                   ? problem{code::not_found, fmt::format("The document has no version {}; its newest is {}. List its "
                                                          "versions to see what is kept.",
                                                          number, from.document.version)}
                   : found.error();
    }
    auto content = storage::get_blob(*me.services.store, from.at.organization, (*found)->sha256, document_bytes_max);
    if (!content) {
        return content.error();
    }
    (*found)->content = std::move(*content);
    return std::move(**found);
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && out > 0 ? std::optional(out) : std::nullopt;
}

/// A number of a version in the query.
expected<std::uint64_t> version_in(const request& r, const std::string& name, std::uint64_t otherwise) {
    const auto text = r.query_value(name);
    const auto number = text ? number_of(*text) : std::optional(otherwise);
    return number ? expected<std::uint64_t>(*number)
                  : problem{code::invalid_request,
                            name + " has to be the number of a version.",
                            {{name, "is not the number of a version"}}};
}

expected<document_content> keep_content(const document_desk& me, const request& r, std::string_view content) {
    auto blob = storage::put_blob(*me.services.store, r.who.organization, content);
    return blob ? expected<document_content>(document_content{std::move(*blob), content.size()}) : blob.error();
}

expected<void> check_references(const document_desk& me, const request& r, const std::optional<uuid>& task,
                                const std::optional<uuid>& project) {
    auto named = check_named(me.services, r, "task", task);
    return named ? check_named(me.services, r, "project", project) : named;
}

// ---- bodies as commands

/// What a new document of a template takes from it.
expected<void> follow_template(const document_desk& me, const request& r, create_document_body& body) {
    if (body.content) {
        return bad("/content", "Give a content or a template_id, not both.");
    }
    const auto from = open_document(me, r, *body.template_id);
    if (!from && from.error().code == code::not_found) {
        return bad("/template_id", "There is no template " + to_string(*body.template_id) + ".");
    }
    if (!from) {
        return from.error();
    }
    if (!from->document.is_template) {
        return bad("/template_id", "The document '" + from->document.title + "' is no template.");
    }
    const auto text = open_version(me, *from, from->document.version);
    auto filled = text ? fill_template(*text->content, body.values) : expected<std::string>(text.error());
    if (!filled) {
        return filled.error();
    }
    body.content = std::move(*filled);
    body.type = body.type ? body.type : from->document.type;
    return {};
}

expected<net::command_payload> creation(const document_desk& me, const request& r) {
    auto body = from_json<create_document_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    if (body->visibility != "organization" && body->visibility != "private") {
        return bad("/visibility", "can be organization or private.");
    }
    if (!body->template_id && !body->values.empty()) {
        return bad("/values", "Values are for a template_id.");
    }
    auto good = check_references(me, r, body->task_id, body->project_id);
    good = good && body->template_id ? follow_template(me, r, *body) : good;
    auto content = good ? keep_content(me, r, body->content.value_or("")) : expected<document_content>(good.error());
    if (!content) {
        return content.error();
    }
    const auto access = body->visibility == "private" ? document_access::none : document_access::write;
    const create_document c{me.caller_of(r.who), body->title,   body->type.value_or(document_type::deliverable),
                            std::move(*content), body->task_id, body->project_id,
                            body->labels,        access,        body->is_template};
    return net::command_payload{std::string(wire_name<create_document>::value), to_json(c)};
}

expected<net::command_payload> update(const document_desk& me, const request& r) {
    auto body = from_json<update_document_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    const auto there = open_document(me, r); // nothing is stored in vain
    auto good = there ? check_references(me, r, body->task_id, body->project_id) : expected<void>(there.error());
    if (!good) {
        return good.error();
    }
    update_document c{me.caller_of(r.who), body->title,      body->type,   {},
                      body->task_id,       body->project_id, body->labels, body->is_template};
    if (body->content) {
        auto content = keep_content(me, r, *body->content);
        if (!content) {
            return content.error();
        }
        c.content = std::move(*content);
    }
    return net::command_payload{std::string(wire_name<update_document>::value), to_json(c)};
}

expected<net::command_payload> restoration(const document_desk& me, const request& r) {
    const auto body = from_json<restore_document_body>(r.body, strictness::input);
    return body ? expected<net::command_payload>(
                      net::command_payload{std::string(wire_name<restore_document>::value),
                                           to_json(restore_document{me.caller_of(r.who), body->version})})
                : body.error();
}

/// Whoever it is shared with has to be a member of the organization.
expected<net::command_payload> sharing(const document_desk& me, const request& r) {
    const auto body = from_json<share_document_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    const entity_address organization{system_organization, "organization", r.who.organization};
    for (std::size_t i = 0; body->access != document_access::none && i < body->user_ids.size(); ++i) {
        const auto member =
            storage::read_item(*me.services.store, organization, members_collection, to_string(body->user_ids[i]));
        if (!member || !*member) {
            return member ? bad(fmt::format("/user_ids/{}", i), "is no member of the organization.") : member.error();
        }
    }
    return net::command_payload{
        std::string(wire_name<share_document>::value),
        to_json(share_document{me.caller_of(r.who), body->user_ids, body->organization, body->access})};
}

expected<net::command_payload> deletion(const document_desk& me, const request& r) {
    return net::command_payload{std::string(wire_name<delete_document>::value),
                                to_json(delete_document{me.caller_of(r.who)})};
}

// ---- reads

/// Runs `next` when the caller may read the document.
net::handler guarded(desk me, net::handler next) {
    return [me = std::move(me), next = std::move(next)](request r, responder respond) {
        if (const auto found = open_document(*me, r); !found) {
            return respond(net::to_response(found.error(), r));
        }
        next(std::move(r), std::move(respond));
    };
}

/// With the content that it has now.
net::handler read_document(desk me) {
    return guarded(me, [me](const request& r, const responder& respond) {
        const auto add_content = [&](net::response answer) {
            if (answer.status != 200) {
                return respond(std::move(answer));
            }
            auto document = from_json<document_document>(answer.body, strictness::stored);
            const readable from{{r.who.organization, kind, document ? document->id : uuid()},
                                document ? *document : document_document()};
            auto newest =
                document ? open_version(*me, from, document->version) : expected<document_version>(document.error());
            if (!newest) {
                return respond(net::to_response(newest.error(), r));
            }
            document->content = std::move(newest->content);
            answer.body = to_json(*document);
            respond(std::move(answer));
        };
        net::read_entity(me->services, kind)(r, add_content);
    });
}

/// A handler that answers at once with what `make` gives of a document that the caller may read.
template <class Make>
net::handler answer_with(desk me, Make make) {
    return [me = std::move(me), make](const request& r, const responder& respond) {
        const auto found = open_document(*me, r);
        auto answer = found ? make(*me, *found, r) : expected<net::response>(found.error());
        respond(answer ? std::move(*answer) : net::to_response(answer.error(), r));
    };
}

expected<net::response> show_version(const document_desk& me, const readable& from, const request& r) {
    const auto number = number_of(r.param("n"));
    const auto found = open_version(me, from, number.value_or(0));
    return found ? expected<net::response>(net::response{.body = to_json(*found)}) : found.error();
}

expected<net::response> show_diff(const document_desk& me, const readable& from, const request& r) {
    const auto to = version_in(r, "to", from.document.version);
    const auto before = to ? version_in(r, "from", *to > 1 ? *to - 1 : 1) : to;
    const auto older = before ? open_version(me, from, *before) : expected<document_version>(before.error());
    const auto newer = older ? open_version(me, from, *to) : older;
    if (!newer) {
        return newer.error();
    }
    const document_diff out{*before, *to, unified_diff("document.md", *older->content, *newer->content)};
    return net::response{.body = to_json(out)};
}

expected<net::response> show_page(const document_desk& me, const readable& from, const request&) {
    const auto newest = open_version(me, from, from.document.version);
    if (!newest) {
        return newest.error();
    }
    net::response out{200, render_markdown(*newest->content), "text/html; charset=utf-8"};
    out.headers.emplace_back("Content-Security-Policy", page_policy);
    out.headers.emplace_back("X-Content-Type-Options", "nosniff");
    return out;
}

// ---- rows

route read_route(std::string path, std::string operation, std::string summary, net::body_type reply, net::handler run) {
    return {.verb = verb::get,
            .path = std::move(path),
            .operation = std::move(operation),
            .summary = std::move(summary),
            .tag = plural,
            .permission = "document:read",
            .reply = std::move(reply),
            .errors = {code::not_found},
            .run = std::move(run)};
}

std::vector<route> reading_routes(const desk& me) {
    const auto on_contents = net::blocks_on_contents(me->services);
    const auto always = [] { return true; }; // they take their time
    auto list =
        read_route("/documents", "list_documents", "Lists documents without their contents, newest first.",
                   page_of<document_document>("document_list"), [me](const request& r, const responder& respond) {
                       respond(list_documents(me->services, r, me->caller_of(r.who)));
                   });
    list.query = net::list_parameters(
        document_filters(), {{"type", json_schema<document_type>()}, {"is_template", R"({"type":"boolean"})"}});
    list.errors.clear();
    auto one = read_route("/documents/{id}", "get_document", "Shows a document with its content.",
                          net::reply_of<document_document>("document"), read_document(me));
    one.reply_headers = net::read_headers();
    one.blocks = on_contents;
    auto versions =
        read_route("/documents/{id}/versions", "list_document_versions",
                   "Lists the versions of a document's content that are kept, newest first.",
                   page_of<document_version>("document_version_list"),
                   guarded(me, net::list_items(me->services, kind, std::string(document_versions_collection), true)));
    versions.query = net::page_parameters();
    auto version =
        read_route("/documents/{id}/versions/{n}", "get_document_version", "Shows a version with its content.",
                   net::reply_of<document_version>("document_version"), answer_with(me, show_version));
    version.in_path = {{"n", "The number of the version.", R"({"type":"string"})", R"("1")"}};
    version.blocks = on_contents;
    auto diff = read_route("/documents/{id}/diff", "diff_document",
                           "Shows what changed between two versions, by default in the newest one.",
                           net::reply_of<document_diff>("document_diff"), answer_with(me, show_diff));
    const std::string number = R"({"type":"integer","minimum":1})";
    diff.query = {{"from", "The older version; the one before `to` when not given.", number},
                  {"to", "The newer version; the newest when not given.", number}};
    diff.blocks = always;
    net::body_type html{"document_html", [] { return std::string(R"({"type":"string"})"); }, nullptr};
    html.content_type = "text/html; charset=utf-8";
    html.example = R"("<h1>Rounding</h1>")";
    auto page = read_route("/documents/{id}/render", "render_document",
                           "Shows a document as HTML that is safe to show: no HTML of the document's own, no scripts, "
                           "no pictures, links to the web only.",
                           html, answer_with(me, show_page));
    page.blocks = always;
    return {std::move(list), std::move(one), std::move(versions), std::move(version), std::move(diff), std::move(page)};
}

std::vector<route> writing_routes(const desk& me) {
    const auto on_contents = net::blocks_on_contents(me->services);
    const auto as = [&](auto make) { return [me, make](const request& r) { return make(*me, r); }; };
    const auto change = [&](verb v, std::string path, std::string operation, std::string summary, net::body_type body,
                            net::to_command command) {
        return route{.verb = v,
                     .path = std::move(path),
                     .operation = std::move(operation),
                     .summary = std::move(summary),
                     .tag = plural,
                     .permission = "document:write",
                     .body = std::move(body),
                     .reply = net::reply_of<document_document>("document"),
                     .errors = {code::not_found, code::precondition_failed, code::quota_exceeded},
                     .reply_headers = net::changed_headers(),
                     .run = net::change_entity(me->services, kind, std::move(command)),
                     .blocks = on_contents};
    };
    const auto body = [](std::string name) {
        return net::body_of<update_document_body>(std::move(name), document_body_bytes_max);
    };
    return {
        {.verb = verb::post,
         .path = "/documents",
         .operation = "create_document",
         .summary = "Creates a document, perhaps of a template.",
         .tag = plural,
         .permission = "document:write",
         .body = net::body_of<create_document_body>("create_document", document_body_bytes_max),
         .reply = net::reply_of<document_document>("document"),
         .success = 201,
         .errors = {code::quota_exceeded},
         .reply_headers = net::created_headers(),
         .run = net::create_entity(me->services, kind, plural, "create_document", as(creation)),
         .blocks = on_contents},
        change(verb::put, "/documents/{id}", "update_document", "Replaces what is given.", body("update_document"),
               as(update)),
        change(verb::patch, "/documents/{id}", "patch_document", "Replaces what is given.", body("update_document"),
               as(update)),
        change(verb::post, "/documents/{id}/restore", "restore_document",
               "Takes up the content of an older version again, as a new version.",
               net::body_of<restore_document_body>("restore_document"), as(restoration)),
        change(verb::post, "/documents/{id}/share", "share_document",
               "Lets people or the whole organization read or write a document, or ends that.",
               net::body_of<share_document_body>("share_document"), as(sharing)),
        {.verb = verb::del,
         .path = "/documents/{id}",
         .operation = "delete_document",
         .summary = "Deletes a document with all its versions.",
         .tag = plural,
         .permission = "document:write",
         .success = 204,
         .errors = {code::not_found, code::precondition_failed},
         .reply_headers = net::changed_headers(),
         .run = net::change_entity(me->services, kind, as(deletion), 204)},
    };
}

} // namespace

std::vector<net::route> document_routes(const runtime::services& s, find_document_caller caller_of) {
    const auto me = std::make_shared<const document_desk>(s, std::move(caller_of));
    auto routes = reading_routes(me);
    std::ranges::move(writing_routes(me), std::back_inserter(routes));
    return routes;
}

} // namespace troupe::actors
