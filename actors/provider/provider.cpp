#include "actors/provider/provider.hpp"

#include "actors/provider/rehearsal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace troupe::actors {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view openai_prefix = "openai/";
constexpr std::string_view script_prefix = "rehearsal:";
constexpr std::string_view script_extensions[] = {"", ".yaml", ".yml"};
constexpr std::size_t listed_scripts_max = 200;

void fill(std::string& setting, const char* variable) {
    const char* value = std::getenv(variable);
    if (setting.empty() && value != nullptr)
        setting = value;
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

/// A secret that is not there is for people to set: no retry helps, so it is refused as a wrong key would be.
std::function<expected<std::string>()> key_from_secret(const provider_settings& settings) {
    return [find = settings.find_secret,
            name = settings.openai_api_key.substr(secret_prefix.size())]() -> expected<std::string> {
        auto value = find ? find(name) : expected<std::string>(problem{code::not_found, "there are no secrets here"});
        if (!value)
            return problem{code::model_refused,
                           fmt::format("The key of the openai provider is the secret '{}', and it cannot be had: {}.",
                                       name, value.error().detail)};
        return value;
    };
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

} // namespace

provider_settings with_environment(provider_settings settings) {
    fill(settings.openai_base_url, "OPENAI_BASE_URL");
    fill(settings.openai_api_key, "OPENAI_API_KEY");
    fill(settings.openai_model, "OPENAI_MODEL");
    return settings;
}

expected<model_registry> model_registry::make(provider_settings settings) {
    model_registry out(std::move(settings));
    for (const auto& [name, model] : out.settings_.own)
        if (name.empty() || name.starts_with("openai") || name.starts_with("rehearsal") || !model)
            return problem{code::config_invalid, fmt::format("The own model '{}' cannot be used: it {}.", name,
                                                             model ? "has no name, or one that is taken" : "is null")};
    if (out.has_openai()) {
        net::wire_settings wire;
        if (!out.settings_.openai_base_url.empty())
            wire.base_url = out.settings_.openai_base_url;
        if (out.settings_.openai_api_key.starts_with(secret_prefix))
            wire.find_api_key = key_from_secret(out.settings_);
        else
            wire.api_key = out.settings_.openai_api_key;
        wire.ca_file = out.settings_.openai_ca_file;
        auto made = net::make_model(std::move(wire));
        if (!made)
            return made.error();
        out.openai_ = *std::move(made);
    }
    if (auto found = out.find(""); !found)
        return problem{code::config_invalid, "The default model cannot be used: " + found.error().detail,
                       found.error().errors};
    return out;
}

std::string_view model_registry::resolve(std::string_view name) const {
    if (!name.empty())
        return name;
    if (!settings_.default_model.empty())
        return settings_.default_model;
    return has_openai() ? "openai" : "rehearsal";
}

expected<std::shared_ptr<net::model>> model_registry::find(std::string_view asked) const {
    const std::string_view name = resolve(asked);
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
    if (name == "openai" || (name.starts_with(openai_prefix) && name.size() > openai_prefix.size())) {
        if (openai_)
            return openai_;
        return unknown(name, "OPENAI_API_KEY or OPENAI_BASE_URL has to be set for it");
    }
    return unknown(name, "no provider has this name");
}

expected<std::shared_ptr<net::model>> model_registry::find_script(std::string_view name) const {
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
    if (name == "openai")
        return settings_.openai_model.empty() ? std::string(openai_model_default) : settings_.openai_model;
    return std::string(name.starts_with(openai_prefix) ? name.substr(openai_prefix.size()) : name);
}

std::vector<model_listing> model_registry::list() const {
    std::vector<model_listing> out;
    if (openai_) {
        out.push_back({"openai", fmt::format("{}, model {}", openai_->describe(), model_name("openai"))});
        out.push_back({"openai/MODEL", "any other model of the same provider"});
    }
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
