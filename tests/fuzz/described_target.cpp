// Bodies, messages and documents as described structs. The first byte chooses the type, the rest is JSON.
#include "actors/tool/tool_arguments.hpp"
#include "net/websocket/live_messages.hpp"
#include "schemas/agent.hpp"
#include "schemas/agent_messages.hpp"
#include "schemas/approval.hpp"
#include "schemas/approval_messages.hpp"
#include "schemas/effect_settled.hpp"
#include "schemas/project.hpp"
#include "schemas/project_messages.hpp"
#include "schemas/run.hpp"
#include "schemas/run_messages.hpp"
#include "schemas/task.hpp"
#include "schemas/task_messages.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

template <class T>
void check(std::string_view text) {
    const auto strict = from_json<T>(text, strictness::input);
    const auto lenient = from_json<T>(text, strictness::stored);
    if (strict) {
        claim(lenient.has_value(), "what a client may send can be stored");
        claim(to_json(*strict) == to_json(*lenient), "strict and lenient reading give the same value");
    } else {
        claim(!strict.error().detail.empty(), "a refusal has words");
        claim(strict.error().errors.size() <= 20, "a refusal is short");
        claim(json::document::parse(to_problem_json(strict.error())).has_value(), "a refusal is JSON");
    }
    if (lenient) {
        const auto stored = to_json(*lenient);
        const auto again = from_json<T>(stored, strictness::stored);
        claim(again && to_json(*again) == stored, "what was stored is read as it was");
    }
}

template <class... T>
void check_one(std::uint8_t which, std::string_view text) {
    using function = void (*)(std::string_view);
    static constexpr function all[] = {&check<T>...};
    all[which % std::size(all)](text);
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto which = in.byte();
    using namespace actors;
    check_one<create_task_body, update_task_body, move_task_body, add_message_body, task_document, agent_settings,
              update_agent_body, agent_document, create_run_body, run_document, step_document, decide_approval_body,
              approval_document, create_project_body, create_file_body, file_document, save_files, save_files_result,
              create_run, resolve_approval, enqueue_task, run_ended, note_task_finished, effect_settled,
              net::client_message, read_file_arguments, edit_file_arguments, search_files_arguments,
              run_command_arguments>(which, in.rest());
    (void)net::ref_in(in.rest());
    const auto p = from_problem_json(in.rest(), which + 400);
    claim(json::document::parse(to_problem_json(p, in.rest().substr(0, 100))).has_value(), "a problem is JSON");
}

} // namespace troupe::fuzz
