#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"

#include <string>
#include <string_view>

namespace troupe::net {

/// An e-mail of plain text.
struct mime_message {
    std::string from; ///< Both as `is_mail_address` has them.
    std::string to;
    std::string subject;    ///< UTF-8; line breaks and controls become spaces, what is over 300 bytes is cut.
    std::string message_id; ///< "name@host", without brackets.
    timestamp date;
    std::string text; ///< UTF-8.
};

/// As it is sent (RFC 5322, 2045, 2047): ASCII, lines of at most 78 bytes that end with CR LF. Nothing in its members
/// can become a header of its own. `invalid_request` for addresses and ids that are none.
expected<std::string> write_mime(const mime_message& m);

/// RFC 5322: "Mon, 23 Nov 2026 12:57:21 +0000".
std::string mail_date(timestamp t);
/// RFC 2047: as it is when it is short ASCII, else encoded words, folded.
std::string mail_words(std::string_view text);
/// RFC 2045.
std::string quoted_printable(std::string_view text);

} // namespace troupe::net
