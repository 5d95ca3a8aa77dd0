// The properties of what agents work with: sandbox, models, plans, budgets.
#include "runtime/config/checks.hpp"
#include "runtime/config/config.hpp"
#include "runtime/config/fetch_policy.hpp"
#include "runtime/config/mcp_servers.hpp"
#include "runtime/config/model_providers.hpp"
#include "runtime/config/model_routes.hpp"
#include "runtime/config/own_tools.hpp"
#include "runtime/config/prices.hpp"
#include "runtime/process/network_grant.hpp"
#include "schemas/quota.hpp"

#include <limits>
#include <string>

namespace troupe::runtime {

namespace {

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
/// What whoever reads it later would say.
template <auto read>
std::optional<std::string> check_read(std::string_view text) {
    const auto done = read(text);
    return done ? std::nullopt : std::optional(done.error().detail);
}

constexpr property table[] = {
    {.name = "sandbox",
     .member = &config::sandbox,
     .doc = "How commands of agents are confined. `none` gives them the rights of the node: only for trusted work.",
     .choices = "bubblewrap|none"},
    {.name = "sandbox.network",
     .member = &config::sandbox_network,
     .doc = "What commands reach: `none`, `all`, or a list as in `example.org, *.example.org:8443`, through a proxy.",
     .check = check_read<parse_network_grant>},
    {.name = "tools.fetch.allow",
     .member = &config::tools_fetch_allow,
     .doc = "What `fetch_url` and browsers reach, by commas: `public` (all public addresses), hosts, networks. Empty: "
            "nothing.",
     .check = check_fetch},
    {.name = "tools.own",
     .member = &config::tools_own,
     .doc = "Tools of your own: a list of {name, description, parameters (a JSON Schema), run: {command, "
            "working_directory} or http: {method, url, headers, time_out_ms}, permission, repeat}.",
     .max = 1 << 20,
     .check = check_own_tools,
     .check_list = check_own_tools_list},
    {.name = "mcp.servers",
     .member = &config::mcp_servers,
     .doc =
         "Servers of the Model Context Protocol that the node starts: a list of {name, command, environment, "
         "idempotent, sandbox, network, time_out_ms, roots}, or, over Streamable HTTP, of {name, url, headers, oauth, "
         "idempotent, time_out_ms, roots}. Agents call their tools as mcp_NAME_TOOL.",
     .max = 1 << 20,
     .check = check_mcp_servers,
     .check_list = check_mcp_server_list},
    {.name = "mcp.registries",
     .member = &config::mcp_registries,
     .doc = "Registries (API v0.1) in which MCP servers are looked for, by commas, the first that knows one wins. "
            "Empty: none is asked."},
    {.name = "mcp.catalogue",
     .member = &config::mcp_catalogue,
     .doc = "File with a list of servers of your own, as `server.json` writes them, found before those of registries. "
            "Empty: none.",
     .check = check_file},
    {.name = "board.file",
     .member = &config::board_file,
     .doc = "The board of the default organization as a file (WORKING.md), written when the board changes, read when "
            "somebody edits it. Empty: none."},
    {.name = "model.default",
     .member = &config::model_default,
     .doc =
         "Model of runs that name none: `PROVIDER`, `PROVIDER/MODEL`, `route:NAME`, `rehearsal` or `rehearsal:NAME`; "
         "empty: `openai` when it has a key or a base URL, else the first provider that has a model of its own, else "
         "`rehearsal`."},
    {.name = "model.providers",
     .member = &config::model_providers,
     .doc =
         "Providers of models: a list of {name, wire, base_url, api_key, model, models, ca_file, calls_max}. wire: "
         "openai (chat "
         "completions), openai_responses, anthropic, ollama or deepseek. api_key: `secret:NAME` (best), `env:NAME` or "
         "`file:PATH`. model: what the name alone means. models: a list of {name, context_tokens, output_tokens, "
         "input_price, output_price (of a million tokens), capabilities (tools, images, reasoning)}. "
         "calls_max: calls at once (32), further ones wait. "
         "ANTHROPIC_API_KEY, "
         "DEEPSEEK_API_KEY and OLLAMA_HOST alone make providers of these names. In the environment: the same as JSON.",
     .max = 65536,
     .check = check_model_providers,
     .check_list = check_model_provider_list},
    {.name = "model.routes",
     .member = &config::model_routes,
     .doc = "Choices among models: a list of {name, policy, models}. Agents and runs write `route:NAME`. policy: "
            "priority (in the order of the list), cheapest, fastest, round_robin or weighted. models: a list of "
            "{model, weight}. A call that fails before its first token goes on to the next model. In the environment: "
            "the same as JSON.",
     .max = 65536,
     .check = check_model_routes,
     .check_list = check_model_route_list},
    {.name = "model.scripts",
     .member = &config::model_scripts,
     .doc = "Folder of scripts of the rehearsal model; empty: only the embedded one.",
     .check = check_folder},
    {.name = "model.cassettes",
     .member = &config::model_cassettes,
     .doc =
         "Folder of recorded model calls: `record:NAME/MODEL` records them, `cassette:NAME` plays them. Empty: none.",
     .check = check_folder},
    {.name = "model.prices",
     .member = &config::model_prices,
     .doc = "What models cost for a million input and output tokens, as in `openai/gpt-4.1-mini=0.40/1.60`, by commas. "
            "Runs with a limit of money need the price of their model.",
     .max = 65536,
     .check = check_prices},
    {.name = "model.openai.base_url",
     .member = &config::model_openai_base_url,
     .doc = "Base URL of any server with `/chat/completions`; empty: https://api.openai.com/v1.",
     .fallback = "OPENAI_BASE_URL",
     .check = check_url},
    {.name = "model.openai.api_key",
     .member = &config::model_openai_api_key,
     .doc = "Key of that server; best `secret:NAME`, a secret that the node keeps, else given by the environment.",
     .secret = true,
     .fallback = "OPENAI_API_KEY",
     .check = check_header_text},
    {.name = "model.openai.model",
     .member = &config::model_openai_model,
     .doc = "The provider's name of the model that `openai` alone means."},
    {.name = "model.openai.ca_file",
     .member = &config::model_openai_ca_file,
     .doc = "Certificates (PEM) that the server's is checked against; empty: the system's.",
     .check = check_file},
    {.name = "plans.free",
     .member = &config::plans_free,
     .doc = "Limits of organizations on the plan `free`, by commas: agents, tasks_per_day, storage_bytes, "
            "tokens_per_day, cost_micros_per_day "
            "(days of UTC); what is left out has no limit. A limit of one organization stands in its place.",
     .check = check_read<parse_quota_limits>},
    {.name = "plans.pro",
     .member = &config::plans_pro,
     .doc = "Limits of organizations on the plan `pro`.",
     .check = check_read<parse_quota_limits>},
    {.name = "plans.enterprise",
     .member = &config::plans_enterprise,
     .doc = "Limits of organizations on the plan `enterprise`, which the node's own has; empty: none.",
     .check = check_read<parse_quota_limits>},
    {.name = "plans.prices",
     .member = &config::plans_prices,
     .doc = "What invoices charge, by commas: a plan's fee of a month (`pro=20.00`), `task=0.0001` for each one, "
            "`agent=1.00` and `storage_gb=0.10` for the most of a month. Models are charged at `model.prices`.",
     .check = check_read<parse_plan_prices>},
    {.name = "plans.currency",
     .member = &config::plans_currency,
     .doc = "Of all prices, as ISO 4217 writes it.",
     .min = 3,
     .max = 3},
    {.name = "budget.steps",
     .member = &config::budget_steps,
     .doc = "Model calls of a run that sets no limit.",
     .min = 1,
     .max = 10'000,
     .reloadable = true},
    {.name = "budget.tokens",
     .member = &config::budget_tokens,
     .doc = "Input and output tokens of a run that sets no limit.",
     .unit = "tokens",
     .min = 1,
     .max = no_limit,
     .reloadable = true},
    {.name = "budget.time_ms",
     .member = &config::budget_time_ms,
     .doc = "Working time of a run that sets no limit, without waits for people.",
     .unit = "ms",
     .min = 1000,
     .max = no_limit,
     .reloadable = true},
    {.name = "budget.cost_micros",
     .member = &config::budget_cost_micros,
     .doc = "Cost of a run that sets no limit.",
     .unit = "millionths of the currency unit",
     .max = no_limit,
     .reloadable = true},
};

} // namespace

std::span<const property> work_properties() { return table; }

} // namespace troupe::runtime
