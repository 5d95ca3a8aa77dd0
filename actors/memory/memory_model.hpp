#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/memory_messages.hpp"

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What one agent remembers. Lives under the agent's id. Pure.
namespace troupe::actors {

struct note_put {
    std::string key;
    std::string text;
};
BOOST_DESCRIBE_STRUCT(note_put, (), (key, text))

struct note_removed {
    std::string key;
};
BOOST_DESCRIBE_STRUCT(note_removed, (), (key))

struct memory_state {
    static constexpr int version = 1;
    std::map<std::string, memory_note> notes;
    timestamp created_at;
};
BOOST_DESCRIBE_STRUCT(memory_state, (), (notes, created_at))

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::note_put)
TROUPE_NAMED(troupe::actors::note_removed)

namespace troupe::actors {

struct memory_model {
    static constexpr std::string_view kind = memory_kind;
    using state = memory_state;
    using command = std::variant<put_note, remove_note>;
    using event = std::variant<note_put, note_removed>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
