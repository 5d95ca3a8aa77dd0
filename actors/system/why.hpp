#pragma once

#include "schemas/base/described.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// `GET /why/{kind}/{id}`: what an entity waits for, in words. Pure.
namespace troupe::actors {

struct why_reason {
    std::string reason; ///< "approval", "question", "unknown_step", "back_off", "queue", "paused", "working", …
    std::optional<timestamp> since;
    std::string detail;
    std::string remedy; ///< What a person can do; empty: nothing has to be done.
};
BOOST_DESCRIBE_STRUCT(why_reason, (), (reason, since, detail, remedy))

struct why_document {
    std::string kind;
    uuid id;
    std::string summary;
    std::vector<why_reason> reasons;
};
BOOST_DESCRIBE_STRUCT(why_document, (), (kind, id, summary, reasons))

/// From the public document of a run, task, agent, approval or project. Other kinds get their status, if they have one.
why_document explain_waiting(std::string_view kind, const uuid& id, std::string_view document);

} // namespace troupe::actors
