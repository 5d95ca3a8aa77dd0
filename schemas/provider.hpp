#pragma once

#include "schemas/base/described.hpp"
#include "schemas/model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What the API tells of models and their providers.
namespace troupe {

/// An item of GET /providers. The key itself is never told.
struct provider_document {
    std::string name;
    model_wire wire = model_wire::openai;
    std::string base_url;
    bool has_key = false;             ///< One is configured; whether the provider takes it shows when it is called.
    std::optional<std::string> model; ///< What the name alone means.
    std::vector<std::string> models;  ///< Those that the configuration describes; others may be used, too.
    bool is_default = false;          ///< Of runs that name no model.
};
BOOST_DESCRIBE_STRUCT(provider_document, (), (name, wire, base_url, has_key, model, models, is_default))

/// An item of GET /models.
struct model_document {
    std::string name; ///< What agents and runs write.
    std::string description;
    bool is_default = false;
    std::optional<std::string> provider; ///< Absent: a rehearsal, or a program's own model.
    std::optional<std::string> model;    ///< As the provider calls it.
    // What the configuration says of it.
    std::optional<std::uint32_t> context_tokens;
    std::optional<std::uint32_t> output_tokens;
    std::optional<std::int64_t> input_micros; ///< Of a million tokens, in millionths of the currency unit.
    std::optional<std::int64_t> output_micros;
    std::vector<model_capability> capabilities;
    static constexpr field_rule rules[] = {{.name = "capabilities", .example = R"(["tools","images"])"}};
};
BOOST_DESCRIBE_STRUCT(model_document, (),
                      (name, description, is_default, provider, model, context_tokens, output_tokens, input_micros,
                       output_micros, capabilities))

} // namespace troupe
