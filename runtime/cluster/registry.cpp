#include "runtime/cluster/registry.hpp"

#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace troupe::runtime::cluster {

std::string member_key(std::string_view name) { return std::string(members_prefix) + std::string(name); }
std::string alive_key(std::string_view name) { return std::string(alive_prefix) + std::string(name); }
std::string shard_key(std::uint32_t shard) { return fmt::format("{}{:04}", shards_prefix, shard); }

std::optional<std::uint32_t> shard_of_key(std::string_view key) {
    if (!key.starts_with(shards_prefix)) {
        return std::nullopt;
    }
    key.remove_prefix(shards_prefix.size());
    std::uint32_t shard = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), shard);
    return error == std::errc() && end == key.data() + key.size() ? std::optional(shard) : std::nullopt;
}

std::string encode_register(const storage::replication::replica_set& set) {
    return to_json(register_value{set.epoch, set.leader, set.voters, set.learners});
}

expected<storage::replication::replica_set> decode_register(std::string_view json) {
    auto read = from_json<register_value>(json, strictness::stored);
    if (!read) {
        return read.error();
    }
    const bool leads = std::ranges::count(read->voters, read->leader) == 1;
    if (read->epoch == 0 || !leads) {
        return problem{code::invalid_request, "a register without an epoch, or with a leader that is no voter"};
    }
    return storage::replication::replica_set{read->epoch, read->leader, std::move(read->voters),
                                             std::move(read->learners)};
}

} // namespace troupe::runtime::cluster
