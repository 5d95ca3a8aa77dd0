#pragma once

#include "schemas/base/described.hpp"

#include <boost/describe/enum.hpp>

#include <string>
#include <vector>

/// Language models and their providers.
namespace troupe {

/// The protocols that are spoken with providers. openai: chat completions, which most servers know. openai_responses:
/// OpenAI's Responses API. anthropic: messages. ollama: /api/chat. deepseek: chat completions with its rule that
/// reasoning goes back with tool calls.
BOOST_DEFINE_ENUM_CLASS(model_wire, openai, openai_responses, anthropic, ollama, deepseek)

/// What a model can do. tools: call them. images: look at them. reasoning: it thinks before it answers.
BOOST_DEFINE_ENUM_CLASS(model_capability, tools, images, reasoning)

/// Which model of a route is asked first, of those that can do it. priority: in the order of the list. cheapest: by the
/// estimated price of the call. fastest: by the time to the first token. round_robin: each in turn. weighted: by
/// chance.
BOOST_DEFINE_ENUM_CLASS(route_policy, priority, cheapest, fastest, round_robin, weighted)

/// A model of a route that did not answer a call.
struct passed_over {
    std::string model;
    std::string why;
};
BOOST_DESCRIBE_STRUCT(passed_over, (), (model, why))

/// How a route came to the model that answered: `details.route` of a step.
struct route_choice {
    std::string route;
    route_policy policy = route_policy::priority;
    std::string model; ///< PROVIDER/MODEL that answered.
    std::string why;
    std::vector<passed_over> passed; ///< Those that would have come before it, or cannot do what is asked.
};
BOOST_DESCRIBE_STRUCT(route_choice, (), (route, policy, model, why, passed))

} // namespace troupe
