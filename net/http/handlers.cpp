#include "net/http/handlers.hpp"

#include "schemas/base/limits.hpp"
#include "storage/blob_peers.hpp"
#include "storage/record.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace troupe::net {

namespace {

constexpr std::string_view replayed_header = "Idempotent-Replayed";

std::string etag(std::uint64_t version) { return "\"" + std::to_string(version) + "\""; }

/// Of ASCII letters, as names are compared.
std::string lower_case(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

problem no_such(std::string_view kind, std::string_view id) {
    return {code::not_found,
            "there is no " + std::string(kind) + " '" + std::string(id) + "'; see the list for what there is"};
}

/// `If-None-Match` as RFC 9110, 13.1.2: "*", or a list in which a tag may be weak.
bool none_match(std::string_view header, std::string_view tag) {
    for (std::string_view rest = header; !rest.empty();) {
        const auto comma = std::min(rest.find(','), rest.size());
        auto one = rest.substr(0, comma);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        one.remove_prefix(std::min(one.find_first_not_of(" \t"), one.size()));
        one = one.substr(0, one.find_last_not_of(" \t") + 1);
        if (one.starts_with("W/")) {
            one.remove_prefix(2);
        }
        if (one == tag || one == "*") {
            return true;
        }
    }
    return false;
}

/// With or without quotes.
std::optional<std::uint64_t> version_of_etag(std::string_view text) {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
        text = text.substr(1, text.size() - 2);
    }
    std::uint64_t version = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole ? std::optional(version) : std::nullopt;
}

/// The version of an `If-Match` header; "*" is any.
expected<std::optional<std::uint64_t>> if_match(const request& r) {
    auto value = r.header("if-match");
    if (!value || *value == "*") {
        return std::optional<std::uint64_t>();
    }
    const auto version = version_of_etag(*value);
    if (!version) {
        return problem{code::precondition_failed,
                       "If-Match is not an ETag of this API; send the ETag of the last read as it was"};
    }
    return version;
}

std::uint64_t hash_of(const request& r) {
    const auto digest = sha256(std::string(name_of(r.verb)) + '\n' + r.path + '\n' + r.body);
    std::uint64_t out = 0;
    std::memcpy(&out, digest.data(), sizeof out);
    return out;
}

/// The value of a document's member as a filter sees it.
std::string member_text(const json::value& document, const std::string& name) {
    const auto member = document.find(name);
    if (!member) {
        return {};
    }
    const auto text = member->as_string();
    return text ? std::string(*text) : member->dump();
}

} // namespace

expected<uuid> resolve_id(const runtime::services& s, const request& r, std::string_view kind,
                          std::string_view name_filter) {
    const auto text = r.param("id");
    if (auto id = parse_uuid(text)) {
        return *id;
    }
    if (!name_filter.empty() && !text.empty()) {
        storage::list_query query;
        query.organization = r.who.organization;
        query.kind = kind;
        query.limit = 1;
        for (const auto& name : {std::string(text), lower_case(text)}) {
            query.filter = std::string(name_filter) + "=" + name;
            auto found = storage::read_list(*s.store, query);
            if (!found) {
                return found.error();
            }
            if (!found->items.empty()) {
                return found->items.front().id;
            }
        }
    }
    return no_such(kind, text);
}

uuid id_for_create(const request& r, std::string_view operation) {
    const auto key = r.header("idempotency-key");
    return key ? derive_uuid({to_string(r.who.organization), r.who.name, operation, *key}) : make_uuid();
}

runtime::command caller_command(const request& r, entity_address to, std::string_view type, std::string payload) {
    runtime::command c;
    c.to = std::move(to);
    c.type = type;
    c.payload = std::move(payload);
    c.principal = r.who.name;
    c.correlation = r.id;
    c.trace = r.trace;
    c.client = r.client();
    c.deadline_ms = r.deadline_ms;
    return c;
}

expected<runtime::command> make_command(const request& r, entity_address to, std::string_view type,
                                        std::string payload) {
    auto version = if_match(r);
    if (!version) {
        return version.error();
    }
    auto c = caller_command(r, std::move(to), type, std::move(payload));
    if (const auto key = r.header("idempotency-key")) {
        if (key->empty() || key->size() > limits::command_id_bytes_max) {
            return problem{code::invalid_request,
                           "Idempotency-Key has to have 1 to " + std::to_string(limits::command_id_bytes_max) +
                               " bytes",
                           {{"Idempotency-Key", "is empty or too long"}}};
        }
        c.id = storage::caller_command_id(c.to.organization, r.who.name, *key);
        c.request_hash = hash_of(r);
    }
    c.if_match = *version;
    return c;
}

std::optional<std::uint64_t> version_made(const response& answer) {
    std::optional<std::uint64_t> version;
    for (const auto& [name, value] : answer.headers) {
        if (name == replayed_header) {
            return {};
        }
        if (name == "ETag") {
            version = version_of_etag(value);
        }
    }
    return answer.status < 300 ? version : std::nullopt;
}

void submit_and_answer(const runtime::services& s, request r, runtime::command c, int status, std::string location,
                       responder respond) {
    s.submit(std::move(c), [r = std::move(r), status, location = std::move(location),
                            respond = std::move(respond)](runtime::reply answer) {
        if (!answer) {
            respond(to_response(answer.error(), r));
            return;
        }
        response out;
        out.status = status;
        out.body = std::move(answer->document);
        out.headers.emplace_back("ETag", etag(answer->version));
        if (!location.empty()) {
            out.headers.emplace_back("Location", "/api/v1" + location);
        }
        if (answer->repeated) {
            out.headers.emplace_back(replayed_header, "true");
        }
        respond(std::move(out));
    });
}

std::function<bool()> blocks_on_contents(const runtime::services& s) {
    return [&s] { return storage::blob_peers_of(*s.store) != nullptr; };
}

std::vector<std::string> read_headers() { return {"ETag"}; }

std::vector<std::string> changed_headers() { return {"ETag", std::string(replayed_header)}; }

std::vector<std::string> created_headers() { return {"ETag", "Location", std::string(replayed_header)}; }

handler create_entity(const runtime::services& s, std::string kind, std::string plural, std::string operation,
                      to_command make) {
    return [&s, kind, plural, operation, make = std::move(make)](request r, responder respond) {
        auto payload = make(r);
        const auto id = id_for_create(r, operation);
        auto c = payload ? make_command(r, {r.who.organization, kind, id}, payload->type, std::move(payload->payload))
                         : expected<runtime::command>(payload.error());
        if (!c) {
            respond(to_response(c.error(), r));
            return;
        }
        submit_and_answer(s, std::move(r), std::move(*c), 201, "/" + plural + "/" + to_string(id), std::move(respond));
    };
}

handler change_entity(const runtime::services& s, std::string kind, to_command make, int status,
                      std::string name_filter) {
    return [&s, kind, make = std::move(make), status, name_filter](request r, responder respond) {
        auto id = resolve_id(s, r, kind, name_filter);
        auto payload = id ? make(r) : expected<command_payload>(id.error());
        auto c = payload ? make_command(r, {r.who.organization, kind, *id}, payload->type, std::move(payload->payload))
                         : expected<runtime::command>(payload.error());
        if (!c) {
            respond(to_response(c.error(), r));
            return;
        }
        submit_and_answer(s, std::move(r), std::move(*c), status, {}, std::move(respond));
    };
}

to_command body_as(std::string type) {
    return [type = std::move(type)](const request& r) -> expected<command_payload> {
        return command_payload{type, r.body.empty() ? "{}" : r.body};
    };
}

to_command empty_command(std::string type) {
    return [type = std::move(type)](const request&) -> expected<command_payload> {
        return command_payload{type, "{}"};
    };
}

handler read_entity(const runtime::services& s, std::string kind, std::string name_filter) {
    return [&s, kind, name_filter](request r, responder respond) {
        auto id = resolve_id(s, r, kind, name_filter);
        auto document = id ? storage::read_document(*s.store, {r.who.organization, kind, *id})
                           : expected<std::optional<storage::stored_document>>(id.error());
        if (!document || !*document) {
            respond(to_response(document ? no_such(kind, r.param("id")) : document.error(), r));
            return;
        }
        response out;
        const auto tag = etag((*document)->version);
        out.headers.emplace_back("ETag", tag);
        if (none_match(r.header("if-none-match").value_or(""), tag)) {
            out.status = 304;
        } else {
            out.body = std::move((*document)->json);
        }
        respond(std::move(out));
    };
}

expected<std::size_t> page_limit(const request& r) {
    const auto text = r.query_value("limit");
    if (!text) {
        return limits::page_default;
    }
    std::size_t limit = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (error != std::errc() || end != text->data() + text->size() || limit == 0 || limit > limits::page_max) {
        return problem{code::invalid_request,
                       "limit has to be a number from 1 to " + std::to_string(limits::page_max),
                       {{"limit", "is not a number from 1 to " + std::to_string(limits::page_max)}}};
    }
    return limit;
}

std::string list_body(const std::vector<std::string>& items, const std::optional<std::string>& next_cursor) {
    std::string out = R"({"items":[)";
    for (const auto& item : items) {
        if (out.back() != '[') {
            out += ',';
        }
        out += item;
    }
    out += R"(],"next_cursor":)";
    out += next_cursor ? json::quoted(*next_cursor) : "null";
    out += '}';
    return out;
}

namespace {

expected<storage::list_query> query_of(const request& r, const std::string& kind,
                                       const std::vector<std::string>& filters) {
    storage::list_query query;
    query.organization = r.who.organization;
    query.kind = kind;
    auto limit = page_limit(r);
    if (!limit) {
        return limit.error();
    }
    query.limit = *limit;
    query.cursor = r.query_value("cursor").value_or("");
    const auto sort = r.query_value("sort").value_or("-created_at");
    if (sort != "created_at" && sort != "-created_at") {
        return problem{code::invalid_request,
                       "sort can be created_at or -created_at",
                       {{"sort", "can be created_at or -created_at"}}};
    }
    query.descending = sort.front() == '-';
    std::vector<std::pair<std::string, std::string>> rest;
    for (const auto& name : filters) {
        if (const auto value = r.query_value(name)) {
            if (query.filter.empty()) {
                query.filter = name + "=" + std::string(*value);
            } else {
                rest.emplace_back(name, *value);
                query.kept += name + "=" + std::string(*value) + "\n";
            }
        }
    }
    if (!rest.empty()) {
        query.keep = [rest](const storage::stored_document& d) {
            const auto parsed = json::document::parse(d.json);
            return parsed && std::all_of(rest.begin(), rest.end(), [&](const auto& f) {
                       return member_text(parsed->root(), f.first) == f.second;
                   });
        };
    }
    return query;
}

} // namespace

namespace {

/// Puts further conditions beside those that the query has.
void keep_also(storage::list_query& query, const request& r, const further_filters& more) {
    const bool asked = std::any_of(more.names.begin(), more.names.end(), [&](const auto& name) {
        const auto value = r.query_value(name);
        query.kept += value ? name + "=" + std::string(*value) + "\n" : "";
        return value.has_value();
    });
    if (!asked) {
        return;
    }
    query.keep = [&r, &more, before = std::move(query.keep)](const storage::stored_document& d) {
        return (!before || before(d)) && more.keep(r, d.json);
    };
}

} // namespace

handler list_entities(const runtime::services& s, std::string kind, std::vector<std::string> filters,
                      further_filters more) {
    return [&s, kind, filters, more](request r, responder respond) {
        auto query = query_of(r, kind, filters);
        if (query) {
            keep_also(*query, r, more);
        }
        auto page = query ? storage::read_list(*s.store, *query) : expected<storage::list_page>(query.error());
        if (!page) {
            respond(to_response(page.error(), r));
            return;
        }
        std::vector<std::string> items;
        for (auto& item : page->items) {
            items.push_back(std::move(item.json));
        }
        response out;
        out.body = list_body(items, page->next_cursor);
        respond(std::move(out));
    };
}

std::vector<query_parameter> page_parameters() {
    return {{"limit", "Items per page, 1 to " + std::to_string(limits::page_max) + ".",
             R"({"type":"integer","minimum":1,"maximum":)" + std::to_string(limits::page_max) + R"(,"default":)" +
                 std::to_string(limits::page_default) + "}"},
            {"cursor", "`next_cursor` of the page before."}};
}

std::vector<query_parameter> list_parameters(const std::vector<std::string>& filters,
                                             const std::map<std::string, std::string>& schemas) {
    auto out = page_parameters();
    out.push_back({"sort", "Order by time of creation; newest first by default.",
                   R"({"type":"string","enum":["created_at","-created_at"],"default":"-created_at"})"});
    for (const auto& name : filters) {
        const auto schema = schemas.find(name);
        out.push_back({name, "Only those with this value."});
        if (schema != schemas.end()) {
            out.back().schema = schema->second;
        }
    }
    return out;
}

handler list_items(const runtime::services& s, std::string kind, std::string collection, bool newest_first,
                   std::string name_filter) {
    return [&s, kind, collection, newest_first, name_filter](request r, responder respond) {
        auto id = resolve_id(s, r, kind, name_filter);
        auto limit = id ? page_limit(r) : expected<std::size_t>(id.error());
        if (!limit) {
            respond(to_response(limit.error(), r));
            return;
        }
        const entity_address a{r.who.organization, kind, *id};
        auto owner = storage::read_document(*s.store, a);
        if (!owner || !*owner) {
            respond(to_response(owner ? no_such(kind, r.param("id")) : owner.error(), r));
            return;
        }
        auto page = storage::read_items(
            *s.store, {a, collection, newest_first, *limit, std::string(r.query_value("cursor").value_or(""))});
        if (!page) {
            respond(to_response(page.error(), r));
            return;
        }
        response out;
        out.body = list_body(page->items, page->next_cursor);
        respond(std::move(out));
    };
}

} // namespace troupe::net
