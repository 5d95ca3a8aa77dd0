#pragma once

#include "actors/common/activity_text.hpp"
#include "runtime/services.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Reads what happened, as lines that people read. Thread-safe; blocks on reads of the tables.
namespace troupe::actors {

struct activity_filter {
    std::map<std::string, std::string> equal; ///< type, severity, event_type, actor, kind
    std::string words;                        ///< In the text, whatever their case.

    [[nodiscard]] bool shows(const activity_document& a) const;
};

struct activity_query {
    std::size_t limit = 50;
    std::string cursor; ///< From the page before.
    activity_filter filter;
};

struct activity_page {
    std::vector<activity_document> items; ///< Newest first.
    std::optional<std::string> next_cursor;
};

/// What happened in an organization, from the audit log, which is brought up to date first.
expected<activity_page> read_activities(const runtime::services& s, const uuid& organization,
                                        const activity_query& query);

/// What happened to one entity, from its history.
expected<activity_page> read_activities_of(const runtime::services& s, const entity_address& a,
                                           const activity_query& query);

} // namespace troupe::actors
