#include "actors/application/settings_links.hpp"

#include "actors/secret/value_seals.hpp"
#include "actors/settings/settings_reads.hpp"
#include "actors/tool/policies.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/organization_rules.hpp"

#include <cstring>
#include <utility>

namespace troupe::actors {

settings_parts link_settings(const runtime::services& s, const secret_vault& vault, const identity& who) {
    settings_parts out;
    out.services = &s;
    out.make_keys = [&s, &vault](const net::request& r, std::function<void(expected<void>)> done) {
        value_seals(s, vault).make_keys(r, std::move(done));
    };
    out.seal = [&s, &vault](const uuid& organization, std::string_view place, std::string_view value) {
        return value_seals(s, vault).seal(organization, place, value);
    };
    out.unseal = [&s, &vault](const uuid& organization, std::string_view place, std::string_view sealed) {
        return value_seals(s, vault).unseal(organization, place, sealed);
    };
    out.reveal = [&vault](const uuid& organization, std::string_view name) { return vault.reveal(organization, name); };
    out.has_secret = [&vault](const uuid& organization, std::string_view name) -> expected<bool> {
        const auto found = vault.sealed(organization, name);
        return found ? expected<bool>(!found->sealed.empty()) : found.error();
    };
    out.keyed_hash = [&who](std::string_view text) {
        const auto mac = hmac_sha256(who.keys->opaque_key(), text);
        std::uint64_t hash = 0;
        std::memcpy(&hash, mac.data(), sizeof hash);
        return hash;
    };
    out.check_recent = [&who](const net::principal& caller) { return who.doors->check_recent(caller); };
    out.author = [&who](const net::request& r) { return who.doors->facts_of(r); };
    return out;
}

expected<std::map<std::string, tool_policy>> rules_of_organization(const storage::store& s, const uuid& organization,
                                                                   std::string_view kind) {
    const auto now = read_settings(s, organization);
    if (!now) {
        return now.error();
    }
    const auto content = now->shown();
    const auto values = content.find(std::string(base_place));
    const auto read = values == content.end() ? expected<organization_rules>(organization_rules{})
                                              : parse_organization_rules(values->second, "/values");
    if (!read) {
        return read.error();
    }
    std::map<std::string, tool_policy> out;
    if (const auto own = read->kinds.find(std::string(kind)); own != read->kinds.end()) {
        out = own->second;
    }
    add_policies(out, read->all);
    if (auto known = check_policies(out); !known) {
        return problem{known.error().code,
                       "The organization's settings tools.rules and tools.kind_rules: " + known.error().detail,
                       known.error().errors};
    }
    return out;
}

} // namespace troupe::actors
