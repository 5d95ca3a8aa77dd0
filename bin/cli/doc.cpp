#include "bin/cli/ask.hpp"
#include "bin/cli/find_project.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/render_run.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "net/client/http_client.hpp"
#include "schemas/document.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace troupe::cli {
namespace {

struct named_document {
    api* node = nullptr;
    uuid id;
    [[nodiscard]] std::string path(std::string_view rest = "") const {
        return "/documents/" + to_string(id) + std::string(rest);
    }
};

expected<named_document> find_document(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto id = resolve_document(**node, c.args().operand(0));
    return id ? expected<named_document>(named_document{*node, *id}) : expected<named_document>(id.error());
}

std::string word_of(document_type type) { return std::string(detail::enum_name(type)); }

std::string show_documents(context& c, const std::vector<document_document>& documents) {
    std::vector<uuid> ids;
    for (const auto& d : documents) {
        ids.push_back(d.id);
    }
    const auto length = short_length(ids);
    std::vector<std::vector<cell>> rows;
    for (const auto& d : documents) {
        rows.push_back({{short_id(d.id, length), tone::accent},
                        {word_of(d.type), tone::faint},
                        {d.title},
                        {std::to_string(d.version)},
                        {d.is_template               ? "template"
                         : d.visibility == "private" ? "private"
                                                     : "",
                         tone::warn},
                        {relative_time(d.updated_at, c.now()), tone::faint}});
    }
    return table(c.out_screen(),
                 {{"DOCUMENT"}, {"TYPE"}, {"TITLE", false, true, 12}, {"VERSION", true}, {""}, {"CHANGED"}}, rows);
}

std::string show_document(context& c, const document_document& d) {
    std::vector<std::string> shares;
    for (const auto& one : d.shared_with) {
        shares.push_back(fmt::format("{} ({})", to_string(one.user_id), detail::enum_name(one.access)));
    }
    const auto visibility = d.visibility == "private"
                                ? d.visibility
                                : fmt::format("{} ({})", d.visibility, detail::enum_name(d.organization_access));
    auto out = details(c.out_screen(),
                       {{"document", {d.title, tone::strong}},
                        {"id", {to_string(d.id), tone::accent}},
                        {"type", {word_of(d.type) + (d.is_template ? ", a template" : "")}},
                        {"labels", {fmt::format("{}", fmt::join(d.labels, ", "))}},
                        {"task", {d.task_id ? to_string(*d.task_id) : ""}},
                        {"project", {d.project_id ? to_string(*d.project_id) : ""}},
                        {"seen by", {visibility}},
                        {"shared with", {fmt::format("{}", fmt::join(shares, ", "))}},
                        {"version", {fmt::format("{} of {} bytes", d.version, d.bytes)}},
                        {"created", {fmt::format("{} by {}", relative_time(d.created_at, c.now()), d.created_by)}},
                        {"changed", {fmt::format("{} by {}", relative_time(d.updated_at, c.now()), d.updated_by)}}});
    return d.content && !d.content->empty() ? out + "\n" + clean(*d.content) + (d.content->ends_with('\n') ? "" : "\n")
                                            : out;
}

auto shown_document(context& c) {
    return [&c](const document_document& d) { return show_document(c, d); };
}

/// From --file, or standard input when nobody types there. A text of lines.
expected<std::optional<std::string>> given_content(context& c) {
    const auto file = c.args().value("file");
    if (!file && c.typed()) {
        return std::optional<std::string>();
    }
    auto text = text_of(c, file.value_or("-"));
    if (!text) {
        return text.error();
    }
    return !file && text->empty() ? std::nullopt : std::optional(text->empty() ? *text : *text + "\n");
}

/// NAME=VALUE of each --value.
expected<std::map<std::string, std::string>> given_values(context& c) {
    std::map<std::string, std::string> out;
    for (const auto& text : c.args().values("value")) {
        const auto at = text.find('=');
        if (at == std::string::npos || at == 0) {
            return problem{code::invalid_request, "--value takes NAME=VALUE."};
        }
        out[text.substr(0, at)] = text.substr(at + 1);
    }
    return out;
}

/// --type, or nothing.
expected<std::optional<document_type>> given_type(context& c) {
    const auto word = c.args().value("type");
    const auto type = word ? detail::enum_value<document_type>(*word) : std::nullopt;
    return word && !type ? problem{code::invalid_request, "--type takes deliverable, research or protocol."}
                         : expected<std::optional<document_type>>(type);
}

/// The ids of what --task, --project and --template name.
struct given_links {
    std::optional<uuid> task;
    std::optional<uuid> project;
    std::optional<uuid> source;
};

expected<given_links> find_links(context& c, api& node) {
    given_links out;
    const auto find = [&](std::string_view flag, std::optional<uuid>& into, auto resolve) -> expected<void> {
        const auto word = c.args().value(flag);
        const auto id = word ? resolve(*word) : expected<uuid>(uuid());
        if (!id) {
            return id.error();
        }
        into = word ? std::optional(*id) : std::nullopt;
        return {};
    };
    auto found = find("task", out.task, [&](const std::string& word) { return resolve_task(node, word); });
    found = found ? find("project", out.project,
                         [&](const std::string& word) -> expected<uuid> {
                             const auto project = find_project(node, word, c.search().working_folder);
                             return project ? expected<uuid>(project->id) : project.error();
                         })
                  : found;
    found =
        found ? find("from", out.source, [&](const std::string& word) { return resolve_document(node, word); }) : found;
    return found ? expected<given_links>(out) : found.error();
}

expected<int> doc_create(context& c) {
    const auto type = given_type(c);
    const auto values = type ? given_values(c) : expected<std::map<std::string, std::string>>(type.error());
    if (!values) {
        return c.usage(values.error());
    }
    auto node = c.node();
    const auto links = node ? find_links(c, **node) : expected<given_links>(node.error());
    auto content = !links          ? expected<std::optional<std::string>>(links.error())
                   : links->source ? std::optional<std::string>()
                                   : given_content(c);
    if (!content) {
        return content.error();
    }
    create_document_body body;
    body.title = c.args().text_from(0);
    body.type = *type;
    body.content = std::move(*content);
    body.labels = c.args().values("label");
    body.visibility = c.args().has("private") ? "private" : "organization";
    body.is_template = c.args().has("template");
    body.values = *values;
    body.task_id = links->task;
    body.project_id = links->project;
    body.template_id = links->source;
    return print_document<document_document>(c, (*node)->post("/documents", to_json(body)), shown_document(c));
}

expected<int> doc_list(context& c) {
    const auto type = given_type(c);
    if (!type) {
        return c.usage(type.error());
    }
    auto node = c.node();
    const auto links = node ? find_links(c, **node) : expected<given_links>(node.error());
    if (!links) {
        return links.error();
    }
    query_list query{{"type", *type ? word_of(**type) : ""},
                     {"label", c.args().value_or("label", "")},
                     {"is_template", c.args().has("templates") ? "true" : ""},
                     {"task_id", links->task ? to_string(*links->task) : ""},
                     {"project_id", links->project ? to_string(*links->project) : ""}};
    return print_list<document_document>(c, "/documents", std::move(query),
                                         "No documents. Make one with `troupe doc create TITLE --file FILE`.",
                                         [&](const auto& documents) { return show_documents(c, documents); });
}

expected<int> doc_show(context& c) {
    const auto version = c.args().number("version", 1, std::numeric_limits<std::uint32_t>::max());
    if (!version) {
        return c.usage(version.error());
    }
    const auto document = find_document(c);
    if (!document) {
        return document.error();
    }
    if (!*version) {
        return print_document<document_document>(c, document->node->get(document->path()), shown_document(c));
    }
    return print_document<document_version>(c,
                                            document->node->get(document->path(fmt::format("/versions/{}", **version))),
                                            [](const document_version& v) { return clean(v.content.value_or("")); });
}

/// A request with headers of its own; the answer with its headers.
expected<net::client_response> send_with(api& node, std::string method, const std::string& path, std::string body,
                                         std::vector<std::pair<std::string, std::string>> headers) {
    net::client_request request;
    request.method = std::move(method);
    request.url = node.where().url + std::string(base_path) + path;
    request.headers = std::move(headers);
    request.body = std::move(body);
    return node.exchange(std::move(request), [](const net::client_request& r) { return net::fetch(r); });
}

/// Whoever changes it meanwhile is not overwritten.
expected<int> doc_edit(context& c) {
    const auto document = find_document(c);
    const auto before = document ? send_with(*document->node, "GET", document->path(), "", {})
                                 : expected<net::client_response>(document.error());
    const auto shown = before ? from_json<document_document>(before->body, strictness::stored)
                              : expected<document_document>(before.error());
    if (!shown) {
        return shown.error();
    }
    const auto old = shown->content.value_or("");
    auto edited = edit_text(old, ".md");
    if (!edited) {
        return edited.error();
    }
    if (edited->text == old) {
        edited->remove();
        c.note("Nothing was changed.");
        return 0;
    }
    update_document_body body;
    body.content = edited->text;
    const auto tag = before->headers.find("etag");
    const auto answer = send_with(
        *document->node, "PUT", document->path(), to_json(body),
        {{"Content-Type", "application/json"}, {"If-Match", tag == before->headers.end() ? "*" : tag->second}});
    if (!answer) {
        c.note(fmt::format("Your text is in {}.", edited->path));
        return answer.error();
    }
    edited->remove();
    return print_document<document_document>(c, answer->body, shown_document(c));
}

expected<int> doc_diff(context& c) {
    const auto from = c.args().number("from", 1, std::numeric_limits<std::uint32_t>::max());
    const auto to = c.args().number("to", 1, std::numeric_limits<std::uint32_t>::max());
    if (!from || !to) {
        return c.usage(from ? to.error() : from.error());
    }
    const auto document = find_document(c);
    if (!document) {
        return document.error();
    }
    const auto text = [](const auto& number) { return number ? std::to_string(*number) : std::string(); };
    const auto path = with_query(document->path("/diff"), {{"from", text(*from)}, {"to", text(*to)}});
    return print_document<document_diff>(c, document->node->get(path), [&](const document_diff& d) {
        return d.diff.empty()               ? fmt::format("Nothing changed from version {} to {}.\n", d.from, d.to)
               : c.out_screen().interactive ? diff_text(c.out_screen(), d.diff, "", 0)
                                            : d.diff;
    });
}

expected<int> doc_versions(context& c) {
    const auto document = find_document(c);
    if (!document) {
        return document.error();
    }
    return print_list<document_version>(
        c, document->path("/versions"), {}, "No versions are kept.", [&](const auto& versions) {
            std::vector<std::vector<cell>> rows;
            for (const auto& v : versions) {
                rows.push_back({{std::to_string(v.version), tone::accent},
                                {std::to_string(v.bytes)},
                                {v.created_by},
                                {v.restored_from ? fmt::format("as version {}", *v.restored_from) : "", tone::faint},
                                {relative_time(v.created_at, c.now()), tone::faint}});
            }
            return table(c.out_screen(), {{"VERSION", true}, {"BYTES", true}, {"BY", false, true}, {""}, {"WRITTEN"}},
                         rows);
        });
}

expected<int> doc_restore(context& c) {
    const auto word = c.args().operand(1);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size() || number == 0) {
        return c.usage({code::invalid_request, "VERSION is a number; see `troupe doc versions`."});
    }
    const auto document = find_document(c);
    return document ? print_document<document_document>(
                          c, document->node->post(document->path("/restore"), to_json(restore_document_body{number})),
                          shown_document(c))
                    : expected<int>(document.error());
}

expected<int> doc_render(context& c) {
    const auto document = find_document(c);
    const auto page = document ? document->node->get(document->path("/render"), "text/html")
                               : expected<std::string>(document.error());
    if (!page) {
        return page.error();
    }
    c.json() ? c.print_json("{\"html\":" + json::quoted(*page) + "}") : c.print(clean(*page));
    return 0;
}

expected<int> doc_share(context& c) {
    const auto access = detail::enum_value<document_access>(c.args().value_or("access", "read"));
    share_document_body body;
    body.organization = c.args().has("everyone");
    const auto people = c.args().values("user");
    if (!access || (people.empty() && !body.organization)) {
        return c.usage({code::invalid_request,
                        access ? "Say with whom: --user, or --everyone." : "--access takes read, write or none."});
    }
    body.access = *access;
    const auto document = find_document(c);
    if (!document) {
        return document.error();
    }
    for (const auto& word : people) {
        const auto user = resolve_user(*document->node, word);
        if (!user) {
            return user.error();
        }
        body.user_ids.push_back(*user);
    }
    return print_document<document_document>(c, document->node->post(document->path("/share"), to_json(body)),
                                             shown_document(c));
}

expected<int> doc_delete(context& c) {
    const auto document = find_document(c);
    return document ? print_done(c, document->node->remove(document->path()), "The document is deleted.")
                    : expected<int>(document.error());
}

grammar one_document(std::vector<flag> flags = {}) {
    return {.flags = std::move(flags), .operands = "DOCUMENT", .operands_min = 1, .operands_max = 1};
}

} // namespace

std::vector<command> doc_commands() {
    const flag type{"type", "TYPE", "deliverable, research or protocol."};
    const flag task{"task", "TASK", "The task that it belongs to."};
    const flag project{"project", "DIR|ID|NAME", "The project that it belongs to.", 'p'};
    return {
        {"doc create",
         "Make a document of Markdown, from a file, standard input or a template.",
         {.flags = {{"file", "FILE", "The content; - is standard input.", 'f'},
                    type,
                    task,
                    project,
                    {"label", "L", "A label.", 0, true},
                    {"private", "", "Only you, those you share it with, and administrators see it."},
                    {"template", "", "Others are made of it: {{name}} stands for a value."},
                    {"from", "DOCUMENT", "The template to make it of."},
                    {"value", "NAME=VALUE", "What to put in place of {{NAME}}.", 0, true}},
          .operands = "TITLE",
          .operands_min = 1,
          .operands_max = any_number},
         "troupe doc create Rounding --type research --file rounding.md\n"
         "troupe doc create \"Report of May\" --from Report --value month=May",
         doc_create},
        {"doc list",
         "Documents, newest first.",
         {.flags = {type,
                    task,
                    project,
                    {"label", "L", "Only those with this label."},
                    {"templates", "", "Only templates."},
                    limit_flag()}},
         "troupe doc list --type protocol",
         doc_list},
        {"doc show", "A document and its content.",
         one_document({{"version", "N", "Only the content, as it was in this version."}}), "troupe doc show Rounding",
         doc_show},
        {"doc edit", "Change a document in your editor ($VISUAL or $EDITOR).", one_document(),
         "troupe doc edit Rounding", doc_edit},
        {"doc versions", "The versions of a document that are kept, newest first.", one_document({limit_flag()}),
         "troupe doc versions Rounding", doc_versions},
        {"doc diff", "What changed between two versions, by default in the newest one.",
         one_document({{"from", "N", "The older version."}, {"to", "N", "The newer version."}}),
         "troupe doc diff Rounding --from 1", doc_diff},
        {"doc restore",
         "Take up the content of an older version again.",
         {.operands = "DOCUMENT VERSION", .operands_min = 2, .operands_max = 2},
         "troupe doc restore Rounding 1",
         doc_restore},
        {"doc render", "A document as HTML that is safe to show.", one_document(), "troupe doc render Rounding",
         doc_render},
        {"doc share", "Let people read or write a document, or end that.",
         one_document({{"user", "EMAIL|ID", "A member of the organization.", 0, true},
                       {"everyone", "", "Everybody in the organization whose role sees documents."},
                       {"access", "ACCESS", "read (by default), write, or none."}}),
         "troupe doc share Rounding --user ann@example.org --access write\n"
         "troupe doc share Rounding --everyone --access none",
         doc_share},
        {"doc delete", "Delete a document with all its versions.", one_document(), "troupe doc delete Rounding",
         doc_delete},
    };
}

} // namespace troupe::cli
