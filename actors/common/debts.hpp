#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/base/described.hpp"
#include "schemas/effect_settled.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What an entity still has to tell others, as part of its state. Pure.
///
/// `apply` owes, `resume` names, and when the receiver has answered, the host's `debt_settled` becomes the event
/// `debt_cleared`. One receiver gets its messages one after the other, in the order in which they were owed.
namespace troupe::actors {

/// A command that another entity has to get.
struct debt {
    std::uint64_t number = 0; ///< Never used twice in its entity.
    std::string kind;         ///< Of the receiver, in the same organization.
    uuid to;
    std::string type;
    json::raw payload;
};
BOOST_DESCRIBE_STRUCT(debt, (), (number, kind, to, type, payload))

struct debts {
    std::uint64_t incurred = 0;
    std::vector<debt> open; ///< Oldest first.
};
BOOST_DESCRIBE_STRUCT(debts, (), (incurred, open))

/// Command of the host: a receiver accepted or refused what was sent.
struct debt_settled : effect_settled {};
BOOST_DESCRIBE_STRUCT(debt_settled, (effect_settled), ())

/// Event: the debt is paid, or refused for good, with the reason.
struct debt_cleared {
    std::uint64_t number = 0;
    bool ok = false;
    std::string code;
    std::string detail;
};
BOOST_DESCRIBE_STRUCT(debt_cleared, (), (number, ok, code, detail))

/// The key of a debt's effect: "enqueue_task/3".
std::string key_of(const debt& d);

/// The open debt with that key, or null.
const debt* find_debt(const debts& all, std::string_view key);
/// The open debt with that number, or null.
const debt* find_debt(const debts& all, std::uint64_t number);

void owe_payload(debts& all, std::string_view kind, const uuid& to, std::string_view type, std::string payload);

template <class Message>
void owe(debts& all, std::string_view kind, const uuid& to, const Message& message) {
    owe_payload(all, kind, to, wire_name<Message>::value, to_json(message));
}

void clear_debt(debts& all, std::uint64_t number);

/// The same for who is to be erased, when `closing`: with the last debt to others paid, its erasure is told to begin.
void pay_before_erasure(debts& all, std::uint64_t number, bool closing, const uuid& id);

/// The oldest debt to each receiver, to be answered with `debt_settled`.
std::vector<runtime::effect> effects_of(const debts& all, const uuid& organization);

/// The event that a `debt_settled` becomes.
debt_cleared cleared(const debt& d, const debt_settled& answer);

} // namespace troupe::actors

TROUPE_NAMED(troupe::actors::debt_settled)
TROUPE_NAMED(troupe::actors::debt_cleared)
