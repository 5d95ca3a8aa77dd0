#include "runtime/audit/audit_writer.hpp"

#include "runtime/supervision/dead_letters.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/log.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <utility>

namespace troupe::runtime {

namespace {

/// Many commits are one round, which looks at every shard.
constexpr std::int64_t pause_ms = 200;
constexpr std::size_t lines_max = 2000; ///< At once: requests wait for it.

using wake_atom = caf::atom_constant<caf::atom("wake")>;
using write_atom = caf::atom_constant<caf::atom("write")>;

class audit_writer : public caf::event_based_actor {
public:
    audit_writer(caf::actor_config& config, audit_log& log, std::string path, dead_letters* letters)
        : caf::event_based_actor(config), log_(log), path_(std::move(path)), letters_(letters) {}

    const char* name() const override { return "audit_writer"; }
    void on_exit() override { log_.on_work({}); }

    caf::behavior make_behavior() override {
        report_failures(*this, path_, letters_);
        log_.on_work([me = caf::actor_cast<caf::actor_addr>(this)] {
            if (const auto live = caf::actor_cast<caf::actor>(me)) {
                caf::anon_send(live, wake_atom::value);
            }
        });
        write_after(0); // what an earlier life left
        return {[this](wake_atom) { write_after(pause_ms); }, [this](write_atom) { write(); }};
    }

private:
    /// One is due at a time: who comes meanwhile is served by it.
    void write_after(std::int64_t ms) {
        if (!std::exchange(due_, true)) {
            delayed_send(this, std::chrono::milliseconds(ms), write_atom::value);
        }
    }

    void write() {
        due_ = false;
        log_.seen(); // a commit from now on wakes it again
        const auto current = log_.catch_up(lines_max);
        if (!current && current.error().code == code::storage_failed) {
            quit(caf::exit_reason::kill); // the process ends; a simulated one by this
        } else if (!current) {
            log_for("audit").error("{}; it is tried again", current.error().detail);
            write_after(5000);
        } else if (!*current) {
            write_after(1);
        }
    }

    audit_log& log_;
    std::string path_;
    dead_letters* letters_;
    bool due_ = false;
};

} // namespace

caf::actor spawn_audit_writer(caf::actor_system& system, audit_log& log, std::string path, dead_letters* letters,
                              bool detached) {
    return detached ? system.spawn<audit_writer, caf::detached>(log, std::move(path), letters)
                    : system.spawn<audit_writer>(log, std::move(path), letters);
}

} // namespace troupe::runtime
