#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Numbers of tasks: each organization's board gives them, from 1.
namespace troupe::actors {

/// "TASK-017"
std::string task_key(std::uint64_t number);
/// The number in "TASK-017", "task-17"; nothing for other texts.
std::optional<std::uint64_t> task_number_in(std::string_view key);

/// Asks the board for the number of a task that is about to be made; asked again it is the same one.
runtime::command number_command(const uuid& organization, const uuid& task, std::string principal);
/// What the board answered.
expected<std::uint64_t> number_in(const runtime::reply& answer);

} // namespace troupe::actors
