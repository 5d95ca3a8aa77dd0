#include "storage/sealing.hpp"

#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/log_reader.hpp"
#include "storage/tables.hpp"

#include <sodium.h>

#include <array>
#include <atomic>
#include <cstring>

namespace troupe::storage {

namespace {

constexpr char sealed_mark = '\xe5'; // no row, JSON or record begins with it
constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;

const unsigned char* bytes_of(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }
unsigned char* bytes_of(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }

/// 16 random bytes of this process, and a count: the generator of the system is asked once.
void add_nonce(std::string& to) {
    static const auto random = [] {
        std::array<char, nonce_bytes - sizeof(std::uint64_t)> out{};
        randombytes_buf(out.data(), out.size());
        return out;
    }();
    static std::atomic<std::uint64_t> count{0};
    to.append(random.data(), random.size());
    put_big_endian(to, count.fetch_add(1, std::memory_order_relaxed));
}

struct sealed_parts {
    std::uint32_t number = 0;
    std::string_view nonce;
    std::string_view body;
};

std::optional<sealed_parts> parts_of(std::string_view bytes) {
    if (!is_sealed(bytes)) {
        return std::nullopt;
    }
    byte_reader in(bytes.substr(1));
    sealed_parts out;
    out.number = static_cast<std::uint32_t>(in.varint());
    out.nonce = in.bytes(nonce_bytes);
    out.body = in.rest();
    return in.ok() && out.body.size() >= tag_bytes ? std::optional(out) : std::nullopt;
}

problem unopened() {
    return {code::journal_damaged, "what was sealed here was changed, or belongs to another place; restore a backup"};
}

std::string place_of(const record& r) {
    std::string out;
    put_uuid(out, r.entity.organization);
    put_uuid(out, r.entity.id);
    put_varint(out, r.entity_seq);
    out += r.entity.kind;
    return out;
}

constexpr std::string_view client_place = "client";

/// Whose the data on a client are: the person's, else of the organization in which it acts.
uuid subject_of_client(const record& r) {
    constexpr std::string_view person = "user/";
    if (r.principal.starts_with(person)) {
        if (const auto id = parse_uuid(std::string_view(r.principal).substr(person.size()))) {
            return *id;
        }
    }
    return r.client.organization.is_nil() ? r.entity.organization : r.client.organization;
}

bool knows_client(const record& r) { return !r.client.address.empty() || !r.client.program.empty(); }

/// Address and program in one text, under the key of whose they are; should that not be had now, under the record's
/// own.
client_info seal_client(const store& s, const record& r, const payload_key& own) {
    if (!knows_client(r)) {
        return r.client;
    }
    client_info out;
    out.organization = r.client.organization;
    const auto key = issued_key(s, subject_of_client(r), r.entity.organization);
    if (!key && key.error().code == code::erased) {
        return out; // a moment ago
    }
    std::string both;
    put_text(both, r.client.address);
    put_text(both, r.client.program);
    out.address = seal_bytes(key ? key->get() : &own, client_place, both);
    return out;
}

} // namespace

expected<void> check_keys(const store& s, const key_store& keys) {
    for (std::uint32_t shard = 0; shard < s.who().shards; ++shard) {
        const auto last = s.applied(shard);
        expected<void> known;
        const auto read = last == 0 ? expected<void>() : read_log(s, shard, last - 1, [&](record&& r) {
            const auto key = r.key_id == 0 ? expected<shared_key>(shared_key()) : keys.numbered(r.key_id);
            known = key || key.error().code == code::erased ? expected<void>() : expected<void>(key.error());
            return false;
        });
        if (!known) {
            return known;
        }
        (void)read; // of a log that was trimmed to its end nothing is known; damage shows when it is read
    }
    return {};
}

bool is_sealed(std::string_view bytes) { return !bytes.empty() && bytes.front() == sealed_mark; }

expected<shared_key> sealing_key(const store& s, const uuid& subject, const uuid& organization) {
    return s.keys() ? s.keys()->of(subject.is_nil() ? organization : subject) : expected<shared_key>(shared_key());
}

expected<void> issue_keys(const store& s, const uuid& subject, const uuid& organization,
                          std::span<const record> records) {
    auto own = sealing_key(s, subject, organization);
    auto names = own ? sealing_key(s, organization, organization) : std::move(own);
    if (!names) {
        return names.error();
    }
    uuid last;
    for (const auto& r : records) {
        const auto client = knows_client(r) ? subject_of_client(r) : uuid();
        if (client.is_nil() || client == last) {
            continue;
        }
        last = client; // most appends are of one
        if (const auto key = sealing_key(s, client, organization); !key && key.error().code != code::erased) {
            return key.error();
        }
    }
    return {};
}

expected<shared_key> issued_key(const store& s, const uuid& subject, const uuid& organization) {
    return s.keys() ? s.keys()->at_hand(subject.is_nil() ? organization : subject) : expected<shared_key>(shared_key());
}

std::string seal_bytes(const payload_key* key, std::string_view place, std::string_view plain) {
    if (!key) {
        return std::string(plain);
    }
    std::string out;
    out.reserve(8 + nonce_bytes + plain.size() + tag_bytes);
    out += sealed_mark;
    put_varint(out, key->number);
    add_nonce(out);
    const auto head = out.size();
    out.resize(head + plain.size() + tag_bytes);
    crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(out) + head, nullptr, bytes_of(plain), plain.size(),
                                               bytes_of(place), place.size(), nullptr,
                                               bytes_of(out) + head - nonce_bytes, key->sealing.data());
    return out;
}

expected<std::string> open_bytes(const store& s, std::string_view place, std::string_view bytes) {
    if (!is_sealed(bytes)) {
        return std::string(bytes);
    }
    const auto parts = parts_of(bytes);
    if (!parts) {
        return unopened();
    }
    if (!s.keys()) {
        return problem{code::secrets_locked,
                       "the contents of this data directory are sealed, and its keys are not open; give the master key "
                       "(secrets.key, or secrets.key in the data directory)"};
    }
    const auto key = s.keys()->numbered(parts->number);
    if (!key) {
        return key.error();
    }
    std::string out(parts->body.size() - tag_bytes, '\0');
    const bool good = crypto_aead_xchacha20poly1305_ietf_decrypt(bytes_of(out), nullptr, nullptr, bytes_of(parts->body),
                                                                 parts->body.size(), bytes_of(place), place.size(),
                                                                 bytes_of(parts->nonce), (*key)->sealing.data()) == 0;
    return good ? expected<std::string>(std::move(out)) : unopened();
}

expected<std::optional<std::string>> open_unless_erased(const store& s, std::string_view place,
                                                        std::string_view bytes) {
    auto opened = open_bytes(s, place, bytes);
    if (!opened && opened.error().code == code::erased) {
        return std::optional<std::string>();
    }
    return opened ? expected<std::optional<std::string>>(std::move(*opened)) : opened.error();
}

expected<std::optional<std::string>> move_sealed(const store& s, std::string_view from, std::string_view to,
                                                 std::string_view bytes,
                                                 const std::function<std::string(std::string_view)>& change) {
    const auto opened = open_unless_erased(s, from, bytes);
    if (!opened || !*opened) {
        return opened;
    }
    const auto parts = parts_of(bytes);
    const auto key = parts ? s.keys()->numbered(parts->number) : expected<shared_key>(shared_key());
    if (!key) {
        return key.error(); // erased a moment ago
    }
    return std::optional(seal_bytes(key->get(), to, change(**opened)));
}

namespace {

constexpr std::size_t table_at = 2;

bool is_of(std::string_view row_key, keys::table t) {
    return row_key.size() > table_at && row_key[table_at] == static_cast<char>(t);
}

} // namespace

bool holds_contents(std::string_view row_key) {
    if (row_key.size() <= table_at) {
        return false;
    }
    switch (static_cast<keys::table>(row_key[table_at])) {
    case keys::table::snapshot:
    case keys::table::document:
    case keys::table::item:
    case keys::table::timer:
    case keys::table::poison:
    case keys::table::base:
    case keys::table::base_item:
        return true;
    default:
        return false; // nothing but keys, numbers and what is sealed inside
    }
}

void seal_rows(const payload_key* key, std::vector<std::pair<std::string, std::string>>& rows) {
    for (auto& [place, value] : rows) {
        if (key && holds_contents(place)) {
            value = seal_bytes(key, place, value);
        } else if (key && is_of(place, keys::table::command)) { // compaction reads its time
            if (auto row = decode_command_row(value); row && !row->kept.empty()) {
                row->kept = seal_bytes(key, place, row->kept);
                value = encode_command_row(*row);
            }
        }
    }
}

std::string encode_sealed(const store& s, record& r, const payload_key* key) {
    if (!key) {
        return encode_record(r);
    }
    r.key_id = key->number;
    return encode_record(r, seal_bytes(key, place_of(r), r.payload), seal_client(s, r, *key));
}

expected<void> open_record(const store& s, record& r) {
    r.client = open_client(s, r.client);
    if (r.key_id == 0) {
        return {};
    }
    auto payload = open_bytes(s, place_of(r), r.payload);
    if (!payload) {
        auto why = payload.error();
        why.detail = "event " + std::to_string(r.entity_seq) + " of " + to_string(r.entity) + ": " + why.detail;
        return why;
    }
    r.payload = std::move(*payload);
    return {};
}

bool is_meant_to_be_closed(const store& s, const problem& why) {
    return why.code == code::erased || (why.code == code::secrets_locked && !s.keys());
}

client_info open_client(const store& s, const client_info& sealed) {
    if (!is_sealed(sealed.address)) {
        return sealed;
    }
    client_info out;
    out.organization = sealed.organization;
    if (const auto both = open_bytes(s, client_place, sealed.address)) {
        byte_reader in(*both);
        out.address = in.text();
        out.program = in.text();
    }
    return out;
}

expected<index_names> index_names::for_writing(const store& s, const uuid& organization) {
    auto key = sealing_key(s, organization, organization);
    return key ? expected<index_names>(index_names(std::move(*key))) : key.error();
}

index_names index_names::for_reading(const store& s, const uuid& organization) {
    auto key = s.keys() ? s.keys()->existing(organization) : expected<shared_key>(shared_key());
    return key ? index_names(std::move(*key)) : index_names();
}

std::string index_names::operator()(std::string_view filter) const {
    if (!key_ || filter.empty()) {
        return std::string(filter);
    }
    std::array<unsigned char, crypto_shorthash_siphashx24_BYTES> hash{};
    crypto_shorthash_siphashx24(hash.data(), bytes_of(filter), filter.size(), key_->hiding.data());
    // A key of an index ends its filter with a NUL.
    return to_hex({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

} // namespace troupe::storage
