#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"

/// The audit log as people and programs see it, and what is journaled for it alone.
namespace troupe {

enum class audit_result : std::uint8_t { success, failure, denied };
BOOST_DESCRIBE_ENUM(audit_result, success, failure, denied)

/// An item of GET /audit: somebody did something, or was refused.
struct audit_entry {
    std::string id; ///< Its place, for GET /audit/{id}.
    timestamp at;
    audit_result result = audit_result::success;
    std::string action;    ///< The event: "task_created", "request_denied".
    std::string principal; ///< "user/…", "key/…", "run/…", "node".
    std::string kind;      ///< Of the entity that changed.
    uuid entity_id;
    std::uint64_t version = 0; ///< Of the entity afterwards.
    std::string address;       ///< Empty: it did not come over the network.
    std::string user_agent;
    std::string request_id;   ///< Of the outermost request.
    std::string cause;        ///< Of what an entity did by itself: the command that it follows from.
    std::uint64_t number = 0; ///< In its chain, from 1.
    std::string record;       ///< SHA-256 of the journal's record.
    std::string chain;        ///< SHA-256 that covers this line and all lines before it.
    /// The event itself, while its history is kept. Never of accounts, sessions, keys and secrets, whose events hold
    /// hashes and ciphertext.
    std::optional<json::raw> details;
};
BOOST_DESCRIBE_STRUCT(audit_entry, (),
                      (id, at, result, action, principal, kind, entity_id, version, address, user_agent, request_id,
                       cause, number, record, chain, details))

/// The end of one chain.
struct audit_chain_end {
    uuid organization_id;
    std::uint32_t shard = 0;
    std::uint64_t number = 0; ///< Of its last line.
    std::string chain;        ///< Of that line.
};
BOOST_DESCRIBE_STRUCT(audit_chain_end, (), (organization_id, shard, number, chain))

/// GET /audit/anchor: where all chains end now. Kept elsewhere, it shows later that nothing before it was changed.
struct audit_anchor_document {
    timestamp at;
    std::vector<audit_chain_end> chains;
    std::string digest; ///< SHA-256 of them, a line "organization shard number chain" each: short enough to print.
};
BOOST_DESCRIBE_STRUCT(audit_anchor_document, (), (at, chains, digest))

/// POST /audit/verify
struct verify_audit_body {
    std::vector<audit_chain_end> chains;
    static constexpr field_rule rules[] = {
        {.name = "chains", .max = 4096, .doc = "Those of an anchor that was kept: they have to be part of the log."}};
};
BOOST_DESCRIBE_STRUCT(verify_audit_body, (), (chains))

struct audit_verification_document {
    bool good = false;
    std::uint64_t lines = 0;
    std::uint64_t chains = 0;
    std::uint64_t compared = 0; ///< Lines whose record is still in the journal, and is the same.
    std::uint64_t pending = 0;  ///< Records that have no line yet.
    std::uint64_t anchored = 0; ///< Ends of an anchor that were looked for.
    std::uint64_t bad_count = 0;
    std::vector<std::string> bad; ///< The first ones.
};
BOOST_DESCRIBE_STRUCT(audit_verification_document, (),
                      (good, lines, chains, compared, pending, anchored, bad_count, bad))

/// A request that the edge refused to its caller. The same ones of a second are noted together.
struct note_refusal {
    std::string method;
    std::string path;
    std::string operation; ///< Empty: there is no such route.
    std::string permission;
    std::int32_t status = 0;
    std::string code;
    std::uint64_t count = 1;
    timestamp first_at;
    timestamp last_at;
};
BOOST_DESCRIBE_STRUCT(note_refusal, (), (method, path, operation, permission, status, code, count, first_at, last_at))

/// The caller is known, or nobody, and may not.
struct request_denied {
    note_refusal refusal;
};
BOOST_DESCRIBE_STRUCT(request_denied, (), (refusal))

/// Somebody failed to prove who it is.
struct login_failed {
    note_refusal refusal;
};
BOOST_DESCRIBE_STRUCT(login_failed, (), (refusal))

/// What somebody wanted of the cluster. With `unknown_outcome` it may be done.
struct cluster_change_failed {
    std::uint64_t request = 0; ///< The version of the entity with which it was asked for.
    std::string code;
    std::string detail;
};
BOOST_DESCRIBE_STRUCT(cluster_change_failed, (), (request, code, detail))

} // namespace troupe

TROUPE_NAMED(troupe::note_refusal)
TROUPE_NAMED(troupe::request_denied)
TROUPE_NAMED(troupe::login_failed)
TROUPE_NAMED(troupe::cluster_change_failed)
