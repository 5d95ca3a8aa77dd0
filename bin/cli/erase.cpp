// Erasing organizations and people for ever.
#include "bin/cli/ask.hpp"
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/erasure.hpp"
#include "schemas/organization.hpp"
#include "schemas/user.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

std::string words_of(const erasure_document& e) {
    switch (e.status) {
    case erasure_status::done:
        return "✓ erased: nothing is left to read or to find, in backups neither";
    case erasure_status::removing:
        return "erased: nobody can read it any more; rows and files are being removed";
    case erasure_status::refused:
        return "✗ refused: " + clean_line(e.reason);
    default:
        return "on its way; it goes on by itself, also after a restart";
    }
}

std::string show_erasure(context& c, const erasure_document& e) {
    const auto good = e.status == erasure_status::refused ? tone::bad : tone::good;
    return details(c.out_screen(), {{std::string(detail::enum_name(e.subject)), {to_string(e.id), tone::accent}},
                                    {"requested", {relative_time(e.requested_at, c.now()) + " by " + e.requested_by}},
                                    {"erased", {e.erased_at ? to_string(*e.erased_at) : ""}},
                                    {"removed",
                                     {e.finished_at && e.reason.empty()
                                          ? fmt::format("rows of {} entities, {} contents", e.entities, e.contents)
                                          : std::string()}},
                                    {"status", {words_of(e), good}}});
}

/// --confirm, or typed at a terminal.
std::optional<std::string> confirmation(context& c, const std::string& name, std::string_view what) {
    if (auto given = c.args().value("confirm"); given || !c.can_ask()) {
        return given;
    }
    return ask(fmt::format("This erases {} for ever, in backups too. Type {} to confirm: ", what, clean_line(name)));
}

expected<int> erase(context& c, api& node, const std::string& path, const std::string& name, std::string_view what) {
    const auto confirmed = confirmation(c, name, what);
    if (!confirmed) {
        return c.usage({code::invalid_request, fmt::format("Nothing was erased. Say --confirm {}.", clean_line(name))});
    }
    return print_document<erasure_document>(c, node.remove(path + "?confirm=" + encode_segment(*confirmed)),
                                            [&](const auto& e) { return show_erasure(c, e); });
}

expected<int> org_delete(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = "/organizations/" + encode_segment(c.args().operand(0));
    const auto text = (*node)->get(path);
    const auto o = text ? from_json<organization_document>(*text, strictness::stored) : text.error();
    return o ? erase(c, **node, path, o->slug, "the organization with all that is in it") : expected<int>(o.error());
}

expected<int> user_delete(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = "/users/" + encode_segment(c.args().operand(0));
    const auto text = (*node)->get(path);
    const auto u = text ? from_json<user_document>(*text, strictness::stored) : text.error();
    return u ? erase(c, **node, path, u->email, "the account with its sessions and keys") : expected<int>(u.error());
}

expected<int> erasure_list(context& c) {
    return print_list<erasure_document>(c, "/system/erasures", {}, "Nothing was erased.", [&](const auto& items) {
        std::vector<std::vector<cell>> rows;
        for (const auto& e : items) {
            rows.push_back({{to_string(e.id), tone::accent},
                            {std::string(detail::enum_name(e.subject))},
                            {std::string(detail::enum_name(e.status))},
                            {relative_time(e.requested_at, c.now()), tone::faint},
                            {e.requested_by}});
        }
        return table(c.out_screen(), {{"ID"}, {"OF"}, {"STATUS"}, {"REQUESTED"}, {"BY"}}, rows);
    });
}

expected<int> erasure_show(context& c) {
    auto node = c.node();
    return node ? print_document<erasure_document>(
                      c, (*node)->get("/system/erasures/" + encode_segment(c.args().operand(0))),
                      [&](const auto& e) { return show_erasure(c, e); })
                : expected<int>(node.error());
}

} // namespace

std::vector<command> erase_commands() {
    const flag confirm{"confirm", "NAME",
                       "That it is meant: the slug, or the e-mail address. Asked for at a terminal."};
    return {
        {"org delete",
         "Erase an organization with all that is in it, in backups too. There is no way back.",
         {.flags = {confirm}, .operands = "ORG", .operands_min = 1, .operands_max = 1},
         "troupe org delete acme --confirm acme",
         org_delete},
        {"user delete",
         "Erase a person: the account, its sessions and keys, in backups too. There is no way back.",
         {.flags = {confirm}, .operands = "USER", .operands_min = 1, .operands_max = 1},
         "troupe user delete ada@example.org --confirm ada@example.org",
         user_delete},
        {"erasure list",
         "The people and organizations that were erased.",
         {.flags = {limit_flag()}},
         "troupe erasure list",
         erasure_list},
        {"erasure show",
         "How far an erasure is.",
         {.operands = "ID", .operands_min = 1, .operands_max = 1},
         "troupe erasure show 018f3c1e-7d2a-7000-8000-000000000001",
         erasure_show},
    };
}

} // namespace troupe::cli
