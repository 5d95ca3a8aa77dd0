#pragma once

#include "schemas/base/described.hpp"

#include <string_view>
#include <utility>

namespace troupe::actors {

/// Parameters of a kind as a described struct: `agent_kind::check_parameters`. A struct with a member `check` is asked
/// too: it adds what rules of fields cannot say.
template <class Parameters>
expected<void> check_parameters(std::string_view text) {
    const auto decoded = from_json<Parameters>(text, strictness::input);
    auto wrong = decoded ? problem{code::invalid_request, {}} : decoded.error();
    if constexpr (requires(const Parameters& p) { p.check(wrong.errors); }) {
        if (decoded) {
            decoded->check(wrong.errors);
        }
    }
    if (decoded && wrong.errors.empty()) {
        return {};
    }
    if (wrong.errors.empty()) {
        wrong.errors.push_back({"", wrong.detail});
    }
    for (auto& e : wrong.errors) {
        e.pointer = "/parameters" + (e.pointer == "/" ? std::string() : e.pointer);
    }
    wrong.code = code::invalid_request;
    wrong.detail = wrong.errors.front().pointer + ": " + wrong.errors.front().message;
    return wrong;
}

} // namespace troupe::actors
