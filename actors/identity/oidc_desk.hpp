#pragma once

#include "actors/identity/oidc_issuer.hpp"
#include "net/http/worker_threads.hpp"
#include "runtime/config/oidc.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>
#include <vector>

namespace troupe::actors {

/// The issuers of the configuration, and the threads that speak to them: an issuer that is slow holds up nobody else
/// than those who log in with one. Thread-safe.
class oidc_desk {
public:
    oidc_desk(std::vector<runtime::oidc_provider> providers, const oidc_issuer::secret_finder& find_secret);
    /// Calls that have begun are broken off and end; those that wait are dropped.
    ~oidc_desk();
    oidc_desk(const oidc_desk&) = delete;
    oidc_desk& operator=(const oidc_desk&) = delete;

    [[nodiscard]] const std::vector<std::unique_ptr<oidc_issuer>>& issuers() const { return issuers_; }
    /// Null: there is none of that name.
    [[nodiscard]] oidc_issuer* find(std::string_view name) const;
    /// Runs it on a thread that may block. False: too many wait.
    bool run(std::function<void(std::stop_token)> work);

private:
    std::vector<std::unique_ptr<oidc_issuer>> issuers_;
    std::stop_source stop_;
    std::atomic<int> waiting_{0};
    net::worker_threads threads_; ///< The last: they use all of the others.
};

} // namespace troupe::actors
