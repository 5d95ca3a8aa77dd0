#pragma once

#include "actors/compliance/compliance_checks.hpp"
#include "runtime/services.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/views.hpp"

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

/// What an evaluation looks at, read from tables, configuration and files. All of it blocks.
namespace troupe::actors {

/// Visits all documents of a kind under an index filter, oldest first, until `visit` says no.
expected<void> each_listed(const storage::store& s, const uuid& organization, std::string kind, std::string filter,
                           const std::function<expected<bool>(const storage::stored_document&)>& visit);

expected<people_facts> people_of_organization(const runtime::services& s, const uuid& organization, timestamp now);
expected<people_facts> administrators_of_node(const runtime::services& s, timestamp now);
expected<key_facts> keys_of_organization(const runtime::services& s, const uuid& organization, timestamp now);
key_file_facts key_files_of_node(const runtime::services& s);
retention_facts retention_of_node(const runtime::services& s);

struct known_backups {
    backup_facts facts;
    std::string newest; ///< Its id; empty: there is none.
    std::uint64_t bytes = 0;
};
expected<known_backups> backups_of_node(const runtime::services& s, std::stop_token stop);
/// Reads the newest backup, when it is small enough.
backup_verification_facts verify_newest_backup(const runtime::services& s, const known_backups& known);

/// Of an organization, or of all of the node.
expected<encryption_facts> encryption_of(const runtime::services& s, const std::optional<uuid>& organization);

/// Verifies the log of an organization, or all of the node's.
expected<audit_facts> verified_audit(const runtime::services& s, const std::optional<uuid>& organization,
                                     std::stop_token stop);
/// Takes over what the node's last evaluation found.
expected<audit_facts> known_audit(const runtime::services& s, const uuid& organization);

} // namespace troupe::actors
