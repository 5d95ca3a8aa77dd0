// What a mail server says, whatever the pieces it comes in, and what the client answers.
#include "net/smtp/mime_message.hpp"
#include "net/smtp/smtp_session.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <vector>

namespace troupe::fuzz {

namespace {

/// All that the client says until it ends.
struct conversation {
    net::smtp_reply_reader reader;
    net::smtp_session session{{"localhost", "u", "p", false, true}, {"a@b", "c@d", "x\r\n.y"}};
    std::string said;
    bool over = false;

    void take(std::string_view piece) {
        while (!over && !piece.empty()) {
            const auto reply = reader.take(piece);
            if (!reply || !*reply) {
                over = !reply;
                continue;
            }
            claim((*reply)->lines.size() <= net::smtp_reply_reader::lines_max, "a reply is bounded");
            const auto next = session.take(**reply);
            over = !next || next->step == net::smtp_step::finish;
            said += next ? next->bytes : next.error().detail;
        }
    }
};

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto seed = in.number<std::uint16_t>();
    const auto text = in.rest();
    conversation one;
    one.take(text);
    conversation other;
    in_pieces(text, seed, [&](std::string_view piece) { other.take(piece); });
    claim(one.said == other.said, "the pieces do not matter");

    const auto content = net::smtp_content(text);
    claim(content.find("\r\n.\r\n") >= content.size() - 5 || content == ".\r\n", "content ends once, at its end");
    const auto written = net::write_mime({"a@b", "c@d", std::string(text), "e@f", {}, std::string(text)});
    claim(written.has_value(), "any text can be written");
    claim(written->find("\r\n\r\n") != std::string::npos, "it has a header");
    const auto header = written->substr(0, written->find("\r\n\r\n"));
    std::size_t fields = 0;
    for (std::size_t at = 0; at != std::string::npos;) {
        fields += header[at] != ' ' ? 1 : 0;
        at = header.find("\r\n", at);
        at = at == std::string::npos ? at : at + 2;
    }
    claim(fields == 9, "no text becomes a field");
}

} // namespace troupe::fuzz
