// What a model's provider answers on any wire: a body in two pieces, or a refusal with its headers. The first byte
// chooses the wire, the second what it is.
#include "net/model/refusal.hpp"
#include "net/model/reply_reader.hpp"
#include "net/model/wire.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

namespace troupe::fuzz {

namespace {

constexpr std::size_t bytes_max = 1 << 20;

/// What came of a body that was cut there.
std::string outcome(model_wire name, std::string_view body, std::size_t cut) {
    const auto& wire = net::wire_of(name);
    std::string tokens;
    const auto reply = wire.assembler([&](std::string_view t) { tokens += t; });
    net::reply_reader reader(wire.pieces, *reply, bytes_max);
    if (reader.take(body.substr(0, cut))) {
        reader.take(body.substr(cut));
    }
    reader.end();
    if (reader.failure()) {
        claim(!reader.failure()->detail.empty(), "a refusal has words");
        return reader.failure()->detail;
    }
    const auto whole = reply->finish(100);
    if (!whole) {
        claim(!whole.error().detail.empty(), "a refusal has words");
        return whole.error().detail;
    }
    claim(whole->content == tokens, "what was shown while it came is the content");
    auto out = whole->content + whole->reasoning + whole->reasoning_state;
    net::message again{.role = net::role::assistant, .content = whole->content};
    for (const auto& call : whole->tool_calls) {
        claim(!call.id.empty(), "every call has an id");
        out += call.id + call.name + call.arguments;
    }
    claim(whole->reasoning_state.empty() || json::document::parse(whole->reasoning_state).has_value(),
          "what is to go back is JSON");
    again.tool_calls = whole->tool_calls;
    again.reasoning_state = whole->reasoning_state;
    net::model_request request;
    request.messages = {again};
    claim(json::document::parse(wire.write(request, wire.base_url)).has_value(), "what is sent back is JSON");
    return out;
}

void check_refusal(cutter& in) {
    const auto status = in.number<std::uint16_t>() % 600;
    net::header_map headers;
    for (const char* name : {"retry-after", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"}) {
        headers[name] = in.text();
    }
    const auto wait = net::retry_after(headers, timestamp{1'763'800'000'000});
    claim(!wait || *wait <= 24 * 3600, "nobody waits for more than a day");
    const auto p = net::refusal_of(status, in.rest(), wait);
    claim(!p.detail.empty() && p.detail.size() < 3000, "a refusal has words, but not many");
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto wire = static_cast<model_wire>(in.byte() % 5);
    const auto how = in.byte();
    if (how == 255) {
        return check_refusal(in);
    }
    const auto body = in.rest();
    claim(outcome(wire, body, std::min<std::size_t>(how, body.size())) == outcome(wire, body, body.size()),
          "the pieces do not matter");
}

} // namespace troupe::fuzz
