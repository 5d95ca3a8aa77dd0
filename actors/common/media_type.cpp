#include "actors/common/media_type.hpp"

#include "net/http/text.hpp"

namespace troupe::actors {

std::optional<std::string_view> image_type(std::string_view bytes) {
    using namespace std::string_view_literals;
    if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) {
        return "image/png";
    }
    if (bytes.starts_with("\xff\xd8\xff"sv)) {
        return "image/jpeg";
    }
    if (bytes.starts_with("GIF87a"sv) || bytes.starts_with("GIF89a"sv)) {
        return "image/gif";
    }
    if (bytes.starts_with("RIFF"sv) && bytes.size() > 12 && bytes.substr(8, 4) == "WEBP"sv) {
        return "image/webp";
    }
    return std::nullopt;
}

std::string text_type(std::string_view beginning) {
    const std::size_t cut_max = beginning.size() < media_type_bytes ? 0 : 3; // of the character that it ends in
    bool text = false;
    for (std::size_t cut = 0; !text && cut <= cut_max; ++cut) {
        text = net::is_utf8(beginning.substr(0, beginning.size() - cut));
    }
    text = text && beginning.find('\0') == std::string_view::npos;
    return text ? "text/plain; charset=utf-8" : "application/octet-stream";
}

std::string media_type_of(std::string_view beginning) {
    if (const auto image = image_type(beginning)) {
        return std::string(*image);
    }
    return beginning.starts_with("%PDF-") ? "application/pdf" : text_type(beginning);
}

} // namespace troupe::actors
