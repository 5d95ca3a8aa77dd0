#include "actors/run/run_compare.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace troupe::actors {
namespace {

/// Up to which step the runs are one.
std::uint32_t shared_steps(const run_document& left, const run_document& right) {
    if (right.forked_from && right.forked_from->run_id == left.id) {
        return right.forked_from->step;
    }
    if (left.forked_from && left.forked_from->run_id == right.id) {
        return left.forked_from->step;
    }
    const bool siblings =
        left.forked_from && right.forked_from && left.forked_from->run_id == right.forked_from->run_id;
    return siblings ? std::min(left.forked_from->step, right.forked_from->step) : 0;
}

std::vector<std::string> differences(const step_document& a, const step_document& b) {
    std::vector<std::string> out;
    const auto note = [&](bool differs, const char* name) {
        if (differs) {
            out.emplace_back(name);
        }
    };
    note(a.tool != b.tool || a.type != b.type, "tool");
    note(a.arguments.text != b.arguments.text, "arguments");
    note(a.content != b.content, "content");
    note(a.status != b.status, "status");
    return out;
}

compared_step compare(const std::string& key, std::optional<step_document> left, std::optional<step_document> right,
                      std::uint32_t shared) {
    compared_step out{key, step_comparison::same, {}, std::move(left), std::move(right)};
    const auto number = out.left ? out.left->step : out.right->step;
    if (number <= shared) {
        out.comparison = step_comparison::shared;
    } else if (!out.left || !out.right) {
        out.comparison = out.left ? step_comparison::left_only : step_comparison::right_only;
    } else if (out.differs = differences(*out.left, *out.right); !out.differs.empty()) {
        out.comparison = step_comparison::changed;
    }
    return out;
}

} // namespace

run_comparison compare_runs(const run_document& left, const std::vector<step_document>& left_steps,
                            const run_document& right, const std::vector<step_document>& right_steps,
                            std::string_view after, std::size_t limit) {
    std::map<std::string, std::pair<std::optional<step_document>, std::optional<step_document>>> all;
    for (const auto& step : left_steps) {
        all[step.key].first = step;
    }
    for (const auto& step : right_steps) {
        all[step.key].second = step;
    }
    run_comparison out{left, right, {}, {}, {}};
    const auto shared = shared_steps(left, right);
    for (auto& [key, both] : all) {
        auto one = compare(key, std::move(both.first), std::move(both.second), shared);
        const bool alike = one.comparison == step_comparison::same || one.comparison == step_comparison::shared;
        if (!alike && !out.first_difference) {
            out.first_difference = key;
        }
        if (key <= after) {
            continue;
        }
        if (out.steps.size() == limit) {
            out.next_after = out.steps.back().key;
        } else if (out.steps.size() < limit) {
            out.steps.push_back(std::move(one));
        }
    }
    return out;
}

} // namespace troupe::actors
