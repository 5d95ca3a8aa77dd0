// Who the program speaks as: login, logout, whoami, sessions.
#include "bin/cli/ask.hpp"
#include "bin/cli/login_oidc.hpp"
#include "bin/cli/logins.hpp"
#include "bin/cli/people.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/cipher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::cli {
namespace {

problem no_home() {
    return {code::invalid_request, "There is no place for logins: set HOME or XDG_CONFIG_HOME, or use --key."};
}

expected<std::string> email_to_log_in(context& c, const std::optional<stored_login>& before) {
    if (!c.args().operands().empty()) {
        return c.args().operand(0);
    }
    const auto last = before ? before->email : std::string();
    if (!c.typed()) {
        return last.empty() ? expected<std::string>(problem{code::invalid_request,
                                                            "Who logs in? troupe login EMAIL --password-file FILE"})
                            : expected<std::string>(last);
    }
    const auto typed = ask(last.empty() ? std::string("E-mail: ") : fmt::format("E-mail [{}]: ", clean_line(last)));
    const auto email = typed && typed->empty() ? last : typed.value_or("");
    return email.empty() ? expected<std::string>(problem{code::invalid_request, "Nobody was named: nothing was done."})
                         : expected<std::string>(email);
}

/// Sends the password, and the code of the second factor when the node wants it and somebody is there to type it.
expected<std::string> send_login(context& c, api& node, login_body body) {
    const wiped_text first(to_json(body));
    auto answer = node.post("/auth/login", first.text());
    if (!answer && answer.error().code == code::mfa_required && !body.code && c.typed()) {
        body.code = ask("Code of the second factor: ");
        const wiped_text second(to_json(body));
        answer = body.code ? node.post("/auth/login", second.text()) : std::move(answer);
    }
    wipe(body.password);
    return answer;
}

void warn_of_plain_http(context& c, const std::string& url, std::string_view what) {
    if (url.starts_with("http://") && !is_on_this_machine(url)) {
        c.note(paint(c.err_screen(), tone::warn, "warning:") +
               fmt::format(" {} another machine without encryption: use an https:// address.", what));
    }
}

/// Saves the tokens of the node's answer, and says who is logged in.
expected<int> keep_login(context& c, const login_file& file, const std::optional<stored_login>& before,
                         const std::string& url, const expected<std::string>& body) {
    auto answer = body ? from_json<login_document>(*body, strictness::stored) : expected<login_document>(body.error());
    if (!answer) {
        return answer.error();
    }
    const auto chosen = given_organization(c);
    stored_login made{url};
    // The organization of `org use` stays that of the same person.
    const bool same = before && before->email == answer->user.email;
    made.organization = !chosen.empty() ? chosen : same ? before->organization : "";
    take_tokens(made, *answer);
    const auto locked = file.lock();
    const auto saved = locked ? file.put(made) : expected<void>(locked.error());
    if (!saved) {
        return saved.error();
    }
    answer->access_token.reset(); // never printed
    answer->refresh_token.reset();
    if (c.json()) {
        c.print_json(to_json(*answer));
        return 0;
    }
    const auto where = made.organization.empty() ? organization_name(c, answer->organization_id)
                       : chosen.empty()          ? made.organization + " (chosen with `troupe org use`)"
                                                 : made.organization;
    c.print(fmt::format("{} Logged in to {} as {}{}.\n", paint(c.out_screen(), tone::good, "✓"), clean_line(url),
                        clean_line(answer->user.email), where.empty() ? "" : ", organization " + clean_line(where)));
    if (where.empty() && !answer->user.node_admin) {
        c.note("You belong to no organization yet: ask for an invitation, then `troupe org join TOKEN`.");
    }
    return 0;
}

/// Where to log in, and who is logged in there.
struct login_place {
    login_file file;
    connection address;
    std::optional<stored_login> before;
};

expected<login_place> find_login_place(context& c) {
    auto file = login_file::of(c.search());
    auto address = find_address(c.search());
    if (!file || !address) {
        return file ? address.error() : no_home();
    }
    auto before = file->find(address->url);
    if (!before) {
        return before.error();
    }
    return login_place{std::move(*file), std::move(*address), std::move(*before)};
}

expected<int> login(context& c) {
    const auto place = find_login_place(c);
    if (!place) {
        return place.error();
    }
    const auto& [file, address, before] = *place;
    const auto& url = address.url;
    const auto chosen = given_organization(c);
    api node(address);
    if (const auto provider = c.args().value("oidc")) {
        if (!c.args().operands().empty() || c.args().has("password-file")) {
            return c.usage({code::invalid_request, "--oidc asks the issuer who you are: leave the e-mail address and "
                                                   "--password-file out."});
        }
        warn_of_plain_http(c, url, "the tokens come from");
        return keep_login(c, file, before, url, log_in_at_issuer(c, node, *provider, chosen));
    }
    const auto email = email_to_log_in(c, before);
    auto password = email ? read_password(c, "password-file", fmt::format("Password of {}", clean_line(*email)), false)
                          : expected<std::string>(email.error());
    if (!password) {
        return c.usage(password.error());
    }
    warn_of_plain_http(c, url, "the password goes to");
    return keep_login(c, file, before, url,
                      send_login(c, node,
                                 {*email, std::move(*password), c.args().value("code"),
                                  chosen.empty() ? std::nullopt : std::optional(chosen), false}));
}

/// What the node says of registration is for its operator; who only wants an account is told whom to ask.
problem explained(problem p) {
    if (p.code == code::registration_off) {
        p.detail += ". Ask an administrator of the node for an account (`troupe user create`) or for an invitation "
                    "(`troupe org invite`), or the operator to set `identity.registration` to `invite` or `open`.";
    }
    return p;
}

expected<int> register_account(context& c) {
    const auto place = find_login_place(c);
    if (!place) {
        return place.error();
    }
    const auto& [file, address, before] = *place;
    const auto& url = address.url;
    const auto& email = c.args().operand(0);
    if (email.find('@') == std::string::npos) {
        return c.usage({code::invalid_request, fmt::format("\"{}\" is no e-mail address.", clean_line(email))});
    }
    auto invitation = c.args().value("invitation");
    if (invitation && *invitation == "-") {
        auto text = text_of(c, "-");
        if (!text) {
            return c.usage(text.error());
        }
        invitation = std::move(*text);
    }
    auto password = read_password(c, "password-file", fmt::format("New password of {}", clean_line(email)), true);
    if (!password) {
        return c.usage(password.error());
    }
    warn_of_plain_http(c, url, "the password goes to");
    register_body body{email, std::move(*password), c.args().value_or("name", ""), c.args().value("organization"),
                       std::move(invitation)};
    const wiped_text text(to_json(body));
    wipe(body.password);
    api node(address);
    auto answer = node.post("/auth/register", text.text());
    return keep_login(c, file, before, url, answer ? std::move(answer) : explained(answer.error()));
}

/// Forgets the tokens here.
expected<int> forget(context& c, const login_file& file, const std::string& url, std::string_view sentence) {
    const auto locked = file.lock();
    const auto gone = locked ? file.remove(url) : expected<bool>(locked.error());
    if (!gone) {
        return gone.error();
    }
    c.json() ? c.print_json("{}") : c.print(std::string(sentence) + "\n");
    return 0;
}

expected<int> logout(context& c) {
    const auto file = login_file::of(c.search());
    const auto address = find_address(c.search());
    if (!file || !address) {
        return file ? address.error() : no_home();
    }
    const auto& url = address->url;
    const auto known = file->find(url);
    if (!known || !*known) {
        return known ? problem{code::not_found, fmt::format("Nobody is logged in to {}.", url)} : known.error();
    }
    const bool everywhere = c.args().has("everywhere");
    auto where = *address;
    where.key = (*known)->access_token;
    where.source = key_source::login;
    where.renew_at = (*known)->renew_at;
    api node(std::move(where), [&](const connection& used) { return renew_login(*file, used); });
    const auto ended = everywhere ? node.remove("/auth/sessions") : node.post("/auth/logout", "");
    const bool over =
        !ended && (ended.error().code == code::unauthenticated || ended.error().code == code::token_reused);
    if (over && everywhere) {
        auto p = ended.error();
        p.detail += " Then `troupe logout --everywhere` again.";
        return p;
    }
    if (!ended && !over) {
        if (everywhere || ended.error().code != code::connection_failed) {
            return ended.error();
        }
        c.note(clean_line(ended.error().detail) + " The session lasts there until it expires.");
    }
    return forget(c, *file, url,
                  everywhere ? fmt::format("Logged out of {} everywhere.", clean_line(url))
                             : fmt::format("Logged out of {}.", clean_line(url)));
}

/// Which credentials the connection has, as a person set them up.
std::string source_text(context& c, const connection& where) {
    switch (where.source) {
    case key_source::flag:
        return "--key";
    case key_source::environment:
        return "TROUPE_KEY";
    case key_source::login: {
        const auto file = login_file::of(c.search());
        return "login in " + (file ? file->path().string() : std::string("logins.json"));
    }
    case key_source::admin_key:
        return "the node's key file, in " + find_data_folder(c.search()).value_or("the data folder").string();
    case key_source::none:
        break;
    }
    return "none";
}

std::string show_caller(context& c, const connection& where, const caller_document& d) {
    const auto joined = fmt::format("{}", fmt::join(d.permissions, " "));
    const auto who = d.user                  ? d.user->email + (d.user->name.empty() ? "" : " (" + d.user->name + ")")
                     : d.kind == "admin_key" ? std::string("the administrator's key of the node")
                                             : d.principal;
    return details(c.out_screen(), {{"who", {who, tone::accent}},
                                    {"key", {d.user && d.kind == "api_key" ? d.principal : ""}},
                                    {"organization", {organization_name(c, d.organization_id)}},
                                    {"role", {d.role.value_or("")}},
                                    {"permissions", {joined}},
                                    {"node", {where.url + (d.node_admin ? ", whose administrator this is" : "")}},
                                    {"session", {d.session_id ? to_string(*d.session_id) : ""}},
                                    {"credentials", {source_text(c, where)}}});
}

expected<int> whoami(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    auto body = (*node)->get("/auth/me");
    if (const auto chosen = (*node)->where().organization;
        !body && body.error().code == code::not_found && !chosen.empty() && given_organization(c).empty()) {
        (*node)->leave_organization();
        body = (*node)->get("/auth/me");
        c.note(fmt::format("You do not belong to {} any more, which `troupe org use` chose: choose another one of "
                           "`troupe org list`.",
                           clean_line(chosen)));
    }
    return print_document<caller_document>(c, std::move(body),
                                           [&](const auto& d) { return show_caller(c, (*node)->where(), d); });
}

std::string show_sessions(context& c, const std::vector<session_document>& sessions) {
    std::vector<uuid> ids;
    for (const auto& s : sessions) {
        ids.push_back(s.id);
    }
    const auto length = short_length(ids);
    std::vector<std::vector<cell>> rows;
    for (const auto& s : sessions) {
        rows.push_back({{short_id(s.id, length), tone::accent},
                        {relative_time(s.created_at, c.now()), tone::faint},
                        {relative_time(s.refreshed_at, c.now()), tone::faint},
                        {relative_time(s.expires_at, c.now()), tone::faint},
                        {s.address},
                        {s.user_agent, tone::faint}});
    }
    return table(c.out_screen(), {{"SESSION"}, {"BEGAN"}, {"USED"}, {"EXPIRES"}, {"FROM"}, {"PROGRAM", false, true}},
                 rows);
}

expected<int> sessions_list(context& c) {
    return print_list<session_document>(c, "/auth/sessions", {}, "There is no open session.",
                                        [&](const auto& items) { return show_sessions(c, items); });
}

expected<int> sessions_end(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto id = resolve_session(**node, c.args().operand(0));
    return id ? print_done(c, (*node)->remove("/auth/sessions/" + to_string(*id)), "The session is ended.")
              : expected<int>(id.error());
}

} // namespace

std::vector<command> login_commands() {
    return {
        {"login",
         "Log in to a node with e-mail address and password, or at an issuer of OpenID Connect. The tokens are kept in "
         "~/.config/troupe/logins.json, for "
         "you alone; every command to that node uses them and renews them by itself.",
         {.flags = {{"password-file", "FILE", "Read the password from a file, or from standard input with -."},
                    {"code", "CODE", "Code of the second factor, or a recovery code."},
                    {"oidc", "NAME", "Log in at this issuer of the node, with a browser on this machine."}},
          .operands = "[EMAIL]",
          .operands_max = 1},
         "troupe login ada@example.org --url https://troupe.example.org\n"
         "troupe login ada@example.org --org acme --password-file -\n"
         "troupe login --oidc acme",
         login},
        {"register",
         "Make an account of your own and log in, where the node lets people register (`identity.registration`).",
         {.flags = {{"password-file", "FILE", "Read the password from a file, or from standard input with -."},
                    {"name", "NAME", "Your name."},
                    {"organization", "NAME", "Name of the organization that is made for you."},
                    {"invitation", "TOKEN",
                     "Join the organization of an invitation instead; - reads the token from "
                     "standard input."}},
          .operands = "EMAIL",
          .operands_min = 1,
          .operands_max = 1},
         "troupe register ada@example.org --name Ada --organization Acme --url https://troupe.example.org\n"
         "troupe register ada@example.org --invitation TOKEN",
         register_account},
        {"logout",
         "End the session and forget its tokens.",
         {.flags = {{"everywhere", "", "End all sessions of yours, on every machine."}}},
         "troupe logout\ntroupe logout --everywhere",
         logout},
        {"whoami",
         "Who you are for the node, in which organization, what you may do, and which credentials say so.",
         {},
         "troupe whoami\ntroupe whoami --org acme",
         whoami},
        {"sessions",
         "Your open sessions.",
         {.flags = {limit_flag()}},
         "troupe sessions\ntroupe sessions end 018f3c1e-7d2a",
         sessions_list},
        {"sessions list", "Your open sessions.", {.flags = {limit_flag()}}, "troupe sessions list", sessions_list},
        {"sessions end",
         "End one of your sessions.",
         {.operands = "SESSION", .operands_min = 1, .operands_max = 1},
         "troupe sessions end 018f3c1e-7d2a",
         sessions_end},
    };
}

} // namespace troupe::cli
