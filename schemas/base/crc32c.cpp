#include "schemas/base/crc32c.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace troupe {

namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

constexpr std::uint32_t polynomial = 0x82f63b78; // 0x1edc6f41 with its bits reversed

using tables_of = std::array<std::array<std::uint32_t, 256>, 8>;

/// Table n holds what a byte becomes with n zero bytes behind it, so that eight are taken at once.
constexpr tables_of make_tables() {
    tables_of out{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t rest = byte;
        for (int bit = 0; bit < 8; ++bit)
            rest = (rest >> 1U) ^ ((rest & 1U) != 0 ? polynomial : 0);
        out[0][byte] = rest;
    }
    for (std::size_t n = 1; n < 8; ++n)
        for (std::size_t byte = 0; byte < 256; ++byte)
            out[n][byte] = (out[n - 1][byte] >> 8U) ^ out[0][out[n - 1][byte] & 0xffU];
    return out;
}

constexpr tables_of tables = make_tables();

std::uint64_t word_at(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes, std::uint32_t before) {
    std::uint64_t state = ~before;
    for (; bytes.size() >= 8; bytes.remove_prefix(8))
        state = _mm_crc32_u64(state, word_at(bytes.data()));
    auto out = static_cast<std::uint32_t>(state);
    for (const char c : bytes)
        out = _mm_crc32_u8(out, static_cast<unsigned char>(c));
    return ~out;
}

const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
#endif

} // namespace

std::uint32_t crc32c_by_tables(std::string_view bytes, std::uint32_t before) {
    std::uint32_t state = ~before;
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        const auto word = word_at(bytes.data()) ^ state;
        state = 0;
        for (std::size_t n = 0; n < 8; ++n)
            state ^= tables[7 - n][word >> 8U * n & 0xffU];
    }
    for (const char c : bytes)
        state = (state >> 8U) ^ tables[0][(state ^ static_cast<unsigned char>(c)) & 0xffU];
    return ~state;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
#if defined(__x86_64__)
    if (has_instruction)
        return by_instruction(bytes, before);
#endif
    return crc32c_by_tables(bytes, before);
}

} // namespace troupe
