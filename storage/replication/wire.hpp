#pragma once

#include "schemas/base/problem.hpp"
#include "storage/replication/messages.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

/// Messages between replicas as bytes: a frame is one after the other, of any shards.
namespace troupe::storage::replication {

/// The answer to a `pull`, which has the form of an append.
struct pulled {
    append message;

    bool operator==(const pulled&) const = default;
};

using message = std::variant<append, pulled, ack, seal, sealed, pull, hand_over>;

/// Adds a message to a frame; `entries` travel beside an `append` or `pulled`.
void put_message(std::string& frame, std::uint32_t shard, const message& m, std::string_view entries = {});

/// Gives the messages of a frame in order. `invalid_request`, and nothing more of it, at the first that is none; and
/// what `visit` returns.
expected<void> each_message(
    std::string_view frame,
    const std::function<expected<void>(std::uint32_t shard, const message& m, std::string_view entries)>& visit);

} // namespace troupe::storage::replication
