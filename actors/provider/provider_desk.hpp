#pragma once

#include "actors/provider/provider_gate.hpp"
#include "net/model/model.hpp"
#include "runtime/supervision/nudged.hpp"
#include "runtime/supervision/tree.hpp"
#include "schemas/base/clock.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::actors {

/// A call that a thread wants to make.
struct call_wish {
    std::string caller;                 ///< Callers take turns.
    std::uint64_t input_tokens = 0;     ///< Estimated.
    std::int64_t patience_ms = 0;       ///< How long it waits for a place; 0: now or not at all.
    std::int64_t known_patience_ms = 0; ///< For a moment that is known: later ones are refused at once.
};

struct provider_clocks {
    std::function<std::int64_t()> monotonic = monotonic_ms;
    std::function<timestamp()> wall = system_now;
};

/// One provider: an actor with its gate, and the place where the threads of runs wait for it. The actor may fail and
/// be started anew: the new one takes over who waits and who is at work. Thread-safe; lives in a `shared_ptr`.
class provider_desk : public std::enable_shared_from_this<provider_desk> {
public:
    provider_desk(std::string name, gate_settings settings, provider_clocks clocks = {});

    /// A place for one call, given back at its end, whatever that is.
    class lease {
    public:
        lease(lease&& other) noexcept = default;
        lease& operator=(lease&&) = delete;
        ~lease();

        /// Makes the call, and tells how it ended.
        expected<net::model_reply> call(net::model& model, const net::model_request& request, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token);

    private:
        friend class provider_desk;
        lease(std::shared_ptr<provider_desk> desk, std::uint64_t ticket) : desk_(std::move(desk)), ticket_(ticket) {}
        std::shared_ptr<provider_desk> desk_; ///< Null: given back.
        std::uint64_t ticket_;
    };

    /// Waits for a place. `cancelled` when `stop` comes first, else what the gate refuses with. Blocks.
    expected<lease> admit(const call_wish& wish, std::stop_token stop);

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] provider_health health() const;

    /// The actor, for its supervisor.
    runtime::nudged_part part();

private:
    struct open_call {
        gate_wish wish;
        std::optional<expected<void>> answer;
        std::condition_variable_any changed;
    };
    struct asked {
        std::uint64_t ticket = 0;
        gate_wish wish;
    };
    struct left {
        std::uint64_t ticket = 0;
    };
    struct finished {
        std::uint64_t ticket = 0;
        gate_outcome outcome;
    };
    using change = std::variant<asked, left, finished>;
    struct keeper;

    void tell(change c); ///< Under the mutex.
    void finish(std::uint64_t ticket, gate_outcome outcome);
    /// For the actor: a gate that knows who waits and who is at work.
    provider_gate attach(runtime::nudge wake);
    std::vector<change> take_changes();
    /// Those that nobody waits for any more are given back.
    std::vector<std::uint64_t> give(std::vector<gate_answer> answers);
    void show(provider_health health);

    const std::string name_;
    const gate_settings settings_;
    const provider_clocks clocks_;
    const std::shared_ptr<runtime::actor_figures> figures_ = std::make_shared<runtime::actor_figures>();
    mutable std::mutex mutex_;
    runtime::nudge wake_; ///< None: it has not started.
    std::uint64_t last_ticket_ = 0;
    std::map<std::uint64_t, std::shared_ptr<open_call>> calls_; ///< That wait or are at work.
    std::vector<change> changes_;                               ///< That the actor has not seen.
    provider_health health_;
};

/// For the gate and for routes: four bytes a token, and what images take.
std::uint64_t estimate_input_tokens(const net::model_request& request);

/// The model, each call of which waits for a place at the desk.
std::shared_ptr<net::model> gated(std::shared_ptr<provider_desk> desk, std::shared_ptr<net::model> model);

} // namespace troupe::actors
