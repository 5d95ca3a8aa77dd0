#include "bin/cli/run_start.hpp"

#include "actors/tool/tool.hpp"
#include "bin/cli/find_project.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/watch.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

namespace troupe::cli {
namespace {

constexpr std::uint64_t steps_max = 10'000;
constexpr std::uint64_t tokens_max = 1'000'000'000'000;

/// The goal: the operands, or standard input for "-".
std::string goal_of(const arguments& args) {
    return args.operands() == std::vector<std::string>{"-"} ? std::string(std::istreambuf_iterator<char>(std::cin), {})
                                                            : args.text_from(0);
}

/// JSON, in the argument itself or, as @FILE, in a file.
expected<std::optional<json::raw>> json_value_of(const arguments& args, std::string_view name) {
    auto text = args.value(name);
    if (!text) {
        return std::optional<json::raw>();
    }
    if (text->starts_with("@")) {
        std::ifstream in(text->substr(1), std::ios::binary);
        if (!in) {
            return problem{code::invalid_request, fmt::format("{} cannot be read.", text->substr(1))};
        }
        text = std::string(std::istreambuf_iterator<char>(in), {});
    }
    auto read = json::make_raw(*text);
    return read ? expected<std::optional<json::raw>>(std::move(*read))
                : problem{code::invalid_request, fmt::format("--{} takes JSON: {}", name, read.error().detail)};
}

/// Pictures from files, in base64; the node looks at what they are.
expected<std::optional<std::vector<image_body>>> images_of(const arguments& args) {
    std::vector<image_body> out;
    for (const auto& path : args.values("image")) {
        std::ifstream in(path, std::ios::binary);
        if (!in) {
            return problem{code::invalid_request, fmt::format("{} cannot be read.", path)};
        }
        const std::string bytes(std::istreambuf_iterator<char>(in), {});
        if (bytes.empty() || bytes.size() > image_bytes_max) {
            return problem{code::invalid_request,
                           fmt::format("{} has {} bytes: a picture has 1 to {}.", path, bytes.size(), image_bytes_max)};
        }
        out.push_back({to_base64(bytes)});
    }
    return out.empty() ? std::optional<std::vector<image_body>>() : std::optional(std::move(out));
}

expected<create_run_body> body_of(const arguments& args) {
    create_run_body body;
    body.goal = goal_of(args);
    body.model = args.value_or("model", "");
    body.instructions = args.value_or("instructions", "");
    body.kind = args.value("kind");
    for (const auto& [flag_name, into] :
         {std::pair("parameters", &body.parameters), std::pair("result-schema", &body.result_schema)}) {
        auto given = json_value_of(args, flag_name);
        if (!given) {
            return given.error();
        }
        *into = std::move(*given);
    }
    auto images = images_of(args);
    if (!images) {
        return images.error();
    }
    body.images = std::move(*images);
    const auto steps = args.number("max-steps", 1, steps_max);
    const auto tokens = args.number("max-tokens", 1, tokens_max);
    if (!steps || !tokens) {
        return !steps ? steps.error() : tokens.error();
    }
    body.limits.steps = static_cast<std::uint32_t>(steps->value_or(0));
    body.limits.tokens = tokens->value_or(0);
    body.tools = policies_of(args);
    if (body.goal.find_first_not_of(" \t\r\n") == std::string::npos) {
        return problem{code::invalid_request, "The goal is empty: say what the run is to reach."};
    }
    return body;
}

expected<int> run_start(context& c) {
    auto body = body_of(c.args());
    if (!body) {
        return c.usage(body.error());
    }
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    if (const auto word = c.args().value("project")) {
        const auto project = find_project(**node, *word, c.search().working_folder);
        if (!project) {
            return project.error();
        }
        body->project_id = project->id;
    }
    if (const auto word = c.args().value("agent")) {
        const auto agent = resolve_agent(**node, *word);
        if (!agent) {
            return agent.error();
        }
        body->agent_id = *agent;
    }
    return follow_run(c, (*node)->post("/runs", to_json(*body)));
}

} // namespace

/// --yes allows all that has an effect; --allow, --ask and --deny have rules. Questions stay questions.
std::map<std::string, tool_policy> policies_of(const arguments& args) {
    std::map<std::string, tool_policy> tools;
    for (const auto& tool : actors::all_tools()) {
        if (args.has("yes") && tool.safety != actors::repeat_safety::control) {
            tools[std::string(tool.name)] = tool_policy::allow;
        }
    }
    for (const auto& [flag_name, policy] : {std::pair("allow", tool_policy::allow), std::pair("ask", tool_policy::ask),
                                            std::pair("deny", tool_policy::deny)}) {
        for (const auto& rule : args.values(flag_name)) {
            tools[rule] = policy;
        }
    }
    return tools;
}

std::vector<flag> policy_flags() {
    return {{"yes", "", "Allow every tool without asking.", 'y'},
            {"allow", "RULE", "Allow what fits without asking: a tool, or as in \"run_command(make *)\".", 0, true},
            {"ask", "RULE", "Ask before each call that fits.", 0, true},
            {"deny", "RULE", "Never let it make a call that fits.", 0, true}};
}

expected<int> follow_run(context& c, const expected<std::string>& made) {
    if (!made) {
        return made.error();
    }
    const auto run = from_json<run_document>(*made, strictness::stored);
    if (!run) {
        return run.error();
    }
    if (!c.args().has("detach")) {
        return watch_run(c, run->id);
    }
    if (c.json()) {
        c.print_json(*made);
    } else {
        c.print(to_string(run->id) + "\n");
        c.note(fmt::format("Watch it: troupe run watch {}", short_id(run->id)));
    }
    return 0;
}

command run_start_command() {
    std::vector<flag> flags{{"project", "DIR|ID|NAME", "Files to work on: a folder of yours (.), or a project.", 'p'},
                            {"model", "M", "Model to use: rehearsal, rehearsal:FILE, openai/NAME.", 'm'},
                            {"agent", "NAME", "Take instructions, model, tools and limits from this agent."},
                            {"instructions", "TEXT", "System prompt, without an agent."},
                            {"kind", "KIND", "Kind of agent, without an agent: see troupe agent kinds."},
                            {"parameters", "JSON|@FILE", "What the kind works with, an object."},
                            {"image", "FILE", "A picture that the model is to look at: PNG, JPEG, GIF, WebP.", 0, true},
                            {"result-schema", "JSON|@FILE", "JSON Schema of the output that it has to give."},
                            {"max-steps", "N", "Model calls at most."},
                            {"max-tokens", "N", "Tokens at most, input and output."},
                            {"detach", "", "Only start it, and print its id.", 'd'}};
    std::ranges::copy(policy_flags(), std::back_inserter(flags));
    return {.name = "run start",
            .summary = "Start a run and watch it. It goes on without the terminal, and after a crash of the node.",
            .takes = {.flags = std::move(flags), .operands = "GOAL", .operands_min = 1, .operands_max = any_number},
            .examples = "troupe run start --project . \"Add a subtract function and its test\"\n"
                        "troupe run start -p . --ask run_command --max-steps 20 \"Make the build pass\"\n"
                        "troupe run start -p calculator --agent scout --detach - < goal.md",
            .run = run_start};
}

} // namespace troupe::cli
