#include "actors/application/about_api.hpp"

namespace troupe::actors {

net::api_info about_api() {
    return {
        TROUPE_VERSION,
        {{"api-keys", "Keys of people, agents and services: shown once, with scopes and an end."},
         {"auth", "Logging in, the caller's own account and sessions, the second factor, and what the caller may do."},
         {"organizations", "Organizations, their members, roles and invitations; limits, usage and invoices."},
         {"users", "Accounts, for administrators of the node."},
         {"agents", "Who works: settings, state, and a durable queue of tasks."},
         {"approvals", "Questions and tool calls that wait for a person."},
         {"audit", "Who did what, when and from where: every change and every refused request, chained."},
         {"compliance", "Checks of an organization and of the node, with evidence, score and history."},
         {"backups", "Copies of the node's data, made while it works."},
         {"live",
          "What happens, while it happens: streams with a path of their own. The others are in the AsyncAPI document."},
         {"projects", "Files that agents work on, kept in the log; a folder on the node is a cache of it."},
         {"runs", "An agent's work on one goal: model calls and tool calls, durable step by step."},
         {"secrets", "Values that are kept encrypted and never shown again."},
         {"settings", "Settings of organizations with versions, profiles and templates; their security policies."},
         {"cluster", "The nodes of a cluster, and how the shards are spread over them."},
         {"system", "The node itself: health, load, supervision, events, and this description."},
         {"tasks", "What is to be done: on the board, in an agent's queue, with messages."}}};
}

} // namespace troupe::actors
