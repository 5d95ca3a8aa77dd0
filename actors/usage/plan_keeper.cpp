#include "actors/usage/plan_keeper.hpp"

#include "schemas/organization.hpp"
#include "schemas/quota.hpp"
#include "storage/usage.hpp"
#include "storage/views.hpp"

#include <array>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::string_view organization_kind = "organization";

} // namespace

expected<std::unique_ptr<plan_keeper>> plan_keeper::open(const runtime::services& services) {
    const auto& c = *services.settings;
    std::array<quota_limits, 3> plans; // in the order of `organization_plan`
    const std::array texts{&c.plans_free, &c.plans_pro, &c.plans_enterprise};
    for (std::size_t i = 0; i < plans.size(); ++i) {
        auto parsed = parse_quota_limits(*texts[i]);
        if (!parsed) {
            return parsed.error();
        }
        plans[i] = *parsed;
    }
    auto out = std::make_unique<plan_keeper>();
    out->changes_ = services.live->observe(system_organization,
                                           [store = services.store](const entity_address& changed, std::string_view) {
                                               if (changed.kind == organization_kind) {
                                                   store->usage().forget(changed.id);
                                               }
                                           });
    services.store->usage().allow([store = services.store, plans](const uuid& organization) -> expected<allowance> {
        const entity_address of{system_organization, std::string(organization_kind), organization};
        const auto found = storage::read_document(*store, of);
        if (!found) {
            return found.error();
        }
        if (!*found) {
            return allowance{}; // the default one before its first start is over, or none of ours
        }
        const auto document = from_json<organization_document>((*found)->json, strictness::stored);
        if (!document) {
            return document.error();
        }
        return allowance{
            std::string(detail::enum_name(document->plan)),
            merged(plans[static_cast<std::size_t>(document->plan)], document->limits.value_or(quota_limits{})),
            document->status == organization_status::suspended};
    });
    return out;
}

} // namespace troupe::actors
