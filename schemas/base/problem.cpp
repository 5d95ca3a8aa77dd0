#include "schemas/base/problem.hpp"

#include "schemas/base/json.hpp"

#include <algorithm>
#include <iterator>

namespace troupe {
namespace {

/// The single mapping of codes, in the order of the enumeration.
constexpr code_info table[] = {
    {code::invalid_request, "invalid_request", 422, "The request is not valid",
     "A field, query parameter or header is missing, unknown or outside its bounds.",
     "Correct the places that `errors` lists; the API description shows what each field allows."},
    {code::malformed_json, "malformed_json", 400, "The text is not JSON",
     "The body is empty, is not UTF-8, is nested too deeply or breaks the grammar of JSON.",
     "Send one complete JSON value in UTF-8; write it with a JSON library rather than by hand."},
    {code::malformed_http, "malformed_http", 400, "The bytes are not HTTP/1.1",
     "The request line, a header or the framing of the body breaks the protocol.",
     "Use an HTTP/1.1 client, and check that the address and port belong to Troupe and that no proxy rewrites "
     "requests."},
    {code::payload_too_large, "payload_too_large", 413, "The request is too large",
     "The body, a header or the request line is over its limit.",
     "Send less at a time; put large contents into files of a project and refer to them."},
    {code::unsupported_media_type, "unsupported_media_type", 415, "The media type is not supported",
     "The body was sent with a Content-Type that this operation does not take.",
     "Send JSON with the header `Content-Type: application/json`."},
    {code::unauthenticated, "unauthenticated", 401, "A valid key or token is needed",
     "The request has no API key and no access token, or one that is unknown, expired or revoked.",
     "Send it in the header `Authorization: Bearer KEY`. A token comes from POST /api/v1/auth/login and is renewed "
     "with "
     "POST /api/v1/auth/refresh; the administrator's key stands in admin.key in the data directory."},
    {code::forbidden, "forbidden", 403, "This is not allowed",
     "The caller is known but lacks the permission that this needs.",
     "Ask an administrator of the organization for a role with the permission; GET /api/v1/auth/permissions explains "
     "the decision."},
    {code::not_found, "not_found", 404, "Not found",
     "Nothing has this path or id in your organization; it may also have been deleted.",
     "Check the path and the id; a list of the same kind shows what is there."},
    {code::method_not_allowed, "method_not_allowed", 405, "The method is not allowed here",
     "The path exists, but not with this HTTP method.", "Use one of the methods that the `Allow` header names."},
    {code::conflict, "conflict", 409, "The current state does not allow this",
     "The entity has reached a state in which this command makes no sense, such as cancelling a run that has ended.",
     "Read the entity again and decide on its current state."},
    {code::already_exists, "already_exists", 409, "It exists already",
     "Another entity has this name or id, and it has to be unique.",
     "Choose another name, or use the entity that is there."},
    {code::precondition_failed, "precondition_failed", 412, "It was changed meanwhile",
     "`If-Match` names a version that is no longer the current one.",
     "Read the entity again, apply your change to the new version and send its ETag."},
    {code::idempotency_mismatch, "idempotency_mismatch", 422, "The key was used for another request",
     "A request with the same `Idempotency-Key` and different contents was accepted before.",
     "Use a new key for a new request; repeat a request unchanged under its old key."},
    {code::overloaded, "overloaded", 503, "Too much at once",
     "The node has as many commands in work as its bounds allow.",
     "Try again after the time in `Retry-After`, with fewer requests at the same time."},
    {code::unavailable, "unavailable", 503, "Not available at the moment",
     "The part that has to answer is starting, stopping or cannot be reached.",
     "Try again in a few seconds. If it stays, look at the node's health and log."},
    {code::deadline_exceeded, "deadline_exceeded", 504, "It took too long",
     "The answer did not come within the time allowed; the work may still be done.",
     "Repeat the request with the same `Idempotency-Key`: it is not done twice."},
    {code::cancelled, "cancelled", 409, "It was cancelled",
     "The caller or an operator ended it before it was complete.", "Start it again if it is still wanted."},
    {code::poison, "poison", 500, "The command was set aside",
     "Its entity crashed each time it tried to handle this command, so it was given up.",
     "Report it with the node's log. Other commands to the entity go on; sending this one again will crash it again."},
    {code::quarantined, "quarantined", 500, "The entity cannot be loaded",
     "Its stored events cannot be replayed by this version, so it takes no commands; the rest of the node goes on.",
     "Look in the log for the event that fails. Run the version that wrote it, or restore a backup."},
    {code::unknown_outcome, "unknown_outcome", 504, "Nobody knows whether it happened",
     "A crash or a lost connection came between the action and its confirmation.",
     "Look at its effect before you repeat it; a step of a run can be retried or skipped by its approval."},
    {code::storage_full, "storage_full", 507, "The disk is nearly full",
     "The data directory has less free space than the node needs to write safely.",
     "Free space or enlarge the volume; writing resumes by itself."},
    {code::storage_failed, "storage_failed", 500, "The disk failed",
     "The operating system returned an error on a write or a read.",
     "Check the system's log and the health of the disk. What was acknowledged is safe up to the error."},
    {code::journal_damaged, "journal_damaged", 500, "The journal is damaged",
     "A record fails its checksum, or records are missing in a sequence.",
     "Do not delete anything. Check the disk and restore a backup; the log names the place."},
    {code::data_dir_in_use, "data_dir_in_use", 500, "The data directory is in use",
     "Another process holds the lock of this data directory.",
     "Stop the other node, or give this one a directory of its own with --data."},
    {code::data_dir_unusable, "data_dir_unusable", 500, "The data directory cannot be used",
     "It is missing, may not be written, or holds something else than Troupe's data.",
     "Check the path and its owner, or name an empty directory with --data."},
    {code::data_dir_newer, "data_dir_newer", 500, "The data is newer than this program",
     "A newer version of Troupe wrote the data directory in a format that this one does not know.",
     "Run the newer version, or restore a backup made with this one."},
    {code::config_invalid, "config_invalid", 422, "The configuration has an error",
     "A setting is unknown, malformed or outside its bounds.",
     "Correct the places that are named; each setting is documented with its unit, default and bounds."},
    {code::address_in_use, "address_in_use", 500, "The port is taken",
     "Another process listens on this address and port.",
     "Stop it, or choose another port with --listen; port 0 takes a free one."},
    {code::listen_failed, "listen_failed", 500, "Cannot listen on this address",
     "The address does not belong to this machine, or the port needs more rights.",
     "Use an address of this machine, such as 127.0.0.1, and a port above 1023."},
    {code::sandbox_unavailable, "sandbox_unavailable", 503, "Commands cannot be confined",
     "This machine lacks what keeps commands of agents away from the rest of it.",
     "Install bubblewrap (package `bubblewrap`) and allow it to make user namespaces."},
    {code::tool_unknown, "tool_unknown", 422, "There is no such tool",
     "A tool was named that this node or this agent does not have.",
     "Use one of the tools that the agent lists; the spelling has to match."},
    {code::tool_arguments_invalid, "tool_arguments_invalid", 422, "The arguments do not fit the tool",
     "The arguments of a tool call fail the tool's schema.", "Correct the places that `errors` lists and call again."},
    {code::tool_failed, "tool_failed", 502, "The tool failed", "The tool ran and reported an error of its own.",
     "Read its message; correct the arguments or what it works on, then call it again."},
    {code::model_unknown, "model_unknown", 422, "There is no such model",
     "The model, or the provider before the slash, is not configured on this node.",
     "Use a configured model, such as `rehearsal`, or add the provider to the configuration."},
    {code::model_unavailable, "model_unavailable", 502, "The model's provider does not answer",
     "The provider cannot be reached or answers with a server error.",
     "Check the provider's address and status; runs try again by themselves."},
    {code::model_rate_limited, "model_rate_limited", 503, "The provider limits the rate",
     "The model's provider answers 429: too many requests or tokens, or the credit is used up.",
     "Wait as long as it asks for, start fewer runs at once, or raise the limit or credit at the provider."},
    {code::model_refused, "model_refused", 502, "The provider refuses the request",
     "The model's provider answers with a client error, such as a wrong key or a context that is too long.",
     "Read its message in the detail; check the provider's key, the model's name and the length of the context."},
    {code::model_reply_invalid, "model_reply_invalid", 502, "The model's answer cannot be understood",
     "The provider's answer breaks its own protocol or ended in the middle.",
     "Try again. If it stays, check that the configured kind of provider matches its address."},
    {code::script_invalid, "script_invalid", 422, "The script or the cassette has an error",
     "The rehearsal script or the cassette cannot be read, or something in it is malformed.",
     "Correct the lines that `errors` lists."},
    {code::script_exhausted, "script_exhausted", 422, "The script or the cassette has no answer",
     "No rule of the rehearsal script matches this model call, or no recorded call of the cassette is this one.",
     "Add a rule for it, or one without conditions at the end; record the calls anew."},
    {code::budget_exhausted, "budget_exhausted", 409, "The budget is used up",
     "The steps, tokens, money or time that were allowed are spent or reserved.",
     "Raise the limits of the run or of the agent and start again."},
    {code::path_outside_project, "path_outside_project", 422, "The path leaves the project",
     "The path is absolute, has `..`, or a link in it points outside.",
     "Use a relative path with slashes inside the project."},
    {code::connection_failed, "connection_failed", 503, "The node cannot be reached",
     "No connection to the address could be made, or it broke before the answer came.",
     "Check that the node runs and that the URL is right (--url or TROUPE_URL)."},
    {code::internal, "internal", 500, "Something went wrong in Troupe", "A defect in Troupe, not in your request.",
     "The node's log has the details; please report it with them. Repeating the request may help."},
    {code::secrets_locked, "secrets_locked", 500, "The secrets cannot be opened",
     "The master key that wraps the data keys of secrets is missing or another one, or what is stored was changed.",
     "Give the node the master key that the message names: secrets.key_file, TROUPE_SECRETS_KEY, or secrets.key in the "
     "data directory, an older one behind the new one. Nothing is overwritten meanwhile."},
    {code::erased, "erased", 410, "It was erased",
     "The person or organization that this belonged to was erased: the key of its contents is destroyed.",
     "There is no way back. What others kept of it, they have to have copied before."},
    {code::invalid_credentials, "invalid_credentials", 401, "These credentials do not open an account",
     "The e-mail address, the password or the code is wrong, or the account is disabled or locked for a while.",
     "Check what you typed. After several wrong attempts wait some minutes, or ask an administrator to unlock the "
     "account or to set a new password."},
    {code::token_reused, "token_reused", 401, "This refresh token was used before",
     "A refresh token is good for one use. Somebody used this one before, perhaps somebody who stole it, so its "
     "session "
     "was ended.",
     "Log in again. If you did not use the token twice yourself, change the password and look at the list of "
     "sessions."},
    {code::mfa_required, "mfa_required", 401, "A code of the second factor is needed",
     "The password is right and the account is protected by a second factor.",
     "Send the request again with `code`: the six digits of the authenticator, or a recovery code."},
    {code::step_up_required, "step_up_required", 403, "Prove again that it is you",
     "This is dangerous, and the login of this session is some time ago.",
     "Call POST /api/v1/auth/step-up with the password, or the code of the second factor, and repeat the request."},
    {code::registration_off, "registration_off", 403, "Registration is off",
     "The setting `identity.registration` of this node does not let people register by themselves.",
     "Ask an administrator for an invitation, or set `identity.registration` to `open` and start the node again."},
    {code::rate_limited, "rate_limited", 429, "Too many requests",
     "An address, a key, a user or an organization sent more than it may, or too many attempts to log in failed.",
     "Wait as long as `Retry-After` says and send more slowly."},
    {code::limit_reached, "limit_reached", 403, "The plan allows no more",
     "The organization has as many of these as its plan allows.",
     "Delete some, or ask for another plan; GET /api/v1/organizations/{id}/usage shows limits and use."},
    {code::organization_suspended, "organization_suspended", 403, "The organization is suspended",
     "An operator of the node suspended the organization: it can be read, and nothing in it changes.",
     "Ask the operator of the node; GET /api/v1/organizations/{id} shows the status."},
    {code::quota_exceeded, "quota_exceeded", 429, "A limit of the plan is reached",
     "The organization has or used as much of something in this day as its plan allows. The detail names the limit, "
     "its "
     "value, the use, the plan, and when it is reset.",
     "Wait for the reset (`Retry-After`, midnight UTC, for limits by the day), remove some, or ask the operator of the "
     "node for another plan; GET /api/v1/organizations/{id}/limits shows all limits and their use."},
    {code::too_many_keys, "too_many_keys", 409, "There are too many API keys",
     "The person, the agent, or the services of the organization have as many good keys as this node allows "
     "(`identity.api_keys_max`).",
     "Revoke keys that nobody needs (GET /api/v1/api-keys shows when each was used last, DELETE "
     "/api/v1/api-keys/{id} revokes it), or ask the operator of the node to raise `identity.api_keys_max`."},
    {code::second_factor_required, "second_factor_required", 403, "This organization needs a second factor",
     "The organization's security policy asks people for a second factor, and this session was opened without one.",
     "Enrol one with POST /api/v1/auth/mfa/enroll and /enable, then show a code with POST /api/v1/auth/step-up or a "
     "new "
     "login. The caller's own account stays reachable meanwhile."},
    {code::password_expired, "password_expired", 403, "The password is too old for this organization",
     "The organization's security policy asks for a password that was changed later than this one.",
     "Change it with POST /api/v1/auth/change-password, and go on with the session that this gives."},
    {code::session_too_old, "session_too_old", 401, "The session is too old for this organization",
     "The organization's security policy ends sessions after a time, or when they rest for too long.",
     "Log in again with POST /api/v1/auth/login."},
    {code::address_not_allowed, "address_not_allowed", 403, "This organization is not open to this address",
     "The organization's security policy names the networks that it is used from, and this address is in none of them.",
     "Come from one of these networks, or ask an administrator of the organization to add this one to "
     "`security.addresses.allowed`."},
    {code::would_lock_out, "would_lock_out", 409, "The change would keep out whoever makes it",
     "Under the new security policy the caller's own session or address would be refused.",
     "Fulfil the policy first (a second factor, another network), or send `force` when somebody else can undo it; the "
     "administrator's key of the node always gets in."},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < std::size(table); ++i) {
        if (static_cast<std::size_t>(table[i].code) != i) {
            return false;
        }
    }
    return true;
}
static_assert(std::size(table) == static_cast<std::size_t>(code::would_lock_out) + 1, "each code has one row");
static_assert(in_order(), "rows stand in the order of the enumeration: explain() finds them by index");

constexpr std::string_view type_prefix = "/api/v1/problems/";

std::string errors_json(const std::vector<field_error>& errors) {
    std::string out = "[";
    for (const auto& error : errors) {
        if (out.size() > 1) {
            out += ',';
        }
        json::object_writer writer(out);
        writer.field("pointer", error.pointer).field("message", error.message);
        writer.end();
    }
    return out += ']';
}

} // namespace

const code_info& explain(code c) {
    const auto row = static_cast<std::size_t>(c);
    return row < std::size(table) ? table[row] : table[static_cast<std::size_t>(code::internal)];
}

std::span<const code_info> all_codes() { return table; }

std::optional<code> code_named(std::string_view name) {
    const auto* const row =
        std::find_if(std::begin(table), std::end(table), [&](const auto& r) { return r.name == name; });
    return row == std::end(table) ? std::nullopt : std::optional(row->code);
}

std::string to_problem_json(const problem& p, std::string_view instance) {
    const auto& info = explain(p.code);
    std::string out;
    json::object_writer writer(out);
    writer.field("type", std::string(type_prefix).append(info.name)).field("title", info.title);
    writer.field("status", info.http_status).field("detail", p.detail).field("code", info.name);
    if (!p.errors.empty()) {
        writer.raw_field("errors", errors_json(p.errors));
    }
    if (!instance.empty()) {
        writer.field("instance", instance);
    }
    writer.end();
    return out;
}

problem from_problem_json(std::string_view text, int http_status) {
    constexpr std::size_t shown_bytes_max = 200; // of a reply that is no problem document: a proxy's page, for example
    const auto parsed = json::document::parse(text);
    const auto known = parsed ? code_named(parsed->root().text_or("code")) : std::nullopt;
    if (!known) {
        return {code::internal,
                "HTTP status " + std::to_string(http_status) +
                    " with an answer that is not Troupe's: " + std::string(text.substr(0, shown_bytes_max))};
    }
    const auto root = parsed->root();
    problem out{*known, root.text_or("detail", explain(*known).title)};
    if (const auto errors = root.find("errors")) {
        errors->each_element([&](json::value item) {
            out.errors.push_back({item.text_or("pointer"), item.text_or("message")});
        });
    }
    return out;
}

} // namespace troupe
