#pragma once

#include "net/etcd/etcd_wire.hpp"
#include "net/line_splitter.hpp"
#include "runtime/cluster/coordinator.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace troupe::net::etcd {

struct session_settings {
    std::vector<std::string> endpoints; ///< Their names, for sentences.
    std::string prefix;
    std::int64_t ttl_ms = 10'000;
    std::int64_t request_time_out_ms = 3'000;
    std::uint64_t seed = 0; ///< Of jitter, and of the endpoint to begin with.
};

// ---- What the shell is to do.

/// Send this and say `answered` or `failed`, once, unless the endpoint is left before.
struct ask {
    std::uint64_t id = 0;
    std::size_t endpoint = 0;
    request what;
    std::int64_t time_out_ms = 0;
};
/// On a connection of its own; say `watch_piece` and, when it ends by itself, `watch_ended`.
struct open_watch {
    std::uint64_t id = 0;
    std::size_t endpoint = 0;
    request what;
    std::int64_t time_out_ms = 0; ///< Until its first piece comes.
};
struct close_watch {
    std::uint64_t id = 0;
};
/// Close all connections to it; nothing more is heard of what was asked there.
struct leave {
    std::size_t endpoint = 0;
};
// Tell the listener.
struct tell_map {
    std::vector<cluster::entry> all;
    std::uint64_t revision = 0;
};
struct tell_changes {
    std::vector<cluster::change> changes;
    std::uint64_t revision = 0;
};
struct tell_lease {
    cluster::lease now;
};
struct tell_reachable {
    bool reachable = false;
    std::string why;
};
using action = std::variant<ask, open_watch, close_watch, leave, tell_map, tell_changes, tell_lease, tell_reachable>;

/// This node at etcd: which endpoint it uses, its watch, its lease. A state machine without I/O and clock; all times
/// are of the monotonic clock. Everything goes to one endpoint at a time. When that fails, all are asked for what shows
/// that they have a quorum, a little after each other, and the first that answers is used.
///
/// The watch is not trusted to be complete: now and then a quorum is asked whether anything changed after what it told.
/// When that is so twice and nothing came between, the map is read anew.
class session {
public:
    explicit session(session_settings s);

    void start(std::int64_t now_ms);
    /// Gives the lease back; `is_over` when that is done or was given up. Nobody is told anything any more.
    void stop(std::int64_t now_ms);
    [[nodiscard]] bool is_over() const { return stopping_ && pending_.empty(); }

    void answered(std::uint64_t id, const answer& with, std::int64_t now_ms);
    /// No answer: `why` is a sentence's part ("Connection refused").
    void failed(std::uint64_t id, const std::string& why, std::int64_t now_ms);
    void watch_piece(std::uint64_t id, std::string_view bytes, std::int64_t now_ms);
    void watch_ended(std::uint64_t id, const std::string& why, std::int64_t now_ms);
    /// A commit was refused because this lease has ended.
    void lease_gone(std::uint64_t lease, std::int64_t now_ms);
    /// To be called at `wake_ms`, or at any other time.
    void tick(std::int64_t now_ms);
    [[nodiscard]] std::int64_t wake_ms() const;

    /// What is to be done, in this order.
    std::vector<action> take_actions();

    /// Whether what that watch says is still of interest.
    [[nodiscard]] bool wants_watch(std::uint64_t id) const { return id != 0 && id == watch_; }
    /// Where commits may be sent now.
    [[nodiscard]] std::optional<std::size_t> endpoint() const { return current_; }
    /// Whether commits have to fail at once.
    [[nodiscard]] bool is_unreachable() const { return reachable_ == false; }
    [[nodiscard]] const std::string& why_unreachable() const { return why_; }
    [[nodiscard]] std::uint64_t lease_id() const { return lease_.id; }

    static constexpr std::size_t watch_line_bytes_max = 64 << 20; ///< Also of any other answer.

private:
    enum class purpose : std::uint8_t { hello, read_again, compare, lease, revoke };
    struct asked {
        purpose what = purpose::hello;
        std::size_t endpoint = 0;
        std::int64_t sent_ms = 0;
        std::uint64_t about = 0; ///< The lease, 0 for a new one; the last revision told before a comparison.
        bool whole_map = false;  ///< Of a hello.
    };

    void send(purpose what, std::size_t endpoint, request body, std::int64_t now_ms, std::uint64_t about = 0,
              bool whole_map = false);
    void search(std::size_t first, std::int64_t at_ms);
    void ask_next(std::int64_t now_ms);
    void hello_failed(std::size_t endpoint, const std::string& why, std::int64_t now_ms);
    void hello_answered(const asked& to, const answer& with, std::int64_t now_ms);
    void connect(std::size_t endpoint, std::int64_t now_ms);
    void endpoint_failed(const std::string& why, std::int64_t now_ms);
    void note_failure(std::int64_t now_ms);
    void say_unreachable(std::int64_t now_ms);

    void watch();
    void tell_each_revision(const watch_answer& said);
    bool watch_line(std::string_view line, std::int64_t now_ms);
    void read_again(std::int64_t now_ms);
    void take_map(map_answer map);
    void compared(const asked& to, const answer& with, std::int64_t now_ms);

    void hold_lease(std::int64_t now_ms);
    void lease_answered(const asked& to, const answer& with, std::int64_t now_ms);
    void set_lease(cluster::lease now);
    [[nodiscard]] bool asks(purpose what) const;
    [[nodiscard]] std::int64_t back_off_ms();

    const session_settings settings_;
    const std::int64_t interval_ms_; ///< Between keepalives, and between comparisons.
    const std::int64_t time_out_ms_; ///< Of requests of its own.
    std::vector<action> actions_;
    std::minstd_rand random_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, asked> pending_;
    bool stopping_ = false;

    std::optional<std::size_t> current_;
    std::vector<std::size_t> to_ask_;    ///< Of this search, the next one last.
    std::int64_t ask_next_ms_ = 0;       ///< When there is one to ask.
    std::vector<std::string> last_whys_; ///< Of each endpoint.
    unsigned failures_ = 0;              ///< Since all was well for a while.
    std::int64_t lost_ms_ = 0;           ///< When that began.
    std::uint64_t cluster_ = 0;          ///< etcd's own id of it; 0: not known yet.
    std::optional<bool> reachable_;      ///< As it was told.
    std::string why_;

    bool has_map_ = false;
    std::uint64_t told_ = 0;   ///< The last revision that the listener knows of.
    std::uint64_t resume_ = 0; ///< The map is the same here as at `told_`; a watch begins after it.
    std::uint64_t watch_ = 0;  ///< 0: there is none.
    bool watch_created_ = false;
    line_splitter lines_{watch_line_bytes_max};
    std::int64_t compare_ms_ = 0;
    std::optional<std::uint64_t> suspected_; ///< The last revision told when something newer was seen.

    cluster::lease lease_;
    std::int64_t hold_ms_ = 0; ///< When to extend the lease, or to ask for one.
};

} // namespace troupe::net::etcd
