#include "actors/compliance/compliance_checks.hpp"
#include "actors/compliance/compliance_text.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

using namespace troupe;
using namespace troupe::actors;
using enum compliance_result;

namespace {

constexpr timestamp now{1'800'000'000'000};
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

compliance_check found(const compliance_facts& facts, std::string_view id) {
    const auto all = judge(facts);
    const auto at = std::ranges::find(all, id, &compliance_check::id);
    BOOST_TEST_REQUIRE((at != all.end()), id);
    return *at;
}

compliance_result result(const compliance_facts& facts, std::string_view id) {
    const auto check = found(facts, id);
    const bool to_do = check.result == warn || check.result == fail;
    BOOST_TEST(check.remedy.empty() != to_do, id); // who has to do something is told what
    BOOST_TEST(!check.finding.empty());
    return check.result;
}

counted_subjects some(int count) {
    counted_subjects out;
    for (int i = 0; i < count; ++i) {
        out.add("user/" + std::to_string(i));
    }
    return out;
}

compliance_facts of_people(people_facts f) {
    compliance_facts out;
    out.now = now;
    out.people = std::move(f);
    return out;
}

compliance_facts of_backups(backup_facts f) {
    compliance_facts out;
    out.now = now;
    f.age_ms = 2 * day_ms;
    out.backups = f;
    return out;
}

compliance_facts of_encryption(encryption_facts f) {
    compliance_facts out;
    out.encryption = f;
    return out;
}

compliance_facts everything() {
    compliance_facts out;
    out.now = now;
    out.people.emplace();
    out.keys.emplace();
    out.key_files.emplace();
    out.retention.emplace();
    out.backups.emplace();
    out.backup_verification.emplace();
    out.encryption.emplace();
    out.audit.emplace();
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(compliance_checks)

BOOST_AUTO_TEST_CASE(nothing_known_nothing_judged_and_each_check_once) {
    BOOST_TEST(judge({}).empty());
    std::set<std::string> ids;
    for (const auto& check : judge(everything())) {
        BOOST_TEST(ids.insert(check.id).second, check.id);
        BOOST_TEST(check.weight > 0U);
        BOOST_TEST(!check.title.empty());
    }
    BOOST_TEST(ids.size() == 17U); // all but those of an organization's people
}

BOOST_AUTO_TEST_CASE(a_second_factor_of_all_passes_of_most_warns_of_few_fails) {
    people_facts f{.people = 4, .with_passwords = 4};
    BOOST_TEST((result(of_people(f), "mfa_members") == pass));
    f.without_factor = some(2);
    BOOST_TEST((result(of_people(f), "mfa_members") == warn));
    f.without_factor = some(3);
    BOOST_TEST((result(of_people(f), "mfa_members") == fail));
    BOOST_TEST(found(of_people(f), "mfa_members").subjects_total == 3U);
    BOOST_TEST((result(of_people({.people = 2, .logins_at_issuers = 2}), "mfa_members") == not_applicable));
    BOOST_TEST((result(of_people({}), "password_age") == not_applicable));
}

BOOST_AUTO_TEST_CASE(one_administrator_without_a_second_factor_is_enough_to_fail) {
    people_facts f{.people = 9, .privileged = 3, .with_passwords = 9};
    BOOST_TEST((result(of_people(f), "mfa_administrators") == pass));
    f.privileged_without_factor = some(1);
    BOOST_TEST((result(of_people(f), "mfa_administrators") == fail));
    BOOST_TEST((found(of_people(f), "mfa_administrators").severity == compliance_severity::critical));
    BOOST_TEST((result(of_people({}), "mfa_administrators") == not_applicable));
}

BOOST_AUTO_TEST_CASE(of_many_subjects_the_first_are_named_and_all_counted) {
    people_facts f{.people = 50, .with_passwords = 50};
    f.old_passwords = some(50);
    const auto check = found(of_people(f), "password_age");
    BOOST_TEST((check.result == warn));
    BOOST_TEST(check.subjects_total == 50U);
    BOOST_TEST(check.subjects.size() == subjects_max);
}

BOOST_AUTO_TEST_CASE(keys_of_who_is_gone_fail_others_warn) {
    compliance_facts facts;
    facts.keys.emplace();
    for (const auto* id : {"keys_end", "keys_used", "keys_owned"}) {
        BOOST_TEST((result(facts, id) == pass), id);
    }
    facts.keys->keys = 2;
    facts.keys->without_end.add("api_key/1");
    facts.keys->unused.add("api_key/1");
    facts.keys->without_owner.add("api_key/2");
    BOOST_TEST((result(facts, "keys_end") == warn));
    BOOST_TEST((result(facts, "keys_used") == warn));
    BOOST_TEST((result(facts, "keys_owned") == fail));
    BOOST_TEST(found(facts, "keys_owned").subjects.front().id == "api_key/2");
}

BOOST_AUTO_TEST_CASE(a_key_file_that_others_may_read_fails) {
    compliance_facts facts;
    facts.key_files = key_file_facts{key_source::data_folder, 0600, 0640};
    BOOST_TEST((result(facts, "master_key") == pass));
    BOOST_TEST((result(facts, "admin_key") == fail));
    BOOST_TEST(found(facts, "admin_key").evidence.front().value == "640");
    facts.key_files = key_file_facts{key_source::configuration, {}, {}};
    BOOST_TEST((result(facts, "master_key") == not_applicable));
}

BOOST_AUTO_TEST_CASE(a_rule_for_single_kinds_is_a_rule) {
    compliance_facts facts;
    facts.retention = retention_facts{0, "", 0};
    BOOST_TEST((result(facts, "retention_histories") == warn));
    BOOST_TEST((result(facts, "retention_logs") == warn));
    facts.retention = retention_facts{0, "run=90d", 30 * day_ms};
    BOOST_TEST((result(facts, "retention_histories") == pass));
    BOOST_TEST((result(facts, "retention_logs") == pass));
}

BOOST_AUTO_TEST_CASE(a_backup_counts_while_it_is_recent_and_copied) {
    BOOST_TEST((result(of_backups({}), "backups_recent") == fail));
    BOOST_TEST((result(of_backups({}), "backups_elsewhere") == fail));
    backup_facts f{.backups = 1, .newest = now + -2 * day_ms};
    BOOST_TEST((result(of_backups(f), "backups_recent") == pass));
    f.newest = now + (-2 * day_ms - 1);
    BOOST_TEST((result(of_backups(f), "backups_recent") == fail));
    f.copies_configured = true;
    BOOST_TEST((result(of_backups(f), "backups_elsewhere") == warn));
    f.newest_is_copied = true;
    BOOST_TEST((result(of_backups(f), "backups_elsewhere") == pass));
}

BOOST_AUTO_TEST_CASE(a_backup_that_was_not_read_does_not_pass) {
    compliance_facts facts;
    facts.backup_verification.emplace();
    BOOST_TEST((result(facts, "backups_verified") == not_applicable));
    facts.backup_verification = backup_verification_facts{.good = true, .backup = "b"};
    BOOST_TEST((result(facts, "backups_verified") == pass));
    facts.backup_verification = backup_verification_facts{.skipped = true, .backup = "b"};
    BOOST_TEST((result(facts, "backups_verified") == warn));
    facts.backup_verification = backup_verification_facts{.backup = "b", .trouble = "a hash differs"};
    BOOST_TEST((result(facts, "backups_verified") == fail));
    BOOST_TEST(found(facts, "backups_verified").finding.ends_with("a hash differs"));
}

BOOST_AUTO_TEST_CASE(plain_http_to_other_machines_fails) {
    BOOST_TEST((result(of_encryption({}), "encryption_transport") == fail));
    BOOST_TEST((result(of_encryption({.behind_proxy = true}), "encryption_transport") == warn));
    BOOST_TEST((result(of_encryption({.loopback_only = true}), "encryption_transport") == not_applicable));
    BOOST_TEST((result(of_encryption({.tls = true}), "encryption_transport") == pass));
    BOOST_TEST((result(of_encryption({}), "encryption_at_rest") == warn));
    BOOST_TEST((result(of_encryption({.payloads = true}), "encryption_at_rest") == pass));
}

BOOST_AUTO_TEST_CASE(an_audit_log_passes_only_when_it_was_verified) {
    compliance_facts facts;
    facts.audit.emplace();
    BOOST_TEST((result(facts, "audit_chain") == warn));
    BOOST_TEST((result(facts, "audit_elsewhere") == warn));
    facts.audit->verified = true;
    facts.audit->faults = 2;
    facts.audit->first_fault = "line 7 is missing";
    BOOST_TEST((result(facts, "audit_chain") == fail));
    BOOST_TEST(found(facts, "audit_chain").finding == "2 faults; the first: line 7 is missing");
    facts.audit->good = true;
    facts.audit->passed_on = true;
    BOOST_TEST((result(facts, "audit_chain") == pass));
    BOOST_TEST((result(facts, "audit_elsewhere") == pass));
}

BOOST_AUTO_TEST_CASE(a_table_has_a_line_for_each_check_and_no_formulas) {
    compliance_evaluation e;
    e.number = 3;
    e.score = 50;
    e.checks = judge(everything());
    e.checks.front().subjects_total = 2;
    e.checks.front().subjects = {{"user/1", "=cmd()"}};
    e.checks.front().finding = "=1+1, \"so\"";
    const auto text = evaluation_csv("node", e);
    BOOST_TEST(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == e.checks.size() + 1);
    BOOST_TEST(text.starts_with("subject,number,at,score,check,"));
    BOOST_TEST(text.find("\"'=1+1, \"\"so\"\"\"") != std::string::npos, text);
    BOOST_TEST(text.find("user/1 (=cmd()); and 1 more") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()
