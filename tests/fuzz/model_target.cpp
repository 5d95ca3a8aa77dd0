// What a model's provider answers: a stream of events, one whole reply, or a refusal. The first byte chooses.
#include "net/client/http_client.hpp"
#include "net/model/openai_stream.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

void check_reply(const net::openai_stream& stream, const std::string& tokens) {
    const auto reply = stream.finish(100);
    if (!reply) {
        claim(!reply.error().detail.empty(), "a refusal has words");
        return;
    }
    claim(reply->content == tokens, "what was shown while it came is the content");
    for (const auto& call : reply->tool_calls) {
        claim(!call.id.empty(), "every call has an id");
    }
}

void check_stream(std::string_view text) {
    net::openai_stream stream;
    std::string tokens;
    bool failed = false;
    net::sse_parser events;
    claim(events.feed(text,
                      [&](const net::sse_event& e) {
                          if (!failed && !stream.is_done()) {
                              failed = !stream.feed(e.data, [&](std::string_view t) { tokens += t; });
                          }
                      }),
          "nothing this short is over the limit");
    if (!failed) {
        check_reply(stream, tokens);
    }
}

void check_whole(std::string_view text) {
    net::openai_stream stream;
    std::string tokens;
    if (stream.feed(text, [&](std::string_view t) { tokens += t; })) {
        check_reply(stream, tokens);
    }
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto how = in.byte();
    if (how % 3 == 0) {
        return check_stream(in.rest());
    }
    if (how % 3 == 1) {
        return check_whole(in.rest());
    }
    const auto p = net::openai_problem(in.number<std::uint16_t>() % 600, in.rest(), how);
    claim(!p.detail.empty() && p.detail.size() < 3000, "a refusal has words, but not many");
}

} // namespace troupe::fuzz
