#include "actors/kinds/kind_tools.hpp"
#include "actors/kinds/project_tree.hpp"
#include "actors/kinds/security_auditor/advisories.hpp"
#include "actors/kinds/security_auditor/audit_report.hpp"
#include "actors/tool/file_access.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/limits.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <tuple>

namespace troupe::actors {

namespace {

constexpr std::size_t file_bytes_max = 2 * limits::mib;
constexpr std::size_t all_bytes_max = 128 * limits::mib;
constexpr std::size_t lock_file_bytes_max = 16 * limits::mib;
/// Of SARIF in a result's details; a longer one is only in the file that `write_security_report` writes.
constexpr std::size_t detailed_sarif_bytes_max = 256 * limits::kib;
constexpr std::string_view allow_file = ".troupe-audit-allow";
constexpr std::string_view database_folder = ".osv";
constexpr std::string_view sarif_file = "security-audit.sarif";
constexpr std::string_view markdown_file = "security-audit.md";

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }
bool is_below(std::string_view path, std::string_view folder) {
    return path == folder || (path.starts_with(folder) && path.substr(folder.size()).starts_with('/'));
}

/// One pass over a project. Everything is taken in the order of the tree, so that the same tree gives the same report.
class scan {
public:
    scan(const project_folder& project, const scan_security_arguments& a, const tool_environment& where)
        : project_(project),
          arguments_(a),
          where_(where),
          database_(a.advisories.empty() ? std::string(database_folder) : a.advisories) {}

    expected<audit_report> run() {
        const auto tree = list_tree(project_, arguments_.path, where_.stop);
        if (!tree) {
            return tree.error();
        }
        out_.complete = tree->complete;
        read_allowances();
        for (const auto& e : tree->entries) {
            if (where_.stop.stop_requested()) {
                break;
            }
            if (is_below(e.path, database_) || name_of(e.path) == sarif_file || name_of(e.path) == markdown_file) {
                continue;
            }
            judge_mode(e.path, e.mode, out_.findings);
            if (S_ISREG(e.mode)) {
                look_into(e);
            }
        }
        judge_dependencies();
        if (where_.stop.stop_requested()) {
            return problem{code::cancelled, "the scan was cancelled"};
        }
        finish();
        return std::move(out_);
    }

private:
    void read_allowances() {
        for (const auto& line : arguments_.allow) {
            allowed_.lines.push_back(line);
        }
        if (const auto text = read_plain(project_, std::string(allow_file), file_bytes_max)) {
            const auto list = allow_list::parse(*text);
            allowed_.lines.insert(allowed_.lines.end(), list.lines.begin(), list.lines.end());
        }
    }

    void look_into(const tree_entry& e) {
        const bool lock = is_lock_file(e.path);
        const auto bytes_max = lock ? lock_file_bytes_max : file_bytes_max;
        if (e.bytes > bytes_max || bytes_ + e.bytes > all_bytes_max) {
            ++out_.skipped;
            out_.complete = out_.complete && bytes_ + e.bytes <= all_bytes_max;
            return;
        }
        const auto content = read_plain(project_, e.path, bytes_max);
        if (!content || is_binary(*content)) {
            ++out_.skipped;
            return;
        }
        bytes_ += content->size();
        ++out_.files;
        if (lock) { // the hashes in it look like secrets
            dependencies_.add(read_lock_file(e.path, *content));
            return;
        }
        find_secrets(e.path, *content, out_.findings);
        find_dangerous_calls(e.path, *content, out_.findings);
    }

    void judge_dependencies() {
        out_.dependencies = dependencies_.size();
        const auto tree = list_tree(project_, database_, where_.stop);
        if (!tree) {
            out_.notes.push_back("Dependencies were not held against advisories: the project has no OSV database at " +
                                 database_ + ".");
        } else {
            std::uint64_t unread = 0;
            for (const auto& e : tree->entries) {
                if (!S_ISREG(e.mode) || !e.path.ends_with(".json")) {
                    continue;
                }
                const auto content = read_plain(project_, e.path, lock_file_bytes_max);
                unread += content && dependencies_.judge(*content, out_.findings, out_.advisories) ? 0 : 1;
            }
            out_.complete = out_.complete && tree->complete;
            out_.notes.push_back(fmt::format("{} dependencies were held against {} advisories of {}.",
                                             out_.dependencies, out_.advisories, database_));
            if (unread > 0) {
                out_.notes.push_back(fmt::format("{} files of the database are no OSV entries.", unread));
            }
        }
        out_.notes.emplace_back("No other scanner was run.");
    }

    void finish() {
        auto& all = out_.findings;
        out_.allowed = std::erase_if(all, [&](const audit_finding& f) { return allowed_.allows(f); });
        const auto place = [](const audit_finding& f) { return std::tie(f.file, f.line, f.rule, f.message); };
        std::ranges::stable_sort(all, [&](const auto& a, const auto& b) { return place(a) < place(b); });
        const auto twice = std::ranges::unique(all, [&](const auto& a, const auto& b) { return place(a) == place(b); });
        all.erase(twice.begin(), twice.end());
        if (all.size() > audit_findings_max) {
            all.resize(audit_findings_max);
            out_.complete = false;
        }
    }

    const project_folder& project_;
    const scan_security_arguments& arguments_;
    const tool_environment& where_;
    std::string database_;
    allow_list allowed_;
    dependency_table dependencies_;
    std::size_t bytes_ = 0;
    audit_report out_;
};

expected<audit_report> scan_project(const scan_security_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    return project ? scan(*project, a, where).run() : expected<audit_report>(project.error());
}

std::string counts_of(const audit_report& r) {
    return fmt::format("errors: {}, warnings: {}, notes: {}, files: {}, complete: {}\n",
                       count_level(r, audit_level::error), count_level(r, audit_level::warning),
                       count_level(r, audit_level::note), r.files, r.complete);
}

json::raw details_of(const audit_report& r, std::string_view sarif) {
    json::raw out{""};
    json::object_writer w(out.text);
    w.field("errors", count_level(r, audit_level::error)).field("warnings", count_level(r, audit_level::warning));
    w.field("notes", count_level(r, audit_level::note)).field("files", r.files).field("skipped", r.skipped);
    w.field("dependencies", r.dependencies).field("advisories", r.advisories).field("allowed", r.allowed);
    w.field("complete", r.complete);
    if (!sarif.empty() && sarif.size() <= detailed_sarif_bytes_max) {
        w.raw_field("sarif", json::make_raw(sarif).value().text);
    }
    w.end();
    return out;
}

} // namespace

tool_result scan_security(const scan_security_arguments& a, const tool_environment& where) {
    const auto report = scan_project(a, where);
    if (!report) {
        return refuse(report.error());
    }
    tool_result r;
    r.content = shorten(counts_of(*report) + "\n" + to_markdown(*report), tool_content_bytes_max);
    r.details = details_of(*report, to_sarif(*report));
    return r;
}

tool_result write_security_report(const scan_security_arguments& a, const tool_environment& where) {
    const auto report = scan_project(a, where);
    if (!report) {
        return refuse(report.error());
    }
    const auto project = project_folder::open(where.project);
    const auto sarif = to_sarif(*report);
    for (const auto& [name, text] : {std::pair(sarif_file, sarif), std::pair(markdown_file, to_markdown(*report))}) {
        const auto written =
            project ? put_file(*project, std::string(name), text, 0644) : expected<void>(project.error());
        if (!written) {
            return refuse(written.error());
        }
    }
    tool_result r;
    r.content = fmt::format("{}written: {}, {}\n", counts_of(*report), sarif_file, markdown_file);
    r.details = details_of(*report, {});
    return r;
}

} // namespace troupe::actors
