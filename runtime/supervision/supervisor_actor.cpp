#include "runtime/supervision/supervisor_actor.hpp"

#include "runtime/supervision/dead_letters.hpp"
#include "schemas/base/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <unordered_map>
#include <utility>

namespace troupe::runtime {

namespace {

/// An order from outside: what to do with the core, and whom to tell.
struct supervisor_order {
    enum class type : std::uint8_t { add, remove, restart };
    type what = type::add;
    std::string id;
    supervised_child child;
    order_done done;
};
using order_ptr = std::shared_ptr<supervisor_order>;

using tick_atom = caf::atom_constant<caf::atom("sup_tick")>;

} // namespace
} // namespace troupe::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::order_ptr)

namespace troupe::runtime {

namespace {

std::string child_path(const std::string& path, std::string_view id) {
    return (path == "/" ? path : path + "/") + std::string(id);
}

} // namespace

std::string failure_text(const caf::error& reason, const caf::actor_system& system) {
    if (reason && reason.context().match_elements<std::string>()) {
        return reason.context().get_as<std::string>(0);
    }
    return reason ? system.render(reason) : "ended";
}

namespace {

std::string what_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "something that is no std::exception";
    }
}

/// Ended as planned: by itself or because it was asked to.
bool is_failure(const caf::error& reason) {
    return reason && reason != caf::exit_reason::normal && reason != caf::exit_reason::user_shutdown;
}

std::function<double()> system_random() {
    return [engine = std::minstd_rand(std::random_device{}())]() mutable {
        return std::uniform_real_distribution<double>(0, 1)(engine);
    };
}

class supervisor_actor : public caf::event_based_actor {
public:
    /// `spec` is valid and has one entry of `factories` for each child.
    supervisor_actor(caf::actor_config& config, supervisor_spec spec,
                     std::map<std::string, child_factory, std::less<>> factories, supervisor_options options,
                     bool is_root)
        : caf::event_based_actor(config),
          options_(std::move(options)),
          core_(std::move(spec), options_.random ? options_.random : system_random()) {
        for (auto& [id, start] : factories) {
            children_[id].start = std::move(start);
        }
        if (is_root && options_.tree) {
            entry_ = options_.tree->add(options_.path, "supervisor");
            entry_.set_policy("ends the process when it gives up; children " + describe(core_.spec()));
        }
    }

    caf::behavior make_behavior() override {
        report_failures(*this, options_.path, options_.letters);
        set_down_handler([this](caf::down_msg& message) { on_down(message); });
        set_exit_handler([this](caf::exit_msg&) {
            log_for("supervision").debug("{} is asked to end", options_.path);
            perform(core_.shutdown(now_ms()));
        });
        perform(core_.start(now_ms()));
        return {
            [this](tick_atom, std::int64_t due_ms) {
                if (armed_ms_ == due_ms) {
                    armed_ms_.reset();
                }
                perform(core_.tick(now_ms()));
            },
            [this](const order_ptr& order) { carry_out(*order); },
        };
    }

    const char* name() const override { return "supervisor"; }

    void on_exit() override {
        for (const auto& [id, c] : children_) {
            if (c.actor) {
                caf::anon_send_exit(c.actor, caf::exit_reason::kill); // a child never outlives its supervisor
            }
        }
        // Handles of the actor's own state keep each other alive otherwise.
        children_.clear();
        by_address_.clear();
        entry_ = {};
    }

private:
    struct child {
        child_factory start;
        caf::actor actor; ///< Invalid while it does not run.
        supervision_tree::entry entry;
        bool started_before = false;
        bool failed_last = false;
    };

    [[nodiscard]] std::int64_t now_ms() {
        return std::chrono::duration_cast<std::chrono::milliseconds>(system().clock().now().time_since_epoch()).count();
    }

    void on_down(const caf::down_msg& message) {
        if (const auto found = by_address_.find(message.source); found != by_address_.end()) {
            const auto id = std::exchange(found->second, {});
            by_address_.erase(found);
            if (!id.empty()) { // else one that was abandoned
                on_child_gone(id, is_failure(message.reason), failure_text(message.reason, system()));
            }
        }
    }

    void on_child_gone(const std::string& id, bool failed, const std::string& reason) {
        const auto* known = core_.find(id);
        auto& c = children_[id];
        c.actor = {};
        const bool was_told = known && known->state != supervisor_core::child_state::running;
        c.failed_last = failed && !was_told;
        if (c.failed_last) {
            log_for("supervision").error("{} failed: {}", child_path(options_.path, id), reason);
            c.entry.failed(reason);
        }
        perform(core_.child_exited(id, failed, reason, now_ms()));
    }

    /// Carries out the actions, and those that follow from starts that fail.
    void perform(supervisor_core::actions actions) {
        std::deque<supervisor_action> todo(actions.begin(), actions.end());
        while (!todo.empty()) {
            const auto action = std::move(todo.front());
            todo.pop_front();
            switch (action.what) {
            case supervisor_action::type::start:
                if (const auto failure = start(action.child)) {
                    const auto more = core_.child_exited(action.child, true, *failure, now_ms());
                    todo.insert(todo.end(), more.begin(), more.end());
                }
                break;
            case supervisor_action::type::stop:
                end_child(action.child, caf::exit_reason::user_shutdown);
                break;
            case supervisor_action::type::kill:
                log_for("supervision").warn("{} is killed", child_path(options_.path, action.child));
                end_child(action.child, caf::exit_reason::kill);
                break;
            case supervisor_action::type::abandon:
                abandon(action.child);
                break;
            case supervisor_action::type::finished:
                quit(caf::exit_reason::user_shutdown);
                return;
            case supervisor_action::type::escalate:
                escalate(action.reason);
                return;
            }
        }
        show();
        arm();
    }

    /// Nothing, or why the child could not be started.
    std::optional<std::string> start(const std::string& id) {
        const auto path = child_path(options_.path, id);
        auto& c = children_[id];
        show_start(id, c);
        std::string failure;
        try {
            c.actor = c.start(child_context{system(), *this, path, c.entry, options_.letters});
            failure = c.actor ? "" : "its factory returned no actor";
        } catch (...) {
            failure = what_of(std::current_exception());
        }
        if (failure.empty()) {
            by_address_[c.actor.address()] = id;
            // Not linked: CAF lets the end of one that was killed kill those that are linked to it.
            monitor(c.actor);
            return {};
        }
        log_for("supervision").error("{} could not be started: {}", path, failure);
        c.failed_last = true;
        c.entry.failed(failure);
        return failure;
    }

    void show_start(const std::string& id, child& c) {
        const auto* known = core_.find(id);
        if (options_.tree && !c.started_before && known) {
            const auto& spec = known->spec;
            const auto kind = !spec.label.empty()                   ? std::string_view(spec.label)
                              : spec.kind == child_kind::supervisor ? "supervisor"
                                                                    : "worker";
            c.entry = options_.tree->add(child_path(options_.path, id), kind);
            c.entry.set_policy(describe(spec));
        } else if (c.started_before) {
            c.entry.restarted();
        }
        c.started_before = true;
    }

    void end_child(const std::string& id, caf::exit_reason reason) {
        if (const auto found = children_.find(id); found != children_.end() && found->second.actor) {
            caf::anon_send_exit(found->second.actor, reason);
        }
    }

    void abandon(const std::string& id) {
        const auto found = children_.find(id);
        if (found == children_.end() || !found->second.actor) {
            return;
        }
        log_for("supervision")
            .critical("{} did not end when it was killed: it is stuck in a handler and left behind",
                      child_path(options_.path, id));
        by_address_[found->second.actor.address()].clear();
        found->second.actor = {};
    }

    void escalate(const std::string& reason) {
        log_for("supervision").error("{} gives up: {}", options_.path, reason);
        entry_.failed(reason);
        if (options_.on_escalation) {
            options_.on_escalation(reason);
        }
        quit(caf::make_error(caf::sec::runtime_error, reason));
    }

    void carry_out(supervisor_order& order) {
        const auto now = now_ms();
        auto decided = [&]() -> expected<supervisor_core::actions> {
            switch (order.what) {
            case supervisor_order::type::remove:
                return core_.remove_child(order.id, now);
            case supervisor_order::type::restart:
                return core_.restart_child(order.id, now);
            case supervisor_order::type::add:
                break;
            }
            auto added = core_.add_child(order.child.spec, now);
            if (added) {
                children_[order.child.spec.id].start = std::move(order.child.start);
            }
            return added;
        }();
        if (decided) {
            perform(*decided);
        }
        if (order.done) {
            order.done(decided ? expected<void>{} : expected<void>{decided.error()});
        }
    }

    /// Brings the tree in line with the core, and forgets children that it forgot.
    void show() {
        std::erase_if(children_, [&](const auto& item) { return !core_.find(item.first); });
        for (const auto& known : core_.children()) {
            const auto found = children_.find(known.spec.id);
            if (found == children_.end()) {
                continue;
            }
            switch (known.state) {
            case supervisor_core::child_state::waiting:
                found->second.entry.set_status(node_status::restarting);
                break;
            case supervisor_core::child_state::ended:
                found->second.entry.set_status(found->second.failed_last ? node_status::failed : node_status::stopped);
                break;
            default:
                break; // running since `start`; one that is being stopped runs until it is gone
            }
        }
    }

    void arm() {
        const auto due = core_.next_due();
        if (due && (!armed_ms_ || *due < *armed_ms_)) {
            armed_ms_ = due;
            delayed_send(this, std::chrono::milliseconds(std::max<std::int64_t>(*due - now_ms(), 0)), tick_atom::value,
                         *due);
        }
    }

    supervisor_options options_;
    supervisor_core core_;
    std::map<std::string, child, std::less<>> children_;
    std::unordered_map<caf::actor_addr, std::string> by_address_; ///< An empty id: abandoned.
    supervision_tree::entry entry_;                               ///< Of a root.
    std::optional<std::int64_t> armed_ms_;                        ///< Of the earliest tick under way.
};

caf::actor spawn_checked(caf::actor_system& system, const supervisor_spec& spec,
                         const std::vector<supervised_child>& children, supervisor_options options, bool is_root) {
    std::map<std::string, child_factory, std::less<>> factories;
    for (const auto& c : children) {
        factories.emplace(c.spec.id, c.start);
    }
    return system.spawn<supervisor_actor>(spec, std::move(factories), std::move(options), is_root);
}

expected<supervisor_spec> with_children(supervisor_spec spec, const std::vector<supervised_child>& children) {
    spec.children.clear();
    for (const auto& c : children) {
        if (!c.start) {
            return problem{.code = code::invalid_request, .detail = "child " + c.spec.id + " has no factory"};
        }
        spec.children.push_back(c.spec);
    }
    if (auto valid = validate(spec); !valid) {
        return valid.error();
    }
    return spec;
}

void give_order(const caf::actor& supervisor, supervisor_order order) {
    caf::anon_send(supervisor, std::make_shared<supervisor_order>(std::move(order)));
}

} // namespace

expected<caf::actor> spawn_supervisor(caf::actor_system& system, supervisor_spec spec,
                                      std::vector<supervised_child> children, supervisor_options options) {
    auto complete = with_children(std::move(spec), children);
    if (!complete) {
        return complete.error();
    }
    return spawn_checked(system, *complete, children, std::move(options), true);
}

supervised_child supervisor_child(child_spec as_child, supervisor_spec spec, std::vector<supervised_child> children,
                                  supervision_tree* tree) {
    as_child.kind = child_kind::supervisor;
    as_child.strategy = describe(spec);
    std::vector<child_spec> below;
    for (const auto& c : children) {
        below.push_back(c.spec);
    }
    as_child.shutdown_ms = std::max(as_child.shutdown_ms, shutdown_ms_of(below));
    return {std::move(as_child),
            [spec = std::move(spec), children = std::move(children), tree](const child_context& context) {
                // A problem throws here; the supervisor above catches it as this child's failure.
                const auto complete = with_children(spec, children).value();
                return spawn_checked(context.system, complete, children,
                                     {.path = context.path, .tree = tree, .letters = context.letters}, false);
            }};
}

void add_child(const caf::actor& supervisor, supervised_child child, order_done done) {
    give_order(supervisor,
               {.what = supervisor_order::type::add, .id = {}, .child = std::move(child), .done = std::move(done)});
}

void remove_child(const caf::actor& supervisor, std::string id, order_done done) {
    give_order(supervisor,
               {.what = supervisor_order::type::remove, .id = std::move(id), .child = {}, .done = std::move(done)});
}

void restart_child(const caf::actor& supervisor, std::string id, order_done done) {
    give_order(supervisor,
               {.what = supervisor_order::type::restart, .id = std::move(id), .child = {}, .done = std::move(done)});
}

bool end_supervisor(caf::actor_system& system, const caf::actor& supervisor, std::int64_t time_out_ms) {
    caf::scoped_actor self{system};
    self->monitor(supervisor);
    self->send_exit(supervisor, caf::exit_reason::user_shutdown);
    bool ended = false;
    self->receive([&](const caf::down_msg&) { ended = true; },
                  caf::after(std::chrono::milliseconds(time_out_ms)) >> [] {});
    return ended;
}

void report_failures(caf::scheduled_actor& self, std::string path, dead_letters* letters) {
    self.set_exception_handler([path](caf::scheduled_actor*, std::exception_ptr& thrown) {
        const auto what = what_of(thrown);
        // No error yet: whoever supervises it says so, and knows what the end means.
        log_for("supervision").warn("a handler of {} threw: {}", path, what);
        return caf::make_error(caf::sec::runtime_error, what);
    });
    self.set_down_handler([path, letters](caf::scheduled_actor* actor, caf::down_msg& down) {
        const auto reason = actor->system().render(down.reason);
        log_for("supervision").debug("{} was told of an end that it does not wait for: {}", path, reason);
        if (letters) {
            letters->record("unhandled", path, "down", reason);
        }
    });
    self.set_default_handler(
        [path, letters](caf::scheduled_actor* actor, caf::message_view& view) -> caf::result<caf::message> {
            std::string type;
            const auto& content = view.content();
            for (std::size_t i = 0; i < content.size(); ++i) {
                // Types only: contents may hold secrets.
                type += (i == 0 ? "" : ", ") + actor->system().types().portable_name(content.type(i));
            }
            log_for("supervision").warn("{} has no handler for ({})", path, type);
            if (letters) {
                letters->record("unhandled", path, type, "the actor has no handler for it");
            }
            return caf::sec::unexpected_message;
        });
}

} // namespace troupe::runtime
