#include "net/http/failure.hpp"

#include "schemas/base/json.hpp"
#include "schemas/base/log.hpp"

#include <algorithm>
#include <array>

namespace troupe::net {

namespace {

constexpr std::string_view defect_detail = "The request failed inside the node: see its log.";
/// Conditions that pass, clients that speak another HTTP (501, 505), and what the entity itself logs.
constexpr std::array no_failure{code::overloaded, code::unavailable, code::malformed_http, code::poison};

} // namespace

problem defect(std::string_view what, const std::exception& e) {
    log_for("edge").error("{} threw: {}", what, e.what());
    return {code::internal, std::string(defect_detail)};
}

bool is_defect(const problem& p) { return p.code == code::internal && p.detail == defect_detail; }

std::optional<std::string> untold_failure(const response& r) {
    if (r.status < 500 || (r.refusal && std::ranges::find(no_failure, *r.refusal) != no_failure.end())) {
        return std::nullopt;
    }
    std::string detail;
    if (const auto body = json::document::parse(r.body)) {
        detail = body->root().text_or("detail");
    }
    const bool told = r.refusal && is_defect({*r.refusal, detail});
    return told ? std::nullopt : std::optional(std::move(detail));
}

} // namespace troupe::net
