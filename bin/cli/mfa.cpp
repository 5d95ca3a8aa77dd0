// The second factor of whoever is logged in.
#include "actors/identity/totp.hpp"
#include "bin/cli/ask.hpp"
#include "bin/cli/print.hpp"
#include "bin/cli/text.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/cipher.hpp"

#include <fmt/format.h>

#include <utility>

namespace troupe::cli {
namespace {

/// White on black, whatever the terminal's colours: a code in reverse is not read by every camera.
std::string coloured(std::string_view code) {
    std::string out;
    while (!code.empty()) {
        const auto end = code.find('\n');
        out += "\x1b[97;40m" + std::string(code.substr(0, end)) + "\x1b[0m\n";
        code.remove_prefix(end + 1);
    }
    return out;
}

std::string show_enrolment(context& c, const mfa_enrolment_document& d) {
    const auto& screen = c.out_screen();
    const auto code = screen.interactive ? actors::qr_text(d.uri) : std::string();
    const auto columns = code.find('\n') / std::string_view("█").size(); // at most: blanks are shorter
    std::string out;
    if (!code.empty() && (screen.width == 0 || columns <= screen.width)) {
        out = "Scan this with an authenticator:\n\n" + (screen.colour ? coloured(code) : code) + "\n";
    }
    return out + details(screen, {{"seed", {d.secret, tone::accent}}, {"address", {d.uri}}});
}

std::string show_codes(const recovery_codes_document& d) {
    std::string out = "Recovery codes, shown this once: each is good once, in place of the authenticator's code.\n";
    for (const auto& code : d.recovery_codes) {
        out += "  " + clean_line(code) + "\n";
    }
    return out;
}

expected<int> print_codes(context& c, expected<std::string> body) {
    return print_document<recovery_codes_document>(c, std::move(body), [](const auto& d) { return show_codes(d); });
}

expected<int> confirm_with(context& c, const std::string& code) {
    auto node = c.node();
    return node ? print_codes(c, (*node)->post("/auth/mfa/enable", to_json(mfa_code_body{code})))
                : expected<int>(node.error());
}

expected<int> mfa_enrol(context& c) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto shown = print_document<mfa_enrolment_document>(c, (*node)->post("/auth/mfa/enroll", ""),
                                                              [&](const auto& d) { return show_enrolment(c, d); });
    if (!shown || c.json()) {
        return shown;
    }
    if (!c.can_ask()) {
        c.note("It counts from `troupe mfa confirm CODE` on, with the code that the authenticator shows then.");
        return 0;
    }
    const auto code = ask("Code that the authenticator shows now: ");
    if (!code || code->empty()) {
        c.note("Nothing counts yet: `troupe mfa confirm CODE` goes on.");
        return 0;
    }
    return confirm_with(c, *code);
}

expected<int> mfa_confirm(context& c) { return confirm_with(c, c.args().operand(0)); }

/// Proves who it is with the password, and with a code when the node wants one and somebody is there to type it.
expected<std::string> post_with_proof(context& c, api& node, std::string_view path, prove_body body) {
    const wiped_text first(to_json(body));
    auto answer = node.post(path, first.text());
    if (!answer && answer.error().code == code::mfa_required && !body.code && c.typed()) {
        body.code = ask("Code of the second factor: ");
        const wiped_text second(to_json(body));
        answer = body.code ? node.post(path, second.text()) : std::move(answer);
    }
    wipe(body.password);
    return answer;
}

/// What the node answers to a password, and a code where there is one.
expected<std::string> proven(context& c, std::string_view path) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    auto password = read_password(c, "password-file", "Your password", false);
    return password ? post_with_proof(c, **node, path, {std::move(*password), c.args().value("code")})
                    : expected<std::string>(password.error());
}

expected<int> mfa_disable(context& c) {
    return print_done(c, proven(c, "/auth/mfa/disable"), "There is no second factor any more.");
}

expected<int> mfa_recovery_codes(context& c) { return print_codes(c, proven(c, "/auth/mfa/recovery-codes")); }

} // namespace

std::vector<command> mfa_commands() {
    const std::vector<flag> proof{
        {"password-file", "FILE", "Read the password from a file, or from standard input with -."},
        {"code", "CODE", "Code of the second factor, or a recovery code."}};
    return {
        {"mfa enrol",
         "Begin a second factor: shows the seed, and at a terminal a QR code, for an authenticator.",
         {},
         "troupe mfa enrol",
         mfa_enrol},
        {"mfa confirm",
         "Make the second factor count, with the code that the authenticator shows; gives recovery codes.",
         {.operands = "CODE", .operands_min = 1, .operands_max = 1},
         "troupe mfa confirm 123456",
         mfa_confirm},
        {"mfa recovery-codes",
         "New recovery codes, in the place of those that are left.",
         {.flags = proof},
         "troupe mfa recovery-codes",
         mfa_recovery_codes},
        {"mfa disable", "End the second factor.", {.flags = proof}, "troupe mfa disable", mfa_disable},
    };
}

} // namespace troupe::cli
