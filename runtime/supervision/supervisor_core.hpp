#pragma once

#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a supervisor decides, without actors, clock or randomness of its own: OTP's semantics, plus back-off.
namespace troupe::runtime {

enum class restart_policy : std::uint8_t {
    permanent, ///< Always restarted.
    transient, ///< Restarted after a failure; a normal end is an end.
    temporary, ///< Never restarted.
};

/// Who is restarted when one child fails.
enum class restart_strategy : std::uint8_t {
    one_for_one,  ///< The child.
    one_for_all,  ///< All children.
    rest_for_one, ///< The child and those that were declared after it.
};

enum class child_kind : std::uint8_t { worker, supervisor };

struct child_spec {
    std::string id; ///< A path element, unique in its supervisor: letters, digits and `_ - . ~ : @`.
    restart_policy restart = restart_policy::permanent;
    std::int64_t shutdown_ms = 5000; ///< From the request to stop to the kill; 0: killed at once.
    child_kind kind = child_kind::worker;
    std::string label =
        {}; ///< What the tree shows as its kind: "committer", "mcp_connection"; empty: worker or supervisor.
    std::string strategy = {}; ///< Of a supervisor, for people; `supervisor_child` fills it in.
};

/// How long a restart waits: doubles with each failure up to `max_ms`, starts over after a quiet period.
struct back_off {
    std::int64_t first_ms = 100;
    std::int64_t max_ms = 30'000;
    double jitter = 0.2; ///< Up to this part of the wait is taken off at random, so that many do not come at once.
    std::int64_t quiet_ms = 60'000;
};

struct supervisor_spec {
    restart_strategy strategy = restart_strategy::one_for_one;
    std::size_t restarts_max = 5; ///< More failures than this within the window escalate.
    std::int64_t window_ms = 60'000;
    back_off wait = {};
    std::vector<child_spec> children = {}; ///< Started in this order, stopped in the reverse order.
};

/// How long an ordered shutdown of these children may take: each its own time and, after it, the time to be killed.
std::int64_t shutdown_ms_of(const std::vector<child_spec>& children);

/// For people: "permanent, 5000 ms to end"; of a supervisor its strategy too.
std::string describe(const child_spec& spec);
/// "one_for_one, up to 5 failures in 60 s".
std::string describe(const supervisor_spec& spec);

/// `invalid_request` names what makes no sense: a bad or repeated id, a negative time.
expected<void> validate(const supervisor_spec& spec);

/// Whether failures at `history` (ascending) and now are more than `restarts_max` within the window.
bool exceeds_intensity(const std::vector<std::int64_t>& history, std::int64_t now_ms, std::size_t restarts_max,
                       std::int64_t window_ms);

/// The wait before restart number `attempt` (from 0); `random` lies in [0, 1).
std::int64_t back_off_ms(const back_off& wait, std::uint32_t attempt, double random);

struct supervisor_action {
    enum class type : std::uint8_t {
        start,    ///< Start the child; a start that fails is reported as its exit.
        stop,     ///< Ask the child to end.
        kill,     ///< It did not end in time.
        abandon,  ///< It did not even end when killed: forget it, and say so loudly.
        finished, ///< All children ended after `shutdown`: end normally.
        escalate, ///< Too many failures, all children ended: end with `reason`.
    };
    type what = type::start;
    std::string child = {};
    std::string reason = {};

    bool operator==(const supervisor_action&) const = default;
};

/// The state of one supervisor. Each call says what happened and returns what to do, in order; afterwards the
/// shell calls `tick` at `next_due`. Times are milliseconds of any monotonic clock. Not thread-safe.
class supervisor_core {
public:
    using actions = std::vector<supervisor_action>;

    /// `spec` is valid. `random` gives numbers in [0, 1).
    supervisor_core(supervisor_spec spec, std::function<double()> random);

    actions start(std::int64_t now_ms);
    /// A child ended: because it was told to, by itself, or it could not be started.
    actions child_exited(std::string_view id, bool failed, std::string_view reason, std::int64_t now_ms);
    actions tick(std::int64_t now_ms);
    actions shutdown(std::int64_t now_ms);

    /// Adds a child at the end and starts it. `already_exists` for an id in use, `unavailable` while it ends.
    expected<actions> add_child(child_spec spec, std::int64_t now_ms);
    /// Stops the child and forgets it. `not_found` for an unknown id.
    expected<actions> remove_child(std::string_view id, std::int64_t now_ms);
    /// Stops the child and starts it again at once; counts as no failure. Also starts one that had ended.
    expected<actions> restart_child(std::string_view id, std::int64_t now_ms);

    /// When `tick` has something to do.
    [[nodiscard]] std::optional<std::int64_t> next_due() const;

    enum class child_state : std::uint8_t {
        ended, ///< Not running and not to be restarted.
        running,
        stopping, ///< Asked to end.
        killed,   ///< Killed, not yet gone.
        waiting,  ///< For its restart.
    };
    struct child {
        child_spec spec;
        child_state state = child_state::ended;
        std::uint32_t attempt = 0; ///< Failures in a row.
        std::optional<std::int64_t> last_failure_ms = {};
        std::int64_t restart_ms = 0;  ///< When it may start again.
        std::int64_t patience_ms = 0; ///< When the next step is taken against one that does not end.
        bool stop_wanted = false;     ///< Its turn to be stopped has not come.
        bool start_after_stop = false;
        bool remove_after_stop = false;
    };
    [[nodiscard]] const std::vector<child>& children() const { return children_; }
    [[nodiscard]] const child* find(std::string_view id) const;
    [[nodiscard]] const supervisor_spec& spec() const { return spec_; }

private:
    enum class phase : std::uint8_t { running, shutting_down, escalating, over };

    child* lookup(std::string_view id);
    void child_failed(std::size_t index, std::string_view reason, std::int64_t now_ms);
    void restart_from(std::size_t begin);
    void stop_all(phase next);
    void settle(child& c);
    [[nodiscard]] bool may_start() const;
    void proceed(std::int64_t now_ms, actions& out);

    supervisor_spec spec_;
    std::function<double()> random_;
    std::vector<child> children_;
    std::vector<std::int64_t> failures_; ///< Within the window, ascending.
    phase phase_ = phase::running;
    std::string escalation_;
};

} // namespace troupe::runtime
