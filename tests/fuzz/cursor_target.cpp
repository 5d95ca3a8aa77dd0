// Cursors: of lists as they are, of live events sealed with the node's key. The first byte chooses.
#include "runtime/bus/hub.hpp"
#include "storage/bytes.hpp"
#include "storage/views.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/temporary_directory.hpp"

#include <openssl/evp.h>

#include <fstream>
#include <vector>

namespace troupe::fuzz {

namespace {

constexpr std::size_t shards = 9;
const std::string key(32, 'k');

const runtime::cursor_codec& codec() {
    static const auto opened = [] {
        const test::temporary_directory directory;
        std::ofstream(directory.path / "cursor.key") << key;
        auto made = runtime::cursor_codec::open(directory.path);
        claim(made.has_value(), "a codec can be made");
        return std::move(*made);
    }();
    return opened;
}

/// As the node does it, so that what is inside is reached.
std::string sealed(std::string_view plain) {
    const std::string nonce(12, 'n');
    std::string out(plain.size(), '\0');
    std::string tag(16, '\0');
    int written = 0;
    const auto bytes = [](auto& s) { return reinterpret_cast<unsigned char*>(const_cast<char*>(s.data())); };
    auto* c = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), nullptr, bytes(key), bytes(nonce));
    EVP_EncryptUpdate(c, bytes(out), &written, bytes(plain), static_cast<int>(plain.size()));
    EVP_EncryptFinal_ex(c, bytes(out) + written, &written);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, tag.data());
    EVP_CIPHER_CTX_free(c);
    return nonce + out + tag;
}

void check_inside(std::string_view plain) {
    if (const auto positions = codec().decode(storage::encode_cursor(sealed(plain)), shards)) {
        claim(positions->size() == shards, "a cursor has a position for each shard");
        const auto again = codec().decode(codec().encode(*positions), shards);
        claim(again && *again == *positions, "a cursor is read as it was written");
    }
}

void check_positions(std::string_view bytes) {
    cutter in(bytes);
    std::vector<std::uint64_t> positions(shards);
    for (auto& p : positions) {
        p = in.byte() % 3 == 0 ? 0 : in.number<std::uint64_t>();
    }
    auto text = codec().encode(positions);
    const auto back = codec().decode(text, shards);
    claim(back && *back == positions, "a cursor is read as it was written");
    claim(!codec().decode(text, shards - 1), "a cursor of other shards is refused");
    auto& damaged = text[in.number<std::uint16_t>() % (text.size() - 1)]; // the last holds bits that say nothing
    damaged = damaged == 'A' ? 'B' : 'A';
    const auto changed = codec().decode(text, shards);
    claim(!changed, "a cursor that was changed is refused");
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 3) {
    case 0: {
        (void)codec().decode(in.rest(), shards);
        const auto back = storage::decode_cursor(storage::encode_cursor(in.rest()));
        claim(back == in.rest(), "a cursor's bytes are read as they were written");
        if (const auto plain = storage::decode_cursor(in.rest())) {
            claim(storage::decode_cursor(storage::encode_cursor(*plain)) == plain, "and written as they were read");
        }
        return;
    }
    case 1:
        return check_inside(in.rest());
    default:
        return check_positions(in.rest());
    }
}

} // namespace troupe::fuzz
