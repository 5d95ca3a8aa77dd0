// Organizations, their members and invitations.
#include "schemas/organization.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/logins.hpp"
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

std::string show_organization(context& c, const organization_document& o) {
    return details(c.out_screen(), {{"organization", {o.name, tone::accent}},
                                    {"slug", {o.slug}},
                                    {"id", {to_string(o.id)}},
                                    {"domain", {o.domain.value_or("")}},
                                    {"plan", {std::string(detail::enum_name(o.plan))}},
                                    {"status", {std::string(detail::enum_name(o.status))}},
                                    {"trial ends", {o.trial_ends_at ? to_string(*o.trial_ends_at) : ""}},
                                    {"members", {std::to_string(o.members)}},
                                    {"made", {relative_time(o.created_at, c.now()) + " by " + o.created_by}}});
}

/// The node, for what is not about the organization that was chosen.
expected<api*> outside(context& c) {
    auto node = c.node();
    if (node) {
        (*node)->leave_organization();
    }
    return node;
}

expected<int> org_list(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto chosen = (*node)->where().organization;
    (*node)->leave_organization();
    return print_list<organization_document>(
        c, "/organizations", {}, "You belong to no organization.", [&](const auto& items) {
            std::vector<std::vector<cell>> rows;
            for (const auto& o : items) {
                const bool here = o.slug == chosen || to_string(o.id) == chosen;
                rows.push_back({{o.slug, tone::accent},
                                {o.name},
                                {std::string(detail::enum_name(o.plan))},
                                {std::string(detail::enum_name(o.status))},
                                {std::to_string(o.members)},
                                {here ? "in use" : "", tone::good}});
            }
            return table(c.out_screen(),
                         {{"SLUG"}, {"NAME", false, true}, {"PLAN"}, {"STATUS"}, {"MEMBERS", true}, {""}}, rows);
        });
}

/// The one that was named, or the one that commands work in.
expected<std::string> named_path(context& c) {
    return c.args().operands().empty() ? organization_path(c)
                                       : expected<std::string>("/organizations/" + encode_segment(c.args().operand(0)));
}

auto shown(context& c) {
    return [&c](const organization_document& o) { return show_organization(c, o); };
}

expected<int> org_show(context& c) {
    const auto path = named_path(c);
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_document<organization_document>(c, (*node)->get(*path), shown(c)) : expected<int>(node.error());
}

expected<int> org_create(context& c) {
    auto node = outside(c);
    if (!node) {
        return node.error();
    }
    const create_organization_body body{c.args().text_from(0), c.args().value("slug"), c.args().value("domain")};
    return print_document<organization_document>(c, (*node)->post("/organizations", to_json(body)), shown(c));
}

/// One of an enumeration's words.
template <class Enum>
expected<std::optional<Enum>> choice(context& c, std::string_view flag, std::string_view words) {
    const auto text = c.args().value(flag);
    if (!text) {
        return std::optional<Enum>();
    }
    const auto value = detail::enum_value<Enum>(*text);
    return value ? expected<std::optional<Enum>>(*value)
                 : problem{code::invalid_request, fmt::format("--{} {}: expected {}.", flag, *text, words)};
}

expected<int> org_update(context& c) {
    const auto plan = choice<organization_plan>(c, "plan", "free, pro or enterprise");
    const auto status = choice<organization_status>(c, "status", "active, trial or suspended");
    if (!plan || !status) {
        return c.usage(plan ? status.error() : plan.error());
    }
    update_organization_body body{c.args().value("name"), c.args().value("domain"), *plan, *status, {}, {}};
    if (const auto ends = c.args().value("trial-ends")) {
        const auto until = parse_time_ahead("trial-ends", *ends, c.now());
        if (!until) {
            return c.usage(until.error());
        }
        body.trial_ends_at = *until;
    }
    if (const auto limits = c.args().value("limits")) {
        const auto parsed = parse_quota_limits(*limits);
        if (!parsed) {
            return c.usage({code::invalid_request, "--limits: " + parsed.error().detail});
        }
        body.limits = *parsed;
    }
    if (!body.name && !body.domain && !body.plan && !body.status && !body.trial_ends_at && !body.limits) {
        return c.usage({code::invalid_request, "Nothing to change was given: --name, --domain, --plan, --status, "
                                               "--trial-ends, --limits."});
    }
    const auto path = named_path(c);
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_document<organization_document>(c, (*node)->put(*path, to_json(body)), shown(c))
                : expected<int>(node.error());
}

expected<int> org_use(context& c) {
    auto node = outside(c);
    if (!node) {
        return node.error();
    }
    const auto file = login_file::of(c.search());
    const auto& where = (*node)->where();
    if (!file || where.source != key_source::login) {
        return c.usage({code::invalid_request, "This is remembered with a login, and a key is used here: give --org or "
                                               "TROUPE_ORG instead, or log in."});
    }
    const auto body = (*node)->get("/organizations/" + encode_segment(c.args().operand(0)));
    const auto found = body ? from_json<organization_document>(*body, strictness::stored)
                            : expected<organization_document>(body.error());
    if (!found) {
        return found.error();
    }
    const auto locked = file->lock();
    const auto known = locked ? file->find(where.url) : expected<std::optional<stored_login>>(locked.error());
    if (!known || !*known) {
        return known ? login_is_over(where.url, "") : known.error();
    }
    auto login = **known;
    login.organization = found->slug;
    if (const auto saved = file->put(login); !saved) {
        return saved.error();
    }
    return print_done(c, body,
                      fmt::format("Commands to {} now work in {} ({}).", clean_line(where.url), clean_line(found->name),
                                  clean_line(found->slug)));
}

// ---- members

std::string show_members(context& c, const std::vector<member_document>& members) {
    std::vector<std::vector<cell>> rows;
    for (const auto& m : members) {
        rows.push_back(
            {{m.email, tone::accent},
             {m.name},
             {m.role},
             {std::string(detail::enum_name(m.status)), m.status == member_status::active ? tone::plain : tone::bad},
             {relative_time(m.joined_at, c.now()), tone::faint}});
    }
    return table(c.out_screen(), {{"MEMBER"}, {"NAME", false, true}, {"ROLE"}, {"STATUS"}, {"JOINED"}}, rows);
}

expected<int> org_members(context& c) {
    const auto path = organization_path(c);
    return path ? print_list<member_document>(c, *path + "/members", {}, "The organization has no members.",
                                              [&](const auto& items) { return show_members(c, items); })
                : expected<int>(path.error());
}

expected<int> member_set(context& c) {
    const auto& args = c.args();
    if (args.has("disable") && args.has("enable")) {
        return c.usage({code::invalid_request, "--disable and --enable exclude each other."});
    }
    update_member_body body{args.value("role"), std::nullopt};
    if (args.has("disable") || args.has("enable")) {
        body.status = args.has("disable") ? member_status::disabled : member_status::active;
    }
    if (!body.role && !body.status) {
        return c.usage({code::invalid_request, "Nothing to change was given: --role, --disable or --enable."});
    }
    const auto path = organization_path(c);
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_document<member_document>(
                      c, (*node)->put(*path + "/members/" + encode_segment(args.operand(0)), to_json(body)),
                      [&](const auto& m) { return show_members(c, {m}); })
                : expected<int>(node.error());
}

expected<int> member_remove(context& c) {
    const auto path = organization_path(c);
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? print_done(c, (*node)->remove(*path + "/members/" + encode_segment(c.args().operand(0))),
                             fmt::format("{} is no member any more.", clean_line(c.args().operand(0))))
                : expected<int>(node.error());
}

// ---- invitations

expected<int> org_invite(context& c) {
    invite_body body;
    body.email = c.args().operand(0);
    body.role = c.args().value_or("role", body.role);
    if (const auto valid = c.args().value("valid")) {
        const auto until = parse_time_ahead("valid", *valid, c.now());
        if (!until) {
            return c.usage(until.error());
        }
        body.valid_ms = *until - c.now();
    }
    const auto path = organization_path(c);
    auto node = path ? c.node() : expected<api*>(path.error());
    if (!node) {
        return node.error();
    }
    return print_document<created_invitation_document>(
        c, (*node)->post(*path + "/invitations", to_json(body)), [&](const auto& i) {
            return details(c.out_screen(), {{"invited", {i.email, tone::accent}},
                                            {"role", {i.role}},
                                            {"expires", {relative_time(i.expires_at, c.now())}}}) +
                   fmt::format("\nToken, shown this once; with an account: troupe org join TOKEN\n{}\n",
                               clean_line(i.token));
        });
}

expected<int> org_invitations(context& c) {
    const auto path = organization_path(c);
    if (!path) {
        return path.error();
    }
    return print_list<invitation_document>(
        c, *path + "/invitations", {}, "No invitation is open.", [&](const auto& items) {
            std::vector<uuid> ids;
            for (const auto& i : items) {
                ids.push_back(i.id);
            }
            const auto length = short_length(ids);
            std::vector<std::vector<cell>> rows;
            for (const auto& i : items) {
                rows.push_back({{short_id(i.id, length), tone::accent},
                                {i.email},
                                {i.role},
                                {std::string(detail::enum_name(i.status))},
                                {relative_time(i.expires_at, c.now()), tone::faint},
                                {i.invited_by, tone::faint}});
            }
            return table(c.out_screen(),
                         {{"INVITATION"}, {"E-MAIL"}, {"ROLE"}, {"STATUS"}, {"EXPIRES"}, {"BY", false, true}}, rows);
        });
}

expected<int> org_revoke(context& c) {
    const auto path = organization_path(c);
    auto node = path ? c.node() : expected<api*>(path.error());
    const auto id = node ? resolve_invitation(**node, *path, c.args().operand(0)) : expected<uuid>(node.error());
    return id ? print_done(c, (*node)->remove(*path + "/invitations/" + to_string(*id)), "The invitation is revoked.")
              : expected<int>(id.error());
}

expected<int> org_join(context& c) {
    auto node = outside(c);
    if (!node) {
        return node.error();
    }
    auto token = c.args().operand(0) == "-" ? text_of(c, "-") : expected<std::string>(c.args().operand(0));
    if (!token) {
        return c.usage(token.error());
    }
    return print_document<organization_document>(
        c, (*node)->post("/invitations/accept", to_json(accept_invitation_body{std::move(*token)})),
        [&](const auto& o) {
            return show_organization(c, o) + fmt::format("\nTo work in it: troupe org use {}\n", clean_line(o.slug));
        });
}

} // namespace

std::vector<command> organization_commands() {
    const grammar maybe_one{.operands = "[ORG]", .operands_max = 1};
    const grammar user{.operands = "USER", .operands_min = 1, .operands_max = 1};
    return {
        {"org list",
         "Organizations that you belong to; all of them for administrators of the node.",
         {.flags = {limit_flag()}},
         "troupe org list",
         org_list},
        {"org show", "All about an organization; by default the one you work in.", maybe_one, "troupe org show acme",
         org_show},
        {"org create",
         "Make an organization, which you own.",
         {.flags = {{"slug", "SLUG", "Its name in addresses: a-z, 0-9 and -. Made from the name by default."},
                    {"domain", "DOMAIN", "Its domain."}},
          .operands = "NAME",
          .operands_min = 1,
          .operands_max = any_number},
         "troupe org create Acme --slug acme",
         org_create},
        {"org update",
         "Change an organization. Plan, status, trial and limits are for administrators of the node.",
         {.flags = {{"name", "NAME", "Its name."},
                    {"domain", "DOMAIN", "Its domain; an empty one takes it away."},
                    {"plan", "PLAN", "free, pro or enterprise."},
                    {"status", "STATUS", "active, trial or suspended: it can be read and nothing changes."},
                    {"trial-ends", "TIME", "When a trial becomes suspended, as 14d."},
                    {"limits", "LIMITS",
                     "In place of the plan's, as agents=5,storage_bytes=2GB,tasks_per_day=none; an "
                     "empty text takes them away."}},
          .operands = "[ORG]",
          .operands_max = 1},
         "troupe org update --name \"Acme Ltd\"\ntroupe org update acme --status trial --trial-ends 14d",
         org_update},
        {"org use",
         "Work in this organization from now on: remembered with the login at this node.",
         {.operands = "ORG", .operands_min = 1, .operands_max = 1},
         "troupe org use acme",
         org_use},
        {"org members",
         "Who belongs to the organization.",
         {.flags = {limit_flag()}},
         "troupe org members",
         org_members},
        {"org member set",
         "Give a member another role, disable or enable it. It counts at once.",
         {.flags = {{"role", "ROLE", "See `troupe role list`."},
                    {"disable", "", "They may do nothing in this organization."},
                    {"enable", "", "They may work again."}},
          .operands = "USER",
          .operands_min = 1,
          .operands_max = 1},
         "troupe org member set ada@example.org --role operator",
         member_set},
        {"org member remove", "Take a person out of the organization.", user,
         "troupe org member remove ada@example.org", member_remove},
        {"org invite",
         "Invite a person. The token is shown this once: send it to them.",
         {.flags = {{"role", "ROLE", "The role that they will have; member by default."},
                    {"valid", "TIME", "How long it is good, as 12h or 14d; seven days by default."}},
          .operands = "EMAIL",
          .operands_min = 1,
          .operands_max = 1},
         "troupe org invite grace@example.org --role operator",
         org_invite},
        {"org invitations",
         "Invitations that are open.",
         {.flags = {limit_flag()}},
         "troupe org invitations",
         org_invitations},
        {"org revoke",
         "Revoke an invitation, by its id or e-mail address.",
         {.operands = "INVITATION", .operands_min = 1, .operands_max = 1},
         "troupe org revoke grace@example.org",
         org_revoke},
        {"org join",
         "Join the organization of an invitation with your account; - reads the token from standard input.",
         {.operands = "TOKEN", .operands_min = 1, .operands_max = 1},
         "troupe org join tri_…",
         org_join},
    };
}

} // namespace troupe::cli
