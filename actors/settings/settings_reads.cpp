// Reading settings: as they are, of a version, what differs, for an environment, as an export.
#include "actors/settings/settings_reads.hpp"

#include "actors/common/routes.hpp"
#include "actors/common/stored.hpp"
#include "net/http/handlers.hpp"
#include "schemas/organization.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::response;
using net::verb;

problem no_version(std::string_view text) {
    return {code::not_found, "these settings have no version '" + std::string(text) +
                                 "'; GET …/settings/versions "
                                 "lists them"};
}

problem no_template(std::string_view name) {
    return {code::not_found, "there is no template '" + std::string(name) + "'; GET …/settings/templates lists them"};
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    std::uint64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(n) : std::nullopt;
}

/// A handler that gives a document, redacted.
template <class Read>
net::handler show(const settings_parts& parts, Read read) {
    return [&parts, read](const request& r, const responder& respond) {
        const auto document = read(parts, r);
        respond(document ? response{200, redacted(to_json(*document))} : net::to_response(document.error(), r));
    };
}

net::handler show_settings(const settings_parts& parts) {
    return [&parts](const request& r, const responder& respond) {
        auto now = read_settings(*parts.services->store, r.who.organization);
        if (!now) {
            return respond(net::to_response(now.error(), r));
        }
        const auto tag = "\"" + std::to_string(now->entity_version) + "\"";
        response out{200, std::move(now->document)};
        out.headers.emplace_back("ETag", tag);
        if (r.header("if-none-match") == tag) {
            out.status = 304;
            out.body.clear();
        }
        respond(std::move(out));
    };
}

net::handler list_versions(const settings_parts& parts) {
    return [&parts](const request& r, const responder& respond) {
        const auto limit = net::page_limit(r);
        storage::item_query query;
        query.entity = settings_address(r.who.organization);
        query.collection = versions_collection;
        query.descending = true;
        query.limit = limit ? *limit : 1;
        query.cursor = r.query_value("cursor").value_or("");
        const auto page =
            limit ? storage::read_items(*parts.services->store, query) : expected<storage::item_page>(limit.error());
        respond(page ? response{200, net::list_body(page->items, page->next_cursor)}
                     : net::to_response(page.error(), r));
    };
}

expected<settings_of_version_document> version_of(const settings_parts& parts, const request& r) {
    const auto text = r.param("version");
    const auto number = number_in(text);
    if (!number || *number == 0) {
        return no_version(text);
    }
    const auto& store = *parts.services->store;
    const auto entry = read_stored<settings_version_document>(store, settings_address(r.who.organization),
                                                              versions_collection, version_key(*number));
    const auto content = content_of(store, r.who.organization, *number);
    if (!entry || !content || !*entry) {
        return !entry ? entry.error() : !content ? content.error() : no_version(text);
    }
    settings_of_version_document out;
    static_cast<settings_version_document&>(out) = **entry;
    out.values = values_in(*content, base_place);
    out.profiles = places_below(*content, profile_places);
    out.templates = places_below(*content, template_places);
    return out;
}

expected<settings_diff_document> diff_of(const settings_parts& parts, const request& r) {
    const auto now = read_settings(*parts.services->store, r.who.organization);
    if (!now) {
        return now.error();
    }
    const auto number = [&](std::string_view name, std::uint64_t otherwise) -> expected<std::uint64_t> {
        const auto text = r.query_value(name);
        const auto n = text ? number_in(*text) : std::optional(otherwise);
        return n ? expected<std::uint64_t>(*n)
                 : problem{code::invalid_request,
                           "`" + std::string(name) + "` is the number of a version",
                           {{std::string(name), "is no number"}}};
    };
    const auto to = number("to", now->number);
    const auto from = to ? number("from", *to - std::min<std::uint64_t>(*to, 1)) : to;
    const auto before =
        from ? content_of(*parts.services->store, r.who.organization, *from) : expected<settings_content>(from.error());
    const auto after = before ? content_of(*parts.services->store, r.who.organization, *to) : before;
    if (!after) {
        return after.error();
    }
    return settings_diff_document{*from, *to, differences(*before, *after)};
}

expected<effective_settings_document> effective_of(const settings_parts& parts, const request& r) {
    const auto now = read_settings(*parts.services->store, r.who.organization);
    if (!now) {
        return now.error();
    }
    const auto given = r.query_value("profile");
    const auto profile = given ? std::optional(std::string(*given)) : std::nullopt;
    if (profile && !is_settings_name(*profile)) {
        return problem{code::invalid_request,
                       "a profile has 1 to 40 of a-z, 0-9, - and _, a letter or digit first",
                       {{"profile", "is no name of a profile"}}};
    }
    auto found = effective(now->shown(), profile);
    effective_settings_document out{profile, now->number, std::move(found.values), std::move(found.overridden), {}};
    for (const auto& [key, value] : out.values) {
        if (const auto name = reference_of(value)) {
            const auto there = parts.has_secret(r.who.organization, *name);
            if (!there) {
                return there.error();
            }
            if (!*there) {
                out.missing_secrets.push_back(*name);
            }
        }
    }
    return out;
}

expected<settings_export_document> export_of(const settings_parts& parts, const request& r) {
    const auto now = read_settings(*parts.services->store, r.who.organization);
    if (!now) {
        return now.error();
    }
    const auto content = now->shown();
    settings_export_document out;
    out.organization_id = r.who.organization;
    out.exported_at = system_now();
    out.version = now->number;
    out.values = values_in(content, base_place);
    out.profiles = places_below(content, profile_places);
    out.templates = places_below(content, template_places);
    return out;
}

/// A page of a list that is short and does not change while it is read; the cursor is a place in it.
void answer_page(const request& r, const responder& respond, const std::vector<std::string>& items) {
    const auto limit = net::page_limit(r);
    const auto begin = number_in(r.query_value("cursor").value_or("0"));
    if (!limit || !begin || *begin > items.size()) {
        return respond(net::to_response(!limit ? limit.error()
                                               : problem{code::invalid_request,
                                                         "the cursor is none of this list",
                                                         {{"cursor", "is none of this list"}}},
                                        r));
    }
    const auto from = static_cast<std::size_t>(*begin);
    const auto end = std::min(items.size(), from + *limit);
    const std::vector<std::string> shown(items.begin() + static_cast<std::ptrdiff_t>(from),
                                         items.begin() + static_cast<std::ptrdiff_t>(end));
    respond({200, net::list_body(shown, end < items.size() ? std::optional(std::to_string(end)) : std::nullopt)});
}

net::handler list_templates(const settings_parts& parts) {
    return [&parts](const request& r, const responder& respond) {
        const auto now = read_settings(*parts.services->store, r.who.organization);
        if (!now) {
            return respond(net::to_response(now.error(), r));
        }
        std::vector<std::string> items;
        for (const auto& t : built_in_templates()) {
            items.push_back(
                to_json(settings_template_document{std::string(t.name), true, std::string(t.description), t.values}));
        }
        for (const auto& [name, values] : places_below(now->content, template_places)) {
            items.push_back(to_json(settings_template_document{name, false, "", values}));
        }
        answer_page(r, respond, items);
    };
}

expected<settings_template_document> template_of(const settings_parts& parts, const request& r) {
    const std::string name(r.param("name"));
    if (const auto* known = find_built_in_template(name)) {
        return settings_template_document{name, true, std::string(known->description), known->values};
    }
    const auto now = read_settings(*parts.services->store, r.who.organization);
    if (!now) {
        return now.error();
    }
    auto values = values_in(now->content, std::string(template_places) + name);
    return values.empty() ? expected<settings_template_document>(no_template(name))
                          : settings_template_document{name, false, "", std::move(values)};
}

net::handler list_known() {
    return [](const request& r, const responder& respond) {
        std::vector<std::string> items;
        for (const auto& k : known_settings()) {
            items.push_back(to_json(
                known_setting_document{std::string(k.key), std::string(k.doc), json::raw{std::string(k.schema)}}));
        }
        answer_page(r, respond, items);
    };
}

} // namespace

settings_content present_settings::shown() const {
    auto out = content;
    if (before && !before->empty()) {
        out[std::string(base_place)] = *before;
    }
    return out;
}

expected<present_settings> read_settings(const storage::store& s, const uuid& organization) {
    present_settings out;
    auto stored = storage::read_document(s, settings_address(organization));
    if (!stored) {
        return stored.error();
    }
    if (*stored) {
        const auto document = from_json<settings_document>((*stored)->json, strictness::stored);
        auto content =
            document ? content_of(s, organization, document->version) : expected<settings_content>(document.error());
        if (!content) {
            return content.error();
        }
        out.entity_version = (*stored)->version;
        out.number = document->version;
        out.content = std::move(*content);
        out.document = std::move((*stored)->json);
        return out;
    }
    const auto of = read_stored<organization_document>(s, {system_organization, "organization", organization});
    if (!of) {
        return of.error();
    }
    if (*of && (*of)->settings) {
        out.before = taken_over(*(*of)->settings);
    }
    out.document = to_json(document_of(organization, 0, out.shown()));
    return out;
}

expected<settings_content> content_of(const storage::store& s, const uuid& organization, std::uint64_t number) {
    if (number == 0) {
        return settings_content();
    }
    auto kept = read_stored<kept_settings>(s, settings_address(organization), contents_collection, version_key(number));
    if (!kept) {
        return kept.error();
    }
    return *kept ? expected<settings_content>(std::move((*kept)->content)) : no_version(std::to_string(number));
}

std::string seal_place(std::string_view place, std::string_view key) {
    return "settings/" + std::string(place) + "/" + std::string(key);
}

expected<std::optional<std::string>> setting_value(const settings_parts& parts, const uuid& organization,
                                                   const std::optional<std::string>& profile, std::string_view key) {
    const auto now = read_settings(*parts.services->store, organization);
    if (!now) {
        return now.error();
    }
    const auto content = now->shown();
    auto place = std::string(profile_places) + profile.value_or("");
    auto values = profile ? values_in(content, place) : setting_values();
    if (!values.contains(std::string(key))) {
        place = base_place;
        values = values_in(content, place);
    }
    const auto found = values.find(std::string(key));
    if (found == values.end()) {
        return std::optional<std::string>();
    }
    const auto wrap = [](expected<std::string> text) {
        return text ? expected<std::optional<std::string>>(std::move(*text)) : text.error();
    };
    if (const auto sealed = sealed_text(found->second)) {
        return wrap(parts.unseal(organization, seal_place(place, key), *sealed));
    }
    if (const auto name = reference_of(found->second)) {
        return wrap(parts.reveal(organization, *name));
    }
    const auto parsed = json::document::parse(found->second.text);
    const auto text = parsed ? parsed->root().as_string() : std::nullopt;
    return std::optional(text ? std::string(*text) : found->second.text);
}

std::vector<net::route> settings_read_routes(const settings_parts& parts) {
    const std::string number = R"({"type":"integer","minimum":0})";
    const auto on = [](std::string path, std::string operation, std::string summary, net::body_type reply,
                       net::handler run) {
        return net::route{.verb = verb::get,
                          .path = "/organizations/{id}/settings" + path,
                          .operation = std::move(operation),
                          .summary = std::move(summary),
                          .tag = "settings",
                          .permission = "settings:read",
                          .in_path = {{"id", "Id or slug.", R"({"type":"string"})", R"("acme")"}},
                          .reply = std::move(reply),
                          .errors = {code::not_found},
                          .run = std::move(run)};
    };
    auto all = on("", "get_settings", "Shows the settings of an organization: values, and profiles of environments.",
                  net::reply_of<settings_document>("settings"), show_settings(parts));
    all.description = "Sealed values are shown as {\"redacted\":true}. Backups of the node hold settings with all "
                      "their versions; an export is a copy of one version.";
    all.reply_headers = net::read_headers();
    auto versions = on("/versions", "list_settings_versions", "Lists the versions: who changed what, when and why.",
                       page_of<settings_version_document>("settings_version_list"), list_versions(parts));
    versions.query = net::page_parameters();
    auto version = on("/versions/{version}", "get_settings_version", "Shows the settings as a version had them.",
                      net::reply_of<settings_of_version_document>("settings_version"), show(parts, version_of));
    version.in_path.push_back({"version", "Its number.", number, "1"});
    auto diff = on("/diff", "diff_settings", "What differs between two versions; by default what the newest changed.",
                   net::reply_of<settings_diff_document>("settings_diff"), show(parts, diff_of));
    diff.query = {{"from", "A version; by default the one before `to`.", number, "1"},
                  {"to", "A version; by default the newest.", number, "2"}};
    auto effect = on("/effective", "get_effective_settings",
                     "The values of an environment: its profile's, and the others' where it has none.",
                     net::reply_of<effective_settings_document>("effective_settings"), show(parts, effective_of));
    effect.query = {{"profile", "The environment; without it only what is for all.",
                     R"({"type":"string","minLength":1,"maxLength":40})", R"("production")"}};
    auto one = on("/templates/{name}", "get_settings_template", "Shows a template.",
                  net::reply_of<settings_template_document>("settings_template"), show(parts, template_of));
    one.in_path.push_back({"name", "Of the template.", R"({"type":"string"})", R"("security-baseline")"});
    auto templates =
        on("/templates", "list_settings_templates", "Lists templates: those that are built in, and the own ones.",
           page_of<settings_template_document>("settings_template_list"), list_templates(parts));
    auto known = on("/known", "list_known_settings",
                    "Lists the settings that mean something to the node: its security policies.",
                    page_of<known_setting_document>("known_setting_list"), list_known());
    templates.query = known.query = net::page_parameters();
    return {all,
            versions,
            version,
            diff,
            effect,
            on("/export", "export_settings", "The settings as a document that `import` takes, here or elsewhere.",
               net::reply_of<settings_export_document>("settings_export"), show(parts, export_of)),
            templates,
            one,
            known};
}

} // namespace troupe::actors
