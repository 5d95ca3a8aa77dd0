// Accounts of people: for administrators of the node, and one's own password.
#include "schemas/user.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/logins.hpp"
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/ids.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace troupe::cli {
namespace {

/// 24 letters and digits of a random secret: over 140 bits.
std::string generated_password() {
    constexpr std::size_t length = 24;
    std::string out;
    while (out.size() < length) {
        for (const char c : make_secret()) {
            if (std::isalnum(static_cast<unsigned char>(c)) != 0 && out.size() < length) {
                out += c;
            }
        }
    }
    return out;
}

struct new_password {
    std::string text;
    bool generated = false;
};

expected<new_password> password_for(context& c, std::string_view whom) {
    if (c.args().has("generate")) {
        return c.args().has("password-file")
                   ? expected<new_password>(
                         problem{code::invalid_request, "--generate and --password-file are two passwords; give one."})
                   : expected<new_password>(new_password{generated_password(), true});
    }
    auto text =
        read_password(c, "password-file", whom.empty() ? "New password" : "New password of " + clean_line(whom), true);
    return text ? expected<new_password>(new_password{std::move(*text)}) : text.error();
}

tone tone_of(const user_document& u) { return u.status == user_status::active ? tone::plain : tone::bad; }

bool is_locked(const user_document& u, timestamp now) { return u.locked_until && *u.locked_until > now; }

std::string status_of(const user_document& u, timestamp now) {
    return std::string(detail::enum_name(u.status)) + (is_locked(u, now) ? ", locked" : "");
}

std::string show_users(context& c, const std::vector<user_document>& users) {
    std::vector<std::vector<cell>> rows;
    for (const auto& u : users) {
        rows.push_back({{u.email, tone::accent},
                        {u.name},
                        {status_of(u, c.now()), tone_of(u)},
                        {u.node_admin ? "yes" : ""},
                        {std::to_string(u.organizations.size())},
                        {relative_time(u.created_at, c.now()), tone::faint}});
    }
    return table(c.out_screen(),
                 {{"USER"}, {"NAME", false, true}, {"STATUS"}, {"NODE ADMIN"}, {"ORGANIZATIONS", true}, {"MADE"}},
                 rows);
}

std::string show_user(context& c, const user_document& u) {
    std::string organizations;
    for (const auto& m : u.organizations) {
        organizations += fmt::format("{}{}: {}{}", organizations.empty() ? "" : "\n",
                                     organization_name(c, m.organization_id), m.role, m.active ? "" : " (disabled)");
    }
    return details(
        c.out_screen(),
        {{"user", {u.email, tone::accent}},
         {"name", {u.name}},
         {"id", {to_string(u.id)}},
         {"status", {status_of(u, c.now()), tone_of(u)}},
         {"locked", {is_locked(u, c.now()) ? "until " + to_string(*u.locked_until) : "", tone::warn}},
         {"node admin", {u.node_admin ? "yes" : ""}},
         {"second factor", {u.mfa ? "yes" : ""}},
         {"organizations", {organizations}},
         {"made", {relative_time(u.created_at, c.now())}},
         {"password",
          {u.password ? "set " + relative_time(u.password_changed_at, c.now()) : "none: logs in at an issuer"}}});
}

/// The account, and the password that was made for it: this is the only time it is shown.
expected<int> print_user(context& c, expected<std::string> body, const new_password& password) {
    if (!body) {
        return body.error();
    }
    if (c.json()) {
        c.print_json(password.generated ? with_member(std::move(*body), "password", password.text) : *body);
        return 0;
    }
    const auto user = from_json<user_document>(*body, strictness::stored);
    if (!user) {
        return user.error();
    }
    c.print(show_user(c, *user));
    if (password.generated) {
        c.print(fmt::format("\nPassword, shown this once:\n{}\n", password.text));
    }
    return 0;
}

expected<int> user_list(context& c) {
    return print_list<user_document>(c, "/users", {}, "There is no account. `troupe user create EMAIL` makes one.",
                                     [&](const auto& items) { return show_users(c, items); });
}

expected<int> user_show(context& c) {
    auto node = c.node();
    const auto id = node ? resolve_user(**node, c.args().operand(0)) : expected<uuid>(node.error());
    return id ? print_document<user_document>(c, (*node)->get("/users/" + to_string(*id)),
                                              [&](const auto& u) { return show_user(c, u); })
              : expected<int>(id.error());
}

expected<int> user_create(context& c) {
    const auto& email = c.args().operand(0);
    if (email.find('@') == std::string::npos) {
        return c.usage({code::invalid_request, fmt::format("\"{}\" is no e-mail address.", email)});
    }
    auto password = password_for(c, email);
    if (!password) {
        return c.usage(password.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const wiped_text body(to_json(create_user_body{email, c.args().value_or("name", ""), password->text,
                                                   c.args().has("node-admin"), c.args().value("role")}));
    auto made = print_user(c, (*node)->post("/users", body.text()), *password);
    if (made && !c.args().has("role") && !c.args().has("node-admin")) {
        c.note("The account belongs to no organization: `troupe org invite EMAIL`, or --role the next time.");
    }
    return made;
}

expected<int> change(context& c, const update_user_body& what, const new_password& password = {}) {
    auto node = c.node();
    const auto id = node ? resolve_user(**node, c.args().operand(0)) : expected<uuid>(node.error());
    if (!id) {
        return id.error();
    }
    const wiped_text body(to_json(what));
    return print_user(c, (*node)->put("/users/" + to_string(*id), body.text()), password);
}

expected<int> user_update(context& c) {
    const auto& args = c.args();
    if (args.has("node-admin") && args.has("no-node-admin")) {
        return c.usage({code::invalid_request, "--node-admin and --no-node-admin exclude each other."});
    }
    update_user_body body;
    body.name = args.value("name");
    if (args.has("node-admin") || args.has("no-node-admin")) {
        body.node_admin = args.has("node-admin");
    }
    if (!body.name && !body.node_admin) {
        return c.usage({code::invalid_request, "Nothing to change was given: --name, --node-admin, --no-node-admin."});
    }
    return change(c, body);
}

expected<int> set_status(context& c, user_status status) {
    update_user_body body;
    body.status = status;
    return change(c, body);
}
expected<int> user_disable(context& c) { return set_status(c, user_status::disabled); }
expected<int> user_enable(context& c) { return set_status(c, user_status::active); }

expected<int> user_disable_mfa(context& c) {
    auto node = c.node();
    const auto id = node ? resolve_user(**node, c.args().operand(0)) : expected<uuid>(node.error());
    return id ? print_user(c, (*node)->post("/users/" + to_string(*id) + "/disable-mfa", ""), {})
              : expected<int>(id.error());
}

expected<int> user_unlock(context& c) {
    auto node = c.node();
    const auto id = node ? resolve_user(**node, c.args().operand(0)) : expected<uuid>(node.error());
    return id ? print_user(c, (*node)->post("/users/" + to_string(*id) + "/unlock", ""), {})
              : expected<int>(id.error());
}

/// One's own: ends all sessions, and this one goes on with new tokens.
expected<int> own_password(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto file = login_file::of(c.search());
    if ((*node)->where().source != key_source::login || !file) {
        return c.usage({code::invalid_request, "Whose password? Log in to change your own, or name a user."});
    }
    auto current = read_password(c, "current-file", "Present password", false);
    if (!current) {
        return c.usage(current.error());
    }
    auto password = password_for(c, "");
    if (!password) {
        return c.usage(password.error());
    }
    const wiped_text body(to_json(change_password_body{std::move(*current), password->text, c.args().value("code")}));
    const auto answer = (*node)->post("/auth/change-password", body.text());
    const auto tokens =
        answer ? from_json<login_document>(*answer, strictness::stored) : expected<login_document>(answer.error());
    if (!tokens) {
        return tokens.error();
    }
    const auto locked = file->lock();
    const auto& url = (*node)->where().url;
    const auto known = locked ? file->find(url) : expected<std::optional<stored_login>>(locked.error());
    if (!known) {
        return known.error();
    }
    auto login = known->value_or(stored_login{url});
    take_tokens(login, *tokens);
    if (const auto saved = file->put(login); !saved) {
        return saved.error();
    }
    if (c.json()) {
        c.print_json(password->generated ? with_member(to_json(tokens->user), "password", password->text)
                                         : to_json(tokens->user));
        return 0;
    }
    c.print("Your password is changed; all other sessions of yours are ended.\n");
    if (password->generated) {
        c.print(fmt::format("\nPassword, shown this once:\n{}\n", password->text));
    }
    return 0;
}

expected<int> user_password(context& c) {
    if (c.args().operands().empty()) {
        return own_password(c);
    }
    if (c.args().has("current-file")) {
        return c.usage({code::invalid_request, "--current-file is for your own password, without USER."});
    }
    auto password = password_for(c, c.args().operand(0));
    if (!password) {
        return c.usage(password.error());
    }
    update_user_body body;
    body.password = password->text;
    return change(c, body, *password);
}

constexpr flag password_file{"password-file", "FILE", "Read the password from a file, or from standard input with -."};
constexpr flag generate{"generate", "", "Make a strong password and print it, this once."};

} // namespace

std::vector<command> user_commands() {
    const grammar one{.operands = "USER", .operands_min = 1, .operands_max = 1};
    return {
        {"user list", "Accounts of the node.", {.flags = {limit_flag()}}, "troupe user list", user_list},
        {"user show", "All about an account, by e-mail address or id.", one, "troupe user show ada@example.org",
         user_show},
        {"user create",
         "Make an account. The password comes from a file, standard input or the terminal, never from the command "
         "line.",
         {.flags = {{"name", "NAME", "How the person is called."},
                    {"role", "ROLE", "Makes them a member of the organization with this role."},
                    {"node-admin", "", "May do everything on this node."},
                    password_file,
                    generate},
          .operands = "EMAIL",
          .operands_min = 1,
          .operands_max = 1},
         "troupe user create ada@example.org --name \"Ada Lovelace\" --role owner\n"
         "troupe user create ops@example.org --node-admin --generate",
         user_create},
        {"user update",
         "Change an account.",
         {.flags = {{"name", "NAME", "How the person is called."},
                    {"node-admin", "", "May do everything on this node."},
                    {"no-node-admin", "", "May no longer do everything on this node."}},
          .operands = "USER",
          .operands_min = 1,
          .operands_max = 1},
         "troupe user update ada@example.org --name Ada",
         user_update},
        {"user disable", "Disable an account: its sessions and keys stop working at once.", one,
         "troupe user disable ada@example.org", user_disable},
        {"user enable", "Enable an account again.", one, "troupe user enable ada@example.org", user_enable},
        {"user disable-mfa", "End the second factor of a person who has lost it.", one,
         "troupe user disable-mfa ada@example.org", user_disable_mfa},
        {"user unlock", "Let a person log in again who failed too often.", one, "troupe user unlock ada@example.org",
         user_unlock},
        {"user password",
         "Change your own password, or set that of USER. Ends all sessions of that person; your own goes on here.",
         {.flags = {{"current-file", "FILE", "Your present password from a file, or from standard input with -."},
                    password_file,
                    {"code", "CODE", "Code of your second factor, where you have one."},
                    generate},
          .operands = "[USER]",
          .operands_max = 1},
         "troupe user password\ntroupe user password ada@example.org --generate",
         user_password},
    };
}

} // namespace troupe::cli
