#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

/// The name of a blob as bytes: the SHA-256 of its content.
namespace troupe::storage {

using blob_hash = std::array<std::uint8_t, 32>;

inline std::string_view as_bytes(const blob_hash& hash) {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

/// From 64 lower-case hexadecimal digits; nothing for any other text.
std::optional<blob_hash> blob_hash_of(std::string_view name);

/// Those of all texts that are names, each once, in order.
template <class Names>
std::vector<blob_hash> blob_hashes(const Names& names) {
    std::vector<blob_hash> out;
    out.reserve(names.size());
    for (const auto& name : names) {
        if (const auto hash = blob_hash_of(name)) {
            out.push_back(*hash);
        }
    }
    std::ranges::sort(out);
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

} // namespace troupe::storage
