#pragma once

#include <optional>
#include <string>
#include <string_view>

/// What a content is, as its first bytes say, never as somebody says. Pure.
namespace troupe::actors {

/// So many bytes of the beginning are enough.
inline constexpr std::size_t media_type_bytes = 8 * 1024;

/// PNG, JPEG, GIF or WebP; nothing: none of these.
std::optional<std::string_view> image_type(std::string_view beginning);

/// Text (UTF-8 without NUL) or other bytes.
std::string text_type(std::string_view beginning);

/// A picture, PDF, plain text, or else "application/octet-stream": what a browser may get and runs nothing of.
std::string media_type_of(std::string_view beginning);

} // namespace troupe::actors
