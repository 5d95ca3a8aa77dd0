#pragma once

#include "actors/common/debts.hpp"
#include "schemas/organization.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What organizations stored once: without limits of money. Never changes.
namespace troupe::actors {

/// An item of the collection "roles", under its name.
struct role_record {
    std::string name;
    std::string description;
    std::vector<std::string> permissions;
    bool removed = false;
};
BOOST_DESCRIBE_STRUCT(role_record, (), (name, description, permissions, removed))

} // namespace troupe::actors

namespace troupe::actors::v1 {

struct quota_limits {
    std::optional<std::int64_t> agents;
    std::optional<std::int64_t> tasks_per_day;
    std::optional<std::int64_t> storage_bytes;
    std::optional<std::int64_t> tokens_per_day;
};
BOOST_DESCRIBE_STRUCT(quota_limits, (), (agents, tasks_per_day, storage_bytes, tokens_per_day))

struct organization_updated {
    std::optional<std::string> name;
    std::optional<std::string> domain;
    std::optional<json::raw> settings;
    std::optional<organization_plan> plan;
    std::optional<organization_status> status;
    std::optional<timestamp> trial_ends_at;
    std::optional<v1::quota_limits> limits;
};
BOOST_DESCRIBE_STRUCT(organization_updated, (), (name, domain, settings, plan, status, trial_ends_at, limits))

struct organization_state {
    static constexpr int version = 1;
    uuid id;
    std::string name;
    std::string slug;
    std::string domain;
    organization_plan plan = organization_plan::free;
    organization_status status = organization_status::active;
    std::optional<timestamp> trial_ends_at;
    std::optional<v1::quota_limits> limits;
    json::raw settings;
    std::map<std::string, member_record> members;
    std::map<std::string, role_record> roles;
    std::map<std::string, invitation_document> invitations;
    std::string created_by;
    timestamp created_at;
    timestamp updated_at;
    debts owed;
    bool closing = false;
};
BOOST_DESCRIBE_STRUCT(organization_state, (),
                      (id, name, slug, domain, plan, status, trial_ends_at, limits, settings, members, roles,
                       invitations, created_by, created_at, updated_at, owed, closing))

} // namespace troupe::actors::v1
