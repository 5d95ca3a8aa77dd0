#include "storage/keys.hpp"

#include "storage/bytes.hpp"

namespace troupe::storage::keys {

bool is_shared(std::uint32_t shard, std::string_view key) {
    const auto prefix = log_begin(shard);
    if (key.size() <= prefix.size() || !key.starts_with(prefix)) {
        return false;
    }
    const auto t = static_cast<table>(key[prefix.size()]);
    return t != table::applied && t != table::epochs && t != table::changes;
}

std::string log(std::uint32_t shard, std::uint64_t seq) {
    std::string out;
    put_big_endian(out, static_cast<std::uint16_t>(shard));
    put_big_endian(out, seq);
    return out;
}

std::string changes(std::uint32_t shard, std::uint64_t last_seq) {
    auto out = shard_table(shard, table::changes);
    put_big_endian(out, last_seq);
    return out;
}

std::string log_begin(std::uint32_t shard) {
    std::string out;
    put_big_endian(out, static_cast<std::uint16_t>(shard));
    return out;
}

std::string shard_table(std::uint32_t shard, table t) {
    std::string out;
    put_big_endian(out, static_cast<std::uint16_t>(shard));
    out += static_cast<char>(t);
    return out;
}

std::string entity(std::uint32_t shard, table t, const entity_address& a) {
    std::string out;
    out.reserve(entity_prefix_bytes + a.kind.size() + 48);
    put_big_endian(out, static_cast<std::uint16_t>(shard));
    out += static_cast<char>(t);
    put_uuid(out, a.organization);
    put_uuid(out, a.id);
    out += a.kind;
    return out;
}

std::string entity_rows(std::uint32_t shard, table t, const entity_address& a) {
    auto out = entity(shard, t, a);
    out += '\0';
    return out;
}

std::string numbered(std::uint32_t shard, table t, const entity_address& a, std::uint64_t number) {
    auto out = entity_rows(shard, t, a);
    put_big_endian(out, number);
    return out;
}

std::string command(std::uint32_t shard, const entity_address& a, std::string_view command_id) {
    auto out = entity_rows(shard, table::command, a);
    out += command_id;
    return out;
}

std::string collection(std::uint32_t shard, const entity_address& a, std::string_view collection) {
    auto out = entity_rows(shard, table::item, a);
    out += collection;
    out += '\0';
    return out;
}

std::string item(std::uint32_t shard, const entity_address& a, std::string_view collection_name, std::string_view key) {
    auto out = collection(shard, a, collection_name);
    out += key;
    return out;
}

std::string index_prefix(std::uint32_t shard, const uuid& organization, std::string_view kind,
                         std::string_view filter) {
    auto out = shard_table(shard, table::index);
    put_uuid(out, organization);
    out += kind;
    out += '\0';
    out += filter;
    out += '\0';
    return out;
}

std::string index(std::uint32_t shard, const entity_address& a, std::string_view filter, std::string_view sort) {
    auto out = index_prefix(shard, a.organization, a.kind, filter);
    out += sort;
    out += '\0'; // so that a sort value stands before all that it begins, whatever the ids
    put_uuid(out, a.id);
    return out;
}

std::string timer(std::uint32_t shard, timestamp due, const entity_address& a, std::string_view key) {
    auto out = shard_table(shard, table::timer);
    put_big_endian(out, static_cast<std::uint64_t>(due.ms));
    put_uuid(out, a.organization);
    put_uuid(out, a.id);
    out += a.kind;
    out += '\0';
    out += key;
    return out;
}

std::string poison_prefix(std::uint32_t shard, const uuid& organization) {
    auto out = shard_table(shard, table::poison);
    put_uuid(out, organization);
    return out;
}

std::string poison(std::uint32_t shard, timestamp at, const entity_address& a, std::uint64_t entity_seq) {
    auto out = poison_prefix(shard, a.organization);
    put_big_endian(out, static_cast<std::uint64_t>(at.ms));
    put_uuid(out, a.id);
    out += a.kind;
    out += '\0';
    put_big_endian(out, entity_seq);
    return out;
}

bool poison_is_of(std::string_view rest, const entity_address& a) {
    std::string name;
    put_uuid(name, a.id);
    name += a.kind;
    name += '\0';
    constexpr std::size_t time_bytes = 8;
    return rest.size() == time_bytes + name.size() + sizeof(std::uint64_t) &&
           rest.substr(time_bytes, name.size()) == name;
}

std::string reference(std::uint32_t shard, std::string_view sha256, const entity_address& a) {
    auto out = shard_table(shard, table::reference);
    put_uuid(out, a.organization);
    out += sha256;
    put_uuid(out, a.id);
    out += a.kind;
    return out;
}

std::string audit_prefix(std::uint32_t shard, const uuid& organization) {
    auto out = shard_table(shard, table::audit);
    put_uuid(out, organization);
    return out;
}

std::string audit(std::uint32_t shard, const uuid& organization, timestamp at, std::uint64_t seq) {
    auto out = audit_prefix(shard, organization);
    put_big_endian(out, static_cast<std::uint64_t>(at.ms));
    put_big_endian(out, seq);
    return out;
}

std::string reference_kind(std::uint32_t shard, std::string_view kind) {
    auto out = shard_table(shard, table::reference_kind);
    out += kind;
    return out;
}

std::string usage_prefix(std::uint32_t shard, const uuid& organization) {
    auto out = shard_table(shard, table::usage);
    put_uuid(out, organization);
    return out;
}

std::string usage(std::uint32_t shard, const uuid& organization, std::uint32_t day, usage_form form,
                  std::string_view what) {
    constexpr std::size_t fixed_bytes = 24; // so that a row of each commit is one allocation
    std::string out;
    out.reserve(fixed_bytes + what.size());
    out += usage_prefix(shard, organization);
    put_big_endian(out, day);
    out += static_cast<char>(form);
    out += what;
    return out;
}

std::string usage_kind(std::uint32_t shard, std::string_view kind) {
    auto out = shard_table(shard, table::usage_kind);
    out += kind;
    return out;
}

std::string blob_name(const uuid& organization, std::string_view sha256) {
    std::string out;
    put_uuid(out, organization);
    out += sha256;
    return out;
}

std::string blob_prefix(const uuid& organization, std::string_view sha256) {
    auto out = blob_name(organization, sha256);
    out += '\0';
    return out;
}

std::string blob_piece(const uuid& organization, std::string_view sha256, std::uint32_t piece) {
    auto out = blob_prefix(organization, sha256);
    put_big_endian(out, piece);
    return out;
}

std::string after_prefix(std::string prefix) {
    while (!prefix.empty()) {
        auto& last = reinterpret_cast<unsigned char&>(prefix.back());
        if (last != 0xff) {
            ++last;
            return prefix;
        }
        prefix.pop_back();
    }
    return prefix;
}

} // namespace troupe::storage::keys
