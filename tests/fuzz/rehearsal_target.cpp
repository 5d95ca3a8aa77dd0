// A rehearsal script, and what it says to a context.
#include "actors/provider/rehearsal.hpp"
#include "schemas/base/json.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

net::model_request context() {
    net::model_request r;
    r.messages = {
        {.role = net::role::system, .content = "You work."},
        {.role = net::role::user, .content = "Mend the failing test in src/calc.py\nIt says: 1 != 2"},
        {.role = net::role::assistant,
         .content = "I look.",
         .tool_calls = {{"call_1_1", "run_command", R"({"command":"make test"})"}}},
        {.role = net::role::tool,
         .content = "FAIL src/calc.py:12: expected 3, got 4\nexit code 1",
         .tool_call_id = "call_1_1",
         .tool_name = "run_command",
         .is_error = true},
    };
    r.tools = {{"run_command", "", "{}"}, {"read_file", "", "{}"}};
    return r;
}

} // namespace

void try_input(std::string_view input) {
    if (input.find("delay_ms") != std::string_view::npos) {
        return; // it would wait
    }
    auto model = actors::make_rehearsal_model(input, "script.yaml");
    if (!model) {
        claim(!model.error().errors.empty(), "a refusal names the places");
        return;
    }
    const auto asked = context();
    std::string tokens;
    const auto reply = (*model)->complete(asked, {}, [&](std::string_view t) { tokens += t; });
    const auto again = (*model)->complete(asked, {}, {});
    claim(reply.has_value() == again.has_value(), "a script says the same to the same context");
    if (reply) {
        claim(reply->content == tokens, "what was shown while it came is the content");
        claim(reply->content == again->content && reply->tool_calls == again->tool_calls,
              "a script says the same to the same context");
        for (const auto& call : reply->tool_calls) {
            claim(json::document::parse(call.arguments).has_value(), "arguments are JSON");
        }
    }
}

} // namespace troupe::fuzz
