#pragma once

#include "actors/secret/secret_vault.hpp"
#include "net/http/route.hpp"
#include "runtime/services.hpp"
#include "schemas/base/problem.hpp"

#include <functional>
#include <string>
#include <string_view>

/// Seals values that other features keep themselves (settings), with the organization's data keys. What is sealed is
/// bound to its organization and place. A rotation of the data key leaves them: older keys stay, and open them.
/// Thread-safe.
namespace troupe::actors {

class value_seals {
public:
    /// Both outlive this object.
    value_seals(const runtime::services& s, const secret_vault& vault) : services_(s), vault_(vault) {}

    /// Makes the organization's keyring where there is none. `done` is called exactly once, from any thread.
    void make_keys(const net::request& r, std::function<void(expected<void>)> done) const;
    /// `not_found` before `make_keys`.
    [[nodiscard]] expected<std::string> seal(const uuid& organization, std::string_view place,
                                             std::string_view value) const;
    /// `secrets_locked` for what was sealed for another place or organization, or changed.
    [[nodiscard]] expected<std::string> unseal(const uuid& organization, std::string_view place,
                                               std::string_view sealed) const;

private:
    const runtime::services& services_;
    const secret_vault& vault_;
};

} // namespace troupe::actors
