#include "actors/compliance/compliance_routes.hpp"

#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "actors/compliance/compliance_model.hpp"
#include "actors/compliance/compliance_text.hpp"
#include "net/http/handlers.hpp"
#include "schemas/auth.hpp"
#include "schemas/user.hpp"

#include <charconv>
#include <iterator>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

uuid whose(const request& r, bool of_node) { return of_node ? system_organization : r.who.organization; }

/// What the account or the key is called now; nothing when it is gone.
std::optional<std::string> name_of(const storage::store& s, std::string_view subject) {
    const auto slash = subject.find('/');
    const auto id = slash == std::string_view::npos ? std::nullopt : parse_uuid(subject.substr(slash + 1));
    if (id && subject.starts_with("user/")) {
        const auto user = read_stored<user_document>(s, {system_organization, "user", *id});
        return user && *user ? std::optional((*user)->email) : std::nullopt;
    }
    if (id && subject.starts_with("api_key/")) {
        const auto key = read_stored<api_key_document>(s, {system_organization, "api_key", *id});
        return key && *key ? std::optional((*key)->name) : std::nullopt;
    }
    return std::nullopt;
}

void put_names(const storage::store& s, compliance_evaluation& evaluation) {
    for (auto& check : evaluation.checks) {
        for (auto& subject : check.subjects) {
            subject.name = name_of(s, subject.id);
        }
    }
}

/// Nothing was evaluated yet: an empty document, which says so.
expected<compliance_document> document_of(const runtime::services& s, const uuid& organization) {
    auto found = read_stored<compliance_document>(*s.store, compliance_address(organization));
    if (!found) {
        return found.error();
    }
    auto out = found->value_or(compliance_document{});
    out.subject = organization == system_organization ? "node" : "organization/" + to_string(organization);
    if (out.latest) {
        put_names(*s.store, *out.latest);
    }
    return out;
}

net::handler show(const runtime::services& s, bool of_node) {
    return [&s, of_node](const request& r, const responder& respond) {
        const auto document = document_of(s, whose(r, of_node));
        respond(document ? net::response{200, to_json(*document)} : net::to_response(document.error(), r));
    };
}

net::handler evaluate(const runtime::services& s, bool of_node) {
    return [&s, of_node](const request& r, const responder& respond) {
        auto c = net::make_command(r, compliance_address(whose(r, of_node)), wire_name<evaluate_compliance>::value,
                                   to_json(evaluate_compliance{}));
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        s.submit(std::move(*c), [&s, r, respond](const runtime::reply& done) {
            auto document = done ? from_json<compliance_document>(done->document, strictness::stored)
                                 : expected<compliance_document>(done.error());
            if (!document) {
                return respond(net::to_response(document.error(), r));
            }
            if (document->latest) {
                put_names(*s.store, *document->latest);
            }
            respond({202, to_json(*document)});
        });
    };
}

net::handler history(const runtime::services& s, bool of_node) {
    return [&s, of_node](const request& r, const responder& respond) {
        const auto limit = net::page_limit(r);
        auto page = limit ? storage::read_items(*s.store, {compliance_address(whose(r, of_node)),
                                                           std::string(summaries_collection), true, *limit,
                                                           std::string(r.query_value("cursor").value_or(""))})
                          : expected<storage::item_page>(limit.error());
        respond(page ? net::response{200, net::list_body(page->items, page->next_cursor)}
                     : net::to_response(page.error(), r));
    };
}

problem no_evaluation(const std::optional<std::string_view>& number) {
    if (!number) {
        return {code::not_found, "Nothing was evaluated yet: POST …/compliance/evaluate begins."};
    }
    return {code::not_found, "There is no evaluation " + std::string(*number) +
                                 ", or it is shown no more: GET …/compliance/history has those that are."};
}

expected<compliance_evaluation> wanted_evaluation(const runtime::services& s, const uuid& organization,
                                                  const std::optional<std::string_view>& number) {
    if (!number) {
        auto document = document_of(s, organization);
        if (!document) {
            return document.error();
        }
        return document->latest ? expected<compliance_evaluation>(std::move(*document->latest)) : no_evaluation(number);
    }
    std::uint64_t n = 0;
    const auto [end, error] = std::from_chars(number->data(), number->data() + number->size(), n);
    if (error != std::errc() || end != number->data() + number->size() || n == 0) {
        return problem{code::invalid_request,
                       "number: expected the number of an evaluation, from 1",
                       {{"number", "is no number of an evaluation"}}};
    }
    auto found = read_stored<compliance_evaluation>(*s.store, compliance_address(organization), evaluations_collection,
                                                    evaluation_key(n));
    if (!found) {
        return found.error();
    }
    if (!*found) {
        return no_evaluation(number);
    }
    put_names(*s.store, **found);
    return std::move(**found);
}

net::handler export_one(const runtime::services& s, bool of_node) {
    return [&s, of_node](const request& r, const responder& respond) {
        const auto organization = whose(r, of_node);
        const auto found = wanted_evaluation(s, organization, r.query_value("number"));
        if (!found) {
            return respond(net::to_response(found.error(), r));
        }
        const bool csv = r.query_value("format") == "csv";
        const auto subject = of_node ? std::string("node") : "organization/" + to_string(organization);
        net::response out{200, csv ? evaluation_csv(subject, *found) : to_json(*found),
                          csv ? "text/csv; charset=utf-8" : "application/json"};
        out.headers.emplace_back("Content-Disposition", "attachment; filename=\"compliance-" +
                                                            std::to_string(found->number) + (csv ? ".csv" : ".json") +
                                                            "\"");
        respond(std::move(out));
    };
}

std::vector<net::route> routes_of(const runtime::services& s, bool of_node) {
    const std::string base = of_node ? "/system/compliance" : "/organizations/{id}/compliance";
    const std::string suffix = of_node ? "_of_node" : "";
    const std::string whom = of_node ? "the node" : "the organization";
    const std::string reading = of_node ? "system:read" : "compliance:inspect";
    const std::string changing = of_node ? "system:admin" : "compliance:evaluate";
    const std::vector<net::query_parameter> in_path =
        of_node ? std::vector<net::query_parameter>()
                : std::vector<net::query_parameter>{{"id", "Id or slug.", R"({"type":"string"})", R"("acme")"}};
    auto exported = net::reply_of<compliance_evaluation>("compliance_evaluation");
    exported.other_types = {"text/csv"};
    const std::string tag = "compliance";
    return {{.verb = verb::get,
             .path = base,
             .operation = "get_compliance" + suffix,
             .summary = "What the compliance monitor found of " + whom + " last, with evidence and what to do.",
             .description = "Each check has a weight; the score is the share of what passes, a warning counting half. "
                            "Without an evaluation yet `latest` is not there.",
             .tag = tag,
             .permission = reading,
             .in_path = in_path,
             .reply = net::reply_of<compliance_document>("compliance"),
             .errors = {code::not_found},
             .run = show(s, of_node)},
            {.verb = verb::post,
             .path = base + "/evaluate",
             .operation = "evaluate_compliance" + suffix,
             .summary = "Begins an evaluation of " + whom + "; one that is under way is not begun again.",
             .description = "It is over when GET no longer shows `evaluating`. Also after a crash: it is owed until it "
                            "is done.",
             .tag = tag,
             .permission = changing,
             .in_path = in_path,
             .reply = net::reply_of<compliance_document>("compliance"),
             .success = 202,
             .errors = {code::not_found},
             .run = evaluate(s, of_node)},
            {.verb = verb::get,
             .path = base + "/history",
             .operation = "compliance_history" + suffix,
             .summary = "The scores of " + whom + ", the newest first; the last 400 evaluations are shown.",
             .tag = tag,
             .permission = reading,
             .query = net::page_parameters(),
             .in_path = in_path,
             .reply = page_of<compliance_summary>("compliance_history"),
             .errors = {code::not_found},
             .run = history(s, of_node)},
            {.verb = verb::get,
             .path = base + "/export",
             .operation = "export_compliance" + suffix,
             .summary = "An evaluation of " + whom + " as a file; the last one without `number`.",
             .tag = tag,
             .permission = reading,
             .query = {{"format", "`csv` for a table.", R"({"type":"string","enum":["json","csv"]})", R"("json")"},
                       {"number", "Of the evaluation.", R"({"type":"integer","minimum":1})"}},
             .in_path = in_path,
             .reply = std::move(exported),
             .errors = {code::not_found},
             .run = export_one(s, of_node)}};
}

} // namespace

std::vector<net::route> compliance_routes(const runtime::services& s) {
    auto out = routes_of(s, false);
    auto node = routes_of(s, true);
    std::move(node.begin(), node.end(), std::back_inserter(out));
    return out;
}

} // namespace troupe::actors
