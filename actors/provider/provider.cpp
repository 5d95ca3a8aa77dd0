#include "actors/provider/provider.hpp"

#include "actors/kinds/kind.hpp"
#include "actors/provider/provider_key.hpp"
#include "actors/provider/rehearsal.hpp"
#include "actors/provider/route.hpp"
#include "actors/provider/shared_replies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

namespace troupe::actors {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view openai_name = "openai";
constexpr std::string_view script_prefix = "rehearsal:";
constexpr std::string_view kind_prefix = "kind/";
constexpr std::string_view script_extensions[] = {"", ".yaml", ".yml"};
constexpr std::size_t listed_scripts_max = 200;
constexpr std::int64_t ms_in_s = 1000;
constexpr std::int64_t kept_ms_max = std::numeric_limits<std::int64_t>::max();

/// The provider or model of that name, or null.
template <class Named>
const Named* find_named(const std::vector<Named>& all, std::string_view name) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
    return found == all.end() ? nullptr : &*found;
}

bool is_inside(const fs::path& folder, const fs::path& file) {
    return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

/// The script of that name in the folder, or nothing. Links are followed before the check: a name cannot leave the
/// folder by "..", nor through a link.
fs::path script_in(const fs::path& folder, std::string_view name) {
    std::error_code ec;
    const fs::path inside = fs::weakly_canonical(folder, ec);
    for (const auto extension : script_extensions) {
        const fs::path candidate = fs::weakly_canonical(inside / (std::string(name) + std::string(extension)), ec);
        if (!ec && is_inside(inside, candidate) && fs::is_regular_file(candidate, ec))
            return candidate;
    }
    return {};
}

expected<std::string> read_script(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::string text(rehearsal_script_bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad() || !in.eof())
        return problem{code::script_invalid, in.bad() || !in.is_open()
                                                 ? fmt::format("The rehearsal script {} cannot be read.", file.string())
                                                 : fmt::format("The rehearsal script {} is over {} bytes.",
                                                               file.string(), rehearsal_script_bytes_max)};
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

/// The provider's part of "PROVIDER/MODEL".
std::string_view provider_in(std::string_view name) { return name.substr(0, name.find('/')); }

/// The name of the desk: "openai" for "openai/gpt", "rehearsal" for "rehearsal:NAME".
std::string_view desk_in(std::string_view name) { return name.substr(0, name.find_first_of("/:")); }

/// `openai`, as it was configured before there were others.
std::optional<runtime::model_provider> openai_of(const provider_settings& s) {
    if (s.openai_api_key.empty() && s.openai_base_url.empty())
        return std::nullopt;
    return runtime::model_provider{.name = std::string(openai_name),
                                   .wire = model_wire::openai,
                                   .base_url = s.openai_base_url,
                                   .api_key = s.openai_api_key,
                                   .model = s.openai_model,
                                   .ca_file = s.openai_ca_file,
                                   .models = {}};
}

/// What the name alone means where nobody said it.
std::string default_model_of(const runtime::model_provider& p) {
    if (!p.models.empty())
        return p.models.front().name;
    switch (p.wire) {
    case model_wire::openai:
    case model_wire::openai_responses:
        // Servers that others run have models of their own; the one that is configured as openai always meant this.
        return p.name == openai_name || p.base_url.empty() ? std::string(openai_model_default) : std::string();
    case model_wire::anthropic:
        return "claude-sonnet-4-5";
    case model_wire::deepseek:
        return "deepseek-chat";
    case model_wire::ollama:
        break;
    }
    return {};
}

} // namespace

expected<void> model_registry::open(const runtime::model_provider& p) {
    net::wire_settings wire{.wire = p.wire, .provider = p.name, .base_url = p.base_url, .ca_file = p.ca_file};
    if (is_key_reference(p.api_key))
        wire.find_api_key = key_finder(p.name, p.api_key, settings_.find_secret);
    else
        wire.api_key = p.api_key;
    auto made = net::make_model(std::move(wire));
    if (!made)
        return made.error();
    wires_[p.name] = *std::move(made);
    return {};
}

expected<model_registry> model_registry::make(provider_settings settings) {
    const auto openai = openai_of(settings);
    if (openai && !find_named(settings.providers, openai_name))
        settings.providers.insert(settings.providers.begin(), *openai);
    model_registry out(std::move(settings));
    for (auto& p : out.settings_.providers) {
        if (p.model.empty())
            p.model = default_model_of(p);
        if (p.base_url.empty())
            p.base_url = net::default_base_url(p.wire);
        if (auto opened = out.open(p); !opened)
            return opened.error();
    }
    for (const auto& [name, model] : out.settings_.own)
        if (name.empty() || name.starts_with(openai_name) || name.starts_with("rehearsal") ||
            name.starts_with(route_prefix) || !model || out.wires_.contains(provider_in(name)))
            return problem{code::config_invalid, fmt::format("The own model '{}' cannot be used: it {}.", name,
                                                             model ? "has no name, or one that is taken" : "is null")};
    out.open_desks();
    for (const auto& r : out.settings_.routes)
        if (auto opened = out.open(r); !opened)
            return opened.error();
    if (auto found = out.find(""); !found)
        return problem{code::config_invalid, "The default model cannot be used: " + found.error().detail,
                       found.error().errors};
    return out;
}

void model_registry::open_desks() {
    const auto add = [&](std::string_view name, std::uint32_t calls_max) {
        desks_.try_emplace(std::string(name),
                           std::make_shared<provider_desk>(std::string(name), gate_settings{.calls_max = calls_max}));
    };
    for (const auto& p : settings_.providers)
        add(p.name, p.calls_max);
    for (const auto& [name, model] : settings_.own)
        add(desk_in(name), 0);
    add("rehearsal", 0);
    for (const auto& p : settings_.providers)
        doors_[p.name] = sharing({.provider = p.name, .policy = p.equal_requests, .kept_ms = p.cache_s * ms_in_s},
                                 gated(desk_of(p.name), wires_.find(p.name)->second));
}

expected<void> model_registry::open(const runtime::model_route& r) {
    std::vector<route_candidate> candidates;
    for (const auto& one : r.models) {
        auto model = find_bare(one.model);
        if (!model)
            return problem{code::config_invalid,
                           fmt::format("The route {} cannot be used: {}", r.name, model.error().detail)};
        route_candidate c{.facts = {.name = full_name(one.model), .weight = one.weight, .price = price(one.model)},
                          .provider = {},
                          .provider_model = model_name(one.model),
                          .desk = desk_of(one.model),
                          .model = *std::move(model)};
        if (desk_in(one.model) == "rehearsal")
            c.facts.price = runtime::token_price{};
        if (const auto* provider = provider_of(one.model))
            c.provider = provider->name;
        if (const auto* known = facts(one.model)) {
            c.facts.context_tokens = known->context_tokens.value_or(0);
            c.facts.output_tokens = known->output_tokens.value_or(0);
            c.facts.capabilities = known->capabilities;
            c.reasoning =
                std::ranges::find(known->capabilities, model_capability::reasoning) != known->capabilities.end();
        }
        candidates.push_back(std::move(c));
    }
    // Equal requests share where all of its providers have it so.
    sharing_settings equal{.provider = {}, .policy = runtime::equal_requests::cache, .kept_ms = kept_ms_max};
    for (const auto& one : r.models) {
        const auto* provider = provider_of(one.model);
        equal.policy = std::min(equal.policy, provider ? provider->equal_requests : runtime::equal_requests::each);
        equal.kept_ms = std::min(equal.kept_ms, provider ? provider->cache_s * ms_in_s : 0);
    }
    routes_[std::string(route_prefix) + r.name] =
        sharing(std::move(equal), make_route(r.name, r.policy, std::move(candidates)));
    return {};
}

std::shared_ptr<provider_desk> model_registry::desk_of(std::string_view name) const {
    return desks_.find(desk_in(resolve(name)))->second;
}

const runtime::model_route* model_registry::route_of(std::string_view asked) const {
    const auto name = resolve(asked);
    return name.starts_with(route_prefix) ? find_named(settings_.routes, name.substr(route_prefix.size())) : nullptr;
}

std::optional<runtime::token_price> model_registry::price(std::string_view name) const {
    if (const auto said = settings_.prices.find(full_name(name)); said != settings_.prices.end())
        return said->second;
    const auto* known = facts(name);
    return known == nullptr ? std::nullopt : known->price;
}

std::string_view model_registry::resolve(std::string_view name) const {
    if (!name.empty())
        return name;
    if (!settings_.default_model.empty())
        return settings_.default_model;
    if (find_named(settings_.providers, openai_name))
        return openai_name;
    const auto& all = settings_.providers;
    const auto first = std::find_if(all.begin(), all.end(), [](const auto& p) { return !p.model.empty(); });
    return first == all.end() ? "rehearsal" : std::string_view(first->name);
}

const runtime::model_provider* model_registry::provider_of(std::string_view asked) const {
    const std::string_view name = resolve(asked);
    return settings_.own.contains(std::string(name)) ? nullptr : find_named(settings_.providers, provider_in(name));
}

const runtime::provider_model* model_registry::facts(std::string_view name) const {
    const auto* provider = provider_of(name);
    return provider == nullptr ? nullptr : find_named(provider->models, model_name(name));
}

expected<std::shared_ptr<net::model>> model_registry::find(std::string_view asked) const {
    const std::string_view name = resolve(asked);
    if (const auto route = routes_.find(name); route != routes_.end())
        return route->second;
    if (name.starts_with(route_prefix))
        return unknown(name, "no route has this name");
    auto found = find_bare(name);
    if (const auto door = doors_.find(provider_in(name));
        found && door != doors_.end() && !settings_.own.contains(std::string(name)))
        return door->second;
    return found ? expected<std::shared_ptr<net::model>>(gated(desk_of(name), *std::move(found))) : found;
}

expected<std::shared_ptr<net::model>> model_registry::find_bare(std::string_view name) const {
    if (const auto own = settings_.own.find(std::string(name)); own != settings_.own.end())
        return own->second;
    if (name == "rehearsal") {
        auto made = make_rehearsal_model(default_rehearsal_script(), "(embedded)");
        if (!made)
            return made.error();
        return std::shared_ptr<net::model>(*std::move(made));
    }
    if (name.starts_with(script_prefix))
        return find_script(name.substr(script_prefix.size()));
    if (const auto wire = wires_.find(provider_in(name)); wire != wires_.end())
        return model_name(name).empty()
                   ? expected<std::shared_ptr<net::model>>(
                         unknown(name, "it has to be said which model of this provider, as PROVIDER/MODEL"))
                   : wire->second;
    if (provider_in(name) == openai_name)
        return unknown(name, "OPENAI_API_KEY or OPENAI_BASE_URL has to be set for it");
    return unknown(name, "no provider has this name");
}

expected<std::shared_ptr<net::model>> model_registry::find_script(std::string_view name) const {
    if (name.starts_with(kind_prefix)) {
        const auto* kind = find_kind(name.substr(kind_prefix.size()));
        if (kind == nullptr || kind->rehearsal.empty())
            return unknown(fmt::format("{}{}", script_prefix, name), "no kind of agent of this name has a script");
        auto own = make_rehearsal_model(kind->rehearsal, fmt::format("(kind {})", kind->name));
        if (!own)
            return own.error();
        return std::shared_ptr<net::model>(*std::move(own));
    }
    const fs::path asked(name);
    fs::path file;
    std::error_code ec;
    if (asked.is_absolute()) {
        if (!settings_.scripts_anywhere)
            return unknown(asked.string(), "this node takes scripts only from its scripts folder");
        file = asked;
    } else {
        if (settings_.scripts.empty())
            return unknown(asked.string(), "this node has no scripts folder");
        file = script_in(settings_.scripts, name);
    }
    if (file.empty() || !fs::is_regular_file(file, ec))
        return unknown(fmt::format("{}{}", script_prefix, name), "there is no such script");
    auto text = read_script(file);
    if (!text)
        return text.error();
    auto made = make_rehearsal_model(*text, file.filename().string());
    if (!made)
        return made.error();
    return std::shared_ptr<net::model>(*std::move(made));
}

std::string model_registry::model_name(std::string_view asked) const {
    const std::string_view name = resolve(asked);
    const auto* provider = provider_of(name);
    if (provider == nullptr)
        return std::string(name);
    return name == provider->name ? provider->model : std::string(name.substr(provider->name.size() + 1));
}

std::string model_registry::full_name(std::string_view asked) const {
    const auto* provider = provider_of(asked);
    return provider == nullptr ? std::string(resolve(asked)) : provider->name + "/" + model_name(asked);
}

std::vector<model_listing> model_registry::list() const {
    std::vector<model_listing> out;
    for (const auto& p : settings_.providers) {
        const auto what = wires_.find(p.name)->second->describe();
        if (!p.model.empty())
            out.push_back({p.name, fmt::format("{}, model {}", what, p.model)});
        for (const auto& m : p.models)
            out.push_back({p.name + "/" + m.name, what});
        out.push_back({p.name + "/MODEL", "any other model of the same provider"});
    }
    for (const auto& [name, model] : routes_)
        out.push_back({name, model->describe()});
    for (const auto& [name, model] : settings_.own)
        out.push_back({name, model->describe()});
    out.push_back({"rehearsal", "the embedded script, for the sample project (scripted, no language model)"});
    std::vector<std::string> scripts;
    std::error_code ec;
    for (fs::directory_iterator at(settings_.scripts, ec), end; !ec && at != end && scripts.size() < listed_scripts_max;
         at.increment(ec))
        if (const auto& file = at->path(); (file.extension() == ".yaml" || file.extension() == ".yml") &&
                                           !script_in(settings_.scripts, file.filename().string()).empty())
            scripts.push_back(file.stem().string());
    std::sort(scripts.begin(), scripts.end());
    for (const auto& one : scripts)
        out.push_back({fmt::format("{}{}", script_prefix, one), "a rehearsal script (scripted, no language model)"});
    const std::string_view standard = resolve("");
    if (const auto* p = provider_of(standard);
        p != nullptr && std::none_of(out.begin(), out.end(), [&](const auto& one) { return one.name == standard; }))
        out.push_back({std::string(standard), wires_.find(p->name)->second->describe()});
    for (auto& one : out)
        one.is_default = one.name == standard;
    return out;
}

problem model_registry::unknown(std::string_view name, std::string_view why) const {
    std::string names;
    for (const auto& one : list())
        names += (names.empty() ? "" : ", ") + one.name;
    return {code::model_unknown, fmt::format("There is no model '{}': {}. There are: {}.", name, why, names)};
}

} // namespace troupe::actors
