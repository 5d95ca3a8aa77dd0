#pragma once

#include "schemas/base/described.hpp"
#include "storage/views.hpp"

#include <optional>
#include <string_view>

namespace troupe::actors {

/// The document of an entity, decoded; nothing when it does not exist.
template <class Document>
expected<std::optional<Document>> read_stored(const storage::store& s, const entity_address& a) {
    const auto found = storage::read_document(s, a);
    if (!found || !*found) {
        return found ? expected<std::optional<Document>>(std::nullopt) : found.error();
    }
    auto decoded = from_json<Document>((*found)->json, strictness::stored);
    return decoded ? expected<std::optional<Document>>(std::move(*decoded)) : decoded.error();
}

/// An item of an entity, decoded; nothing when it does not exist.
template <class Item>
expected<std::optional<Item>> read_stored(const storage::store& s, const entity_address& a, std::string_view collection,
                                          std::string_view key) {
    const auto found = storage::read_item(s, a, collection, key);
    if (!found || !*found) {
        return found ? expected<std::optional<Item>>(std::nullopt) : found.error();
    }
    auto decoded = from_json<Item>(**found, strictness::stored);
    return decoded ? expected<std::optional<Item>>(std::move(*decoded)) : decoded.error();
}

} // namespace troupe::actors
