#include "actors/audit/audit_routes.hpp"

#include "actors/audit/audit_text.hpp"
#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "runtime/audit/audit_log.hpp"
#include "storage/audit_document.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

constexpr std::size_t waiting_max = 64;
/// What a request brings up to date before it reads, and how long it waits for a writer that is at it.
constexpr std::size_t catch_up_lines = 1000;
constexpr std::int64_t catch_up_wait_ms = 200;
constexpr std::size_t export_bytes_max = 64 << 20; ///< Of events.
constexpr std::size_t export_lines_max = 50'000;
constexpr std::size_t pdf_lines_max = 5'000;
constexpr std::size_t page_lines = 1000;

/// What was committed just now is there, unless the writer lags behind: after a first start on an old journal, or while
/// a shard cannot be written. Then what is there is shown.
void bring_up_to_date(const runtime::services& s) { (void)s.audit->catch_up(catch_up_lines, catch_up_wait_ms); }

uuid whose(const request& r, bool of_node) { return of_node ? system_organization : r.who.organization; }

problem bad_parameter(std::string_view name, std::string_view wanted) {
    return {code::invalid_request,
            std::string(name) + ": expected " + std::string(wanted),
            {{std::string(name), "expected " + std::string(wanted)}}};
}

expected<std::optional<timestamp>> time_in(const request& r, std::string_view name) {
    const auto text = r.query_value(name);
    if (!text) {
        return std::optional<timestamp>();
    }
    const auto time = parse_timestamp(*text);
    return time ? expected<std::optional<timestamp>>(time) : bad_parameter(name, "a time such as 2026-11-21T12:00:00Z");
}

/// The conditions of a request; all that are given have to hold.
struct audit_filter {
    std::map<std::string, std::string> equal;

    bool operator()(const storage::audit_line& line) const {
        const auto e = entry_of(line);
        return std::ranges::all_of(equal, [&](const auto& wanted) {
            const auto& [name, value] = wanted;
            return name == "principal" ? e.principal == value
                   : name == "action"  ? e.action == value
                   : name == "kind"    ? e.kind == value
                   : name == "entity"  ? to_string(e.entity_id) == value
                   : name == "result"  ? detail::enum_name(e.result) == value
                   : name == "address" ? e.address == value
                                       : e.request_id == value;
        });
    }
};

const std::vector<net::query_parameter>& filter_parameters() {
    static const std::vector<net::query_parameter> out{
        {"from", "This time or later.", R"({"type":"string","format":"date-time"})", R"("2026-11-21T00:00:00Z")"},
        {"until", "Before this time.", R"({"type":"string","format":"date-time"})", R"("2026-11-22T00:00:00Z")"},
        {"principal", "Who: `user/…`, `key/…`, `run/…`, `node`, `nobody`."},
        {"action", "The event, as `task_created` or `request_denied`."},
        {"kind", "Of the entity that changed, as `task`."},
        {"entity", "The id of that entity."},
        {"result", "`denied` is a request that was refused; `failure` a login, or a change of the cluster.",
         R"({"type":"string","enum":["success","failure","denied"]})", R"("denied")"},
        {"address", "From where."},
        {"request_id", "Of the outermost request."}};
    return out;
}

expected<storage::audit_query> query_of(const request& r, bool of_node) {
    storage::audit_query out;
    out.organization = whose(r, of_node);
    const auto from = time_in(r, "from");
    const auto until = time_in(r, "until");
    if (!from || !until) {
        return from ? until.error() : from.error();
    }
    out.from = *from;
    out.until = *until;
    audit_filter filter;
    for (const auto& p : filter_parameters()) {
        if (p.name != "from" && p.name != "until") {
            if (const auto value = r.query_value(p.name)) {
                filter.equal.emplace(p.name, *value);
            }
        }
    }
    if (!filter.equal.empty()) {
        out.keep = std::move(filter);
    }
    return out;
}

net::handler list(audit_desk& desk, bool of_node) {
    return [&desk, of_node](const request& r, const responder& respond) {
        const auto refuse = [&](const problem& p) { respond(net::to_response(p, r)); };
        const auto& s = desk.parts();
        const auto limit = net::page_limit(r);
        auto query = limit ? query_of(r, of_node) : expected<storage::audit_query>(limit.error());
        if (!query) {
            return refuse(query.error());
        }
        bring_up_to_date(s);
        query->limit = *limit;
        query->cursor = r.query_value("cursor").value_or("");
        query->descending = r.query_value("order").value_or("newest") == "newest";
        const auto page = storage::read_audit(*s.store, *query);
        if (!page) {
            return refuse(page.error());
        }
        std::vector<std::string> items;
        for (const auto& line : page->lines) {
            items.push_back(
                to_json(r.query_value("details") == "true" ? entry_with_details(*s.store, line) : entry_of(line)));
        }
        respond({200, net::list_body(items, page->next_cursor)});
    };
}

net::handler read_one(audit_desk& desk, bool of_node) {
    return [&desk, of_node](const request& r, const responder& respond) {
        const auto& s = desk.parts();
        const auto place = parse_audit_id(r.param("id"));
        const bool there = place && place->shard < s.store->who().shards;
        auto line = there ? storage::read_audit_line(*s.store, place->shard, whose(r, of_node), place->time, place->seq)
                          : expected<std::optional<storage::audit_line>>(std::nullopt);
        if (line && !*line) {
            line = problem{code::not_found, "there is no line '" + std::string(r.param("id")) + "' in this audit log"};
        }
        respond(line ? net::response{200, to_json(entry_with_details(*s.store, **line))}
                     : net::to_response(line.error(), r));
    };
}

expected<std::vector<audit_entry>> read_all(const runtime::services& s, storage::audit_query query, bool details,
                                            std::size_t max) {
    std::vector<audit_entry> out;
    std::size_t bytes = 0;
    query.limit = page_lines;
    while (true) {
        const auto page = storage::read_audit(*s.store, query);
        if (!page) {
            return page.error();
        }
        for (const auto& line : page->lines) {
            out.push_back(details ? entry_with_details(*s.store, line) : entry_of(line));
            bytes += out.back().details ? out.back().details->text.size() : 0;
            if (out.size() > max || bytes > export_bytes_max) {
                return problem{code::payload_too_large,
                               "this is more than the " + std::to_string(max) + " lines or " +
                                   std::to_string(export_bytes_max >> 20) +
                                   " MiB of one export of that format: give `from` and `until`, and export in parts"};
            }
        }
        if (!page->next_cursor) {
            return out;
        }
        query.cursor = *page->next_cursor;
    }
}

expected<net::response> exported(const runtime::services& s, const storage::audit_query& query,
                                 const std::string& format) {
    bring_up_to_date(s);
    const bool pdf = format == "pdf";
    const auto entries = read_all(s, query, !pdf, pdf ? pdf_lines_max : export_lines_max);
    if (!entries) {
        return entries.error();
    }
    net::response out;
    out.headers.emplace_back("Content-Disposition", "attachment; filename=\"audit." + format + "\"");
    if (format == "json") {
        out.body = to_json_array(*entries);
    } else if (format == "csv") {
        out.content_type = "text/csv; charset=utf-8";
        out.body = to_csv(*entries);
    } else {
        auto made = to_pdf(*entries, "Audit log of " + to_string(query.organization));
        if (!made) {
            return made.error();
        }
        out.content_type = "application/pdf";
        out.body = std::move(*made);
    }
    return out;
}

net::handler export_lines(audit_desk& desk, bool of_node) {
    return [&desk, of_node](const request& r, const responder& respond) {
        auto query = query_of(r, of_node);
        if (!query) {
            return respond(net::to_response(query.error(), r));
        }
        query->descending = false;
        const auto begun = desk.run(whose(r, of_node), respond,
                                    [&s = desk.parts(), query = std::move(*query), r,
                                     format = std::string(r.query_value("format").value_or("csv"))] {
                                        auto made = exported(s, query, format);
                                        return made ? std::move(*made) : net::to_response(made.error(), r);
                                    });
        if (!begun) {
            respond(net::to_response(begun.error(), r));
        }
    };
}

net::handler anchor(audit_desk& desk, bool of_node) {
    return [&desk, of_node](const request& r, const responder& respond) {
        const auto& s = desk.parts();
        bring_up_to_date(s);
        const auto heads = storage::read_audit_heads(*s.store, whose(r, of_node));
        if (!heads) {
            return respond(net::to_response(heads.error(), r));
        }
        audit_anchor_document out;
        out.at = system_now();
        for (const auto& h : *heads) {
            out.chains.push_back(storage::to_document(h));
        }
        out.digest = digest_of(out.chains);
        respond({200, to_json(out)});
    };
}

net::handler verify(audit_desk& desk, bool of_node) {
    return [&desk, of_node](const request& r, const responder& respond) {
        const auto body = from_json<verify_audit_body>(r.body, strictness::input);
        auto known =
            body ? storage::read_anchor(body->chains) : expected<std::vector<storage::audit_head>>(body.error());
        if (!known) {
            return respond(net::to_response(known.error(), r));
        }
        const auto begun = desk.run(
            whose(r, of_node), respond, [&s = desk.parts(), known = std::move(*known), who = whose(r, of_node)] {
                const auto found = storage::verify_audit(*s.store, who, known, [](std::uint64_t) {});
                return net::response{200, to_json(storage::to_document(found))};
            });
        if (!begun) {
            respond(net::to_response(begun.error(), r));
        }
    };
}

/// The routes of one audit log: an organization's, or the node's own.
std::vector<net::route> routes_of(audit_desk& desk, bool of_node) {
    const std::string base = of_node ? "/system/audit" : "/audit";
    const std::string permission = of_node ? "system:audit" : "audit:inspect";
    const std::string suffix = of_node ? "_of_node" : "";
    const std::string tag = "audit";
    auto listed = net::page_parameters();
    listed.insert(listed.end(), filter_parameters().begin(), filter_parameters().end());
    listed.push_back({"order", "The newest first, or the oldest.", R"({"type":"string","enum":["newest","oldest"]})"});
    listed.push_back({"details", "With the events themselves.", R"({"type":"boolean"})"});
    auto exported_by = filter_parameters();
    exported_by.push_back(
        {"format", "Of the file; csv without it.", R"({"type":"string","enum":["csv","json","pdf"]})", R"("csv")"});
    const std::string of_what = of_node ? " of the node: people, sessions, and requests of nobody" : "";
    return {
        {.verb = verb::get,
         .path = base,
         .operation = "list_audit" + suffix,
         .summary =
             "The audit log" + of_what + ": every change and every refused request, with who, when and from where.",
         .tag = tag,
         .permission = permission,
         .query = listed,
         .reply = page_of<audit_entry>("audit_list"),
         .run = list(desk, of_node)},
        {.verb = verb::get,
         .path = base + "/export",
         .operation = "export_audit" + suffix,
         .summary = "Lines of the audit log as a file, the oldest first.",
         .tag = tag,
         .permission = permission,
         .query = exported_by,
         .reply = net::body_type{.name = "audit_file",
                                 .schema = [] { return std::string(R"({"type":"string"})"); },
                                 .check = nullptr,
                                 .content_type = "text/csv",
                                 .other_types = {"application/json", "application/pdf"}},
         .errors = {code::payload_too_large, code::overloaded},
         .run = export_lines(desk, of_node)},
        {.verb = verb::get,
         .path = base + "/anchor",
         .operation = "audit_anchor" + suffix,
         .summary = "Where all chains end now: kept elsewhere, it shows later that nothing before was changed.",
         .tag = tag,
         .permission = permission,
         .reply = net::reply_of<audit_anchor_document>("audit_anchor"),
         .run = anchor(desk, of_node)},
        {.verb = verb::post,
         .path = base + "/verify",
         .operation = "verify_audit" + suffix,
         .summary = "Reads the whole audit log: whether a line was changed, taken out or cut off.",
         .tag = tag,
         .permission = permission,
         .body = net::body_of<verify_audit_body>("verify_audit"),
         .reply = net::reply_of<audit_verification_document>("audit_verification"),
         .errors = {code::overloaded},
         .run = verify(desk, of_node)},
        {.verb = verb::get,
         .path = base + "/{id}",
         .operation = "get_audit_entry" + suffix,
         .summary = "One line of the audit log with the event itself, while its history is kept.",
         .tag = tag,
         .permission = permission,
         .reply = net::reply_of<audit_entry>("audit_entry"),
         .errors = {code::not_found},
         .run = read_one(desk, of_node)},
    };
}

} // namespace

expected<void> audit_desk::run(const uuid& organization, net::responder respond, std::function<net::response()> job) {
    {
        const std::lock_guard lock(mutex_);
        if (busy_.size() >= waiting_max || !busy_.insert(organization).second) {
            return problem{code::overloaded,
                           "an export or a verification of this audit log is under way: try again when it is done",
                           {},
                           5};
        }
    }
    threads_.post([this, organization, respond = std::move(respond), job = std::move(job)] {
        auto answer = job();
        {
            const std::lock_guard lock(mutex_);
            busy_.erase(organization); // before the caller can come again
        }
        respond(std::move(answer));
    });
    return {};
}

std::vector<net::route> audit_routes(audit_desk& desk) {
    auto out = routes_of(desk, false);
    auto node = routes_of(desk, true);
    std::move(node.begin(), node.end(), std::back_inserter(out));
    return out;
}

} // namespace troupe::actors
