#include "net/smtp/mime_message.hpp"

#include "net/smtp/smtp_session.hpp"
#include "schemas/base/cipher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace troupe::net {

namespace {

constexpr std::size_t subject_bytes_max = 300;
constexpr std::size_t plain_subject_bytes_max = 60; // with its name no line is over 78
constexpr std::size_t word_bytes_max = 42;          // 56 in base64, 68 as an encoded word: the standard has 75
constexpr std::size_t line_bytes_max = 76;

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// The longest beginning within the limit that cuts no character.
std::string_view whole_characters(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) {
        return text;
    }
    auto end = bytes_max;
    while (end > 0 && continues(text[end])) {
        --end;
    }
    return text.substr(0, end == 0 ? bytes_max : end); // what is no UTF-8 is cut anywhere
}

std::string one_line(std::string_view text) {
    std::string out(whole_characters(text, subject_bytes_max));
    std::replace_if(
        out.begin(), out.end(), [](unsigned char c) { return c < 32 || c == 127; }, ' ');
    return out;
}

} // namespace

std::string mail_date(timestamp t) {
    using namespace std::chrono;
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const sys_seconds at(floor<seconds>(milliseconds(t.ms)));
    const auto day = floor<std::chrono::days>(at);
    const year_month_day date(day);
    const hh_mm_ss time(at - day);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", days.at(weekday(day).c_encoding()),
                       static_cast<unsigned>(date.day()), months.at(static_cast<unsigned>(date.month()) - 1),
                       static_cast<int>(date.year()), time.hours().count(), time.minutes().count(),
                       time.seconds().count());
}

std::string mail_words(std::string_view text) {
    const auto plain = [](unsigned char c) { return c >= 32 && c < 127; };
    if (text.size() <= plain_subject_bytes_max && std::all_of(text.begin(), text.end(), plain) &&
        text.find("=?") == std::string_view::npos) {
        return std::string(text);
    }
    std::string out;
    while (!text.empty()) {
        const auto word = whole_characters(text, word_bytes_max);
        out += (out.empty() ? "" : "\r\n ") + fmt::format("=?UTF-8?B?{}?=", to_base64(word));
        text.remove_prefix(word.size());
    }
    return out;
}

std::string quoted_printable(std::string_view text) {
    std::string out;
    std::size_t column = 0;
    const auto put = [&](std::string_view piece) {
        if (column + piece.size() > line_bytes_max - 1) { // there is always room for the "="
            out += "=\r\n";
            column = 0;
        }
        out += piece;
        column += piece.size();
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto next = i + 1 < text.size() ? text[i + 1] : '\n';
        const bool ends_line = next == '\n' || (next == '\r' && i + 2 < text.size() && text[i + 2] == '\n');
        if (c == '\n') {
            out += "\r\n";
            column = 0;
        } else if (c == '\r' && next == '\n') {
            continue;
        } else if ((c > 32 && c < 127 && c != '=') || ((c == ' ' || c == '\t') && !ends_line)) {
            put({&c, 1});
        } else {
            put(fmt::format("={:02X}", static_cast<unsigned char>(c)));
        }
    }
    return out;
}

expected<std::string> write_mime(const mime_message& m) {
    for (const auto* address : {&m.from, &m.to, &m.message_id}) {
        if (!is_mail_address(*address)) {
            return problem{code::invalid_request,
                           fmt::format("'{}' is no address that an e-mail can have.", mail_words(one_line(*address)))};
        }
    }
    return fmt::format(
        "Date: {}\r\nFrom: {}\r\nTo: {}\r\nMessage-ID: <{}>\r\nSubject: {}\r\n"
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}",
        mail_date(m.date), m.from, m.to, m.message_id, mail_words(one_line(m.subject)), quoted_printable(m.text));
}

} // namespace troupe::net
