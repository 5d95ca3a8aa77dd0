#pragma once

#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/sealing.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

/// Items of entities as rows. Where their keys are what users wrote (paths of files, names of roles) the collection is
/// *private*: in the row's key stands a name by which nobody without the organization's key can tell what it was, and
/// the key stands sealed with the document. Rows of a private collection are in no order that means anything.
namespace troupe::storage {

/// Names of private collections begin with it.
inline constexpr char private_mark = '@';
inline bool is_private(std::string_view collection) {
    return !collection.empty() && collection.front() == private_mark;
}

/// The key of an item's row.
std::string item_key(const index_names& names, std::uint32_t shard, const entity_address& a,
                     std::string_view collection, std::string_view key);
/// Key and value of an item's row, not sealed yet. The value for no document, which removes the item, is empty.
std::pair<std::string, std::string> item_row(const index_names& names, std::uint32_t shard, const entity_address& a,
                                             std::string_view collection, std::string_view key,
                                             std::string_view document);

/// What a row of a private collection holds.
struct private_item {
    std::string key;
    std::string document;
};
std::string encode_private_item(std::string_view key, std::string_view document);
/// `journal_damaged`.
expected<private_item> open_private_item(std::string_view opened_value);

} // namespace troupe::storage
