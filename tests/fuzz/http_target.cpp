// What a client sends on a connection: parser, router, judge and answers, whatever the pieces it comes in.
#include "net/http/text.hpp"
#include "tests/fuzz/wire.hpp"

#include <cstdio>

namespace troupe::fuzz {

namespace {

/// Status lines and headers are the edge's own: nothing of the client can forge one.
void check_answers(const wire::talk& talk) {
    if (!talk.sent.empty()) {
        claim(talk.sent.starts_with("HTTP/1.1 "), "an answer begins with its status line");
    }
    claim(talk.sent.find("\r\nx-forged:") == std::string::npos, "no client writes a header of the answer");
    for (const auto& [operation, status] : talk.requests) {
        claim(status != 500, "no request is a defect");
        claim(status < 500 || operation == "lost" || status == 505, "no request makes the edge unavailable");
    }
}

void print(const char* how, const wire::talk& talk) {
    for (const auto& [operation, status] : talk.requests)
        std::fprintf(stderr, "%s: '%s' %d\n", how, operation.c_str(), status);
}

} // namespace

void try_input(std::string_view input) {
    static wire edge;
    cutter in(input);
    const auto seed = in.byte();
    const auto whole = edge.run({in.rest()});
    check_answers(whole);
    if (seed % 2 != 0) {
        return;
    }
    const auto pieces = edge.run(pieces_of(in.rest(), seed));
    check_answers(pieces);
    const auto lower = net::lower_case(in.rest());
    // A client that waits, and one that sends on before it may, are told so.
    const bool waits = lower.find("100-continue") != std::string::npos || lower.find("websocket") != std::string::npos;
    if (!waits && whole.requests != pieces.requests) {
        print("whole", whole);
        print("in pieces", pieces);
    }
    claim(waits || whole.requests == pieces.requests, "the pieces do not matter to the answers");
    claim(waits || whole.handled == pieces.handled, "the pieces do not matter to the handlers");
}

} // namespace troupe::fuzz
