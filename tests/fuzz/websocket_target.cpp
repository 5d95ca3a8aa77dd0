// What a client sends on a WebSocket after its upgrade. An even first byte: raw frames. An odd one: text messages, one
// a line, in good frames.
#include "schemas/base/json.hpp"
#include "tests/fuzz/wire.hpp"

namespace troupe::fuzz {

namespace {

constexpr std::string_view upgrade = "GET /api/v1/ws HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n"
                                     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// With a mask of zeros, so that the bytes are what they mean.
std::string frame(std::string_view text) {
    std::string out("\x81", 1);
    if (text.size() < 126) {
        out += static_cast<char>(0x80 | text.size());
    } else {
        out += static_cast<char>(0x80 | 126);
        out += static_cast<char>(text.size() >> 8 & 0xff);
        out += static_cast<char>(text.size() & 0xff);
    }
    return out.append(4, '\0').append(text);
}

/// The frames of the edge: whole, unmasked, and each text of them JSON.
void check_frames(std::string_view sent) {
    const auto head = sent.find("\r\n\r\n");
    claim(sent.starts_with("HTTP/1.1 101 ") && head != std::string_view::npos, "the upgrade is accepted");
    cutter in(sent.substr(head + 4));
    while (!in.at_end()) {
        const auto kind = in.byte();
        const auto length_byte = in.byte();
        claim((length_byte & 0x80) == 0, "the edge does not mask");
        std::size_t length = length_byte;
        if (length == 126) {
            length = static_cast<std::size_t>(in.byte()) << 8;
            length |= in.byte();
        }
        claim(length_byte != 127, "no message is that long");
        const auto payload = in.bytes(length);
        claim(payload.size() == length, "a frame is whole");
        const auto operation = kind & 0x0f;
        claim((kind & 0x80) != 0 && (operation == 1 || (operation >= 8 && operation <= 10)),
              "a frame is of a known kind");
        claim(operation != 1 || json::document::parse(payload).has_value(), "a message is JSON");
    }
}

} // namespace

void try_input(std::string_view input) {
    static wire edge;
    cutter in(input);
    const auto seed = in.byte();
    std::string all;
    if (seed % 2 == 0) {
        all = in.rest();
    } else {
        for (auto rest = in.rest(); !rest.empty();) {
            const auto line = rest.substr(0, std::min<std::size_t>(rest.find('\n'), 2000));
            all += frame(line);
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        }
    }
    std::vector<std::string_view> pieces{upgrade};
    if (seed % 4 < 2) {
        pieces.push_back(all);
    } else {
        const auto cut = pieces_of(all, seed);
        pieces.insert(pieces.end(), cut.begin(), cut.end());
    }
    check_frames(edge.run(pieces).sent);
}

} // namespace troupe::fuzz
