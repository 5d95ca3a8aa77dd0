#include "runtime/cluster/registry.hpp"

#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace troupe::runtime::cluster {

std::string member_key(std::string_view name) { return std::string(members_prefix) + std::string(name); }
std::string alive_key(std::string_view name) { return std::string(alive_prefix) + std::string(name); }
std::string shard_key(std::uint32_t shard) { return fmt::format("{}{:04}", shards_prefix, shard); }

std::string pin_key(std::uint32_t shard) { return fmt::format("{}{:04}", pins_prefix, shard); }

std::string content_key(std::uint32_t number) { return fmt::format("{}{:08}", content_keys_prefix, number); }
std::string subject_key(const uuid& subject) { return std::string(subjects_prefix) + to_string(subject); }

namespace {

std::optional<std::uint32_t> number_after(std::string_view prefix, std::string_view key) {
    if (!key.starts_with(prefix)) {
        return std::nullopt;
    }
    key.remove_prefix(prefix.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
    return error == std::errc() && end == key.data() + key.size() ? std::optional(number) : std::nullopt;
}

} // namespace

std::optional<std::uint32_t> shard_of_key(std::string_view key) { return number_after(shards_prefix, key); }
std::optional<std::uint32_t> shard_of_pin(std::string_view key) { return number_after(pins_prefix, key); }
std::optional<std::uint32_t> number_of_content_key(std::string_view key) {
    return number_after(content_keys_prefix, key);
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

std::string encode_content_key(const storage::agreed_key& key) {
    content_key_value out{key.subject, {}, {}};
    if (key.wrapped.empty()) {
        out.destroyed_ms = key.destroyed.ms;
    } else {
        out.wrapped = key.wrapped;
    }
    return to_json(out);
}

expected<storage::agreed_key> decode_content_key(std::uint32_t number, std::string_view json) {
    auto read = from_json<content_key_value>(json, strictness::stored);
    if (!read) {
        return read.error();
    }
    const bool kept = read->wrapped && !read->wrapped->empty();
    if (number == 0 || read->subject.is_nil() || kept == read->destroyed_ms.has_value()) {
        return problem{code::invalid_request, "it is neither a key of somebody nor a destroyed one"};
    }
    return storage::agreed_key{number, read->subject, kept ? std::move(*read->wrapped) : std::string(),
                               timestamp{read->destroyed_ms.value_or(0)}};
}

} // namespace troupe::runtime::cluster
