#include "runtime/cluster/placed_children.hpp"

#include "runtime/cluster/memory_coordinator.hpp"
#include "runtime/supervision/supervisor_core.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/log.hpp"

#include <chrono>
#include <limits>
#include <thread>
#include <utility>
#include <variant>

namespace troupe::runtime::cluster {

namespace {

constexpr std::int64_t tick_ms = 50;

std::string name_of(const placed_id& which) { return which.supervisor + "/" + which.child; }

expected<void> check(const placed_supervisor& what) {
    supervisor_spec spec{.restarts_max = what.restarts_max, .window_ms = what.window_ms};
    for (const auto& child : what.children) {
        if (!(child.cost > 0) || !child.start) {
            return problem{code::invalid_request, "the placed child " + child.id + " has no cost, or nothing to start"};
        }
        spec.children.push_back({.id = child.id});
    }
    if (auto good = validate(spec); !good) {
        return good;
    }
    return validate(supervisor_spec{.children = {{.id = what.name}}});
}

} // namespace

placed_children::placed_children(child_placement_settings settings, placed_ports ports)
    : ports_(std::move(ports)), core_(std::move(settings)) {}

placed_children::~placed_children() { worker_.stop(); }

void placed_children::start() {
    worker_.start([this] { tick(); }, tick_ms);
}

void placed_children::stop(std::int64_t time_ms) {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(stopped_, true)) {
            return;
        }
        idle_ = names_.empty();
    }
    const auto end = ports_.monotonic() + time_ms;
    worker_.post([this] {
        core_.remove_all();
        tick();
    });
    while (!idle_ && ports_.monotonic() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    worker_.stop();
    if (!idle_) {
        ports_.end_process("placed children did not end with their node, and another one is about to begin them");
    }
}

expected<void> placed_children::place(placed_supervisor what) {
    if (auto good = check(what); !good) {
        return good;
    }
    {
        const std::lock_guard lock(mutex_);
        if (stopped_ || !names_.insert(what.name).second) {
            return problem{code::already_exists,
                           "placed children of \"" + what.name + "\" are there already, or the node stops"};
        }
    }
    ports_.runner->add_supervisor(what.name);
    worker_.post([this, what = std::move(what)] {
        for (const auto& child : what.children) {
            const placed_id which{what.name, child.id};
            known_[which] = {child, what.restarts_max, what.window_ms};
            core_.add(which, child.cost);
        }
    });
    return {};
}

std::vector<placed_child_document> placed_children::all() const {
    const std::lock_guard lock(mutex_);
    return shown_;
}

void placed_children::on_map(const std::vector<entry>& all, std::uint64_t revision) {
    worker_.post([=, this] { core_.on_map(all, revision); });
}

void placed_children::on_changes(const std::vector<change>& changes, std::uint64_t revision) {
    worker_.post([=, this] { core_.on_changes(changes, revision); });
}

void placed_children::note(std::vector<cluster_node> nodes, std::int64_t serves_until_ms) {
    worker_.post([this, nodes = std::move(nodes), serves_until_ms] { core_.on_nodes(nodes, serves_until_ms); });
}

// ---- on the worker

void placed_children::tick() {
    look_for_ended();
    child_placement::actions out;
    core_.tick(ports_.monotonic(), system_now(), out);
    for (auto& action : out) {
        std::visit([this](auto& a) { act(a); }, action);
    }
    for (const auto& [which, run] : runs_) {
        run->holds_until_ms = core_.holds_until_ms(which);
    }
    show();
    idle_ = runs_.empty();
}

/// A run is over when nobody starts it any more, and nothing of it is left.
void placed_children::look_for_ended() {
    for (auto one = runs_.begin(); one != runs_.end();) {
        std::optional<std::string> gave_up;
        {
            auto& run = *one->second;
            const std::lock_guard lock(run.mutex);
            if (run.alive > 0 || (run.wanted && !run.over)) {
                ++one;
                continue;
            }
            gave_up = std::exchange(run.wanted, false) ? run.gave_up : std::nullopt;
        }
        if (gave_up) {
            log_for("cluster").error("{} is given up at this node, for another one: {}", name_of(one->first), *gave_up);
        }
        core_.on_ended(one->first, std::move(gave_up));
        one = runs_.erase(one);
    }
}

void placed_children::show() {
    std::vector<placed_child_document> now;
    for (auto& one : core_.all()) {
        now.push_back({one.which.supervisor, one.which.child, one.node, one.since, one.failures,
                       one.failures > 0 ? std::optional(one.last_node) : std::nullopt,
                       one.failures > 0 ? std::optional(one.why) : std::nullopt});
    }
    const std::lock_guard lock(mutex_);
    shown_ = std::move(now);
}

void placed_children::act(placement_commit& a) {
    ports_.commit(std::move(a.what), [this, id = a.id](const expected<transaction_result>& result) {
        worker_.post([=, this] { core_.on_committed(id, result); });
    });
}

/// From the start of a part until all of it is gone.
class placed_children::alive_mark {
public:
    explicit alive_mark(std::shared_ptr<one_run> run) : run_(std::move(run)) {}
    ~alive_mark() {
        const std::lock_guard lock(run_->mutex);
        --run_->alive;
    }
    alive_mark(const alive_mark&) = delete;
    alive_mark& operator=(const alive_mark&) = delete;

private:
    std::shared_ptr<one_run> run_;
};

supervised_part placed_children::part_of(const placed_child& child, const std::shared_ptr<one_run>& run,
                                         std::uint64_t term) const {
    const placed_lease lease{term, [run, now = ports_.monotonic] { return run->holds_until_ms > now(); }};
    const auto start = [run, lease, start = child.start](part_failed failed) -> expected<std::shared_ptr<void>> {
        struct marked_part {
            std::shared_ptr<alive_mark> alive; ///< The last to go.
            std::shared_ptr<void> part;
        };
        const auto out = std::make_shared<marked_part>();
        {
            const std::lock_guard lock(run->mutex);
            if (!run->wanted) {
                return problem{code::unavailable, "its place is not at this node any more"};
            }
            ++run->alive;
        }
        out->alive = std::make_shared<alive_mark>(run);
        auto made = start(lease, std::move(failed));
        if (!made) {
            return made.error();
        }
        out->part = std::move(*made);
        return std::shared_ptr<void>(out);
    };
    return {child.id, child.label, start};
}

void placed_children::act(const start_placed& a) {
    const auto& child = known_.at(a.which);
    const auto run = std::make_shared<one_run>();
    runs_[a.which] = run;
    run->holds_until_ms = core_.holds_until_ms(a.which);
    const auto over = [run](std::optional<std::string> gave_up) {
        const std::lock_guard lock(run->mutex);
        if (!std::exchange(run->over, true)) {
            run->gave_up = std::move(gave_up);
        }
    };
    ports_.runner->start(
        {a.which.supervisor, part_of(child.what, run, a.term), child.restarts_max, child.window_ms, over});
}

void placed_children::act(const stop_placed& a) {
    const auto found = runs_.find(a.which);
    if (found != runs_.end()) {
        log_for("cluster").info("{} is stopped here: {}", name_of(a.which), a.why);
        found->second->holds_until_ms = 0;
        const std::lock_guard lock(found->second->mutex);
        found->second->wanted = false;
    }
    ports_.runner->stop(a.which.supervisor, a.which.child);
}

void placed_children::act(const placed_overdue& a) {
    ports_.end_process(name_of(a.which) + " did not end in time, and another node may begin it");
}

// ---- a node alone

placed_alone::placed_alone(std::string name, const uuid& replica, placed_runner& runner,
                           std::function<void(std::string_view why)> end_process)
    : agreed_(std::make_unique<memory_coordinator>()) {
    self_.name = std::move(name);
    self_.replica = replica;
    self_.incarnation = make_uuid();
    self_.settle_ms = 0;
    placed_ports ports;
    ports.runner = &runner;
    ports.commit = [this](transaction what, auto done) { agreed_->commit(std::move(what), std::move(done)); };
    ports.end_process = std::move(end_process);
    children_ = std::make_unique<placed_children>(self_, std::move(ports));
    children_->note({{self_.replica, self_.name}}, std::numeric_limits<std::int64_t>::max());
    children_->start();
    agreed_->start(*this);
}

placed_alone::~placed_alone() { agreed_->stop(); }

void placed_alone::on_map(std::vector<entry> all, std::uint64_t revision) { children_->on_map(all, revision); }

void placed_alone::on_changes(std::vector<change> changes, std::uint64_t revision) {
    children_->on_changes(changes, revision);
}

void placed_alone::on_lease(lease) {
    agreed_->commit(
        {{{alive_key(self_.name), 0}},
         {{alive_key(self_.name), to_json(alive_value{self_.replica, self_.incarnation, TROUPE_VERSION}), true}}},
        [](const expected<transaction_result>&) {});
}

} // namespace troupe::runtime::cluster
