// What a client of the Model Context Protocol says to the node: a whole conversation with one that says anything, in
// both eras.
#include "net/mcp/server_session.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::fuzz {

namespace {

using namespace net::mcp;

server_session_settings small() {
    server_session_settings out;
    out.methods = {"tools/list",     "tools/call",   "resources/list",
                   "resources/read", "prompts/list", "completion/complete"};
    out.lists_change = out.resources_change = true;
    out.state_key = std::string(32, 'k');
    out.calls_max = 4;
    out.rounds_max = 3;
    out.watched_max = 4;
    out.listeners_max = 2;
    return out;
}

/// The owner that the session works for, and the transport below it.
struct owner {
    explicit owner(era spoken) : settings(small()), session(settings, spoken, "user/1") {}

    void look() {
        for (const auto& each : session.take_events()) {
            if (const auto* begun = std::get_if<called>(&each))
                claim(running.insert(begun->call).second || asked.erase(begun->call) == 1, "a call begins once");
            else if (const auto* ended = std::get_if<call_cancelled>(&each))
                claim(running.erase(ended->call) == 1, "what is cancelled was running");
            else if (const auto& watch = std::get<watch_changed>(each); watch.watched)
                claim(watched.insert(watch.uri).second, "what is watched was not");
            else
                claim(watched.erase(watch.uri) == 1, "what is not watched any more was");
        }
        claim(running.size() <= settings.calls_max, "calls are bounded");
        for (const auto& message : session.take_messages()) {
            claim(!over.contains(message.to) || gone.contains(message.to),
                  "nothing comes after the last message of a stream");
            claim(message.text.empty() ? message.last : read_messages(message.text).has_value(),
                  "what is sent is a message");
            if (message.last)
                over.insert(message.to);
        }
    }

    void answer(char how) {
        if (running.empty())
            return;
        const auto call = *running.begin();
        server_answer with = json::raw{R"({"content":[]})"};
        if (how == 'q')
            with = inputs_wanted{{{"q", {question_kind::elicitation, {"{}"}}}}, "state"};
        else if (how == 'e')
            with = rpc_error{rpc_internal_error, "no", {}};
        if (!session.answer(call, std::move(with), 0))
            return;
        session.has(call) ? void(asked.insert(call)) : void(running.erase(call));
        claim(!session.has(call) || how == 'q', "an answered call is gone");
    }

    server_session_settings settings;
    server_session session;
    std::set<server_call_id> running;
    std::set<server_call_id> asked;
    std::set<std::string> watched;
    std::set<stream_id> over; ///< Their last message was sent.
    std::set<stream_id> gone; ///< What is sent there is dropped.
};

/// Each line is one step: what it begins with says which.
void conversation(std::string_view input, era spoken) {
    owner of(spoken);
    stream_id stream = 0;
    while (!input.empty()) {
        const auto end = input.find('\n');
        const auto line = input.substr(0, end);
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
        const char what = line.empty() ? 'u' : line.front();
        const auto call = of.running.empty() ? server_call_id{1} : *of.running.begin();
        if (what == 'a') {
            of.answer(line.size() > 1 ? line[1] : 'r');
        } else if (what == 'p') {
            of.session.progress(call, 1, 2, line.substr(1));
            of.session.log(call, "warning", "test", {"1"});
        } else if (what == 'c') {
            of.session.closed(stream);
            of.gone.insert(stream);
        } else if (what == 'o') {
            of.session.opened(++stream);
        } else if (what == 'u') {
            of.session.updated("a:1");
            of.session.changed(list_kind::tools);
        } else if (const auto messages = read_messages(line)) {
            const request_headers headers{modern_version, "tools/call", "x"};
            (void)is_modern(messages->front(), std::nullopt);
            of.session.received(*messages, ++stream, 0, line.back() == ' ' ? &headers : nullptr);
        }
        of.look();
    }
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 3) {
    case 0:
        (void)read_header_value(in.rest());
        return;
    case 1:
        return conversation(in.rest(), era::legacy);
    default:
        return conversation(in.rest(), era::modern);
    }
}

} // namespace troupe::fuzz
