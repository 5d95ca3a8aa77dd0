#include "runtime/supervision/part.hpp"

#include "runtime/supervision/supervisor_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <mutex>
#include <optional>
#include <utility>

namespace troupe::runtime {

namespace {

using failed_atom = caf::atom_constant<caf::atom("pt_failed")>;

/// From one incarnation of a part to its actor. Neither keeps the other alive.
class part_link {
public:
    void tell(std::string why) {
        const std::lock_guard lock(mutex_);
        if (std::exchange(told_, true)) {
            return;
        }
        if (const auto to = caf::actor_cast<caf::actor>(actor_)) {
            caf::anon_send(to, failed_atom::value, std::move(why));
        }
    }
    void attach(caf::actor_addr actor) { actor_ = std::move(actor); }

private:
    std::mutex mutex_;
    bool told_ = false;
    caf::actor_addr actor_; ///< Set before the part is started.
};

class part_actor : public caf::event_based_actor {
public:
    part_actor(caf::actor_config& config, const supervised_part& part, std::string path, dead_letters* letters)
        : caf::event_based_actor(config), start_(part.start), path_(std::move(path)), letters_(letters) {}

    const char* name() const override { return "part"; }

    caf::behavior make_behavior() override {
        report_failures(*this, path_, letters_);
        const auto link = std::make_shared<part_link>();
        link->attach(address());
        auto started = start_([link](std::string why) { link->tell(std::move(why)); });
        if (!started) {
            end(started.error().detail);
        } else {
            part_ = std::move(*started);
        }
        return {[this](failed_atom, const std::string& why) { end(why); }};
    }

    void on_exit() override {
        part_ = nullptr;
        start_ = nullptr;
    }

private:
    void end(const std::string& why) { quit(caf::make_error(caf::sec::runtime_error, why)); }

    std::function<expected<std::shared_ptr<void>>(part_failed)> start_;
    std::string path_;
    dead_letters* letters_;
    std::shared_ptr<void> part_;
};

} // namespace

supervised_child part_child(supervised_part part) {
    child_spec spec{.id = part.id, .label = part.label};
    return {std::move(spec), [part = std::move(part)](const child_context& child) -> caf::actor {
                return child.system.spawn<part_actor, caf::detached>(part, child.path, child.letters);
            }};
}

} // namespace troupe::runtime
