#pragma once

#include "storage/audit.hpp"
#include "storage/record.hpp"

#include <string_view>

/// How lines of the audit log hang together: for who writes them and who verifies them. Pure.
namespace troupe::storage {

/// The chain after a line: SHA-256 of the chain before it, its key, and its value without the chain at its end.
audit_digest next_in_chain(const audit_digest& before, std::string_view key, std::string_view value);

/// In whose log a record's line stands.
uuid audited_organization(const record& r);

} // namespace troupe::storage
