#include "actors/identity/identity.hpp"

#include "actors/identity/oidc_desk.hpp"
#include "actors/identity/organization_model.hpp"
#include "schemas/base/log.hpp"

#include <iterator>
#include <thread>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::uint32_t address_failures_free = 20;
constexpr std::int64_t address_forgive_ms = 60'000;
constexpr std::uint32_t everywhere_failures_free = 50;

/// The organization of entities that were made before there were others.
expected<void> make_default_organization(const runtime::services& s) {
    runtime::command c;
    c.to = organization_address(s.store->who().default_organization);
    c.type = wire_name<create_organization>::value;
    c.payload = to_json(create_organization{"Default", "default", {}, organization_plan::enterprise, {}});
    c.principal = "node";
    if (const auto made = runtime::ask(s, std::move(c)); !made && made.error().code != code::already_exists) {
        return made.error();
    }
    return {};
}

} // namespace

identity::identity(const runtime::services& s)
    : services(s),
      by_account_everywhere({.free = everywhere_failures_free}),
      by_address({.free = address_failures_free, .forgive_ms = address_forgive_ms}),
      passwords(std::max(1U, std::thread::hardware_concurrency() / 2)) {}

identity::~identity() { stop(); }

void identity::stop() {
    issuers.reset(); // what it has begun may still ask for a password's threads
    passwords.stop();
}

void identity::rotate_keys_when_due() {
    const auto now = system_now();
    if (!keys->is_due(now)) {
        return;
    }
    passwords.run([this, now] { // it waits for the journal
        if (!keys->is_due(now)) {
            return;
        }
        if (const auto rotated = keys->rotate(now); !rotated) {
            log_for("identity").error("the signing key was not rotated: {}", rotated.error().detail);
        }
    });
}

expected<std::unique_ptr<identity>> identity::open(const runtime::services& s, node_secrets secrets,
                                                   const admin_key& key) {
    if (auto made = make_default_organization(s); !made) {
        return made.error();
    }
    std::unique_ptr<identity> out(new identity(s));
    auto providers = runtime::parse_oidc_providers(s.settings->identity_oidc);
    if (!providers) {
        return providers.error();
    }
    if (!providers->empty()) {
        out->issuers = std::make_unique<oidc_desk>(std::move(*providers), secrets.configured);
    }
    auto keys = identity_keys::open(std::move(secrets), to_string(s.store->who().cluster),
                                    s.settings->identity_access_token_ms);
    if (!keys) {
        return keys.error();
    }
    out->keys = std::move(*keys);
    out->doors = access::open(s, *out->keys, key);
    return out;
}

std::vector<net::route> identity_routes(identity& me) {
    std::vector<net::route> out;
    for (auto part :
         {login_routes(me), profile_routes(me), mfa_routes(me), oidc_routes(me), linked_identity_routes(me),
          user_routes(me), api_key_routes(me), organization_routes(me), member_routes(me), deletion_routes(me)}) {
        std::move(part.begin(), part.end(), std::back_inserter(out));
    }
    return out;
}

} // namespace troupe::actors
