#pragma once

#include "runtime/config/prices.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// What the operator says of one model of a provider.
struct provider_model {
    std::string name; ///< The provider's.
    std::optional<std::uint32_t> context_tokens;
    std::optional<std::uint32_t> output_tokens; ///< Most of one reply.
    std::optional<token_price> price;
    std::vector<model_capability> capabilities;
};

/// One provider of language models, as `model.providers` lists it.
/// What becomes of requests of one organization that are the same in all that the provider sees. each: every one is
/// asked. in_flight: those at the same time share an answer. cache: those of a while after it, too.
BOOST_DEFINE_ENUM_CLASS(equal_requests, each, in_flight, cache)

struct model_provider {
    std::string name; ///< [a-z0-9_-]+; models are NAME/MODEL.
    model_wire wire = model_wire::openai;
    std::string base_url; ///< Empty: the wire's own.
    std::string api_key;  ///< "secret:NAME", "env:NAME" or "file:PATH"; empty: none.
    std::string model;    ///< What the provider's name alone means; empty: the first of `models`, if any.
    std::string ca_file;  ///< Empty: the system's certificates.
    std::vector<provider_model> models;
    std::uint32_t calls_max = calls_default; ///< At once; further ones wait.
    static constexpr std::uint32_t calls_default = 32;
    runtime::equal_requests equal_requests = runtime::equal_requests::each;
    std::uint32_t cache_s = cache_s_default; ///< How long a reply is kept, with `cache`.
    static constexpr std::uint32_t cache_s_default = 3600;
};

/// Reads a JSON list of them; an empty text is an empty list. Numbers may be given as text. `config_invalid` has all
/// that is wrong, by JSON pointers.
expected<std::vector<model_provider>> parse_model_providers(std::string_view text);

// What is wrong with the text of the configuration, or nothing; see `property::check`.
std::optional<std::string> check_model_providers(std::string_view text);
std::vector<field_error> check_model_provider_list(std::string_view text);

} // namespace troupe::runtime
