#pragma once

#include "schemas/audit.hpp"
#include "storage/audit.hpp"

#include <vector>

/// The ends of chains and what a verification found, as people and programs exchange them (schemas/audit.hpp).
namespace troupe::storage {

audit_chain_end to_document(const audit_head& head);
audit_verification_document to_document(const audit_verification& found);

/// The ends of an anchor. `invalid_request` with the place of what is no chain.
expected<std::vector<audit_head>> read_anchor(const std::vector<audit_chain_end>& chains);

} // namespace troupe::storage
