// What a server of the Model Context Protocol says: single messages, and a whole session with one that says anything.
#include "net/http/text.hpp"
#include "net/mcp/messages.hpp"
#include "net/mcp/session.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <set>
#include <string>
#include <variant>

namespace troupe::fuzz {

namespace {

using namespace net::mcp;

void messages(std::string_view text) {
    const auto read = read_messages(text);
    if (!read)
        return;
    claim(net::is_utf8(text), "what is no text is no message");
    for (const auto& message : *read) {
        const auto line = write(message);
        claim(line.find('\n') == std::string::npos, "a message is one line");
        const auto again = read_messages(line);
        claim(again && again->size() == 1 && write(again->front()) == line, "what was read is written as it was");
    }
}

void lists(std::string_view text) {
    const auto raw = json::make_raw(text);
    if (!raw)
        return;
    listing<tool> tools;
    if (tools.take(*raw) && tools.next())
        claim(json::make_raw(tools.next()->text).has_value(), "the next request is JSON");
    (void)read_result<tool_result>(*raw);
    (void)listing<resource>().take(*raw);
    (void)listing<prompt>().take(*raw);
}

/// Each line is one step: what it begins with says which.
void conversation(std::string_view input) {
    client_session session({.capabilities = {R"({"roots":{},"elicitation":{}})"},
                            .calls_max = 4,
                            .questions_max = 4,
                            .events_max = 8,
                            .held_bytes_max = 8'000});
    std::set<call_id> running;
    const auto note_events = [&] {
        const auto events = session.take_events();
        claim(events.size() <= 32, "events are bounded");
        for (const auto& each : events) {
            if (const auto* end = std::get_if<finished>(&each))
                claim(running.erase(end->call) == 1, "each call ends once");
        }
    };
    std::int64_t now_ms = 0;
    session.open(now_ms);
    while (!input.empty()) {
        const auto end = input.find('\n');
        const auto line = input.substr(0, end);
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
        const char what = line.empty() ? 'e' : line.front();
        const auto rest = line.substr(line.empty() ? 0 : 1);
        const auto number = rest.empty() ? 0U : static_cast<unsigned char>(rest.front()) - unsigned{'0'};
        if (what == 'c') {
            const auto params = json::make_raw(rest);
            const auto begun =
                session.call("m", params ? *params : json::raw(), now_ms, {.time_out_ms = 1'000, .progress = true});
            if (begun)
                running.insert(*begun);
        } else if (what == 'a') {
            (void)session.answer(number, json::raw{"{}"}, now_ms);
        } else if (what == 'x') {
            (void)session.cancel(number);
        } else if (what == 't') {
            session.passed(now_ms += 1'000);
        } else if (what == 'e') {
            note_events();
        } else {
            session.received(line, now_ms);
        }
        for (const auto& message : session.take_messages())
            claim(read_messages(message).has_value(), "what is sent is a message");
    }
    session.closed({code::connection_failed, "the end"});
    note_events();
    claim(running.empty(), "each call ends");
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 3) {
    case 0:
        return messages(in.rest());
    case 1:
        return lists(in.rest());
    default:
        return conversation(in.rest());
    }
}

} // namespace troupe::fuzz
