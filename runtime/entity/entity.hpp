#pragma once

#include "schemas/base/client.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/features.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/quota.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The vocabulary of an event-sourced entity. Nothing here knows CAF, RocksDB, a clock or I/O.
///
/// A user's model is a struct of static pure functions; `make_kind` (runtime/entity/kind.hpp) hosts it:
///
///     struct counter_model {
///         static constexpr std::string_view kind = "counter";
///         using state = counter_state;                    // described; its JSON is the snapshot
///         using command = std::variant<add>;              // described and TROUPE_NAMED
///         using event = std::variant<added>;              // described and TROUPE_NAMED
///         static expected<std::vector<event>> decide(const state&, const command&, const context&);
///         static state apply(state, const event&, const event_context&);
///         static std::vector<effect> resume(const state&);
///         static entity_view view(const state&, const view_context&);
///         // optional: the documents of a collection that an event adds ("messages" of a task)
///         static std::vector<item> items(const state& after, const event&, const event_context&);
///         // optional: the names of the blobs that the state needs; a blob that no state names is collected
///         static std::vector<std::string_view> blobs(const state&);
///         // optional: the person whose it is; erasing them makes it unreadable. Without it, it is its organization's
///         static uuid subject(const state&);
///         // optional: what an event used, counted by the day ("tasks"), and what a state holds of what organizations
///         // have together ("agents"): schemas/quota.hpp
///         static std::vector<usage_amount> uses(const state& after, const event&);
///         static std::vector<usage_amount> holds(const state&);
///     };
namespace troupe::runtime {

/// A request to an entity: data, so that it can be held, offered again and sent to another node.
struct command {
    entity_address to;
    std::string type;                           ///< Wire name of one alternative of the model's `command`.
    std::string payload = "{}";                 ///< Its JSON.
    std::string id = {};                        ///< De-duplication key within the entity; empty: never de-duplicated.
    std::uint64_t request_hash = 0;             ///< The same id with another hash is refused (`idempotency_mismatch`).
    std::string principal = {};                 ///< Who: "key/<id>", "user/<id>", "run/<id>", "node".
    std::string cause = {};                     ///< Id of the command or event this follows from.
    std::string correlation = {};               ///< Request id of the outermost request.
    std::string trace = {};                     ///< W3C traceparent.
    client_info client = {};                    ///< From where, for the audit log.
    std::int64_t deadline_ms = 0;               ///< On the monotonic clock; 0: none.
    std::optional<std::uint64_t> if_match = {}; ///< Expected version, judged at the moment of decision.
};

/// The answer to an accepted command. It is on disk when this exists.
struct outcome {
    std::uint64_t version = 0; ///< The entity's version after the command: its ETag.
    bool repeated = false;     ///< The answer of an earlier command with the same id.
    std::string document;      ///< The model's answer, by default its public document.
};

using reply = expected<outcome>;

/// Where an answer goes: called exactly once, from any thread; must not block.
using reply_port = std::function<void(reply)>;

/// What `decide` may know beyond state and command. Fixed by tests, filled in by the host.
struct context {
    entity_address self;
    std::uint64_t version = 0; ///< Events so far; 0: the entity does not exist yet.
    timestamp now;
    std::string_view principal;
    std::function<uuid()> make_id; ///< Fresh ids; what it returned is recorded in the events.
    /// Since then the node has been up, awake, and its clock was not set: a span of time that began earlier is no
    /// measure of work that was done.
    timestamp even_since = {};
    /// See `take` and `take_part`; none: without limits. `limit`: of a part, else `no_quota`.
    std::function<expected<void>(std::string_view counts, std::int64_t amount, std::int64_t limit)> quota = {};
    /// The replica that decides, and performs what follows: elsewhere nobody sees what it began outside of the journal.
    uuid node = {};

    /// What may be stored (schemas/base/features.hpp); null: everything that this program knows.
    const feature_set* features = nullptr;

    /// Takes so much of what the organization's plan allows. It is counted by what the events use and the state holds
    /// when they are committed (`uses`, `holds` of the model), and given back when they are not. `quota_exceeded`,
    /// `organization_suspended`.
    [[nodiscard]] expected<void> take(std::string_view counts, std::int64_t amount) const {
        return quota ? quota(counts, amount, no_quota) : expected<void>();
    }
    /// As `take`, of a part (`part_of_count`) that has a limit of its own, 0 or more.
    [[nodiscard]] expected<void> take_part(std::string_view counts, std::int64_t amount, std::int64_t limit) const {
        return quota ? quota(counts, amount, limit) : expected<void>();
    }
};

/// What `apply` knows of the record that carries the event.
struct event_context {
    uuid id;                   ///< The entity's id.
    std::uint64_t version = 0; ///< This event's number in its entity, from 1.
    timestamp time;            ///< Record time: replay reads time from here.
    std::string_view principal;
};

struct view_context {
    uuid id;
    std::uint64_t version = 0;
};

/// One way to find an entity in lists: all with the same `filter`, ordered by `sort`, then id.
/// filter "" lists all of the kind; "status=inbox" those of one value; also "name=scout" for human keys.
struct index_key {
    std::string filter;
    std::string sort; ///< Compared bytewise: see `sort_key`.

    bool operator==(const index_key&) const = default;
};

/// Bytes that order as the value does.
std::string sort_key(timestamp t);
std::string sort_key(std::uint64_t number);

/// The public document and its index keys. `exists = false` (after a delete) removes both.
struct entity_view {
    std::string document; ///< JSON object.
    std::vector<index_key> keys = {};
    bool exists = true;
};

/// A document of a collection inside an entity, listed by key: a task's message, a run's step.
struct item {
    std::string collection; ///< Begins with `storage::private_mark` when its keys are what users wrote.
    std::string key;        ///< Unique in its collection, ordered bytewise; the same key replaces.
    std::string document;
};

/// A durable alarm: at `due` the entity gets the command. It stays due until `resume` stops naming it.
struct timer_effect {
    std::string key;
    timestamp due;
    std::string type;
    std::string payload = "{}";
};

/// A command to another entity, at least once, de-duplicated by its receiver through (sender, key).
/// Its answer comes back as the command `then` with the payload of `schemas/effect_settled.hpp`.
struct send_effect {
    std::string key;
    entity_address to;
    std::string type;
    std::string payload;
    std::string then;
};

/// Work outside the entity (a model call, a tool), done by the kind's performer on a thread of its own.
struct perform_effect {
    std::string key;  ///< Stable for one attempt: "tool/3/0/1". When `resume` stops naming it, it is cancelled.
    std::string type; ///< What the performer switches on.
    std::string payload = "{}";
    bool survives =
        false; ///< Goes on when its entity leaves memory (a command under the runner); otherwise it is stopped.
};

/// What an entity owes. `resume` alone defines it; the host performs the difference between what is owed
/// and what is in flight after every commit, and cancels what is owed no more. All of it again after a crash.
using effect = std::variant<timer_effect, send_effect, perform_effect>;

/// A command of a performer to its own entity: the outcome of the effect, or progress on the way.
struct self_command {
    std::string type;
    std::string payload = "{}";
    std::string id = {}; ///< De-duplication key; by default derived from the effect's key.
};

/// What a performer may use while it works. All thread-safe.
class effect_context {
public:
    virtual ~effect_context() = default;
    /// The entity that owes the effect.
    [[nodiscard]] virtual const entity_address& self() const = 0;
    /// Asked to stop: cancelled, deposed or draining. Child processes and streams have to end then.
    [[nodiscard]] virtual std::stop_token stop() const = 0;
    /// Shows something live that is not journaled (tokens, output). `data` is JSON.
    virtual void publish(std::string_view channel, std::string_view kind, std::string data) = 0;
    /// Sends a command to any entity and waits for its answer.
    virtual reply ask(command c) = 0;
    /// Journals progress of the own entity and waits until it is durable.
    virtual reply tell_self(self_command c) = 0;
};

} // namespace troupe::runtime
