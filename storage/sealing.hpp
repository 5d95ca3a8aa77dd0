#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/key_store.hpp"
#include "storage/record.hpp"
#include "storage/store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// How payloads, rows and blobs are kept unreadable without the key of their subject (storage/key_store.hpp):
/// XChaCha20-Poly1305 under nonces that never come again, bound to the place of the bytes, so that none can stand in
/// the place of others. A store without keys keeps all as it is; what was written so is read by one with keys, too.
///
/// Plain is what the machinery orders and finds by: ids, kinds, names of events, times, numbers, names of blobs (the
/// hash of their content). What users wrote is no key (storage/items.hpp).
namespace troupe::storage {

using shared_key = std::shared_ptr<const payload_key>;

/// The key of a subject (nil: of the organization), made when it is the first time; null when the store has no keys.
/// `erased` when it was destroyed. In a cluster it may block for a new one.
expected<shared_key> sealing_key(const store& s, const uuid& subject, const uuid& organization);

/// Makes the keys that an append needs, where they are not there yet, so that who writes it need not wait: of the
/// subject of the entity, of the organization (names in indexes), and of whoever the clients of its records are.
/// Problems and blocking as of `sealing_key`.
expected<void> issue_keys(const store& s, const uuid& subject, const uuid& organization,
                          std::span<const record> records);
/// The key that `issue_keys` made, for who must not block.
expected<shared_key> issued_key(const store& s, const uuid& subject, const uuid& organization);

/// `secrets_locked` when records are sealed with keys that the store does not have: its keys are of another directory,
/// or older than it. Looks at the newest record of each shard.
expected<void> check_keys(const store& s, const key_store& keys);

/// What was sealed begins with a byte that nothing plain begins with, and the number of the key.
bool is_sealed(std::string_view bytes);
/// With a null key the bytes as they are.
std::string seal_bytes(const payload_key* key, std::string_view place, std::string_view plain);
/// Plain bytes are given as they are. `erased`, `secrets_locked` without the key, `journal_damaged` when they were
/// changed or stand in a wrong place.
expected<std::string> open_bytes(const store& s, std::string_view place, std::string_view bytes);
/// The same, with nothing for what was erased.
expected<std::optional<std::string>> open_unless_erased(const store& s, std::string_view place, std::string_view bytes);

/// What was sealed at one place, as `change` makes it, sealed with the same key at another; plain bytes stay plain.
/// Nothing for what was erased.
expected<std::optional<std::string>> move_sealed(const store& s, std::string_view from, std::string_view to,
                                                 std::string_view bytes,
                                                 const std::function<std::string(std::string_view)>& change);

/// Seals the values of those rows of the derived tables that hold contents.
void seal_rows(const payload_key* key, std::vector<std::pair<std::string, std::string>>& rows);
/// Whether a row of the derived tables holds contents.
bool holds_contents(std::string_view row_key);

/// The bytes of a record with its payload sealed under `key`, whose number it gets, and what it says of the client
/// under the key of whoever that is, which was issued.
std::string encode_sealed(const store& s, record& r, const payload_key* key);
/// Opens what `decode_record` read: payload and client. `erased` for the payload; a client that was erased is empty.
expected<void> open_record(const store& s, record& r);
/// Whether such a problem is no damage: what was erased, or anything sealed in a store without keys.
bool is_meant_to_be_closed(const store& s, const problem& why);
/// Opens what is said of a client, wherever it stands; empty when it was erased.
client_info open_client(const store& s, const client_info& sealed);

/// Hides what rows of an index are found by: the same text gives the same name, and nobody without the key can tell
/// which text that was.
class index_names {
public:
    /// Names as they are.
    index_names() = default;
    /// Of an organization, for rows that are written: its key is made. `erased`.
    static expected<index_names> for_writing(const store& s, const uuid& organization);
    /// For rows that are read: without a key there are none.
    static index_names for_reading(const store& s, const uuid& organization);

    [[nodiscard]] std::string operator()(std::string_view filter) const;

private:
    explicit index_names(shared_key key) : key_(std::move(key)) {}
    shared_key key_;
};

} // namespace troupe::storage
