#include "runtime/config/config.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::runtime {

std::optional<std::string> check_s3_place(std::string_view text) {
    constexpr std::string_view scheme = "s3://";
    const auto bucket = text.starts_with(scheme)
                            ? text.substr(scheme.size(), text.find('/', scheme.size()) - scheme.size())
                            : std::string_view();
    const auto is_of_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_';
    };
    const auto printable = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
    if (bucket.size() < 3 || bucket.size() > 63 || !std::ranges::all_of(bucket, is_of_name) ||
        !std::ranges::all_of(text, printable) || text.size() > 512 || text.find("//", scheme.size()) != text.npos) {
        return fmt::format("\"{}\" is no s3://BUCKET/PREFIX", text);
    }
    return {};
}

} // namespace troupe::runtime
