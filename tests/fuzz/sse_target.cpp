// A text/event-stream, whatever the pieces it comes in.
#include "net/client/http_client.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <vector>

namespace troupe::fuzz {

void try_input(std::string_view input) {
    cutter in(input);
    const auto seed = in.number<std::uint16_t>();
    std::string whole;
    std::string pieces;
    const auto note = [](std::string& into) {
        return [&into](const net::sse_event& e) {
            claim(e.data.find('\r') == std::string::npos, "no line holds a carriage return");
            claim(e.event.find_first_of("\r\n") == std::string::npos, "a name is one line");
            claim(!e.event.empty(), "every event has a name");
            into += e.event + '\0' + e.data + '\0' + e.id + '\1';
        };
    };
    net::sse_parser one;
    claim(one.feed(in.rest(), note(whole)), "nothing this short is over the limit");
    net::sse_parser other;
    in_pieces(in.rest(), seed,
              [&](std::string_view piece) { claim(other.feed(piece, note(pieces)), "nor in pieces"); });
    claim(whole == pieces, "the pieces do not matter");
}

} // namespace troupe::fuzz
