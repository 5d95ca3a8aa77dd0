#pragma once

#include "runtime/cluster/coordinator.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What is said to etcd's JSON gateway and what it answers. Pure: no I/O, no state.
///
/// The gateway writes 64-bit integers as strings, bytes in base64, and leaves out what is false, 0 or empty.
namespace troupe::net::etcd {

namespace cluster = runtime::cluster;

/// A request: always a POST with a body of JSON.
struct request {
    std::string path;
    std::string body;
};

/// All keys of the map begin with `prefix`, which is not empty.
request read_map(std::string_view prefix);
/// Whether anything changed after `revision`, asked of a quorum: the number of keys then and now, and a newer key.
request compare_map(std::string_view prefix, std::uint64_t revision);
request watch_map(std::string_view prefix, std::uint64_t from_revision);
/// `lease`: of the leased changes.
request commit_transaction(std::string_view prefix, const cluster::transaction& what, std::uint64_t lease);
request grant_lease(std::int64_t ttl_s);
request keep_lease(std::uint64_t lease);
request revoke_lease(std::uint64_t lease);
request authenticate(std::string_view user, std::string_view password);

/// What the gateway answered to a request.
struct answer {
    int status = 0;
    std::string body;
};

/// Of every good answer.
struct answer_header {
    std::uint64_t cluster = 0;
    std::uint64_t revision = 0; ///< Of the whole of etcd, at the member that answers.

    bool operator==(const answer_header&) const = default;
};

struct map_answer {
    answer_header header;
    std::vector<cluster::entry> entries; ///< Without the prefix.
};

struct comparison_answer {
    answer_header header;
    bool changed = false;
};

struct lease_answer {
    answer_header header;
    std::uint64_t id = 0;
    std::int64_t ttl_s = 0; ///< 0: there is no such lease (any more).
};

/// A line of a watch.
struct watch_answer {
    answer_header header;
    bool created = false;
    bool canceled = false;
    bool compacted = false;               ///< Canceled because changes since `from_revision` are gone.
    std::string why;                      ///< Of a canceled one.
    std::vector<cluster::change> changes; ///< Without the prefix; whole revisions.
    std::vector<std::uint64_t> revisions; ///< Of each change.
    std::uint64_t first_revision = 0;     ///< Of the changes; 0 without any.
    std::uint64_t last_revision = 0;

    /// With neither: all changes up to the header's revision have been told.
    [[nodiscard]] bool is_progress() const { return !created && !canceled && changes.empty(); }
};

/// Why a request was not served. A sentence for people in `what.detail`.
struct failure {
    problem what;                 ///< `unknown_outcome`: it may have been applied. Any other code: certainly not.
    bool bad_token = false;       ///< Authenticate again, and say it again.
    bool no_lease = false;        ///< The lease has ended.
    bool compacted = false;       ///< The revision is gone.
    bool endpoint_is_well = true; ///< False: others may be able to do it.
};

/// Nothing: the answer is a good one.
std::optional<failure> failure_of(const answer& from);

/// All of these are for answers without a failure; `internal` says what is wrong with one that cannot be understood.
expected<map_answer> read_map_answer(std::string_view body, std::string_view prefix);
expected<comparison_answer> read_comparison_answer(std::string_view body);
expected<cluster::transaction_result> read_transaction_answer(std::string_view body, std::string_view prefix);
expected<lease_answer> read_lease_answer(std::string_view body);
expected<std::string> read_token_answer(std::string_view body);
/// `own_lease`: changes under it are `leased`.
expected<watch_answer> read_watch_line(std::string_view line, std::string_view prefix, std::uint64_t own_lease);

} // namespace troupe::net::etcd
