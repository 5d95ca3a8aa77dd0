#include "actors/secret/value_seals.hpp"

#include "net/http/handlers.hpp"

#include <utility>

namespace troupe::actors {
namespace {

/// No name of a secret has a slash, so that none of its values fits here.
secret_place place_of(const uuid& organization, std::string_view place) {
    return {organization, std::string(place), 0};
}

} // namespace

void value_seals::make_keys(const net::request& r, std::function<void(expected<void>)> done) const {
    const auto ring = vault_.keyring(r.who.organization);
    if (!ring || *ring) {
        return done(ring ? expected<void>() : expected<void>(ring.error()));
    }
    auto c = net::caller_command(r, keyring_address(r.who.organization), wire_name<add_data_keys>::value,
                                 to_json(add_data_keys{vault_.make_keys(r.who.organization, 0, 2)}));
    services_.submit(std::move(c), [done = std::move(done)](const runtime::reply& made) {
        const bool there = made || made.error().code == code::conflict; // somebody else made them just now
        done(there ? expected<void>() : expected<void>(made.error()));
    });
}

expected<std::string> value_seals::seal(const uuid& organization, std::string_view place,
                                        std::string_view value) const {
    const auto ring = vault_.keyring(organization);
    if (!ring || !*ring) {
        return ring ? problem{code::not_found, "this organization has no keys yet"} : ring.error();
    }
    const auto key = vault_.open_key(**ring, (*ring)->current());
    return key ? expected<std::string>(
                     seal_secret(key->bytes.text(), key->number, place_of(organization, place), value))
               : key.error();
}

expected<std::string> value_seals::unseal(const uuid& organization, std::string_view place,
                                          std::string_view sealed) const {
    const auto ring = vault_.keyring(organization);
    if (!ring) {
        return ring.error();
    }
    const auto number = data_key_of(sealed);
    const auto key = number && *ring ? vault_.open_key(**ring, *number)
                                     : expected<data_key>(problem{code::secrets_locked, "it has no key"});
    auto value = key ? open_secret(key->bytes.text(), place_of(organization, place), sealed) : std::nullopt;
    return value ? expected<std::string>(std::move(*value))
                 : problem{code::secrets_locked, "what is sealed for '" + std::string(place) +
                                                     "' cannot be opened: it was changed, or belongs elsewhere; set it "
                                                     "again"};
}

} // namespace troupe::actors
