#include "actors/compliance/compliance_text.hpp"

#include "actors/common/csv.hpp"

#include <fmt/format.h>

namespace troupe::actors {
namespace {

std::string joined(const std::vector<compliance_evidence>& evidence) {
    std::string out;
    for (const auto& e : evidence) {
        out += (out.empty() ? "" : "; ") + e.name + "=" + e.value;
    }
    return out;
}

std::string joined(const compliance_check& check) {
    std::string out;
    for (const auto& s : check.subjects) {
        out += (out.empty() ? "" : "; ") + s.id + (s.name ? " (" + *s.name + ")" : std::string());
    }
    const auto more = check.subjects_total - std::min<std::uint64_t>(check.subjects_total, check.subjects.size());
    return more > 0 ? fmt::format("{}; and {} more", out, more) : out;
}

} // namespace

std::string evaluation_csv(const std::string& subject, const compliance_evaluation& evaluation) {
    std::string out = "subject,number,at,score,check,title,severity,result,weight,finding,remedy,evidence,subjects\r\n";
    for (const auto& c : evaluation.checks) {
        out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", csv_text(subject), evaluation.number,
                           to_string(evaluation.at), evaluation.score, csv_text(c.id), csv_text(c.title),
                           detail::enum_name(c.severity), detail::enum_name(c.result), c.weight, csv_text(c.finding),
                           csv_text(c.remedy), csv_text(joined(c.evidence)), csv_text(joined(c)));
    }
    return out;
}

} // namespace troupe::actors
