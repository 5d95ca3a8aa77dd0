#include "actors/kinds/code_generator/code_measure.hpp"
#include "actors/kinds/kind_tools.hpp"
#include "actors/kinds/project_tree.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/limits.hpp"

#include <sys/stat.h>

#include <map>

namespace troupe::actors {

namespace {

constexpr std::size_t file_bytes_max = 2 * limits::mib;
constexpr std::size_t all_bytes_max = 128 * limits::mib;

struct project_measure {
    std::vector<code_measure> languages;
    std::uint64_t skipped = 0; ///< Of a language that is measured, but binary, too large or not readable.
    bool complete = true;
};
BOOST_DESCRIBE_STRUCT(project_measure, (), (languages, skipped, complete))

expected<project_measure> measure(const measure_code_arguments& a, const tool_environment& where) {
    const auto project = project_folder::open(where.project);
    if (!project) {
        return project.error();
    }
    project_measure out;
    std::map<std::string, code_measure> all;
    std::size_t bytes = 0;
    for (const auto& path : a.paths.empty() ? std::vector<std::string>{""} : a.paths) {
        const auto tree = list_tree(*project, path, where.stop);
        if (!tree) {
            return tree.error();
        }
        out.complete = out.complete && tree->complete;
        for (const auto& e : tree->entries) {
            if (!S_ISREG(e.mode) || !measure_source(e.path, "")) {
                continue;
            }
            const bool fits = e.bytes <= file_bytes_max && bytes + e.bytes <= all_bytes_max;
            const auto content =
                fits ? read_plain(*project, e.path, file_bytes_max) : problem{code::payload_too_large, {}};
            if (!content || is_binary(*content)) {
                ++out.skipped;
                continue;
            }
            bytes += content->size();
            const auto m = *measure_source(e.path, *content);
            auto& sum = all[m.language];
            sum.language = m.language;
            sum += m;
        }
    }
    for (auto& [name, m] : all) {
        out.languages.push_back(std::move(m));
    }
    return out;
}

} // namespace

tool_result measure_code(const measure_code_arguments& a, const tool_environment& where) {
    const auto measured = measure(a, where);
    if (!measured) {
        return refuse(measured.error());
    }
    tool_result r;
    for (const auto& m : measured->languages) {
        r.content +=
            fmt::format("{}: files: {}, lines: {}, code lines: {}, functions: {}, decisions: {}, complexity: {}\n",
                        m.language, m.files, m.lines, m.code_lines, m.functions, m.decisions, m.complexity);
    }
    if (measured->languages.empty()) {
        r.content = "there is no source of a language that is measured\n";
    }
    if (measured->skipped > 0 || !measured->complete) {
        r.content += fmt::format("[not everything was measured: {} files are binary or too large{}]\n",
                                 measured->skipped, measured->complete ? "" : ", and there are too many files");
    }
    r.details.text = to_json(*measured);
    return r;
}

} // namespace troupe::actors
