#include "storage/items.hpp"

#include "storage/bytes.hpp"
#include "storage/keys.hpp"

namespace troupe::storage {

std::string item_key(const index_names& names, std::uint32_t shard, const entity_address& a,
                     std::string_view collection, std::string_view key) {
    return keys::item(shard, a, collection, is_private(collection) ? names(key) : std::string(key));
}

std::pair<std::string, std::string> item_row(const index_names& names, std::uint32_t shard, const entity_address& a,
                                             std::string_view collection, std::string_view key,
                                             std::string_view document) {
    const bool wrapped = is_private(collection) && !document.empty();
    return {item_key(names, shard, a, collection, key),
            wrapped ? encode_private_item(key, document) : std::string(document)};
}

std::string encode_private_item(std::string_view key, std::string_view document) {
    std::string out;
    out.reserve(key.size() + document.size() + 4);
    put_text(out, key);
    out += document;
    return out;
}

expected<private_item> open_private_item(std::string_view opened_value) {
    byte_reader in(opened_value);
    private_item out;
    out.key = in.text();
    out.document = in.rest();
    return in.ok() ? expected<private_item>(std::move(out))
                   : expected<private_item>(problem{
                         code::journal_damaged, "an item cannot be read; make it again with `troupe views rebuild`"});
}

} // namespace troupe::storage
