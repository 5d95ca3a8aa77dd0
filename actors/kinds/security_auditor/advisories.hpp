#pragma once

#include "actors/kinds/security_auditor/audit_report.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Known weaknesses of what a project depends on: lock files, held against entries of an OSV database. Pure.
namespace troupe::actors {

struct dependency {
    std::string ecosystem; ///< As OSV names it: "npm", "PyPI", "crates.io", "Go".
    std::string name;
    std::string version;
    std::string file; ///< The lock file.
    std::uint32_t line = 0;
};

/// package-lock.json, requirements.txt, Cargo.lock, go.mod, by the file's name.
bool is_lock_file(std::string_view path);
/// What the file fixes; ranges ("requests>=2") fix nothing and are passed over.
std::vector<dependency> read_lock_file(std::string_view path, std::string_view text);

/// Dependencies by ecosystem and name.
class dependency_table {
public:
    void add(std::vector<dependency> all);
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Holds one OSV entry, or an array of them, against all. False: it is none.
    bool judge(std::string_view osv_json, std::vector<audit_finding>& out, std::uint64_t& advisories) const;

private:
    std::map<std::pair<std::string, std::string>, std::vector<dependency>> all_;
    std::size_t size_ = 0;
};

/// By the rules of SemVer, as far as they go; "1.2" is "1.2.0", and a "v" in front does not count.
std::strong_ordering compare_versions(std::string_view a, std::string_view b);

} // namespace troupe::actors
