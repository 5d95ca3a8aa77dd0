#include "actors/kinds/declared_kinds.hpp"
#include "actors/kinds/parameters.hpp"

#include <array>

namespace troupe::actors {

namespace {

struct orchestrated_part {
    std::string task;
    std::string agent;
    std::string outcome;
    static constexpr field_rule rules[] = {
        {.name = "task", .required = true, .doc = "Id of the task or of the run that did it; or its title."},
        {.name = "agent", .required = true, .doc = "Who does it; empty: nobody yet."},
        {.name = "outcome", .required = true, .doc = "What came of it, as far as it is known."}};
};
BOOST_DESCRIBE_STRUCT(orchestrated_part, (), (task, agent, outcome))

struct orchestrator_result {
    std::string summary;
    std::vector<orchestrated_part> parts;
    static constexpr field_rule rules[] = {
        {.name = "summary", .required = true, .doc = "What was reached, and what is open."},
        {.name = "parts", .required = true}};
};
BOOST_DESCRIBE_STRUCT(orchestrator_result, (), (summary, parts))

constexpr std::array<std::string_view, 4> tools = {"list_agents", "list_tasks", "create_task", "assign_task"};

constexpr std::string_view instructions =
    R"(You reach a goal through others. You do not do the work yourself. Work like this:
1. Call list_agents and list_tasks: who is there, what each can do, what is at work already. Never create a task twice.
2. Break the goal into parts that one agent can do alone, and that can be checked. Say in each all that its agent needs.
3. What you need the result of now, give to an agent with delegate, or with spawn_agent where none fits. What may take its
   time, put on the board with create_task and give it to the agent that fits best: by what it can do, then by how much
   waits for it.
4. Use wait, then list_tasks, until what you wait for is there. Read results before you rely on them. What failed, give
   to somebody else or change, once; then ask a person.
5. Finish with `output`: each part, who did it, and what came of it. Report only what you have seen.)";

constexpr std::string_view rehearsal = R"yaml(name: orchestrator without a language model
rules:
  - name: look
    when: {step: 1, tools_available: [list_agents, list_tasks, finish]}
    say: I am a scripted rehearsal, not a language model. I look at who is there; I cannot break a goal into parts.
    call:
      - {tool: list_agents, arguments: {}}

  - name: report
    when: {last_tool: list_agents, last_is_error: false}
    call:
      - tool: finish
        arguments:
          success: false
          result: "Nothing was given to anybody: to break a goal into parts needs a language model. These agents are there:\n\n${result}"
          output: {summary: "Nothing was given to anybody: that needs a language model.", parts: []}

  - name: tools are missing
    when: {step: 1}
    say: |
      I am a scripted rehearsal, not a language model, and this agent may not use list_agents: there is nothing that I
      can do.
)yaml";

} // namespace

agent_kind orchestrator_kind() {
    return {.name = "orchestrator",
            .description = "Reaches a goal through other agents: breaks it into tasks, gives them out, follows them.",
            .instructions = instructions,
            .tools = tools,
            .result_schema = json_schema<orchestrator_result>,
            .rehearsal = rehearsal};
}

} // namespace troupe::actors
