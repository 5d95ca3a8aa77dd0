#pragma once

#include "schemas/audit.hpp"
#include "storage/audit.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Lines of the audit log as documents and as files. Pure.
namespace troupe::actors {

audit_entry entry_of(const storage::audit_line& line);

/// The place of a line in an organization's log, and back; nothing for text that is none.
std::string audit_id(const storage::audit_line& line);
struct audit_place {
    std::uint32_t shard = 0;
    timestamp time;
    std::uint64_t seq = 0;
};
std::optional<audit_place> parse_audit_id(std::string_view text);

/// What an anchor's digest covers.
std::string digest_of(const std::vector<audit_chain_end>& chains);

/// RFC 4180 with a header line. A cell that a spreadsheet would take for a formula begins with a quote.
std::string to_csv(const std::vector<audit_entry>& entries);
/// A JSON array.
std::string to_json_array(const std::vector<audit_entry>& entries);
/// A4, a table of lines. Characters beyond Latin-1 are written as \u{…}.
expected<std::string> to_pdf(const std::vector<audit_entry>& entries, std::string_view title);

} // namespace troupe::actors
