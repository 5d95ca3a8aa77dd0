#include "actors/tool/web_text.hpp"

#include "net/http/text.hpp"
#include "schemas/base/json.hpp"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

namespace troupe::actors {

namespace {

/// Where HTML wants a page to say what it is written in.
constexpr std::size_t declared_within_bytes = 1024;
constexpr std::string_view replacement = "\xEF\xBF\xBD";

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

std::string_view marked(std::string_view bytes) {
    return bytes.starts_with("\xEF\xBB\xBF") ? "utf-8"
           : bytes.starts_with("\xFE\xFF")   ? "utf-16be"
           : bytes.starts_with("\xFF\xFE")   ? "utf-16le"
                                             : std::string_view();
}

/// <meta charset="…"> or <meta … content="…; charset=…">.
std::string declared(std::string_view bytes) {
    const auto head = lower(bytes.substr(0, declared_within_bytes));
    const auto meta = head.find("<meta");
    auto at = meta == head.npos ? head.npos : head.find("charset", meta);
    if (at == head.npos) {
        return {};
    }
    at = head.find_first_not_of(" =\"'", at + std::string_view("charset").size());
    const auto end = at == head.npos ? at : head.find_first_of(" \"'>;/", at);
    const auto name = end == head.npos ? std::string() : head.substr(at, end - at);
    return name.starts_with("utf-16") ? "utf-8" : name; // it was read byte by byte: it cannot be
}

/// False: nobody here knows the character set.
bool convert(std::string_view bytes, const std::string& charset, std::string& out) {
    const iconv_t opened = ::iconv_open("UTF-8", charset.c_str());
    if (opened == iconv_t(-1)) { // NOLINT: that is how iconv says it
        return false;
    }
    std::string copy(bytes);
    char* in = copy.data();
    std::size_t left = copy.size();
    std::array<char, 16384> piece{};
    while (left > 0) {
        char* to = piece.data();
        std::size_t room = piece.size();
        const auto done = ::iconv(opened, &in, &left, &to, &room);
        out.append(piece.data(), piece.size() - room);
        if (done == static_cast<std::size_t>(-1) && errno != E2BIG) {
            out += replacement;
            if (errno == EINVAL) { // cut in the middle of a letter
                break;
            }
            ++in;
            --left;
        }
    }
    ::iconv_close(opened);
    return true;
}

} // namespace

std::string to_utf8(std::string_view bytes, std::string_view charset) {
    auto name = lower(charset);
    if (const auto mark = marked(bytes); !mark.empty()) {
        name = mark;
        bytes.remove_prefix(mark == "utf-8" ? 3 : 2);
    }
    if (name.empty()) {
        name = declared(bytes);
    }
    if (name.empty()) {
        name = net::is_utf8(bytes) ? "utf-8" : "windows-1252";
    }
    if (name == "iso-8859-1" || name == "latin1" || name == "us-ascii" || name == "ascii") {
        name = "windows-1252"; // as browsers read them
    }
    std::string out;
    if (!convert(bytes, name, out) && !convert(bytes, net::is_utf8(bytes) ? "utf-8" : "windows-1252", out)) {
        out = bytes;
    }
    if (!net::is_utf8(out)) { // iconv lets through what lies beyond Unicode: JSON's writer replaces it
        const auto replaced = json::document::parse(json::quoted(out));
        out = replaced ? std::string(replaced->root().as_string().value_or("")) : std::string();
    }
    return out;
}

} // namespace troupe::actors
