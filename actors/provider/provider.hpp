#pragma once

#include "actors/common/secret_value.hpp"
#include "actors/provider/provider_desk.hpp"
#include "net/model/model.hpp"
#include "runtime/config/model_providers.hpp"
#include "runtime/config/model_routes.hpp"
#include "runtime/config/prices.hpp"
#include "schemas/base/problem.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Which language models there are, by the names that agents, requests and configurations use.
namespace troupe::actors {

struct provider_settings {
    std::string default_model;   ///< A name as `model_registry::find` takes it; empty: see there.
    std::string openai_base_url; ///< Empty: api.openai.com.
    std::string openai_api_key;  ///< Never logged, never shown. "secret:NAME": what `find_secret` gives for NAME.
    std::string openai_model;    ///< What "openai" means; empty: `openai_model_default`.
    std::string openai_ca_file;  ///< Empty: the system's certificates.
    /// Beside it; one that is called openai stands in its place.
    std::vector<runtime::model_provider> providers = {};
    std::vector<runtime::model_route> routes = {};
    std::map<std::string, runtime::token_price> prices = {}; ///< By full name; before those of `providers`.
    std::filesystem::path scripts; ///< Folder of rehearsal scripts; empty: only the embedded one.
    /// The value of a secret of the node, asked for at each call.
    std::function<expected<std::string>(std::string_view name)> find_secret = {};
    bool scripts_anywhere = false; ///< Whether "rehearsal:/absolute/path" is allowed.
    /// A program's own models, by the name that agents and runs give; "openai…", "rehearsal…", "route:…" and the
    /// providers' names are taken.
    std::map<std::string, std::shared_ptr<net::model>> own = {};
};

inline constexpr std::string_view openai_model_default = "gpt-4.1-mini";

/// `settings`, where they are empty filled from OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL, with the providers
/// that ANTHROPIC_API_KEY (ANTHROPIC_BASE_URL), DEEPSEEK_API_KEY and OLLAMA_HOST make where none has their name.
provider_settings with_environment(provider_settings settings);

/// A model for people: what to write for it, and what it is.
struct model_listing {
    std::string name; ///< "openai", "openai/MODEL", "rehearsal", "rehearsal:NAME"
    std::string description;
    bool is_default = false;
};

/// Finds models by name. Immutable once made; safe from any thread.
///
/// "" → the default: the configured one, else openai when it has a key or a base URL, else the first provider that has
/// a model of its own, else the rehearsal · "rehearsal" → the embedded script · "rehearsal:NAME" → NAME, NAME.yaml or
/// NAME.yml in the scripts folder, read again at each call · "rehearsal:kind/KIND" → that of a kind of agents ·
/// "PROVIDER" → its own model · "PROVIDER/MODEL" → that model of it · "route:NAME" → a model that chooses among others
/// (route.hpp). The calls of all go through the desks of their providers, whose actors have to run.
class model_registry {
public:
    /// `config_invalid` when the default model, the base URL or the name of an own model cannot be right.
    static expected<model_registry> make(provider_settings settings);

    /// `model_unknown` says what there is; `script_invalid` where a script has an error.
    [[nodiscard]] expected<std::shared_ptr<net::model>> find(std::string_view name) const;

    /// What `net::model_request::model` has to be for this name.
    [[nodiscard]] std::string model_name(std::string_view name) const;

    [[nodiscard]] std::vector<model_listing> list() const;

    /// The providers behind HTTP, with all that was left to defaults filled in.
    [[nodiscard]] const std::vector<runtime::model_provider>& providers() const { return settings_.providers; }

    /// The provider of a name, "PROVIDER/MODEL" or "PROVIDER"; none of a rehearsal or a program's own model.
    [[nodiscard]] const runtime::model_provider* provider_of(std::string_view name) const;

    /// What the operator said of the model of that name, or null.
    [[nodiscard]] const runtime::provider_model* facts(std::string_view name) const;

    /// The route of a name, or null.
    [[nodiscard]] const runtime::model_route* route_of(std::string_view name) const;

    /// Of a model; none of a rehearsal or a route, and where nobody said it.
    [[nodiscard]] std::optional<runtime::token_price> price(std::string_view name) const;

    /// One for each provider, the rehearsal, and a program's own models.
    [[nodiscard]] const std::map<std::string, std::shared_ptr<provider_desk>, std::less<>>& desks() const {
        return desks_;
    }

    /// The name in full: "PROVIDER" → "PROVIDER/MODEL", "" → the default.
    [[nodiscard]] std::string full_name(std::string_view name) const;

private:
    explicit model_registry(provider_settings settings) : settings_(std::move(settings)) {}

    expected<void> open(const runtime::model_provider& p);
    expected<void> open(const runtime::model_route& r);
    void open_desks();
    [[nodiscard]] std::shared_ptr<provider_desk> desk_of(std::string_view name) const;
    /// The model without its desk, and no route.
    [[nodiscard]] expected<std::shared_ptr<net::model>> find_bare(std::string_view name) const;
    [[nodiscard]] std::string_view resolve(std::string_view name) const;
    [[nodiscard]] expected<std::shared_ptr<net::model>> find_script(std::string_view name) const;
    [[nodiscard]] problem unknown(std::string_view name, std::string_view why) const;

    provider_settings settings_;
    std::map<std::string, std::shared_ptr<net::model>, std::less<>> wires_;  ///< By provider, without their desks.
    std::map<std::string, std::shared_ptr<net::model>, std::less<>> doors_;  ///< By provider, as calls are made.
    std::map<std::string, std::shared_ptr<net::model>, std::less<>> routes_; ///< By "route:NAME".
    std::map<std::string, std::shared_ptr<provider_desk>, std::less<>> desks_;
};

} // namespace troupe::actors
