#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/compliance.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// From facts to judgements. Pure: the performer collects the facts, and nothing of them is stored but what a check
/// says.
namespace troupe::actors {

inline constexpr std::size_t subjects_max = 20;

/// Some of many: all are counted, the first are named.
struct counted_subjects {
    std::uint64_t total = 0;
    std::vector<std::string> first = {}; ///< "user/…", "api_key/…".

    void add(std::string id);
};

/// Accounts that count: active members of the organization, or administrators of the node.
struct people_facts {
    std::uint64_t people = 0;
    std::uint64_t privileged = 0;        ///< Owners and administrators.
    std::uint64_t logins_at_issuers = 0; ///< Have no password here; a second factor is their issuer's business.
    std::uint64_t with_passwords = 0;
    counted_subjects without_factor = {}; ///< Have a password and no second factor.
    counted_subjects privileged_without_factor = {};
    counted_subjects old_passwords = {};
    std::optional<timestamp> oldest_password = {};
    std::int64_t password_age_ms = 0; ///< From when on one is old.
};

/// API keys of the organization that are good.
struct key_facts {
    std::uint64_t keys = 0;
    counted_subjects without_end = {};
    counted_subjects unused = {};
    counted_subjects without_owner = {}; ///< Disabled, no member any more, or deleted.
    std::int64_t unused_ms = 0;          ///< From when on one counts as unused.
};

struct retention_facts {
    std::int64_t history_ms = 0; ///< 0: for ever.
    std::string kinds = {};      ///< Rules for single kinds.
    std::int64_t log_ms = 0;     ///< 0: for ever.
};

struct backup_facts {
    std::uint64_t backups = 0;
    std::optional<timestamp> newest = {};
    std::int64_t every_ms = 0;      ///< 0: there is no schedule.
    std::int64_t age_ms = 0;        ///< From when on the newest one is too old.
    bool copies_configured = false; ///< An object store.
    bool newest_is_copied = false;
};

/// Of the newest backup: whether all of it was read and compared with its manifest.
struct backup_verification_facts {
    bool good = false;
    bool skipped = false;     ///< Too large to be read beside everything else.
    std::string backup = {};  ///< Its id.
    std::string trouble = {}; ///< What is wrong with it.
    std::uint64_t bytes = 0;
};

enum class key_source { data_folder, file, configuration };

struct encryption_facts {
    bool tls = false;
    bool loopback_only = false;
    bool behind_proxy = false; ///< A trusted proxy is configured; what it speaks to the world is not known here.
    std::uint64_t secrets = 0;
    /// Whether the events and documents on disk are encrypted. Set in `payloads_are_encrypted` of the performer.
    bool payloads = false;
};

/// Files that open everything.
struct key_file_facts {
    key_source master = key_source::data_folder;
    std::optional<std::uint32_t> master_mode = {}; ///< None: there is no such file to look at.
    std::optional<std::uint32_t> admin_mode = {};
};

struct audit_facts {
    bool verified = false; ///< Else there was no time for it yet.
    bool good = false;
    std::optional<timestamp> verified_at = {}; ///< None: just now.
    std::optional<timestamp> since = {};       ///< Of the oldest line.
    std::uint64_t lines = 0;
    std::uint64_t chains = 0;
    std::uint64_t pending = 0;
    std::uint64_t faults = 0;
    std::string first_fault = {};
    bool passed_on = false; ///< To a webhook or syslog.
};

/// What is missing here is not judged: an organization has no key files, the node no API keys.
struct compliance_facts {
    timestamp now = {};
    std::optional<people_facts> people = {};
    std::optional<key_facts> keys = {};
    std::optional<key_file_facts> key_files = {};
    std::optional<retention_facts> retention = {};
    std::optional<backup_facts> backups = {};
    std::optional<backup_verification_facts> backup_verification = {};
    std::optional<encryption_facts> encryption = {};
    std::optional<audit_facts> audit = {};
};

/// Each check once, in the order of documentation.
std::vector<compliance_check> judge(const compliance_facts& facts);

} // namespace troupe::actors
