#pragma once

#include "actors/run/run_model.hpp"
#include "tests/actors/given.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Short ways to drive a run through its life.
namespace troupe::actors::test {

using run = entity<run_model>;

inline const uuid project_id = id_of(60);
inline const uuid agent_id = id_of(61);
inline const uuid task_id = id_of(62);

inline create_run wish() {
    create_run c;
    c.goal = "Mend the calculator";
    c.project_id = project_id;
    c.created_by = "key/tester";
    return c;
}

inline begin_run begin(budget defaults = {100, 1'000'000, 0, 3'600'000}, model_price price = {}) {
    return {"rehearsal", 7, defaults, price};
}

/// A run whose first model call is open.
inline run started(const create_run& c = wish(), const begin_run& b = begin()) {
    run r;
    r.accepted(c);
    r.accepted(b);
    return r;
}

inline record_model_reply reply(const run& r, std::vector<asked_call> calls, std::string content = "") {
    const auto& p = r.state().progress;
    const auto end = calls.empty() ? reply_end::stop : reply_end::tool_calls;
    return {p.step, p.attempt, std::move(content), "", std::move(calls), 100, 20, end, "rehearsal"};
}

inline record_model_failure failure(const run& r, code c, std::optional<std::uint32_t> retry_after_s = {},
                                    bool streamed = false) {
    const auto& p = r.state().progress;
    return {p.step, p.attempt, std::string(explain(c).name), "It did not work.", retry_after_s, streamed};
}

inline record_tool_result result(const run& r, std::uint32_t call, std::string content = "done",
                                 bool is_error = false) {
    const auto& p = r.state().progress;
    return {p.step, call, p.calls.at(call - 1).attempt, std::move(content), is_error, false, {}};
}

inline record_tool_result unknown_result(const run& r, std::uint32_t call) {
    auto x = result(r, call, "");
    x.unknown = true;
    return x;
}

inline asked_call read_call(std::string path = "a.txt") {
    return {"id1", "read_file", R"({"path":")" + path + R"("})"};
}
inline asked_call shell_call(std::string line = "make") {
    return {"id2", "run_command", R"({"command":")" + line + R"("})"};
}
inline asked_call ask_call() { return {"id3", "ask_human", R"({"question":"Which one?"})"}; }
inline asked_call finish_call(std::string result = "All is well.", bool success = true) {
    return {"id4", "finish", R"({"result":")" + result + R"(","success":)" + (success ? "true" : "false") + "}"};
}

inline const call_state& call_of(const run& r, std::uint32_t number) { return r.state().progress.calls.at(number - 1); }

inline resolve_approval resolved(const run& r, std::uint32_t call, decision d, std::string answer = "",
                                 std::optional<json::raw> arguments = {}) {
    const auto& p = r.state().progress;
    return {*call_of(r, call).approval_id,
            step_key(p.step, call),
            d,
            std::move(answer),
            std::move(arguments),
            "key/person"};
}

template <class Event>
Event the(const std::vector<run_event>& events) {
    for (const auto& e : events) {
        if (const auto* x = std::get_if<Event>(&e)) {
            return *x;
        }
    }
    BOOST_FAIL("there is no " << wire_name<Event>::value);
    return {};
}

inline run_document document(const run& r) { return r.document<run_document>(); }

} // namespace troupe::actors::test
