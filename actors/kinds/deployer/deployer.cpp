#include "actors/kinds/declared_kinds.hpp"
#include "actors/kinds/deployer/deploy_plan.hpp"
#include "actors/kinds/parameters.hpp"

#include <array>

namespace troupe::actors {

namespace {

struct deployer_parameters {
    std::string target;
    deploy_strategy strategy = deploy_strategy::all_at_once;
    int percent = 10;
    bool dry_run = false;
    static constexpr field_rule rules[] = {
        {.name = "target", .max = 64, .doc = "One that the node's operator declared."},
        {.name = "strategy", .doc = "all_at_once when left out."},
        {.name = "percent", .min = 1, .max = 99, .doc = "Of the use, for the canary; 10 when left out."},
        {.name = "dry_run", .doc = "Only the plan is wanted."}};
};
BOOST_DESCRIBE_STRUCT(deployer_parameters, (), (target, strategy, percent, dry_run))

struct deployer_result {
    std::string target;
    bool deployed = false;
    bool rolled_back = false;
    std::optional<std::uint64_t> release;
    static constexpr field_rule rules[] = {
        {.name = "target", .required = true, .doc = "Empty: there was none."},
        {.name = "deployed", .required = true, .doc = "As deploy_release said it."},
        {.name = "rolled_back", .required = true, .doc = "As deploy_release said it."},
        {.name = "release", .doc = "Its number; left out when there is none."}};
};
BOOST_DESCRIBE_STRUCT(deployer_result, (), (target, deployed, rolled_back, release))

constexpr std::array<std::string_view, 2> tools = {"deploy_release", "deploy_targets"};
constexpr std::array<std::string_view, 1> verified_by = {"deploy_release"};

constexpr std::string_view instructions = R"(You deploy software. Work like this:
1. Call deploy_targets, and choose the target that is asked for. Never another one: where none fits, say so.
2. Call deploy_release with dry_run first, and read the plan. Where only a plan is wanted, finish with it.
3. Call deploy_release once. It builds, tests, brings the release up, asks for its health, moves use to it, watches, and rolls back by
   itself where a step fails. Do not deploy by other means, and do not change the project to get it through.
4. A deployment that was rolled back is a result: read why, look for the cause in the project, and report both. Deploy again
   only where the goal asks for it and the cause is gone.
5. Finish with `output` as deploy_release reported it. When it was not deployed, finish with success false; say what a person has to
   look at.)";

constexpr std::string_view rehearsal = R"yaml(name: deployer without a language model
rules:
  - name: plan with a strategy
    when: {step: 1, tools_available: [deploy_release, finish], parameters_match: '\A(?=.*"dry_run":true)(?=.*"strategy":"(?<strategy>\w+)")(?=.*"target":"(?<target>[^"\\]+)")'}
    say: |
      I am a scripted rehearsal, not a language model. I deploy as I am told, and judge nothing.
    call:
      - {tool: deploy_release, arguments: {target: "${target}", strategy: "${strategy}", dry_run: true}}

  - name: plan
    when: {step: 1, tools_available: [deploy_release, finish], parameters_match: '\A(?=.*"dry_run":true)(?=.*"target":"(?<target>[^"\\]+)")'}
    say: |
      I am a scripted rehearsal, not a language model. I deploy as I am told, and judge nothing.
    call:
      - {tool: deploy_release, arguments: {target: "${target}", dry_run: true}}

  - name: deploy a part first
    when: {step: 1, tools_available: [deploy_release, finish], parameters_match: '\A(?=.*"percent":(?<percent>\d+))(?=.*"strategy":"(?<strategy>\w+)")(?=.*"target":"(?<target>[^"\\]+)")'}
    say: |
      I am a scripted rehearsal, not a language model. I deploy as I am told, and judge nothing.
    call:
      - tool: deploy_release
        arguments:
          target: "${target}"
          strategy: "${strategy}"
          percent: ${percent}

  - name: deploy with a strategy
    when: {step: 1, tools_available: [deploy_release, finish], parameters_match: '\A(?=.*"strategy":"(?<strategy>\w+)")(?=.*"target":"(?<target>[^"\\]+)")'}
    say: |
      I am a scripted rehearsal, not a language model. I deploy as I am told, and judge nothing.
    call:
      - {tool: deploy_release, arguments: {target: "${target}", strategy: "${strategy}"}}

  - name: deploy
    when: {step: 1, tools_available: [deploy_release, finish], parameters_match: '\A(?=.*"target":"(?<target>[^"\\]+)")'}
    say: |
      I am a scripted rehearsal, not a language model. I deploy as I am told, and judge nothing.
    call:
      - {tool: deploy_release, arguments: {target: "${target}"}}

  - name: planned
    when: {last_tool: deploy_release, last_is_error: false, last_result_matches: '\Aplan: '}
    call:
      - tool: finish
        arguments:
          result: "Only the plan was wanted:\n\n${result}"
          output: {target: "${target}", deployed: false, rolled_back: false}

  - name: deployed
    when: {last_tool: deploy_release, last_is_error: false, last_result_matches: '^deployed: yes, release: (?<release>\d+)'}
    call:
      - tool: finish
        arguments:
          result: "Release ${release} is in use. Whether it does what it should was not judged beyond its tests and its health: that needs a language model."
          output:
            target: "${target}"
            deployed: true
            rolled_back: false
            release: ${release}

  - name: rolled back
    when: {last_tool: deploy_release, last_result_matches: '^deployed: no, release: (?<release>\d+), rolled back: yes'}
    call:
      - tool: finish
        arguments:
          success: false
          result: "It was rolled back. Why it failed was not looked for: that needs a language model.\n\n${result}"
          output:
            target: "${target}"
            deployed: false
            rolled_back: true
            release: ${release}

  - name: failed
    when: {last_tool: deploy_release}
    call:
      - tool: finish
        arguments:
          success: false
          result: "It was not deployed. deploy_release reported: ${result}"
          output: {target: "${target}", deployed: false, rolled_back: false}

  - name: no target
    when: {step: 1, tools_available: [deploy_targets, finish]}
    call:
      - {tool: deploy_targets, arguments: {}}

  - name: targets
    when: {last_tool: deploy_targets}
    call:
      - tool: finish
        arguments:
          success: false
          result: "Nothing was done: without a language model I deploy to the target that the parameters name, and there is none. There are: ${result}"
          output: {target: "", deployed: false, rolled_back: false}

  - name: tools are missing
    when: {step: 1}
    say: |
      I am a scripted rehearsal, not a language model, and this agent may not use deploy_release: there is nothing that I can do.
)yaml";

} // namespace

agent_kind deployer_kind() {
    return {.name = "deployer",
            .description = "Deploys to a target of the node's operator, watches it, and rolls back by itself.",
            .instructions = instructions,
            .tools = tools,
            .parameters_schema = json_schema<deployer_parameters>,
            .check_parameters = check_parameters<deployer_parameters>,
            .result_schema = json_schema<deployer_result>,
            .verified_by = verified_by,
            .rehearsal = rehearsal};
}

} // namespace troupe::actors
