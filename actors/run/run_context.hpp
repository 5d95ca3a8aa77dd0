#pragma once

#include "actors/run/run_events.hpp"
#include "actors/run/run_state.hpp"
#include "actors/tool/policies.hpp"
#include "net/model/model.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the model is given, and what that will cost. Pure.
namespace troupe::actors {

/// Pictures in base64, by their blobs. Those that are not in it are sent without their bytes.
using loaded_images = std::map<std::string, std::string, std::less<>>;

/// Most that a model may write in one reply.
inline constexpr std::uint32_t output_tokens_max = 8192;
/// A reply for which less room is left in the budget is not worth asking for.
inline constexpr std::uint32_t output_tokens_min = 256;

/// The rules of its tools: those that it began with, and those that people had it remember.
tool_policies rules_of(const run_progress& p);

/// What is to be done with a call: by its own rules, and by those of the ones it works for; the strictest counts.
tool_verdict judge(const run_progress& p, const tool_info& tool, std::string_view arguments);

/// Whether runs of this kind have the tool at all: a kind's own tools are for its runs, and for those whose policies
/// name them; `recall` is for runs of which something was folded.
bool is_offered(const run_progress& p, std::string_view tool);

/// Names of the tools that the run may call. Without a project only those that need none; those of which no call could
/// go ahead are left out.
std::vector<std::string> tools_of(const run_progress& p);

/// The message that an event adds to the context, if any. `before` is the progress without the event.
std::optional<context_message> message_of(const run_progress& before, const run_event& e);

/// A tool's result, as long as the model gets it.
std::string bounded_content(std::string content);

/// Bytes of a message, for the estimate.
std::uint64_t bytes_of(const context_message& m);

/// The input tokens of the next call: four bytes each, or as many more as the provider counted in the last one.
std::uint64_t estimate_input_tokens(const run_progress& p);

/// Rounded up to a micro-unit.
std::int64_t cost_of(const model_price& price, std::uint64_t input_tokens, std::uint64_t output_tokens);

/// For a model that chooses among providers: all reasoning stays, and says whose it is.
inline constexpr std::string_view every_provider = "*";

/// The request of the open model call, to that provider; `model` is left to the caller.
net::model_request request_of(const run_state& s, std::string_view provider = {}, const loaded_images& loaded = {});

/// The blobs of all its pictures.
std::vector<std::string_view> blobs_of(const run_state& s);

} // namespace troupe::actors
