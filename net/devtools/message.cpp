#include "net/devtools/message.hpp"

#include <fmt/format.h>

#include <charconv>

namespace troupe::net::devtools {

namespace {

constexpr std::size_t escape_size = 6; ///< \u and four digits.

/// The UTF-16 unit that is written at `at`; nothing when there is no \u.
std::optional<unsigned> unit_at(std::string_view text, std::size_t at) {
    if (text.size() < at + escape_size || text[at] != '\\' || text[at + 1] != 'u') {
        return std::nullopt;
    }
    unsigned unit = 0;
    const auto* digits = text.data() + at + 2;
    const auto [end, failed] = std::from_chars(digits, digits + 4, unit, 16);
    return failed == std::errc() && end == digits + 4 ? std::optional(unit) : std::nullopt;
}

bool is_high(std::optional<unsigned> unit) { return unit && *unit >= 0xd800 && *unit < 0xdc00; }
bool is_low(std::optional<unsigned> unit) { return unit && *unit >= 0xdc00 && *unit < 0xe000; }

/// JavaScript's strings may hold one half of a pair of surrogates; JSON's must not.
std::string without_halves(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '\\' || at + 1 == text.size()) {
            out += text[at++];
            continue;
        }
        const auto unit = unit_at(text, at);
        const bool pair = is_high(unit) && is_low(unit_at(text, at + escape_size));
        const std::size_t taken = pair ? 2 * escape_size : unit ? escape_size : 2;
        out += !pair && (is_high(unit) || is_low(unit)) ? "\\ufffd" : text.substr(at, taken);
        at += taken;
    }
    return out;
}

} // namespace

json::value message::content() const {
    const auto root = whole.root();
    const auto found = root.find(id == 0 ? "params" : "result");
    return found ? *found : root;
}

std::string write_command(std::uint64_t id, std::string_view session, std::string_view method,
                          std::string_view parameters) {
    std::string out;
    json::object_writer w(out);
    w.field("id", id).field("method", method).raw_field("params", parameters.empty() ? "{}" : parameters);
    if (!session.empty()) {
        w.field("sessionId", session);
    }
    w.end();
    return out;
}

expected<message> read_message(std::string_view text) {
    auto parsed = json::document::parse(text.find("\\u") == text.npos ? std::string(text) : without_halves(text));
    if (!parsed || parsed->root().type() != json::kind::object) {
        return problem{code::tool_failed, "the browser said what is no message of its protocol"};
    }
    message out{0, {}, {}, {}, std::move(*parsed)};
    const auto root = out.whole.root();
    const auto id = root.find("id");
    out.id = id ? id->as_uint().value_or(0) : 0;
    out.method = root.text_or("method");
    out.session = root.text_or("sessionId");
    if ((out.id == 0) == out.method.empty()) {
        return problem{code::tool_failed, "the browser's message is neither a reply nor an event"};
    }
    if (const auto error = root.find("error")) {
        out.refusal = problem{code::tool_failed, fmt::format("the browser refused: {}", error->text_or("message"))};
    }
    return out;
}

} // namespace troupe::net::devtools
