#include "actors/task/task_moves.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace troupe::actors {

using enum task_status;

std::span<const task_status> moves_from(task_status from) {
    static constexpr std::array from_inbox{assigned, in_progress, blocked, cancelled};
    static constexpr std::array from_assigned{inbox, in_progress, blocked, cancelled};
    static constexpr std::array from_in_progress{inbox, assigned, review, blocked, cancelled, failed};
    static constexpr std::array from_review{assigned, in_progress, done, cancelled};
    static constexpr std::array from_done{inbox};
    static constexpr std::array from_blocked{inbox, assigned, in_progress, cancelled};
    static constexpr std::array from_cancelled{inbox};
    static constexpr std::array from_failed{inbox, assigned, cancelled};
    switch (from) {
    case inbox:
        return from_inbox;
    case assigned:
        return from_assigned;
    case in_progress:
        return from_in_progress;
    case review:
        return from_review;
    case done:
        return from_done;
    case blocked:
        return from_blocked;
    case cancelled:
        return from_cancelled;
    case failed:
        return from_failed;
    }
    return {};
}

bool may_move(task_status from, task_status to) { return std::ranges::count(moves_from(from), to) > 0; }

std::vector<task_status> way_to(task_status from, task_status to) {
    std::vector<std::vector<task_status>> open{{from}}; // ways, the shortest first
    std::vector<task_status> seen{from};
    for (std::size_t i = 0; i < open.size(); ++i) {
        const auto way = open[i];
        if (way.back() == to) {
            return {way.begin() + 1, way.end()};
        }
        for (const auto next : moves_from(way.back())) {
            const bool quiet = next != assigned && next != cancelled && next != failed && next != done;
            if ((next == to || quiet) && std::ranges::count(seen, next) == 0) {
                seen.push_back(next);
                open.push_back(way);
                open.back().push_back(next);
            }
        }
    }
    return {};
}

problem move_refused(task_status from, task_status to) {
    std::string names;
    for (const auto allowed : moves_from(from)) {
        names += (names.empty() ? "" : ", ") + std::string(detail::enum_name(allowed));
    }
    return {code::conflict, "A task cannot go from " + std::string(detail::enum_name(from)) + " to " +
                                std::string(detail::enum_name(to)) + ". From " + std::string(detail::enum_name(from)) +
                                " it can go to: " + names + "."};
}

} // namespace troupe::actors
