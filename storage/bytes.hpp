#pragma once

#include "schemas/base/ids.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

/// Fixed and variable-length numbers in keys and values. Keys are big-endian, so that bytes order as numbers do.
namespace troupe::storage {

template <class Number>
void put_big_endian(std::string& out, Number n) {
    for (int shift = (sizeof(Number) - 1) * 8; shift >= 0; shift -= 8) {
        out += static_cast<char>((n >> shift) & 0xff);
    }
}

template <class Number>
Number get_big_endian(std::string_view bytes) {
    Number n = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
        n = static_cast<Number>((n << 8) | static_cast<unsigned char>(bytes[i]));
    }
    return n;
}

template <class Number>
void put_fixed(std::string& out, Number n) {
    static_assert(std::endian::native == std::endian::little, "values are little-endian on disk");
    out.append(reinterpret_cast<const char*>(&n), sizeof n);
}

inline void put_varint(std::string& out, std::uint64_t n) {
    while (n >= 0x80) {
        out += static_cast<char>(n | 0x80);
        n >>= 7;
    }
    out += static_cast<char>(n);
}

inline void put_text(std::string& out, std::string_view text) {
    put_varint(out, text.size());
    out += text;
}

inline void put_uuid(std::string& out, const uuid& id) {
    out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

/// Reads values written by the functions above. After a read beyond the end `ok()` is false and reads give zero.
class byte_reader {
public:
    explicit byte_reader(std::string_view bytes) : rest_(bytes) {}

    template <class Number>
    Number fixed() {
        Number n{};
        if (rest_.size() < sizeof n) {
            fail();
            return n;
        }
        std::memcpy(&n, rest_.data(), sizeof n);
        rest_.remove_prefix(sizeof n);
        return n;
    }

    std::uint64_t varint() {
        std::uint64_t n = 0;
        for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            n |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) {
                return n;
            }
        }
        fail();
        return 0;
    }

    std::string_view bytes(std::size_t count) {
        if (rest_.size() < count) {
            fail();
            return {};
        }
        const auto out = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return out;
    }

    std::string_view text() { return bytes(varint()); }
    uuid id() {
        uuid out;
        const auto read = bytes(out.bytes.size());
        std::copy(read.begin(), read.end(), out.bytes.begin());
        return out;
    }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }

private:
    void fail() {
        ok_ = false;
        rest_ = {};
    }
    std::string_view rest_;
    bool ok_ = true;
};

} // namespace troupe::storage
