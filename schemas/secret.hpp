#pragma once

#include "schemas/base/described.hpp"

/// Secrets: values that the node keeps encrypted and never shows again. None of these types holds a value but the body
/// that brings it.
namespace troupe {

inline constexpr std::size_t secret_name_bytes_max = 128;
inline constexpr std::size_t secret_value_bytes_max = 64 * 1024;

/// PUT /secrets/{name}
struct set_secret_body {
    std::string value;
    static constexpr field_rule rules[] = {{.name = "value",
                                            .required = true,
                                            .min = 1,
                                            .max = static_cast<std::int64_t>(secret_value_bytes_max),
                                            .doc = "Kept encrypted; no request ever gets it back.",
                                            .example = "\"sk-example\""}};
};
BOOST_DESCRIBE_STRUCT(set_secret_body, (), (value))

/// GET /secrets/{name}, and an item of GET /secrets.
struct secret_document {
    uuid id;
    std::string name;
    std::uint64_t version = 0; ///< Counts the values that it had, also over a delete.
    std::uint32_t key = 0;     ///< Number of the data key that its value is encrypted with.
    std::string updated_by;
    timestamp created_at;
    timestamp updated_at;
};
BOOST_DESCRIBE_STRUCT(secret_document, (), (id, name, version, key, updated_by, created_at, updated_at))

/// POST /secret-keys/rotate
struct rotate_keys_body {
    bool master = false;
    static constexpr field_rule rules[] = {
        {.name = "master", .doc = "Make a new master key and wrap the data keys with it, instead of a new data key."}};
};
BOOST_DESCRIBE_STRUCT(rotate_keys_body, (), (master))

/// GET /secret-keys, and the answer to a rotation.
struct secret_keys_document {
    std::uint32_t key = 0;     ///< Number of the data key that new values are encrypted with; 0: there is none yet.
    bool rotating = false;     ///< Older values are still being encrypted anew.
    std::string master;        ///< Id of the master key that wraps new data keys.
    bool rewrapping = false;   ///< Some data keys of this organization are still wrapped with an older master key.
    std::string master_origin; ///< Where the node has the master key from.
};
BOOST_DESCRIBE_STRUCT(secret_keys_document, (), (key, rotating, master, rewrapping, master_origin))

} // namespace troupe
