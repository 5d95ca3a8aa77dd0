#include "runtime/bus/hub.hpp"
#include "schemas/base/durable_file.hpp"
#include "storage/bytes.hpp"
#include "storage/views.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <memory>
#include <optional>

namespace troupe::runtime {

namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t key_bytes = 32;

using cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

unsigned char* bytes(std::string& s) { return reinterpret_cast<unsigned char*>(s.data()); }
const unsigned char* bytes(std::string_view s) { return reinterpret_cast<const unsigned char*>(s.data()); }

problem bad_cursor() {
    return {code::invalid_request,
            "the cursor cannot be read; use an id of this node as it was given, or start without one",
            {{"since", "is not a cursor of this node"}}};
}

std::string seal(const std::string& key, const std::string& plain) {
    std::string out(nonce_bytes + plain.size() + tag_bytes, '\0');
    RAND_bytes(bytes(out), nonce_bytes);
    const cipher c(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int written = 0;
    EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(out));
    EVP_EncryptUpdate(c.get(), bytes(out) + nonce_bytes, &written, bytes(plain), static_cast<int>(plain.size()));
    EVP_EncryptFinal_ex(c.get(), bytes(out) + nonce_bytes + written, &written);
    EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, bytes(out) + nonce_bytes + plain.size());
    return out;
}

std::optional<std::string> unseal(const std::string& key, std::string sealed) {
    if (sealed.size() < nonce_bytes + tag_bytes) {
        return std::nullopt;
    }
    std::string plain(sealed.size() - nonce_bytes - tag_bytes, '\0');
    const cipher c(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int written = 0;
    EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key), bytes(sealed));
    EVP_DecryptUpdate(c.get(), bytes(plain), &written, bytes(sealed) + nonce_bytes, static_cast<int>(plain.size()));
    EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, bytes(sealed) + nonce_bytes + plain.size());
    return EVP_DecryptFinal_ex(c.get(), bytes(plain) + written, &written) == 1 ? std::optional(plain) : std::nullopt;
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
        key.resize(key_bytes);
        RAND_bytes(bytes(key), key_bytes);
        if (auto written = replace_file(file, key, 0600); !written) {
            return written.error();
        }
    }
    if (key.size() != key_bytes) {
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
    auto plain = sealed ? unseal(key_, std::move(*sealed)) : std::nullopt;
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
