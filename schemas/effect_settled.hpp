#pragma once

#include "schemas/base/described.hpp"

namespace troupe {

/// The payload of the command `then` of a `send_effect`: what the receiver answered.
/// A model lists its own command type with these members (name and order do not matter).
struct effect_settled {
    std::string key; ///< Of the effect.
    bool ok = false;
    std::string code;   ///< Of the problem, when not ok.
    std::string detail; ///< Likewise.
    json::raw document; ///< The receiver's answer, when ok.
};
BOOST_DESCRIBE_STRUCT(effect_settled, (), (key, ok, code, detail, document))

} // namespace troupe
