#pragma once

#include "actors/provider/model_choice.hpp"
#include "actors/provider/provider_desk.hpp"
#include "net/model/model.hpp"
#include "schemas/model.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// What runs and agents write before a route's name.
inline constexpr std::string_view route_prefix = "route:";

struct route_candidate {
    candidate_facts facts;
    std::string provider;       ///< Whose reasoning goes back to it; empty: a rehearsal or a program's own model.
    std::string provider_model; ///< What the provider is told.
    bool reasoning = false;
    std::shared_ptr<provider_desk> desk;
    std::shared_ptr<net::model> model; ///< Not gated.
};

/// A model that chooses among others for each call. It goes on to the next one when a call fails that cannot have cost
/// anything, and no token of it was delivered; all else is the caller's to try again. Its replies say who answered and
/// why (`answered_by`, `choice`); its problems name each model and what was wrong with it. In its requests messages say
/// whose reasoning they carry. `candidates` has one at least.
std::shared_ptr<net::model> make_route(std::string name, route_policy policy, std::vector<route_candidate> candidates);

} // namespace troupe::actors
