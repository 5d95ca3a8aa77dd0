// What others say by the A2A protocol: messages and ids, and what the journal tells of a task that they follow.
#include "actors/a2a/a2a_protocol.hpp"
#include "schemas/base/described.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>
#include <variant>

namespace troupe::fuzz {

namespace {

using namespace actors;

void read_message(std::string_view params) {
    const auto read = read_a2a_message(params);
    if (const auto* wrong = std::get_if<net::mcp::rpc_error>(&read)) {
        claim(wrong->code < 0 && !wrong->message.empty(), "it says what is wrong");
        return;
    }
    const auto& message = std::get<a2a_message>(read);
    claim(!message.id.empty() && message.id.size() <= 200 && message.text.size() <= 100'000, "it is bounded");
    const auto body = to_json(task_for(message));
    claim(from_json<create_task_body>(body, strictness::input).has_value(), "what was taken can be made a task");
}

void read_id(std::string_view params) {
    const auto read = read_a2a_id(params);
    const auto* id = std::get_if<std::string>(&read);
    claim(id == nullptr || (!id->empty() && id->size() <= 200), "an id is bounded");
}

/// Each line is an event; what it begins with says which.
void follow(std::string_view input) {
    static constexpr std::string_view kinds[] = {"task_assigned",   "attempt_begun",   "attempt_failed", "work_started",
                                                 "work_finished",   "task_moved",      "task_returned",  "task_deleted",
                                                 "approval_opened", "approval_decided"};
    a2a_task task;
    task.id = "t";
    while (!input.empty()) {
        const auto end = input.find('\n');
        const auto line = input.substr(0, end);
        input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
        const auto which = line.empty() ? 0U : static_cast<unsigned char>(line.front()) % 10U;
        const auto updates =
            task.take(kinds[which], line.substr(line.empty() ? 0 : 1), {1}, which < 8 ? "tasks/t" : "approvals/a");
        for (const auto& one : updates) {
            claim(json::document::parse(one).has_value(), "an update is JSON");
        }
        claim(json::document::parse(task.json()).has_value(), "a task is JSON");
        claim(!task.asks() || !task.question.empty(), "who waits was asked");
    }
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    switch (in.byte() % 3) {
    case 0:
        return read_message(in.rest());
    case 1:
        return read_id(in.rest());
    default:
        return follow(in.rest());
    }
}

} // namespace troupe::fuzz
