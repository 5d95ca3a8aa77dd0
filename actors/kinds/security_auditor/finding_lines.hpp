#pragma once

#include "actors/kinds/security_auditor/audit_report.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// Adds findings of one text, each with its line. They have to come with growing offsets.
class finding_lines {
public:
    finding_lines(std::string_view path, std::string_view text, std::vector<audit_finding>& out)
        : path_(path), text_(text), out_(out) {}

    /// `hidden` is a part of the text that must not be seen, not even in the fingerprint. Allowed lines are passed
    /// over, and so is what comes after 200 findings.
    void add(std::string_view rule, std::size_t offset, std::string message, std::string_view hidden = {});

    [[nodiscard]] std::string_view line_at(std::size_t offset) const;

private:
    std::string_view path_;
    std::string_view text_;
    std::vector<audit_finding>& out_;
    std::size_t counted_to_ = 0;
    std::size_t added_ = 0;
    std::uint32_t line_ = 1;
};

/// Of a rule, a file, and what stands there.
std::string fingerprint_of(std::string_view rule, std::string_view path, std::string_view words);

} // namespace troupe::actors
