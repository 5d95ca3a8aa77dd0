#pragma once

#include "runtime/entity/kind.hpp"
#include "runtime/entity/messages.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

/// Commands that come again get the first answer again.
namespace troupe::runtime {

/// Where an entity stands that is asked again. Its parts outlive the call.
struct repeat_source {
    const storage::store& store;
    const entity_kind& kind;
    const entity_address& self;
    std::uint64_t version = 0; ///< What is committed.
    std::uint64_t base = 0;    ///< Where its history begins.
};

/// The answer of an earlier command with this id, made again from its events, or `idempotency_mismatch`; nothing when
/// there was none. `present` is the entity at version `now`: its document stands in for an answer whose events are not
/// kept any more.
std::optional<reply> answer_of_repeat(const repeat_source& from, const held_command& held,
                                      const entity_instance& present, std::uint64_t now);

/// The answer to a command that was set aside.
problem poison_answer(const command& c, std::string_view cause);
/// The same id with another request.
problem key_mismatch(const command& c);

} // namespace troupe::runtime
