// Roles of an organization.
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "schemas/organization.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

struct named_role {
    api* node = nullptr;
    std::string path;
};

expected<named_role> find_named(context& c) {
    auto path = organization_path(c);
    auto node = path ? c.node() : expected<api*>(path.error());
    return node ? expected<named_role>(named_role{*node, *path + "/roles/" + encode_segment(c.args().operand(0))})
                : expected<named_role>(node.error());
}

auto shown(context& c) {
    return [&c](const role_document& r) {
        return details(c.out_screen(), {{"role", {r.name, tone::accent}},
                                        {"kind", {r.is_custom ? "of this organization" : "built in"}},
                                        {"description", {r.description}},
                                        {"permissions", {fmt::format("{}", fmt::join(r.permissions, "\n"))}}});
    };
}

expected<int> role_list(context& c) {
    const auto path = organization_path(c);
    if (!path) {
        return path.error();
    }
    return print_list<role_document>(c, *path + "/roles", {}, "There are no roles.", [&](const auto& items) {
        std::vector<std::vector<cell>> rows;
        for (const auto& r : items) {
            rows.push_back({{r.name, tone::accent},
                            {r.is_custom ? "own" : "built in", tone::faint},
                            {fmt::format("{}", fmt::join(r.permissions, " "))},
                            {r.description}});
        }
        return table(c.out_screen(),
                     {{"ROLE"}, {"KIND"}, {"PERMISSIONS", false, true, 20}, {"DESCRIPTION", false, true}}, rows);
    });
}

expected<int> role_show(context& c) {
    const auto role = find_named(c);
    return role ? print_document<role_document>(c, role->node->get(role->path), shown(c)) : expected<int>(role.error());
}

expected<int> role_set(context& c) {
    const put_role_body body{c.args().value_or("description", ""), c.args().values("permission")};
    if (body.permissions.empty()) {
        return c.usage({code::invalid_request, "A role has permissions: --permission task:write, and again for more."});
    }
    const auto role = find_named(c);
    return role ? print_document<role_document>(c, role->node->put(role->path, to_json(body)), shown(c))
                : expected<int>(role.error());
}

expected<int> role_remove(context& c) {
    const auto role = find_named(c);
    return role ? print_done(c, role->node->remove(role->path),
                             fmt::format("The role {} is removed.", clean_line(c.args().operand(0))))
                : expected<int>(role.error());
}

} // namespace

std::vector<command> role_commands() {
    const grammar one{.operands = "ROLE", .operands_min = 1, .operands_max = 1};
    return {
        {"role list",
         "Roles: the built-in ones and those of the organization.",
         {.flags = {limit_flag()}},
         "troupe role list",
         role_list},
        {"role show", "What a role may do.", one, "troupe role show operator", role_show},
        {"role set",
         "Make a role of the organization, or replace it.",
         {.flags = {{"permission", "PERMISSION", "RESOURCE:ACTION, as task:write, task:* or *:read.", 'p', true},
                    {"description", "TEXT", "What it is for."}},
          .operands = "ROLE",
          .operands_min = 1,
          .operands_max = 1},
         "troupe role set reviewer -p task:read -p 'run:*' --description \"Looks at runs\"",
         role_set},
        {"role remove", "Remove a role that nobody has.", one, "troupe role remove reviewer", role_remove},
    };
}

} // namespace troupe::cli
