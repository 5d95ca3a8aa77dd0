#pragma once

#include "actors/run/run_commands.hpp"
#include "actors/run/run_state.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

/// Makes room in the context of a long run without asking anybody: old results of tools and old long arguments are
/// shortened to a line that says what stood there. The whole stays in the journal, and the tool `recall` gives it
/// back. Pure.
///
/// Never folded: the instructions and the goal, what people said (their messages, answers and decisions), the calls
/// themselves (which tool, and the beginning of each argument), what a provider wants back unchanged, and the last
/// turns of the model with their results.
namespace troupe::actors {

/// Turns of the model at the end that stay as they are.
inline constexpr std::size_t fold_turns_kept = 2;
/// What is shorter stays as it is.
inline constexpr std::size_t fold_bytes_min = 400;

/// Messages that are folded at a time: it is one event.
inline constexpr std::size_t fold_messages_max = 2000;

struct fold_plan {
    std::vector<folded_message> messages;
    std::uint64_t freed_bytes = 0;
};

/// What to fold to free so many bytes, the oldest first; less than asked for where there is not as much.
fold_plan plan_fold(const std::vector<context_message>& messages, std::uint64_t bytes);

/// Tokens that the input may have in a window of that size, beside an answer.
std::uint64_t room_of(std::uint32_t context_tokens, std::uint32_t output_tokens);

/// What has to go so that the next steps have room as well: down to two thirds of it.
std::uint64_t bytes_to_free(const run_progress& p, std::uint64_t room_tokens);

/// Puts what was folded in its place.
void fold(std::vector<context_message>& messages, const std::vector<folded_message>& folded);

} // namespace troupe::actors
