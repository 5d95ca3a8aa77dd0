#include "actors/provider/provider_routes.hpp"

#include "actors/common/routes.hpp"
#include "net/http/handlers.hpp"
#include "schemas/provider.hpp"

#include <string>
#include <utility>

namespace troupe::actors {

namespace {

using net::request;
using net::responder;
using net::verb;

provider_document shown(const runtime::model_provider& p, const model_registry& models) {
    provider_document out{p.name, p.wire, p.base_url, !p.api_key.empty(), std::nullopt, {}, false};
    if (!p.model.empty()) {
        out.model = p.model;
    }
    for (const auto& m : p.models) {
        out.models.push_back(m.name);
    }
    const auto* standard = models.provider_of("");
    out.is_default = standard != nullptr && standard->name == p.name;
    return out;
}

model_document shown(const model_listing& listed, const provider_parts& parts) {
    model_document out;
    out.name = listed.name;
    out.description = listed.description;
    out.is_default = listed.is_default;
    if (const auto* provider = parts.models->provider_of(listed.name)) {
        out.provider = provider->name;
        out.model = parts.models->model_name(listed.name);
    }
    if (const auto* facts = parts.models->facts(listed.name)) {
        out.context_tokens = facts->context_tokens;
        out.output_tokens = facts->output_tokens;
        out.capabilities = facts->capabilities;
    }
    if (const auto price = parts.price(listed.name)) {
        out.input_micros = price->input_micros;
        out.output_micros = price->output_micros;
    }
    return out;
}

void answer(const responder& respond, const std::vector<std::string>& items) {
    net::response out;
    out.body = net::list_body(items, std::nullopt);
    respond(std::move(out));
}

void list_models(const provider_parts& parts, const responder& respond) {
    std::vector<std::string> items;
    for (const auto& listed : parts.models->list()) {
        if (!listed.name.ends_with("/MODEL")) { // for people: any other one
            items.push_back(to_json(shown(listed, parts)));
        }
    }
    answer(respond, items);
}

void list_providers(const provider_parts& parts, const responder& respond) {
    std::vector<std::string> items;
    for (const auto& provider : parts.models->providers()) {
        items.push_back(to_json(shown(provider, *parts.models)));
    }
    answer(respond, items);
}

} // namespace

std::vector<net::route> provider_routes(const provider_parts& parts) {
    return {{.verb = verb::get,
             .path = "/models",
             .operation = "list_models",
             .summary =
                 "The models that agents and runs can name, all on one page. Others of a provider are PROVIDER/MODEL.",
             .tag = "models",
             .permission = "agent:read",
             .reply = page_of<model_document>("models"),
             .run = [&parts](const request&, const responder& respond) { list_models(parts, respond); }},
            {.verb = verb::get,
             .path = "/providers",
             .operation = "list_providers",
             .summary =
                 "The providers of models behind HTTP, all on one page. Keys are not shown, only whether there is one.",
             .tag = "models",
             .permission = "system:read",
             .reply = page_of<provider_document>("providers"),
             .run = [&parts](const request&, const responder& respond) { list_providers(parts, respond); }}};
}

} // namespace troupe::actors
