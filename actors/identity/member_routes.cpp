// Members, roles and invitations of an organization.
#include "actors/common/routes.hpp"
#include "actors/identity/accounts.hpp"
#include "actors/identity/organization_model.hpp"
#include "actors/identity/proof.hpp"
#include "actors/identity/user_model.hpp"
#include "schemas/permissions.hpp"
#include "storage/views.hpp"

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

using net::request;
using net::responder;
using net::verb;

/// Pages of a collection are filled up, since removed items stay in it; so many reads at most for one page.
constexpr int rounds_max = 20;

/// A page of items that `show` has something to show for, behind `first`.
void list_collection(identity& me, const request& r, std::string_view collection,
                     const std::function<std::optional<std::string>(const std::string&)>& show,
                     const responder& respond, std::vector<std::string> first = {}) {
    const auto limit = net::page_limit(r);
    if (!limit) {
        return respond(net::to_response(limit.error(), r));
    }
    storage::item_query query{organization_address(r.who.organization), std::string(collection), false, *limit,
                              std::string(r.query_value("cursor").value_or(""))};
    auto items = std::move(first);
    const auto full = items.size() + *limit;
    std::optional<std::string> next;
    for (int round = 0; round < rounds_max && items.size() < full; ++round) {
        query.limit = full - items.size();
        const auto page = storage::read_items(*me.services.store, query);
        if (!page) {
            return respond(net::to_response(page.error(), r));
        }
        for (const auto& item : page->items) {
            if (auto shown = show(item)) {
                items.push_back(std::move(*shown));
            }
        }
        next = page->next_cursor;
        if (!next) {
            break;
        }
        query.cursor = *next;
    }
    respond({200, net::list_body(items, next)});
}

/// What the person's own document says, beside what the organization knows.
std::optional<std::string> show_member(const identity& me, const std::string& item) {
    const auto m = from_json<member_record>(item, strictness::stored);
    if (!m || m->removed) {
        return std::nullopt;
    }
    member_document d{m->user_id, "", "", m->role, m->status, m->joined_at};
    if (const auto user = read_user(me, m->user_id); user && *user) {
        d.email = (*user)->email;
        d.name = (*user)->name;
    }
    return to_json(d);
}

net::handler list_members(identity& me) {
    return [&me](const request& r, const responder& respond) {
        list_collection(
            me, r, members_collection, [&me](const std::string& item) { return show_member(me, item); }, respond);
    };
}

problem no_member(const request& r) {
    return {code::not_found, "there is no member '" + std::string(r.param("user")) + "' in this organization"};
}

/// The member that a path names, by the user's id or e-mail address.
expected<member_record> find_member(const identity& me, const request& r) {
    auto id = parse_uuid(r.param("user"));
    if (!id) {
        const auto user = find_user(me, r.param("user"));
        if (!user) {
            return user.error();
        }
        id = *user ? std::optional((*user)->id) : std::nullopt;
    }
    const auto item = id ? storage::read_item(*me.services.store, organization_address(r.who.organization),
                                              members_collection, to_string(*id))
                         : expected<std::optional<std::string>>(std::nullopt);
    if (!item || !*item) {
        return item ? no_member(r) : item.error();
    }
    auto member = from_json<member_record>(**item, strictness::stored);
    return member && member->removed ? expected<member_record>(no_member(r)) : member;
}

/// Sends a command to the organization and answers with what `show` makes of it, when `member` has heard of it.
template <class Command>
void change(identity& me, const request& r, const Command& c, int status, std::function<std::string()> show,
            const responder& respond, std::optional<uuid> member = {}) {
    auto command = command_of(me, r, organization_address(r.who.organization), c);
    if (!command) {
        return respond(net::to_response(command.error(), r));
    }
    me.services.submit(
        std::move(*command), [&me, r, respond, status, member, show = std::move(show)](const runtime::reply& done) {
            if (!done) {
                return respond(net::to_response(done.error(), r));
            }
            const auto answer = [respond, status, show] { respond({status, status == 204 ? std::string() : show()}); };
            member ? tell_member(me, r, r.who.organization, done->version, *member, answer) : answer();
        });
}

net::handler get_member(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto member = find_member(me, r);
        respond(member ? net::response{200, show_member(me, to_json(*member)).value_or("{}")}
                       : net::to_response(member.error(), r));
    };
}

net::handler put_member(identity& me) {
    return [&me](request r, responder respond) {
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        const auto body = from_json<update_member_body>(r.body, strictness::input);
        const auto member = body ? find_member(me, r) : expected<member_record>(body.error());
        if (!member) {
            return respond(net::to_response(member.error(), r));
        }
        for (const auto& role : {member->role, body->role.value_or(member->role)}) { // nobody changes who may do more
            if (const auto may = check_may_give(me, r.who, r.who.organization, role); !may) {
                return respond(net::to_response(may.error(), r));
            }
        }
        const auto user = member->user_id;
        change(
            me, r, change_member{user, body->role, body->status}, 200,
            [&me, organization = r.who.organization, user] {
                const auto item = storage::read_item(*me.services.store, organization_address(organization),
                                                     members_collection, to_string(user));
                return item && *item ? show_member(me, **item).value_or("{}") : std::string("{}");
            },
            respond, user);
    };
}

net::handler delete_member(identity& me) {
    return [&me](const request& r, const responder& respond) {
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        const auto member = find_member(me, r);
        const auto may =
            member ? check_may_give(me, r.who, r.who.organization, member->role) : expected<void>(member.error());
        if (!may) {
            return respond(net::to_response(may.error(), r));
        }
        change(me, r, remove_member{member->user_id}, 204, {}, respond, member->user_id);
    };
}

std::string show_role(const built_in_role& role) {
    return to_json(role_document{std::string(role.name), std::string(role.description), role.permissions, false});
}

std::optional<std::string> show_role(const std::string& item) {
    const auto role = from_json<role_record>(item, strictness::stored);
    return role && !role->removed
               ? std::optional(to_json(role_document{role->name, role->description, role->permissions, true}))
               : std::nullopt;
}

/// The built-in ones come first, on the first page.
net::handler list_roles(identity& me) {
    return [&me](const request& r, const responder& respond) {
        std::vector<std::string> first; // beside the page
        if (!r.query_value("cursor")) {
            for (const auto& role : built_in_roles()) {
                first.push_back(show_role(role));
            }
        }
        list_collection(
            me, r, roles_collection, [](const std::string& item) { return show_role(item); }, respond,
            std::move(first));
    };
}

net::handler get_role(identity& me) {
    return [&me](const request& r, const responder& respond) {
        if (const auto* known = find_built_in_role(r.param("role"))) {
            return respond({200, show_role(*known)});
        }
        const auto item = storage::read_item(*me.services.store, organization_address(r.who.organization),
                                             roles_collection, r.param("role"));
        const auto shown = item && *item ? show_role(**item) : std::nullopt;
        respond(
            shown ? net::response{200, *shown}
                  : net::to_response({code::not_found, "there is no role '" + std::string(r.param("role")) + "'"}, r));
    };
}

bool is_role_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

net::handler put_role_handler(identity& me) {
    return [&me](request r, responder respond) {
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        const auto body = from_json<put_role_body>(r.body, strictness::input);
        if (!body) {
            return respond(net::to_response(body.error(), r));
        }
        const std::string name(r.param("role"));
        if (!is_role_name(name)) {
            return respond(net::to_response({code::invalid_request,
                                             "A role's name has 1 to 64 of a-z, 0-9, _ and -.",
                                             {{"role", "is no name of a role"}}},
                                            r));
        }
        const auto* c = r.who.credentials.get();
        const bool has_all = c != nullptr && covers_all(c->permissions, body->permissions) &&
                             (c->scopes.empty() || covers_all(c->scopes, body->permissions));
        if (!r.who.admin && !has_all) {
            return respond(
                net::to_response({code::forbidden, "You can only give permissions that you have yourself."}, r));
        }
        change(
            me, r, put_role{name, body->description, body->permissions}, 200,
            [d = role_document{name, body->description, body->permissions, true}] { return to_json(d); }, respond);
    };
}

net::handler delete_role(identity& me) {
    return [&me](const request& r, const responder& respond) {
        change(me, r, remove_role{std::string(r.param("role"))}, 204, {}, respond);
    };
}

net::handler list_invitations(identity& me) {
    return [&me](const request& r, const responder& respond) {
        list_collection(
            me, r, invitations_collection,
            [](const std::string& item) -> std::optional<std::string> {
                auto d = from_json<invitation_document>(item, strictness::stored);
                if (!d || d->status != invitation_status::open) {
                    return std::nullopt;
                }
                d->status = system_now() < d->expires_at ? invitation_status::open : invitation_status::expired;
                return to_json(*d);
            },
            respond);
    };
}

net::handler create_invitation(identity& me) {
    return [&me](request r, responder respond) {
        if (const auto recent = me.doors->check_recent(r.who); !recent) {
            return respond(net::to_response(recent.error(), r));
        }
        const auto body = from_json<invite_body>(r.body, strictness::input);
        const auto email = body ? clean_email(body->email) : std::nullopt;
        if (!email) {
            return respond(net::to_response(body ? bad_email() : body.error(), r));
        }
        if (const auto may = check_may_give(me, r.who, r.who.organization, body->role); !may) {
            return respond(net::to_response(may.error(), r));
        }
        created_invitation_document d;
        d.id = net::id_for_create(r, "create_invitation");
        d.email = *email;
        d.role = body->role;
        d.invited_by = r.who.name;
        d.created_at = system_now();
        d.expires_at = d.created_at + body->valid_ms;
        d.token = make_opaque(me.keys->opaque_key(), invitation_prefix, {r.who.organization, d.id, 0});
        change(
            me, r, invite{d.id, d.email, d.role, d.expires_at}, 201, [d] { return to_json(d); }, respond);
    };
}

net::handler delete_invitation(identity& me) {
    return [&me](const request& r, const responder& respond) {
        const auto id = parse_uuid(r.param("invitation"));
        if (!id) {
            return respond(net::to_response({code::not_found, "there is no such invitation"}, r));
        }
        change(me, r, revoke_invitation{*id}, 204, {}, respond);
    };
}

net::handler accept(identity& me) {
    return [&me](request r, responder respond) {
        const auto body = from_json<accept_invitation_body>(r.body, strictness::input);
        const auto token =
            body ? read_opaque(me.keys->opaque_key(), invitation_prefix, body->token) : std::optional<opaque_token>();
        const auto& id = r.who.credentials->user;
        const auto user = id ? read_user(me, *id) : expected<std::optional<user_document>>(std::nullopt);
        if (!body || !token || !user || !*user) {
            return respond(net::to_response(!body ? body.error()
                                            : !token
                                                ? problem{code::not_found, "This is no invitation of this node."}
                                                : problem{code::forbidden, "Only a person can accept an invitation."},
                                            r));
        }
        r.who.organization = token->id;
        auto c = command_of(me, r, organization_address(token->id),
                            accept_invitation{token->second, (*user)->id, (*user)->email});
        if (!c) {
            return respond(net::to_response(c.error(), r));
        }
        me.services.submit(std::move(*c), [&me, r, respond, user = (*user)->id](const runtime::reply& joined) {
            if (!joined) {
                return respond(net::to_response(joined.error(), r));
            }
            tell_member(me, r, r.who.organization, joined->version, user, [respond, document = joined->document] {
                respond({200, document});
            });
        });
    };
}

/// What there is to say of the parameters of a path.
std::vector<net::query_parameter> parameters_of(std::string_view path) {
    const std::string text = R"({"type":"string"})";
    std::vector<net::query_parameter> out{{"id", "Id or slug of the organization.", text, R"("acme")"}};
    if (path.find("{user}") != std::string_view::npos) {
        out.push_back({"user", "Id or e-mail address of the person.", text, R"("ada@example.org")"});
    }
    if (path.find("{role}") != std::string_view::npos) {
        out.push_back({"role", "Name of the role.", text, R"("auditor")"});
    }
    if (path.find("{invitation}") != std::string_view::npos) {
        out.push_back({"invitation", "Id of the invitation.", text, R"("018f6e2c-7b1a-7c3d-9e4f-5a6b7c8d9e0f")"});
    }
    return out;
}

net::route on(verb v, std::string path, std::string operation, std::string summary, std::string permission,
              net::handler run) {
    net::route out;
    out.verb = v;
    out.path = "/organizations/{id}" + path;
    out.operation = std::move(operation);
    out.summary = std::move(summary);
    out.tag = "organizations";
    out.permission = std::move(permission);
    out.success = v == verb::del ? 204 : v == verb::post ? 201 : 200;
    out.errors = {code::not_found};
    out.in_path = parameters_of(out.path);
    out.run = std::move(run);
    return out;
}

} // namespace

std::vector<net::route> member_routes(identity& me) {
    std::vector<net::route> out;
    const auto add = [&](net::route r) -> net::route& { return out.emplace_back(std::move(r)); };
    const auto member = net::reply_of<member_document>("member");
    const auto role = net::reply_of<role_document>("role");

    auto& members = add(on(verb::get, "/members", "list_members", "Lists who belongs to the organization.",
                           "member:read", list_members(me)));
    members.query = net::page_parameters();
    members.reply = page_of<member_document>("member_list");
    add(on(verb::get, "/members/{user}", "get_member", "Shows a member, by the user's id or e-mail address.",
           "member:read", get_member(me)))
        .reply = member;
    auto& put = add(on(verb::put, "/members/{user}", "update_member",
                       "Gives a member another role, disables or enables it. At once: nobody logs in anew.",
                       "member:write", put_member(me)));
    put.body = net::body_of<update_member_body>("update_member");
    put.reply = member;
    put.errors = {code::not_found, code::conflict, code::step_up_required};
    add(on(verb::del, "/members/{user}", "remove_member", "Takes a person out of the organization.", "member:write",
           delete_member(me)))
        .errors = {code::not_found, code::conflict, code::step_up_required};

    auto& roles = add(on(verb::get, "/roles", "list_roles", "Lists the built-in roles and the organization's own.",
                         "member:read", list_roles(me)));
    roles.query = net::page_parameters();
    roles.reply = page_of<role_document>("role_list");
    add(on(verb::get, "/roles/{role}", "get_role", "Shows a role.", "member:read", get_role(me))).reply = role;
    auto& put_one = add(on(verb::put, "/roles/{role}", "put_role", "Makes a role of the organization, or replaces it.",
                           "role:write", put_role_handler(me)));
    put_one.body = net::body_of<put_role_body>("put_role");
    put_one.reply = role;
    put_one.errors = {code::not_found, code::conflict, code::limit_reached, code::step_up_required};
    add(on(verb::del, "/roles/{role}", "remove_role", "Removes a role that nobody has.", "role:write", delete_role(me)))
        .errors.push_back(code::conflict);

    auto& invitations = add(on(verb::get, "/invitations", "list_invitations", "Lists invitations that are open.",
                               "invitation:read", list_invitations(me)));
    invitations.query = net::page_parameters();
    invitations.reply = page_of<invitation_document>("invitation_list");
    auto& invite_route = add(on(verb::post, "/invitations", "create_invitation",
                                "Invites a person. The token is shown this once: send it to them.", "invitation:write",
                                create_invitation(me)));
    invite_route.body = net::body_of<invite_body>("create_invitation");
    invite_route.reply = net::reply_of<created_invitation_document>("created_invitation");
    invite_route.errors = {code::not_found, code::limit_reached, code::step_up_required};
    add(on(verb::del, "/invitations/{invitation}", "revoke_invitation", "Revokes an invitation.", "invitation:write",
           delete_invitation(me)));

    net::route accepting;
    accepting.verb = verb::post;
    accepting.path = "/invitations/accept";
    accepting.operation = "accept_invitation";
    accepting.summary = "Joins the organization of an invitation, for who has an account.";
    accepting.tag = "organizations";
    accepting.permission = "self:write";
    accepting.body = net::body_of<accept_invitation_body>("accept_invitation");
    accepting.reply = net::reply_of<organization_document>("organization");
    accepting.errors = {code::not_found, code::limit_reached};
    accepting.run = accept(me);
    add(std::move(accepting));
    return out;
}

} // namespace troupe::actors
