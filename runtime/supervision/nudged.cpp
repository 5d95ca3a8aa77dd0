#include "runtime/supervision/nudged.hpp"

#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/clock.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <chrono>
#include <utility>

namespace troupe::runtime {

namespace {

using look_atom = caf::atom_constant<caf::atom("look")>;
using time_atom = caf::atom_constant<caf::atom("time")>;

class nudged_actor : public caf::event_based_actor {
public:
    nudged_actor(caf::actor_config& config, const nudged_part& part, std::string path, dead_letters* letters)
        : caf::event_based_actor(config), start_(part.start), path_(std::move(path)), letters_(letters) {}

    const char* name() const override { return "nudged"; }

    caf::behavior make_behavior() override {
        report_failures(*this, path_, letters_);
        look_ = start_([nudged = nudged_, to = address()] {
            const auto actor = nudged->exchange(true) ? caf::actor() : caf::actor_cast<caf::actor>(to);
            if (actor) {
                caf::anon_send(actor, look_atom::value);
            }
        });
        look();
        return {[this](look_atom) {
                    *nudged_ = false;
                    look();
                },
                [this](time_atom, std::uint64_t number) {
                    if (number == timer_) {
                        wakes_at_ms_.reset();
                        look();
                    }
                }};
    }

    void on_exit() override {
        look_ = nullptr;
        start_ = nullptr;
    }

private:
    void look() {
        const auto after_ms = look_();
        const auto now_ms = monotonic_ms();
        if (after_ms && (!wakes_at_ms_ || now_ms + *after_ms < *wakes_at_ms_)) {
            wakes_at_ms_ = now_ms + *after_ms;
            delayed_send(this, std::chrono::milliseconds(*after_ms), time_atom::value, ++timer_);
        }
    }

    std::function<nudged_part::look(nudge)> start_;
    const std::string path_;
    dead_letters* letters_;
    nudged_part::look look_;
    const std::shared_ptr<std::atomic<bool>> nudged_ = std::make_shared<std::atomic<bool>>(false);
    std::optional<std::int64_t> wakes_at_ms_;
    std::uint64_t timer_ = 0; ///< The one that counts.
};

} // namespace

supervised_child nudged_child(nudged_part part) {
    child_spec spec{.id = part.id, .label = part.label};
    return {std::move(spec), [part = std::move(part)](const child_context& child) -> caf::actor {
                child.entry.show(part.figures);
                return child.system.spawn<nudged_actor>(part, child.path, child.letters);
            }};
}

} // namespace troupe::runtime
