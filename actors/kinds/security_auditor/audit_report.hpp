#pragma once

#include "schemas/base/described.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What an audit of a project found, and how it is written. Pure: the same findings give the same bytes.
namespace troupe::actors {

enum class audit_level : std::uint8_t { error, warning, note }; ///< As SARIF has them.
BOOST_DESCRIBE_ENUM(audit_level, error, warning, note)

struct audit_rule {
    std::string_view id;
    audit_level level;
    std::string_view title;
    std::string_view advice;
};

/// Never holds a secret itself, nor a hash that one could be guessed from.
struct audit_finding {
    std::string rule;
    audit_level level = audit_level::warning;
    std::string file;
    std::uint32_t line = 0; ///< 0: the file as a whole.
    std::string message;
    std::string fingerprint; ///< The same as long as the finding's line is, wherever it moves in its file.
};
BOOST_DESCRIBE_STRUCT(audit_finding, (), (rule, level, file, line, message, fingerprint))

struct audit_report {
    std::vector<audit_finding> findings; ///< Sorted by file, line and rule.
    std::uint64_t files = 0;             ///< Looked at.
    std::uint64_t skipped = 0;           ///< Binary, too large, or not readable.
    std::uint64_t dependencies = 0;      ///< Of lock files.
    std::uint64_t advisories = 0;        ///< Of the local database.
    std::uint64_t allowed = 0;           ///< Findings that the project allows.
    bool complete = true;
    std::vector<std::string> notes; ///< What was not done, in words.
};
BOOST_DESCRIBE_STRUCT(audit_report, (), (findings, files, skipped, dependencies, advisories, allowed, complete, notes))

inline constexpr std::size_t audit_findings_max = 5000;

/// Every rule there is; advisories have one for all.
std::span<const audit_rule> audit_rules();
const audit_rule* find_audit_rule(std::string_view id);

std::uint64_t count_level(const audit_report& r, audit_level level);

/// SARIF 2.1.0.
std::string to_sarif(const audit_report& r);
std::string to_markdown(const audit_report& r);

/// What a text holds. `path` decides which language it is.
void find_secrets(std::string_view path, std::string_view text, std::vector<audit_finding>& out);
void find_dangerous_calls(std::string_view path, std::string_view text, std::vector<audit_finding>& out);
/// Permission bits that let others change or be a file. `mode` as of stat(2).
void judge_mode(const std::string& path, std::uint32_t mode, std::vector<audit_finding>& out);

/// Lines of `.troupe-audit-allow`: "RULE GLOB", "* GLOB" or a fingerprint; # begins a comment.
struct allow_list {
    std::vector<std::string> lines;
    static allow_list parse(std::string_view text);
    [[nodiscard]] bool allows(const audit_finding& f) const;
};
/// A line that has it is allowed.
inline constexpr std::string_view inline_allowance = "troupe-audit: allow";

} // namespace troupe::actors
