// API keys of people, agents and services.
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/auth.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

std::string may_do(const api_key_document& k) {
    const auto scopes = fmt::format("{}", fmt::join(k.scopes, " "));
    return scopes.empty() ? k.role.empty() ? "all that the owner may" : "all that the role may" : scopes;
}

std::string state_of(const api_key_document& k, timestamp now) {
    return k.revoked_at                           ? "revoked"
           : k.expires_at && *k.expires_at <= now ? "expired"
           : k.expires_at                         ? "expires " + relative_time(*k.expires_at, now)
                                                  : "good";
}

std::string show_key(context& c, const api_key_document& k) {
    return details(c.out_screen(), {{"key", {k.name, tone::accent}},
                                    {"id", {to_string(k.id)}},
                                    {"begins", {k.prefix + "…"}},
                                    {"owner", {k.owner}},
                                    {"role", {k.role}},
                                    {"may do", {may_do(k)}},
                                    {"state", {state_of(k, c.now())}},
                                    {"used",
                                     {k.last_used_at ? relative_time(*k.last_used_at, c.now()) + " from " +
                                                           k.last_used_from.value_or("?")
                                                     : "never"}},
                                    {"made", {relative_time(k.created_at, c.now()) + " by " + k.created_by}}});
}

expected<int> key_list(context& c) {
    return print_list<api_key_document>(
        c, "/api-keys", {}, "There is no key. `troupe key create NAME` makes one.", [&](const auto& items) {
            std::vector<uuid> ids;
            for (const auto& k : items) {
                ids.push_back(k.id);
            }
            const auto length = short_length(ids);
            std::vector<std::vector<cell>> rows;
            for (const auto& k : items) {
                rows.push_back({{short_id(k.id, length), tone::accent},
                                {k.name},
                                {k.prefix + "…"},
                                {k.role.empty() ? k.owner : fmt::format("{}, {}", k.owner, k.role)},
                                {may_do(k)},
                                {state_of(k, c.now())},
                                {k.last_used_at ? relative_time(*k.last_used_at, c.now()) : "never", tone::faint}});
            }
            return table(c.out_screen(),
                         {{"KEY"},
                          {"NAME", false, true},
                          {"BEGINS"},
                          {"OWNER", false, true},
                          {"MAY DO", false, true},
                          {"STATE"},
                          {"USED"}},
                         rows);
        });
}

expected<int> key_create(context& c) {
    create_api_key_body body{c.args().operand(0), c.args().values("scope"), std::nullopt, c.args().value("agent"),
                             c.args().value("role")};
    if (const auto expires = c.args().value("expires")) {
        const auto at = parse_time_ahead("expires", *expires, c.now());
        if (!at) {
            return c.usage(at.error());
        }
        body.expires_at = *at;
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    return print_document<created_api_key_document>(c, (*node)->post("/api-keys", to_json(body)), [&](const auto& k) {
        return show_key(c, k) + fmt::format("\nThe key, shown this once:\n{}\n", clean_line(k.key));
    });
}

expected<int> key_show(context& c) {
    auto node = c.node();
    const auto id = node ? resolve_key(**node, c.args().operand(0)) : expected<uuid>(node.error());
    return id ? print_document<api_key_document>(c, (*node)->get("/api-keys/" + to_string(*id)),
                                                 [&](const auto& k) { return show_key(c, k); })
              : expected<int>(id.error());
}

expected<int> key_revoke(context& c) {
    auto node = c.node();
    const auto id = node ? resolve_key(**node, c.args().operand(0)) : expected<uuid>(node.error());
    return id ? print_done(c, (*node)->remove("/api-keys/" + to_string(*id)), "The key is revoked.")
              : expected<int>(id.error());
}

} // namespace

std::vector<command> key_commands() {
    const grammar one{.operands = "KEY", .operands_min = 1, .operands_max = 1};
    return {
        {"key list",
         "API keys: your own, or all of the organization if you manage them.",
         {.flags = {limit_flag()}},
         "troupe key list",
         key_list},
        {"key create",
         "Make an API key, which is shown this once: your own, an agent's, or with --role that of a service.",
         {.flags = {{"scope", "PERMISSION",
                     "It may do only this, as task:read, task:* or *:read; by default all that its owner may.", 's',
                     true},
                    {"agent", "AGENT", "The key is this agent's identity."},
                    {"role", "ROLE", "A key that belongs to nobody, with this role."},
                    {"expires", "TIME", "When it stops working, as 90d or 2027-01-31; never by default."}},
          .operands = "NAME",
          .operands_min = 1,
          .operands_max = 1},
         "troupe key create ci --scope 'task:*' --scope run:read --expires 90d\ntroupe key create mail --role operator",
         key_create},
        {"key show", "All about a key but the key itself, by its name or id.", one, "troupe key show ci", key_show},
        {"key revoke", "Revoke a key: from then on nothing is done with it.", one, "troupe key revoke ci", key_revoke},
    };
}

} // namespace troupe::cli
