#include "actors/common/names.hpp"

#include "net/http/handlers.hpp"
#include "schemas/name_messages.hpp"

#include <utility>

namespace troupe::actors {
namespace {

/// Reserving and releasing are idempotent by their owner: no command id.
template <class Message>
runtime::command name_command(const net::request& r, const wanted_name& wanted, const Message& message) {
    return net::caller_command(r, {wanted.organization, "name", name_id(wanted.organization, wanted.kind, wanted.name)},
                               wire_name<Message>::value, to_json(message));
}

} // namespace

void reserve(const runtime::services& s, const net::request& r, const wanted_name& wanted,
             std::function<void(expected<void>)> done) {
    s.submit(name_command(r, wanted, reserve_name{wanted.kind, wanted.name, wanted.owner}),
             [done = std::move(done)](const runtime::reply& reserved) {
                 done(reserved ? expected<void>() : expected<void>(reserved.error()));
             });
}

void release(const runtime::services& s, const net::request& r, const wanted_name& wanted, std::uint64_t claim,
             std::function<void()> done) {
    auto c = name_command(r, wanted, release_name{wanted.owner, claim});
    c.deadline_ms = 0;
    s.submit(std::move(c), [done = std::move(done)](const runtime::reply&) { done(); });
}

} // namespace troupe::actors
