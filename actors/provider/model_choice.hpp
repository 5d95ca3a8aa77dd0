#pragma once

#include "net/model/model.hpp"
#include "runtime/config/prices.hpp"
#include "schemas/model.hpp"
#include "schemas/provider.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Which model of a route is asked for a call, in which order, and why. Pure.
namespace troupe::actors {

/// What is known of a model of a route.
struct candidate_facts {
    std::string name; ///< PROVIDER/MODEL
    std::uint32_t weight = 1;
    std::uint32_t context_tokens = 0; ///< 0: not known.
    std::uint32_t output_tokens = 0;  ///< Most of one reply; 0: not known.
    std::optional<runtime::token_price> price = {};
    std::vector<model_capability> capabilities = {}; ///< Empty: not known.
};

/// What a call asks of a model.
struct call_needs {
    bool tools = false;
    bool images = false;
    bool priced = false;            ///< Money is counted.
    std::uint64_t input_tokens = 0; ///< Estimated.
    std::uint32_t output_tokens = 0;
};
call_needs needs_of(const net::model_request& request);

struct ranked_model {
    std::size_t index = 0;
    std::string why;
};

struct ranking {
    std::vector<ranked_model> order;
    std::vector<passed_over> unfit; ///< With reasons: it cannot do what is asked, or its provider is left alone.
};

/// `health` is that of each candidate's provider. Degraded ones come behind the others, or have a quarter of their
/// weight. One that may be tried again after a failure has its place as before: the call is its probe, and goes on to
/// the next one if that fails. `turn` counts calls; `draw` gives numbers in [0, 1).
ranking rank(route_policy policy, const std::vector<candidate_facts>& candidates,
             const std::vector<provider_health>& health, const call_needs& needs, std::uint64_t turn,
             const std::function<double()>& draw);

} // namespace troupe::actors
