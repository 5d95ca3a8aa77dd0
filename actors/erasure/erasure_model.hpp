#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/effect_settled.hpp"
#include "schemas/erasure_messages.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The erasure of a person or an organization, as what has to be done one after the other and survives a crash at any
/// point. Lives in the organization `system` and is sealed with its key: it can be read afterwards. Pure.
namespace troupe::actors {

/// Command of the host: the subject took `close_for_erasure`, or refused it.
struct close_settled : effect_settled {};
BOOST_DESCRIBE_STRUCT(close_settled, (effect_settled), ())

/// Commands of the performer.
struct note_key_destroyed {};
BOOST_DESCRIBE_STRUCT(note_key_destroyed, (), ())
struct finish_erasure {
    std::uint64_t entities = 0;
    std::uint64_t contents = 0;
};
BOOST_DESCRIBE_STRUCT(finish_erasure, (), (entities, contents))

struct erasure_requested {
    erasure_subject subject = erasure_subject::user;
};
BOOST_DESCRIBE_STRUCT(erasure_requested, (), (subject))
struct subject_closed {};
BOOST_DESCRIBE_STRUCT(subject_closed, (), ())
struct erasure_begun {};
BOOST_DESCRIBE_STRUCT(erasure_begun, (), ())
struct key_destroyed {};
BOOST_DESCRIBE_STRUCT(key_destroyed, (), ())
struct erasure_finished : finish_erasure {};
BOOST_DESCRIBE_STRUCT(erasure_finished, (finish_erasure), ())
struct erasure_refused {
    std::string reason;
};
BOOST_DESCRIBE_STRUCT(erasure_refused, (), (reason))

/// Also the document. `id` is nil before the request.
struct erasure_state : erasure_document {
    static constexpr int version = 1;
};
BOOST_DESCRIBE_STRUCT(erasure_state, (erasure_document), ())

/// What the performer does.
inline constexpr std::string_view destroy_effect = "destroy";
inline constexpr std::string_view remove_effect = "remove";

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::close_settled)
TROUPE_NAMED(troupe::actors::note_key_destroyed)
TROUPE_NAMED(troupe::actors::finish_erasure)
TROUPE_NAMED(troupe::actors::erasure_requested)
TROUPE_NAMED(troupe::actors::subject_closed)
TROUPE_NAMED(troupe::actors::erasure_begun)
TROUPE_NAMED(troupe::actors::key_destroyed)
TROUPE_NAMED(troupe::actors::erasure_finished)
TROUPE_NAMED(troupe::actors::erasure_refused)

namespace troupe::actors {

struct erasure_model {
    static constexpr std::string_view kind = erasure_kind;
    using state = erasure_state;
    using command = std::variant<request_erasure, close_settled, begin_erasure, note_key_destroyed, finish_erasure>;
    using event = std::variant<erasure_requested, subject_closed, erasure_begun, key_destroyed, erasure_finished,
                               erasure_refused>;

    static expected<std::vector<event>> decide(const state&, const command&, const runtime::context&);
    static state apply(state, const event&, const runtime::event_context&);
    static std::vector<runtime::effect> resume(const state&);
    static runtime::entity_view view(const state&, const runtime::view_context&);
};

} // namespace troupe::actors
