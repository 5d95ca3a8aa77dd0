#pragma once

#include "actors/kinds/deployer/deploy_plan.hpp"
#include "actors/tool/tool.hpp"

#include <string>

/// The tools of deployments: their arguments, and what performs them. `product_tools.cpp` has their rows.
namespace troupe::actors {

struct deploy_arguments {
    std::string target;
    deploy_strategy strategy = deploy_strategy::all_at_once;
    int percent = 10;
    bool dry_run = false;
    static constexpr field_rule rules[] = {
        {.name = "target", .required = true, .min = 1, .max = 64, .doc = "As deploy_targets names it."},
        {.name = "strategy", .doc = "all_at_once when left out."},
        {.name = "percent", .min = 1, .max = 99, .doc = "Of the use, for the canary; 10 when left out."},
        {.name = "dry_run", .doc = "Only says what would be done."}};
};
BOOST_DESCRIBE_STRUCT(deploy_arguments, (), (target, strategy, percent, dry_run))

struct deploy_targets_arguments {};
BOOST_DESCRIBE_STRUCT(deploy_targets_arguments, (), ())

tool_result deploy(const deploy_arguments& a, const tool_environment& where);
tool_result show_deploy_targets(const deploy_targets_arguments& a, const tool_environment& where);

} // namespace troupe::actors
