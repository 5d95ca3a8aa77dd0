#include "actors/compliance/compliance_checks.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace troupe::actors {
namespace {

using enum compliance_result;

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
constexpr std::int64_t hour_ms = 3600LL * 1000;
/// What others than the owner of a file must not have.
constexpr std::uint32_t mode_of_others = 077;

/// Fixed about a check.
struct rule {
    std::string_view id;
    std::string_view title;
    compliance_severity severity;
    std::uint32_t weight;
};
constexpr rule mfa_members{"mfa_members", "People have a second factor", compliance_severity::medium, 10};
constexpr rule mfa_administrators{"mfa_administrators", "Owners and administrators have a second factor",
                                  compliance_severity::critical, 20};
constexpr rule password_age{"password_age", "Passwords are not old", compliance_severity::medium, 5};
constexpr rule keys_end{"keys_end", "API keys have an end", compliance_severity::medium, 10};
constexpr rule keys_used{"keys_used", "API keys are in use", compliance_severity::medium, 5};
constexpr rule keys_owned{"keys_owned", "API keys belong to somebody who is there", compliance_severity::high, 10};
constexpr rule master_key{"master_key", "The master key of secrets is its owner's alone", compliance_severity::critical,
                          10};
constexpr rule admin_key{"admin_key", "The administrator's key file is its owner's alone",
                         compliance_severity::critical, 10};
constexpr rule retention_histories{"retention_histories", "There is a rule for how long histories are kept",
                                   compliance_severity::low, 5};
constexpr rule retention_logs{"retention_logs", "There is a rule for how long the log is kept",
                              compliance_severity::low, 5};
constexpr rule backups_recent{"backups_recent", "There is a recent backup", compliance_severity::critical, 15};
constexpr rule backups_elsewhere{"backups_elsewhere", "The newest backup has a copy elsewhere",
                                 compliance_severity::high, 10};
constexpr rule backups_verified{"backups_verified", "The newest backup was read and compared",
                                compliance_severity::high, 10};
constexpr rule encryption_transport{"encryption_transport", "Connections are encrypted", compliance_severity::critical,
                                    10};
constexpr rule encryption_secrets{"encryption_secrets", "Secrets are sealed", compliance_severity::critical, 5};
constexpr rule encryption_at_rest{"encryption_at_rest", "Events and documents are encrypted on disk",
                                  compliance_severity::high, 10};
constexpr rule audit_chain{"audit_chain", "The audit log is whole", compliance_severity::critical, 15};
constexpr rule audit_elsewhere{"audit_elsewhere", "The audit log is passed on to another system",
                               compliance_severity::medium, 5};

std::string span_text(std::int64_t ms) {
    return ms >= day_ms    ? fmt::format("{} days", ms / day_ms)
           : ms >= hour_ms ? fmt::format("{} hours", ms / hour_ms)
                           : fmt::format("{} s", ms / 1000);
}

std::string yes_no(bool b) { return b ? "yes" : "no"; }

class judge_of {
public:
    explicit judge_of(timestamp now) : now_(now) {}

    void people(const people_facts& f, bool of_node);
    void keys(const key_facts& f);
    void key_files(const key_file_facts& f);
    void retention(const retention_facts& f);
    void backups(const backup_facts& f);
    void backup_verification(const backup_verification_facts& f);
    void encryption(const encryption_facts& f);
    void audit(const audit_facts& f);

    std::vector<compliance_check> checks;

private:
    compliance_check& add(const rule& r, compliance_result result, std::string finding, std::string remedy) {
        const bool nothing_to_do = result == pass || result == not_applicable;
        return checks.emplace_back(compliance_check{std::string(r.id),
                                                    std::string(r.title),
                                                    r.severity,
                                                    result,
                                                    r.weight,
                                                    std::move(finding),
                                                    nothing_to_do ? std::string() : std::move(remedy),
                                                    {},
                                                    0,
                                                    {}});
    }
    static void name(compliance_check& to, const counted_subjects& subjects) {
        to.subjects_total = subjects.total;
        for (const auto& id : subjects.first) {
            to.subjects.push_back({id, std::nullopt});
        }
    }
    void key_file(const rule& r, const std::optional<std::uint32_t>& mode, std::string_view none, std::string remedy);

    timestamp now_;
};

void judge_of::people(const people_facts& f, bool of_node) {
    const auto asked = f.with_passwords;
    const auto with = asked - f.without_factor.total;
    if (!of_node) {
        const bool most = with * 2 >= asked;
        auto& all = add(mfa_members,
                        asked == 0                    ? not_applicable
                        : f.without_factor.total == 0 ? pass
                        : most                        ? warn
                                                      : fail,
                        asked == 0 ? "Nobody here logs in with a password."
                                   : fmt::format("{} of {} people with a password have a second factor.", with, asked),
                        "Ask them to enrol one: `troupe mfa enrol`.");
        all.evidence = {{"people", std::to_string(f.people)},
                        {"with_password", std::to_string(asked)},
                        {"with_second_factor", std::to_string(with)},
                        {"share_percent", std::to_string(asked == 0 ? 100 : with * 100 / asked)},
                        {"log_in_at_an_issuer", std::to_string(f.logins_at_issuers)}};
        name(all, f.without_factor);
    }
    const auto missing = f.privileged_without_factor.total;
    const std::string_view who = of_node ? "administrators of the node" : "owners and administrators";
    auto& privileged = add(mfa_administrators,
                           f.privileged == 0 ? not_applicable
                           : missing == 0    ? pass
                                             : fail,
                           f.privileged == 0 ? fmt::format("There are no {} with an account.", who)
                           : missing == 0    ? fmt::format("No account of the {} is without one.", who)
                                             : fmt::format("{} of {} {} have none.", missing, f.privileged, who),
                           "Have them enrol one (`troupe mfa enrol`), or take the role away from them.");
    privileged.evidence = {{"accounts", std::to_string(f.privileged)}, {"without", std::to_string(missing)}};
    name(privileged, f.privileged_without_factor);
    auto& age = add(password_age,
                    asked == 0                   ? not_applicable
                    : f.old_passwords.total == 0 ? pass
                                                 : warn,
                    asked == 0 ? "There are no passwords."
                               : fmt::format("{} of {} passwords are older than {}.", f.old_passwords.total, asked,
                                             span_text(f.password_age_ms)),
                    "Ask these people to change it: `troupe user password`, or POST /api/v1/auth/change-password.");
    age.evidence = {{"passwords", std::to_string(asked)}, {"old_after", span_text(f.password_age_ms)}};
    if (f.oldest_password) {
        age.evidence.push_back({"oldest_changed_at", to_string(*f.oldest_password)});
    }
    name(age, f.old_passwords);
}

void judge_of::keys(const key_facts& f) {
    const auto count = std::to_string(f.keys);
    const std::string none = "There are no keys.";
    auto& ends =
        add(keys_end, f.without_end.total == 0 ? pass : warn,
            f.keys == 0 ? none : fmt::format("{} of {} keys never expire.", f.without_end.total, f.keys),
            "Make keys with an end in their place (`troupe key create NAME --expires 90d`), and revoke these.");
    ends.evidence = {{"keys", count}, {"without_end", std::to_string(f.without_end.total)}};
    name(ends, f.without_end);
    auto& used = add(keys_used, f.unused.total == 0 ? pass : warn,
                     f.keys == 0 ? none
                                 : fmt::format("{} of {} keys were not used for {}.", f.unused.total, f.keys,
                                               span_text(f.unused_ms)),
                     "Revoke what nobody needs: `troupe key revoke`, DELETE /api/v1/api-keys/{id}.");
    used.evidence = {{"keys", count}, {"unused_after", span_text(f.unused_ms)}};
    name(used, f.unused);
    auto& owned = add(keys_owned, f.without_owner.total == 0 ? pass : fail,
                      f.without_owner.total == 0
                          ? std::string("Every key belongs to an active member, an agent that is there, or a service.")
                          : fmt::format("{} of {} keys belong to people who are disabled or left, or to agents that "
                                        "were deleted. Those of people open nothing meanwhile.",
                                        f.without_owner.total, f.keys),
                      "Revoke them.");
    owned.evidence = {{"keys", count}, {"without_owner", std::to_string(f.without_owner.total)}};
    name(owned, f.without_owner);
}

void judge_of::key_file(const rule& r, const std::optional<std::uint32_t>& mode, std::string_view none,
                        std::string remedy) {
    const bool open = mode && (*mode & mode_of_others) != 0;
    auto& check = add(r,
                      !mode  ? not_applicable
                      : open ? fail
                             : pass,
                      !mode  ? std::string(none)
                      : open ? "Other accounts of this machine may read or change the file."
                             : "Only its owner may read it.",
                      std::move(remedy));
    if (mode) {
        check.evidence = {{"mode", fmt::format("{:03o}", *mode)}};
    }
}

void judge_of::key_files(const key_file_facts& f) {
    key_file(master_key, f.master_mode,
             f.master == key_source::configuration ? "It comes from the configuration, which is not looked at here."
                                                   : "There is no such file.",
             "chmod 600 the file that `secrets.key_file` names (or secrets.key in the data folder).");
    checks.back().evidence.push_back({"from", f.master == key_source::data_folder ? "the data folder"
                                              : f.master == key_source::file      ? "secrets.key_file"
                                                                                  : "secrets.key"});
    key_file(admin_key, f.admin_mode, "There is no such file.", "chmod 600 admin.key in the data folder.");
}

void judge_of::retention(const retention_facts& f) {
    const bool ruled = f.history_ms > 0 || !f.kinds.empty();
    auto& histories = add(retention_histories, ruled ? pass : warn,
                          f.history_ms > 0 ? fmt::format("Events are kept for {}.", span_text(f.history_ms))
                          : ruled          ? "There are rules for single kinds; the others are kept for ever."
                                           : "Events of all entities are kept for ever.",
                          "Decide how long events are needed, and set `retention.history_ms` or `retention.kinds`.");
    histories.evidence = {{"retention.history_ms", std::to_string(f.history_ms)}, {"retention.kinds", f.kinds}};
    auto& logs =
        add(retention_logs, f.log_ms > 0 ? pass : warn,
            f.log_ms > 0 ? fmt::format("The log is kept for {}.", span_text(f.log_ms)) : "The log is kept for ever.",
            "Set `retention.log_ms`.");
    logs.evidence = {{"retention.log_ms", std::to_string(f.log_ms)}};
}

void judge_of::backups(const backup_facts& f) {
    const bool recent = f.newest && now_ - *f.newest <= f.age_ms;
    auto& newest = add(
        backups_recent, recent ? pass : fail,
        !f.newest ? "There is no backup."
                  : fmt::format("The newest backup is {} old.", span_text(std::max<std::int64_t>(now_ - *f.newest, 0))),
        "Make one (`troupe backup create`), and set `backup.every_ms` so that the node makes them by itself.");
    newest.evidence = {{"backups", std::to_string(f.backups)},
                       {"old_after", span_text(f.age_ms)},
                       {"schedule", f.every_ms > 0 ? "every " + span_text(f.every_ms) : std::string("none")}};
    if (f.newest) {
        newest.evidence.push_back({"newest_at", to_string(*f.newest)});
    }
    const bool copied = f.newest && f.newest_is_copied;
    auto& copy =
        add(backups_elsewhere,
            copied                ? pass
            : f.copies_configured ? warn
                                  : fail,
            copied                ? "The object store has a copy of it."
            : f.copies_configured ? "The object store has no copy of the newest backup yet."
                                  : "Backups lie on this machine only, as far as the node knows.",
            f.copies_configured
                ? "Look at the node's log: it says why copies fail."
                : "Set `backup.s3_place`; what copies the folder elsewhere without the node is not seen here.");
    copy.evidence = {{"object_store", yes_no(f.copies_configured)}, {"newest_is_copied", yes_no(copied)}};
}

void judge_of::backup_verification(const backup_verification_facts& f) {
    const bool none = f.backup.empty();
    auto& check = add(backups_verified,
                      none        ? not_applicable
                      : f.good    ? pass
                      : f.skipped ? warn
                                  : fail,
                      none        ? "There is no backup."
                      : f.good    ? "Every file has the hash of its manifest, and every record its checksum."
                      : f.skipped ? "It is too large to be read in passing."
                                  : "It is damaged: " + f.trouble,
                      f.skipped ? "troupe backup verify " + f.backup
                                : "Make another one, verify it, and find out what damages this disk.");
    if (!none) {
        check.evidence = {{"backup", f.backup}, {"bytes", std::to_string(f.bytes)}};
    }
}

void judge_of::encryption(const encryption_facts& f) {
    auto& transport = add(
        encryption_transport,
        f.tls             ? pass
        : f.loopback_only ? not_applicable
        : f.behind_proxy  ? warn
                          : fail,
        f.tls             ? "The node speaks TLS."
        : f.loopback_only ? "The node serves this machine only, without TLS; what a proxy in front does is not known."
        : f.behind_proxy ? "The node speaks plain HTTP to proxies that it trusts, and to everybody else who reaches it."
                         : "The node serves other machines without TLS: passwords and keys can be read on the way.",
        "Set `edge.tls.certificate_file` and `edge.tls.key_file`, or listen on 127.0.0.1 behind a proxy with TLS.");
    transport.evidence = {{"tls", yes_no(f.tls)},
                          {"loopback_only", yes_no(f.loopback_only)},
                          {"trusted_proxies", yes_no(f.behind_proxy)}};
    auto& secrets = add(encryption_secrets, pass,
                        "Every secret is sealed with AES-256-GCM under a data key of its organization, which the "
                        "node's master key wraps.",
                        "");
    secrets.evidence = {{"secrets", std::to_string(f.secrets)}};
    auto& rest = add(encryption_at_rest, f.payloads ? pass : warn,
                     f.payloads ? "Events, documents and files are sealed with a key of their organization or person. "
                                  "Plain are ids, kinds, "
                                  "names of events, times, numbers, paths of files and working folders."
                                : "Only secrets are encrypted by the node; events, documents and files are plain.",
                     "Keep the data folder and backups on encrypted disks.");
    rest.evidence = {{"payloads_sealed", yes_no(f.payloads)}};
}

void judge_of::audit(const audit_facts& f) {
    auto& chain =
        add(audit_chain,
            !f.verified ? warn
            : f.good    ? pass
                        : fail,
            !f.verified ? "It was not verified yet."
            : f.good    ? "Nothing in it was changed or taken out."
                        : fmt::format("{} faults; the first: {}", f.faults, f.first_fault),
            f.verified ? "Do not use this log as evidence; compare it with what was passed on, with backups and "
                         "anchors: `troupe audit verify`."
                       : "Evaluate the node, or: troupe audit verify");
    if (f.verified) {
        chain.evidence = {{"lines", std::to_string(f.lines)},
                          {"chains", std::to_string(f.chains)},
                          {"not_in_it_yet", std::to_string(f.pending)},
                          {"verified_at", to_string(f.verified_at.value_or(now_))}};
    }
    if (f.since) {
        chain.evidence.push_back({"since", to_string(*f.since)});
    }
    auto& elsewhere =
        add(audit_elsewhere, f.passed_on ? pass : warn,
            f.passed_on ? "Each line is passed on soon after it was written."
                        : "An end that is cut off together with its records shows only against what is kept elsewhere.",
            "Set `audit.webhook_url` or `audit.syslog`, or keep anchors elsewhere: `troupe audit anchor`. Anchors that "
            "you keep are not seen here.");
    elsewhere.evidence = {{"passed_on", yes_no(f.passed_on)}};
}

} // namespace

void counted_subjects::add(std::string id) {
    if (++total <= subjects_max) {
        first.push_back(std::move(id));
    }
}

std::vector<compliance_check> judge(const compliance_facts& facts) {
    judge_of out(facts.now);
    const auto with = [&](const auto& part, auto run) {
        if (part) {
            run(*part);
        }
    };
    with(facts.people, [&](const auto& f) { out.people(f, facts.key_files.has_value()); });
    with(facts.keys, [&](const auto& f) { out.keys(f); });
    with(facts.key_files, [&](const auto& f) { out.key_files(f); });
    with(facts.retention, [&](const auto& f) { out.retention(f); });
    with(facts.backups, [&](const auto& f) { out.backups(f); });
    with(facts.backup_verification, [&](const auto& f) { out.backup_verification(f); });
    with(facts.encryption, [&](const auto& f) { out.encryption(f); });
    with(facts.audit, [&](const auto& f) { out.audit(f); });
    return std::move(out.checks);
}

} // namespace troupe::actors
