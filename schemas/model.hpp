#pragma once

#include <boost/describe/enum.hpp>

/// Language models and their providers.
namespace troupe {

/// The protocols that are spoken with providers. openai: chat completions, which most servers know. openai_responses:
/// OpenAI's Responses API. anthropic: messages. ollama: /api/chat. deepseek: chat completions with its rule that
/// reasoning goes back with tool calls.
BOOST_DEFINE_ENUM_CLASS(model_wire, openai, openai_responses, anthropic, ollama, deepseek)

/// What a model can do. tools: call them. images: look at them. reasoning: it thinks before it answers.
BOOST_DEFINE_ENUM_CLASS(model_capability, tools, images, reasoning)

} // namespace troupe
