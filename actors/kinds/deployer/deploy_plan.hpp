#pragma once

#include "runtime/config/deploy_targets.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What a deployment does, step by step, and what is undone when a step fails. Pure: it is told what became of a step
/// and says what is next.
namespace troupe::actors {

enum class deploy_strategy : std::uint8_t {
    all_at_once, ///< The new one takes the old one's place.
    canary,      ///< A part of the use goes to the new one first.
    blue_green,  ///< The new one is brought up beside the old one, then all use goes to it.
};
BOOST_DESCRIBE_ENUM(deploy_strategy, all_at_once, canary, blue_green)

enum class deploy_step : std::uint8_t {
    build,
    test,
    release, ///< A folder with what is deployed.
    prepare, ///< Brings it up beside the one in use.
    check,   ///< Waits until it is healthy.
    change,  ///< Moves use to it.
    watch,   ///< It has to stay healthy.
    retire,  ///< The one before ends: from here on nothing is undone.
    // What undoes:
    change_back,
    withdraw, ///< Ends what was prepared.
    discard,  ///< Removes the release.
};
BOOST_DESCRIBE_ENUM(deploy_step, build, test, release, prepare, check, change, watch, retire, change_back, withdraw,
                    discard)

struct planned_step {
    deploy_step step = deploy_step::build;
    int percent = 0; ///< Of `change`.

    bool operator==(const planned_step&) const = default;
};

/// `invalid_request` when the target cannot do that.
expected<std::vector<planned_step>> plan_steps(const runtime::deploy_target& target, deploy_strategy strategy,
                                               int canary_percent);

/// One line for people: "change: 10 % of the use goes to the new one".
std::string describe(const planned_step& step);

class deployment {
public:
    explicit deployment(std::vector<planned_step> steps) : steps_(std::move(steps)) {}

    /// What is to be done now; nothing: it is over.
    [[nodiscard]] std::optional<planned_step> next() const;
    /// Its place among all steps that were ever next, from 0: a stable name for it.
    [[nodiscard]] std::size_t number() const { return number_; }
    /// What became of `next()`. A step that failed may have done something: it is undone, too.
    void told(bool succeeded, std::string why = {});

    [[nodiscard]] bool is_over() const { return !next().has_value(); }
    /// All was done, and nothing undone.
    [[nodiscard]] bool succeeded() const { return is_over() && !undoing_; }
    [[nodiscard]] bool is_undoing() const { return undoing_; }
    /// How much of the use was given to the new one, as far as told.
    [[nodiscard]] int percent() const { return percent_; }
    /// What failed first.
    [[nodiscard]] const std::string& why() const { return why_; }
    /// What could not be undone, or not be cleared away: somebody has to look.
    [[nodiscard]] const std::vector<std::string>& left() const { return left_; }

private:
    std::vector<planned_step> steps_;
    std::size_t at_ = 0;
    std::size_t number_ = 0;
    int percent_ = 0;
    bool undoing_ = false;
    std::string why_;
    std::vector<std::string> left_;
};

} // namespace troupe::actors
