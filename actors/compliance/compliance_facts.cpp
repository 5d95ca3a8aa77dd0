#include "actors/compliance/compliance_facts.hpp"

#include "actors/common/stored.hpp"
#include "actors/compliance/compliance_model.hpp"
#include "runtime/audit/audit_log.hpp"
#include "runtime/backup/backup_desk.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/network.hpp"
#include "schemas/organization.hpp"
#include "schemas/user.hpp"
#include "storage/audit.hpp"
#include "storage/backup.hpp"
#include "storage/views.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t page = 200;
/// A backup up to this size is read whole: some seconds of a disk.
constexpr std::uint64_t verified_bytes_max = 512ULL << 20;
constexpr std::size_t catch_up_lines = 1000;
constexpr std::int64_t catch_up_wait_ms = 1000;

entity_address in_system(std::string kind, const uuid& id) { return {system_organization, std::move(kind), id}; }

bool is_privileged(std::string_view role) { return role == "owner" || role == "admin"; }

void count_person(people_facts& to, const user_document& user, bool privileged, timestamp now) {
    const auto id = "user/" + to_string(user.id);
    ++to.people;
    to.privileged += privileged ? 1 : 0;
    if (!user.password) {
        ++to.logins_at_issuers;
        return;
    }
    ++to.with_passwords;
    if (!user.mfa) {
        to.without_factor.add(id);
        if (privileged) {
            to.privileged_without_factor.add(id);
        }
    }
    if (now - user.password_changed_at > to.password_age_ms) {
        to.old_passwords.add(id);
    }
    to.oldest_password = std::min(to.oldest_password.value_or(user.password_changed_at), user.password_changed_at);
}

/// Whether whoever owns a key of an organization is there and active.
expected<bool> has_owner(const storage::store& s, const api_key_document& key) {
    const auto slash = key.owner.find('/');
    const auto id =
        slash == std::string::npos ? std::nullopt : parse_uuid(std::string_view(key.owner).substr(slash + 1));
    if (key.owner.starts_with("agent/") && id) {
        const auto agent = storage::read_document(s, {key.organization_id, "agent", *id});
        return agent ? expected<bool>(agent->has_value()) : agent.error();
    }
    if (!key.owner.starts_with("user/") || !id) {
        return true; // a service
    }
    const auto user = read_stored<user_document>(s, in_system("user", *id));
    if (!user || !*user || (*user)->status != user_status::active) {
        return user ? expected<bool>(false) : user.error();
    }
    if ((*user)->node_admin) {
        return true;
    }
    const auto member = read_stored<member_record>(s, in_system("organization", key.organization_id),
                                                   members_collection, to_string(*id));
    if (!member) {
        return member.error();
    }
    return *member && !(*member)->removed && (*member)->status == member_status::active;
}

std::optional<std::uint32_t> mode_of(const std::filesystem::path& file) {
    struct ::stat found {};
    return ::stat(file.c_str(), &found) == 0 ? std::optional<std::uint32_t>(found.st_mode & 07777U) : std::nullopt;
}

/// What of `listen` reaches this machine only.
bool is_on_loopback(std::string_view listen) {
    const auto host = listen.substr(0, listen.rfind(':'));
    const auto address = parse_ip(host);
    return host == "localhost" || (address && is_loopback(*address));
}

/// Whether what this node writes of events and documents is encrypted on disk.
bool payloads_are_encrypted(const runtime::services& s) { return s.store->keys() != nullptr; }

} // namespace

expected<void> each_listed(const storage::store& s, const uuid& organization, std::string kind, std::string filter,
                           const std::function<expected<bool>(const storage::stored_document&)>& visit) {
    storage::list_query query;
    query.organization = organization;
    query.kind = std::move(kind);
    query.filter = std::move(filter);
    query.descending = false;
    query.limit = page;
    for (;;) {
        const auto found = storage::read_list(s, query);
        if (!found) {
            return found.error();
        }
        for (const auto& document : found->items) {
            const auto more = visit(document);
            if (!more || !*more) {
                return more ? expected<void>() : more.error();
            }
        }
        if (!found->next_cursor) {
            return {};
        }
        query.cursor = *found->next_cursor;
    }
}

expected<people_facts> people_of_organization(const runtime::services& s, const uuid& organization, timestamp now) {
    people_facts out;
    out.password_age_ms = s.settings->compliance_password_age_ms;
    storage::item_query query{
        in_system("organization", organization), std::string(members_collection), false, page, {}};
    for (;;) {
        const auto found = storage::read_items(*s.store, query);
        if (!found) {
            return found.error();
        }
        for (const auto& item : found->items) {
            const auto member = from_json<member_record>(item, strictness::stored);
            if (!member) {
                return member.error();
            }
            const auto user = read_stored<user_document>(*s.store, in_system("user", member->user_id));
            if (!user) {
                return user.error();
            }
            if (*user && !member->removed && member->status == member_status::active &&
                (*user)->status == user_status::active) {
                count_person(out, **user, is_privileged(member->role), now);
            }
        }
        if (!found->next_cursor) {
            return out;
        }
        query.cursor = *found->next_cursor;
    }
}

expected<people_facts> administrators_of_node(const runtime::services& s, timestamp now) {
    people_facts out;
    out.password_age_ms = s.settings->compliance_password_age_ms;
    const auto read = each_listed(*s.store, system_organization, "user", "", [&](const auto& d) -> expected<bool> {
        const auto user = from_json<user_document>(d.json, strictness::stored);
        if (!user) {
            return user.error();
        }
        if (user->node_admin && user->status == user_status::active) {
            count_person(out, *user, true, now);
        }
        return true;
    });
    return read ? expected<people_facts>(std::move(out)) : read.error();
}

expected<key_facts> keys_of_organization(const runtime::services& s, const uuid& organization, timestamp now) {
    key_facts out;
    out.unused_ms = s.settings->compliance_key_unused_ms;
    const auto count = [&](const storage::stored_document& d) -> expected<bool> {
        const auto key = from_json<api_key_document>(d.json, strictness::stored);
        if (!key) {
            return key.error();
        }
        if (key->expires_at && *key->expires_at <= now) {
            return true;
        }
        const auto id = "api_key/" + to_string(key->id);
        const auto owned = has_owner(*s.store, *key);
        if (!owned) {
            return owned.error();
        }
        ++out.keys;
        if (!key->expires_at) {
            out.without_end.add(id);
        }
        if (now - key->last_used_at.value_or(key->created_at) > out.unused_ms) {
            out.unused.add(id);
        }
        if (!*owned) {
            out.without_owner.add(id);
        }
        return true;
    };
    const auto read =
        each_listed(*s.store, system_organization, "api_key", "organization=" + to_string(organization), count);
    return read ? expected<key_facts>(std::move(out)) : read.error();
}

key_file_facts key_files_of_node(const runtime::services& s) {
    const auto& c = *s.settings;
    const std::filesystem::path data(c.data);
    key_file_facts out;
    out.admin_mode = mode_of(data / "admin.key");
    if (!c.secrets_key.empty()) {
        out.master = key_source::configuration;
    } else {
        out.master = c.secrets_key_file.empty() ? key_source::data_folder : key_source::file;
        out.master_mode =
            mode_of(c.secrets_key_file.empty() ? data / "secrets.key" : std::filesystem::path(c.secrets_key_file));
    }
    return out;
}

retention_facts retention_of_node(const runtime::services& s) {
    const auto& c = *s.settings;
    return {c.retention_history_ms, c.retention_kinds, c.retention_log_ms};
}

expected<known_backups> backups_of_node(const runtime::services& s, std::stop_token stop) {
    using listed = expected<std::vector<backup_entry>>;
    const auto answer = std::make_shared<std::promise<listed>>();
    auto waiting = answer->get_future();
    s.backups->list([answer](listed all) { answer->set_value(std::move(all)); });
    while (waiting.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
        if (stop.stop_requested()) {
            return problem{code::cancelled, "the node stops"};
        }
    }
    const auto all = waiting.get();
    if (!all) {
        return all.error();
    }
    const auto& c = *s.settings;
    known_backups out;
    out.facts.backups = all->size();
    out.facts.every_ms = c.backup_every_ms;
    out.facts.age_ms = c.compliance_backup_age_ms;
    out.facts.copies_configured = !c.backup_s3_place.empty();
    if (!all->empty()) {
        const auto& newest = all->front();
        out.facts.newest = newest.created_at;
        out.facts.newest_is_copied = !newest.copy.empty();
        out.newest = newest.id;
        out.bytes = newest.bytes;
    }
    return out;
}

backup_verification_facts verify_newest_backup(const runtime::services& s, const known_backups& known) {
    backup_verification_facts out;
    out.backup = known.newest;
    out.bytes = known.bytes;
    out.skipped = known.bytes > verified_bytes_max;
    if (out.backup.empty() || out.skipped) {
        return out;
    }
    const auto found = storage::verify_backup(s.backups->directory() / out.backup, [](std::uint64_t) {});
    out.good = found.has_value();
    out.trouble = found ? std::string() : found.error().detail;
    return out;
}

expected<encryption_facts> encryption_of(const runtime::services& s, const std::optional<uuid>& organization) {
    const auto& c = *s.settings;
    encryption_facts out;
    out.tls = !c.edge_tls_certificate_file.empty();
    out.loopback_only = is_on_loopback(c.listen);
    out.behind_proxy = !c.edge_trusted_proxies.empty();
    out.payloads = payloads_are_encrypted(s);
    const auto count = [&](const uuid& of) {
        return each_listed(*s.store, of, "secret", "", [&](const auto&) -> expected<bool> {
            ++out.secrets;
            return true;
        });
    };
    auto read = count(organization.value_or(system_organization));
    if (read && !organization) {
        read = each_listed(*s.store, system_organization, "organization", "", [&](const auto& d) -> expected<bool> {
            const auto counted = count(d.id);
            return counted ? expected<bool>(true) : counted.error();
        });
    }
    return read ? expected<encryption_facts>(out) : read.error();
}

namespace {

bool is_passed_on(const runtime::services& s) {
    return !s.settings->audit_webhook_url.empty() || !s.settings->audit_syslog.empty();
}

expected<std::optional<timestamp>> oldest_line(const runtime::services& s, const uuid& organization) {
    storage::audit_query query;
    query.organization = organization;
    query.descending = false;
    query.limit = 1;
    const auto found = storage::read_audit(*s.store, query);
    if (!found) {
        return found.error();
    }
    return found->lines.empty() ? std::optional<timestamp>() : std::optional(found->lines.front().time);
}

} // namespace

expected<audit_facts> verified_audit(const runtime::services& s, const std::optional<uuid>& organization,
                                     std::stop_token stop) {
    const auto since = oldest_line(s, organization.value_or(system_organization));
    if (!since) {
        return since.error();
    }
    (void)s.audit->catch_up(catch_up_lines, catch_up_wait_ms); // what is not in it yet is counted
    const auto found = storage::verify_audit(
        *s.store, organization, {}, [](std::uint64_t) {}, stop);
    if (!found.complete) {
        return problem{code::cancelled, "the node stops"};
    }
    audit_facts out;
    out.verified = true;
    out.good = found.bad_count == 0;
    out.since = *since;
    out.lines = found.lines;
    out.chains = found.chains;
    out.pending = found.pending;
    out.faults = found.bad_count;
    out.first_fault = found.bad.empty() ? std::string() : found.bad.front();
    out.passed_on = is_passed_on(s);
    return out;
}

expected<audit_facts> known_audit(const runtime::services& s, const uuid& organization) {
    const auto since = oldest_line(s, organization);
    const auto node = since ? read_stored<compliance_document>(*s.store, compliance_address(system_organization))
                            : expected<std::optional<compliance_document>>(since.error());
    if (!node) {
        return node.error();
    }
    audit_facts out;
    out.since = *since;
    out.passed_on = is_passed_on(s);
    if (!*node || !(*node)->latest) {
        return out;
    }
    const auto& latest = *(*node)->latest;
    const auto check = std::ranges::find(latest.checks, "audit_chain", &compliance_check::id);
    if (check == latest.checks.end() || check->result == compliance_result::warn) {
        return out;
    }
    out.verified = true;
    out.verified_at = latest.at;
    out.good = check->result == compliance_result::pass;
    // How many lines the node has, and whose is damaged, is the node's business.
    out.faults = out.good ? 0 : 1;
    out.first_fault = "somewhere in the log of this node; an evaluation on request looks at this organization's part";
    return out;
}

} // namespace troupe::actors
