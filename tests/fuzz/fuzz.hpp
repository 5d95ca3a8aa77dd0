#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

/// What the fuzz targets share. A target is a file with one function, `try_input`.
namespace troupe::fuzz {

/// Given any bytes, must neither crash nor break a claim. Called many times in one process, on one thread.
void try_input(std::string_view input);

/// A claim that is false ends the process; libFuzzer then keeps the input.
inline void claim(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

/// Cuts an input into numbers and texts, from its front; zeros and empty texts when it is used up.
class cutter {
public:
    explicit cutter(std::string_view input) : rest_(input) {}

    template <class Number>
    Number number() {
        Number n{};
        const auto size = std::min(sizeof n, rest_.size());
        std::memcpy(&n, rest_.data(), size);
        rest_.remove_prefix(size);
        return n;
    }
    std::uint8_t byte() { return number<std::uint8_t>(); }
    std::string_view bytes(std::size_t count) {
        const auto out = rest_.substr(0, count);
        rest_.remove_prefix(out.size());
        return out;
    }
    /// A length byte and as many bytes.
    std::string text() { return std::string(bytes(byte())); }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

/// Gives `text` in pieces whose sizes follow from `seed`.
template <class Take>
void in_pieces(std::string_view text, std::uint32_t seed, Take take) {
    while (!text.empty()) {
        seed = seed * 1664525 + 1013904223;
        const auto size = std::min<std::size_t>(1 + (seed >> 24) % 37, text.size());
        take(text.substr(0, size));
        text.remove_prefix(size);
    }
}

} // namespace troupe::fuzz
