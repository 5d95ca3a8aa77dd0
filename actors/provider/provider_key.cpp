#include "actors/provider/provider_key.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

namespace troupe::actors {

namespace {

constexpr std::size_t key_bytes_max = 16 << 10;

std::optional<std::string> from_environment(const std::string& name) {
    const char* value = std::getenv(name.c_str()); // nothing of this process writes the environment
    return value != nullptr && *value != '\0' ? std::optional<std::string>(value) : std::nullopt;
}

/// Without the line break at its end.
std::optional<std::string> from_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string text(key_bytes_max, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    return text.empty() ? std::nullopt : std::optional(text);
}

} // namespace

bool is_key_reference(std::string_view text) {
    return text.starts_with("secret:") || text.starts_with("env:") || text.starts_with("file:");
}

std::function<expected<std::string>()> key_finder(std::string provider, std::string reference,
                                                  std::function<expected<std::string>(std::string_view)> find_secret) {
    return [provider = std::move(provider), reference = std::move(reference),
            find_secret = std::move(find_secret)]() -> expected<std::string> {
        const auto kind = reference.substr(0, reference.find(':'));
        const auto name = reference.substr(kind.size() + 1);
        if (kind == "secret") {
            auto value = find_secret ? find_secret(name)
                                     : expected<std::string>(problem{code::not_found, "there are no secrets here"});
            if (!value)
                return problem{code::model_refused,
                               fmt::format("The key of the {} provider is the secret '{}', and it cannot be had: {}.",
                                           provider, name, value.error().detail)};
            return value;
        }
        if (auto value = kind == "env" ? from_environment(name) : from_file(name))
            return *std::move(value);
        return problem{
            code::model_refused,
            kind == "env"
                ? fmt::format("The key of the {} provider is the environment variable {}, and it is not set.", provider,
                              name)
                : fmt::format("The key of the {} provider is in the file {}, and it is empty or cannot be read.",
                              provider, name)};
    };
}

} // namespace troupe::actors
