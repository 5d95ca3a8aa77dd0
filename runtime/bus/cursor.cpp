#include "runtime/bus/hub.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/durable_file.hpp"
#include "storage/bytes.hpp"
#include "storage/views.hpp"

#include <utility>

namespace troupe::runtime {

namespace {

problem bad_cursor() {
    return {code::invalid_request,
            "the cursor cannot be read; use an id of this node as it was given, or start without one",
            {{"since", "is not a cursor of this node"}}};
}

} // namespace

expected<cursor_codec> cursor_codec::open(const std::filesystem::path& directory) {
    const auto file = directory / "cursor.key";
    auto read = read_whole_file(file, 4096);
    if (!read && read.error().code != code::not_found) {
        return read.error();
    }
    auto key = read ? std::move(*read) : std::string();
    if (key.empty()) {
        key = random_bytes(cipher_key_bytes);
        if (auto written = replace_file(file, key, 0600); !written) {
            return written.error();
        }
    }
    if (key.size() != cipher_key_bytes) {
        return problem{code::data_dir_unusable,
                       file.string() + " is damaged; remove it: open streams then have to start anew"};
    }
    return cursor_codec(std::move(key));
}

/// Runs of shards without records are written as 0 and their length, all others as their position.
std::string cursor_codec::encode(std::span<const std::uint64_t> positions) const {
    std::string plain;
    for (std::size_t i = 0; i < positions.size();) {
        if (positions[i] != 0) {
            storage::put_varint(plain, positions[i++]);
            continue;
        }
        std::size_t run = 0;
        for (; i < positions.size() && positions[i] == 0; ++i) {
            ++run;
        }
        storage::put_varint(plain, 0);
        storage::put_varint(plain, run);
    }
    return storage::encode_cursor(seal(key_, plain));
}

expected<std::vector<std::uint64_t>> cursor_codec::decode(std::string_view text, std::size_t shards) const {
    auto sealed = storage::decode_cursor(text);
    auto plain = sealed ? unseal(key_, *sealed) : std::nullopt;
    if (!plain) {
        return bad_cursor();
    }
    storage::byte_reader in(*plain);
    std::vector<std::uint64_t> out;
    while (!in.at_end() && in.ok() && out.size() <= shards) {
        const auto position = in.varint();
        if (position != 0) {
            out.push_back(position);
        } else {
            const auto run = in.varint();
            if (run == 0 || run > shards) {
                return bad_cursor();
            }
            out.insert(out.end(), run, 0);
        }
    }
    return in.ok() && out.size() == shards ? expected<std::vector<std::uint64_t>>(std::move(out))
                                           : expected<std::vector<std::uint64_t>>(bad_cursor());
}

} // namespace troupe::runtime
