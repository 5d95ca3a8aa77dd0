#pragma once

#include "schemas/base/problem.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace troupe::actors {

/// A value of the configuration that begins so is the name of a secret that the node keeps.
inline constexpr std::string_view secret_prefix = "secret:";

/// The value itself, or the secret that it names.
inline expected<std::string> read_value(const std::string& value,
                                        const std::function<expected<std::string>(std::string_view name)>& find) {
    return value.starts_with(secret_prefix) ? find(std::string_view(value).substr(secret_prefix.size()))
                                            : expected<std::string>(value);
}

} // namespace troupe::actors
