// Providers that the variables of other tools make.
#include "actors/provider/provider.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::actors {

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

void fill(std::string& setting, const char* name) {
    if (setting.empty())
        setting = variable(name);
}

/// As Ollama's own tools take it: "HOST", "HOST:PORT", ":PORT" or a URL. Where a server listens on all addresses, this
/// machine reaches it on its own.
std::string ollama_url(std::string host) {
    std::string scheme = "http://";
    if (const auto end = host.find("://"); end != std::string::npos) {
        scheme = host.substr(0, end + 3);
        host.erase(0, end + 3);
    }
    const auto path = std::min(host.find('/'), host.size());
    auto authority = host.substr(0, path);
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
    auto port = colon == std::string::npos ? std::string() : authority.substr(colon);
    authority.resize(std::min(colon, authority.size()));
    if (authority.empty() || authority == "0.0.0.0" || authority == "[::]")
        authority = "127.0.0.1";
    if (port.empty())
        port = ":11434";
    return scheme + authority + port + host.substr(path);
}

} // namespace

provider_settings with_environment(provider_settings settings) {
    fill(settings.openai_base_url, "OPENAI_BASE_URL");
    fill(settings.openai_api_key, "OPENAI_API_KEY");
    fill(settings.openai_model, "OPENAI_MODEL");
    const auto add = [&](std::string name, model_wire wire, std::string base_url, std::string api_key) {
        if (std::none_of(settings.providers.begin(), settings.providers.end(),
                         [&](const auto& p) { return p.name == name; }))
            settings.providers.push_back({.name = std::move(name),
                                          .wire = wire,
                                          .base_url = std::move(base_url),
                                          .api_key = std::move(api_key),
                                          .model = {},
                                          .ca_file = {},
                                          .models = {}});
    };
    if (!variable("ANTHROPIC_API_KEY").empty())
        add("anthropic", model_wire::anthropic, variable("ANTHROPIC_BASE_URL"), "env:ANTHROPIC_API_KEY");
    if (!variable("DEEPSEEK_API_KEY").empty())
        add("deepseek", model_wire::deepseek, "", "env:DEEPSEEK_API_KEY");
    if (const auto host = variable("OLLAMA_HOST"); !host.empty())
        add("ollama", model_wire::ollama, ollama_url(host), "");
    return settings;
}

} // namespace troupe::actors
