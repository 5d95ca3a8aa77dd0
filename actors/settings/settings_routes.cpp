// Changing settings: values, roll-back, import, templates. All of it is one command, judged by the entity; sealed
// values are sealed before it is made.
#include "actors/settings/settings_routes.hpp"

#include "actors/settings/settings_reads.hpp"
#include "net/http/handlers.hpp"
#include "schemas/base/cipher.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::response;
using net::verb;

/// What a route asks for, before values are sealed.
struct wanted_change {
    change_settings command;
    bool dry_run = false;
    int status = 200;
};

/// One change. Lives until it has answered.
class changing : public std::enable_shared_from_this<changing> {
public:
    changing(const settings_parts& parts, request r, wanted_change wanted, responder respond)
        : parts_(parts), request_(std::move(r)), wanted_(std::move(wanted)), respond_(std::move(respond)) {
        wanted_.command.author = parts_.author(request_);
    }

    void run() {
        bool seals = false;
        for (const auto& c : wanted_.command.changes) {
            const auto text = c.value ? text_to_seal(*c.value, "/" + c.place + "/" + c.key)
                                      : expected<std::optional<std::string>>(std::nullopt);
            if (!text && !from_the_node()) {
                return refuse(text.error());
            }
            seals = seals || (text && *text);
        }
        if (!seals || from_the_node()) {
            return judge();
        }
        parts_.make_keys(request_, [me = shared_from_this()](const expected<void>& there) {
            const auto sealed = there ? me->seal() : there;
            sealed ? me->judge() : me->refuse(sealed.error());
        });
    }

private:
    void refuse(const problem& p) { respond_(net::to_response(p, request_)); }

    /// Values of an older version are sealed already.
    [[nodiscard]] bool from_the_node() const { return wanted_.command.restores.has_value(); }

    expected<void> seal() {
        for (auto& c : wanted_.command.changes) {
            const auto text = c.value ? text_to_seal(*c.value, "") : expected<std::optional<std::string>>(std::nullopt);
            if (!text || !*text) {
                continue;
            }
            const wiped_text plain(**text);
            const auto sealed = parts_.seal(request_.who.organization, seal_place(c.place, c.key), plain.text());
            if (!sealed) {
                return sealed.error();
            }
            wipe(c.value->text);
            c.value = sealed_value(*sealed);
        }
        return {};
    }

    /// As the entity will: who would be refused is told so before anything else, and a dry run ends here.
    void judge() {
        auto& command = wanted_.command;
        const auto now = read_settings(*parts_.services->store, request_.who.organization);
        if (!now) {
            return refuse(now.error());
        }
        command.before = now->before;
        const auto plan = plan_of(now->number, now->content, command, system_now());
        if (!plan) {
            return refuse(plan.error());
        }
        if (security_values(plan->before) != security_values(plan->after)) {
            if (const auto recent = parts_.check_recent(request_.who); !recent) {
                return refuse(recent.error());
            }
        }
        auto c = net::make_command(request_, settings_address(request_.who.organization),
                                   wire_name<change_settings>::value, to_json(command));
        if (!c) {
            return refuse(c.error());
        }
        if (!wanted_.dry_run) {
            return submit(std::move(*c));
        }
        if (c->if_match && *c->if_match != now->entity_version) {
            return refuse({code::precondition_failed, "the settings were changed meanwhile: read them again"});
        }
        settings_result_document d{now->number, true, differences(plan->before, plan->after)};
        d.version += d.changes.empty() ? 0 : 1;
        respond_({200, redacted(to_json(d))});
    }

    void submit(runtime::command c) {
        if (c.request_hash != 0) {
            c.request_hash = parts_.keyed_hash(std::string(net::name_of(request_.verb)) + "\n" + request_.path + "\n" +
                                               request_.body);
        }
        wipe(request_.body);
        net::submit_and_answer(*parts_.services, request_, std::move(c), wanted_.status, {}, respond_);
    }

    const settings_parts& parts_;
    request request_;
    wanted_change wanted_;
    responder respond_;
};

/// `make` gives what the request asks for.
template <class Make>
net::handler change(const settings_parts& parts, Make make) {
    return [&parts, make](request r, responder respond) {
        auto wanted = make(parts, r);
        if (!wanted) {
            return respond(net::to_response(wanted.error(), r));
        }
        std::make_shared<changing>(parts, std::move(r), std::move(*wanted), std::move(respond))->run();
    };
}

/// Null takes a value away.
void add_changes(std::vector<setting_given>& to, const std::string& place, const setting_values& values) {
    for (const auto& [key, value] : values) {
        to.push_back({place, key, value.is_null() ? std::nullopt : std::optional(value)});
    }
}

std::string place_of(const std::optional<std::string>& profile) {
    return profile ? std::string(profile_places) + *profile : std::string(base_place);
}

wanted_change change_of(std::string what, std::string why, bool force, bool dry_run) {
    wanted_change out;
    out.command.what = std::move(what);
    out.command.why = std::move(why);
    out.command.force = force;
    out.dry_run = dry_run;
    return out;
}

expected<wanted_change> patch_of(const settings_parts&, const request& r) {
    const auto body = from_json<change_settings_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    auto out = change_of("set", body->why, body->force, body->dry_run);
    add_changes(out.command.changes, place_of(body->profile), body->values);
    return out;
}

expected<wanted_change> rollback_of(const settings_parts& parts, const request& r) {
    const auto body = from_json<rollback_settings_body>(r.body, strictness::input);
    const auto content = body ? content_of(*parts.services->store, r.who.organization, body->version)
                              : expected<settings_content>(body.error());
    if (!content) {
        return content.error();
    }
    auto out = change_of("rollback", body->why, body->force, body->dry_run);
    out.command.restores = body->version;
    out.command.exactly = {std::string(all_places)};
    for (const auto& [place, values] : *content) {
        add_changes(out.command.changes, place, values);
    }
    return out;
}

expected<wanted_change> import_of(const settings_parts&, const request& r) {
    const auto body = from_json<import_settings_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    if (body->document.format != settings_format) {
        return problem{code::invalid_request,
                       "This is no export of settings: its format is not '" + std::string(settings_format) + "'.",
                       {{"/document/format", "expected " + std::string(settings_format)}}};
    }
    auto out = change_of("import", body->why, body->force, body->dry_run);
    if (body->mode == settings_import_mode::replace) {
        out.command.exactly = {std::string(all_places)};
    }
    add_changes(out.command.changes, std::string(base_place), body->document.values);
    for (const auto& [name, values] : body->document.profiles) {
        add_changes(out.command.changes, std::string(profile_places) + name, values);
    }
    for (const auto& [name, values] : body->document.templates) {
        add_changes(out.command.changes, std::string(template_places) + name, values);
    }
    return out;
}

expected<wanted_change> put_template_of(const settings_parts&, const request& r) {
    const auto body = from_json<put_settings_template_body>(r.body, strictness::input);
    if (!body) {
        return body.error();
    }
    const auto place = std::string(template_places) + std::string(r.param("name"));
    auto out = change_of("template", body->why, false, false);
    out.command.exactly = {place};
    for (const auto& [key, value] : body->values) {
        out.command.changes.push_back({place, key, value}); // null is no value of a template
    }
    return out;
}

problem no_template(std::string_view name) {
    return {code::not_found, "there is no template '" + std::string(name) + "'; GET …/settings/templates lists them"};
}

expected<wanted_change> remove_template_of(const settings_parts& parts, const request& r) {
    const std::string name(r.param("name"));
    if (find_built_in_template(name) != nullptr) {
        return problem{code::conflict, "'" + name + "' is a built-in template and cannot be removed."};
    }
    const auto now = read_settings(*parts.services->store, r.who.organization);
    if (!now) {
        return now.error();
    }
    const auto place = std::string(template_places) + name;
    if (!now->content.contains(place)) {
        return no_template(name);
    }
    auto out = change_of("template", "removed", false, false);
    out.command.exactly = {place};
    return out;
}

expected<wanted_change> apply_template_of(const settings_parts& parts, const request& r) {
    const auto body = from_json<apply_settings_template_body>(r.body.empty() ? "{}" : r.body, strictness::input);
    const auto now =
        body ? read_settings(*parts.services->store, r.who.organization) : expected<present_settings>(body.error());
    if (!now) {
        return now.error();
    }
    const std::string name(r.param("name"));
    const auto* known = find_built_in_template(name);
    const auto values = known != nullptr ? known->values : values_in(now->content, std::string(template_places) + name);
    if (values.empty()) {
        return no_template(name);
    }
    auto out = change_of("template " + name, body->why, body->force, body->dry_run);
    add_changes(out.command.changes, place_of(body->profile), values);
    return out;
}

} // namespace

std::vector<net::route> settings_routes(const settings_parts& parts) {
    const auto on = [](verb v, std::string path, std::string operation, std::string summary,
                       std::optional<net::body_type> body, net::handler run) {
        return net::route{.verb = v,
                          .path = "/organizations/{id}/settings" + path,
                          .operation = std::move(operation),
                          .summary = std::move(summary),
                          .tag = "settings",
                          .permission = "settings:write",
                          .in_path = {{"id", "Id or slug.", R"({"type":"string"})", R"("acme")"}},
                          .body = std::move(body),
                          .reply = net::reply_of<settings_result_document>("settings_result"),
                          .errors = {code::not_found, code::precondition_failed, code::would_lock_out,
                                     code::step_up_required, code::secrets_locked},
                          .reply_headers = net::changed_headers(),
                          .run = std::move(run)};
    };
    auto out = settings_read_routes(parts);
    out.push_back(on(verb::patch, "", "change_settings",
                     "Sets values and takes others away (null); the change is a version.",
                     net::body_of<change_settings_body>("change_settings"), change(parts, patch_of)));
    out.back().description = "Settings under `security.` are the organization's security policy, which is enforced "
                             "from the answer on; GET …/settings/known lists them.";
    out.push_back(on(verb::post, "/rollback", "rollback_settings",
                     "Goes back to a version, values, profiles and templates, which makes a new one.",
                     net::body_of<rollback_settings_body>("rollback_settings"), change(parts, rollback_of)));
    out.push_back(on(verb::post, "/import", "import_settings",
                     "Takes an export over: all of it, or with anything wrong in it nothing.",
                     net::body_of<import_settings_body>("import_settings"), change(parts, import_of)));
    auto putting =
        on(verb::put, "/templates/{name}", "put_settings_template", "Makes a template, or replaces it.",
           net::body_of<put_settings_template_body>("put_settings_template"), change(parts, put_template_of));
    auto removing = on(verb::del, "/templates/{name}", "delete_settings_template", "Removes an own template.", {},
                       change(parts, remove_template_of));
    removing.errors.push_back(code::conflict);
    auto applying =
        on(verb::post, "/templates/{name}/apply", "apply_settings_template",
           "Sets the values of a template, for all or for an environment.",
           net::body_of<apply_settings_template_body>("apply_settings_template"), change(parts, apply_template_of));
    for (auto* route : {&putting, &removing, &applying}) {
        route->in_path.push_back({"name", "Of the template.", R"({"type":"string"})", R"("new-team")"});
        out.push_back(std::move(*route));
    }
    return out;
}

} // namespace troupe::actors
