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
    provider_document out{p.name, p.wire, p.base_url, !p.api_key.empty(), std::nullopt, {}, false, {}};
    if (!p.model.empty()) {
        out.model = p.model;
    }
    for (const auto& m : p.models) {
        out.models.push_back(m.name);
    }
    const auto* standard = models.provider_of("");
    out.is_default = standard != nullptr && standard->name == p.name;
    out.health = models.desks().find(p.name)->second->health();
    return out;
}

model_document shown(const model_listing& listed, const model_registry& models) {
    model_document out;
    out.name = listed.name;
    out.description = listed.description;
    out.is_default = listed.is_default;
    if (const auto* provider = models.provider_of(listed.name)) {
        out.provider = provider->name;
        out.model = models.model_name(listed.name);
    }
    if (const auto* facts = models.facts(listed.name)) {
        out.context_tokens = facts->context_tokens;
        out.output_tokens = facts->output_tokens;
        out.capabilities = facts->capabilities;
    }
    if (const auto* route = models.route_of(listed.name)) {
        out.policy = route->policy;
        for (const auto& one : route->models) {
            out.candidates.push_back({models.full_name(one.model), one.weight});
        }
    }
    if (const auto price = models.price(listed.name)) {
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

void list_models(const model_registry& models, const responder& respond) {
    std::vector<std::string> items;
    for (const auto& listed : models.list()) {
        if (!listed.name.ends_with("/MODEL")) { // for people: any other one
            items.push_back(to_json(shown(listed, models)));
        }
    }
    answer(respond, items);
}

void list_providers(const model_registry& models, const responder& respond) {
    std::vector<std::string> items;
    for (const auto& provider : models.providers()) {
        items.push_back(to_json(shown(provider, models)));
    }
    answer(respond, items);
}

} // namespace

std::vector<net::route> provider_routes(const model_registry& models) {
    return {
        {.verb = verb::get,
         .path = "/models",
         .operation = "list_models",
         .summary = "The models that agents and runs can name, and the routes among them, all on one page. Others of a "
                    "provider "
                    "are PROVIDER/MODEL.",
         .tag = "models",
         .permission = "agent:read",
         .reply = page_of<model_document>("models"),
         .run = [&models](const request&, const responder& respond) { list_models(models, respond); }},
        {.verb = verb::get,
         .path = "/providers",
         .operation = "list_providers",
         .summary =
             "The providers of models behind HTTP and how they do, all on one page. Keys are not shown, only whether "
             "there is one.",
         .tag = "models",
         .permission = "system:read",
         .reply = page_of<provider_document>("providers"),
         .run = [&models](const request&, const responder& respond) { list_providers(models, respond); }}};
}

} // namespace troupe::actors
