#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/tester/test_results.hpp"
#include "schemas/base/json.hpp"

#include <map>

namespace troupe::actors {

namespace {

std::optional<line_coverage> measured(std::string tool, std::uint64_t lines, std::uint64_t covered) {
    if (lines == 0 || covered > lines) {
        return std::nullopt;
    }
    // Two decimals, whatever the platform's printing does.
    const auto hundredths = covered * 10'000 / lines;
    return line_coverage{std::move(tool), lines, covered, static_cast<double>(hundredths) / 100};
}

std::uint64_t number(const json::value& in, std::string_view path) {
    const auto found = in.pointer(path);
    return found ? found->as_uint().value_or(0) : 0;
}

} // namespace

std::optional<line_coverage> read_coverage_py(std::string_view text) {
    const auto parsed = json::document::parse(text);
    return parsed ? measured("coverage.py", number(parsed->root(), "/totals/num_statements"),
                             number(parsed->root(), "/totals/covered_lines"))
                  : std::nullopt;
}

std::optional<line_coverage> read_c8(std::string_view text) {
    const auto parsed = json::document::parse(text);
    return parsed ? measured("c8", number(parsed->root(), "/total/lines/total"),
                             number(parsed->root(), "/total/lines/covered"))
                  : std::nullopt;
}

std::optional<line_coverage> read_gcov(std::string_view text) {
    std::map<std::string, std::map<std::uint64_t, bool>> files; // a header is in many documents
    const auto first = std::min(text.find('\n'), text.size());
    const auto root = std::string(text.substr(0, first)) + "/";
    text.remove_prefix(std::min(first + 1, text.size()));
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto parsed = json::document::parse(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto listed = parsed ? parsed->root().find("files") : std::nullopt;
        if (!listed) {
            continue;
        }
        listed->each_element([&](json::value file) {
            const auto name = file.text_or("file");
            const auto lines = file.find("lines");
            if (!lines || (name.starts_with('/') && !name.starts_with(root))) { // of the system
                return;
            }
            auto& known = files[name];
            lines->each_element([&](json::value line) {
                const auto at = line.int_or("line_number");
                if (at > 0) {
                    auto& hit = known[static_cast<std::uint64_t>(at)];
                    hit = hit || line.int_or("count") > 0;
                }
            });
        });
    }
    std::uint64_t lines = 0, covered = 0;
    for (const auto& [name, known] : files) {
        for (const auto& [line, hit] : known) {
            ++lines;
            covered += hit ? 1 : 0;
        }
    }
    return measured("gcov", lines, covered);
}

std::optional<line_coverage> read_lcov(std::string_view text) {
    std::uint64_t lines = 0, covered = 0;
    for (line_reader in(text); in.next();) {
        scanner line(in.line());
        if (line.skip("LF:")) {
            lines += line.number().value_or(0);
        } else if (line.skip("LH:")) {
            covered += line.number().value_or(0);
        }
    }
    return measured("lcov", lines, covered);
}

} // namespace troupe::actors
