#include "runtime/cluster/child_placement.hpp"

#include "schemas/base/json.hpp"

#include <algorithm>
#include <utility>

namespace troupe::runtime::cluster {

namespace {

std::string key_of(std::string_view prefix, const placed_id& which) {
    return std::string(prefix) + which.supervisor + "/" + which.child;
}

/// Nothing for a key that is no such one.
std::optional<placed_id> id_in(std::string_view prefix, std::string_view key) {
    if (!key.starts_with(prefix)) {
        return std::nullopt;
    }
    key.remove_prefix(prefix.size());
    const auto slash = key.find('/');
    return slash == std::string_view::npos
               ? std::nullopt
               : std::optional(placed_id{std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))});
}

} // namespace

child_placement::child_placement(child_placement_settings settings) : settings_(std::move(settings)) {}

void child_placement::add(const placed_id& which, double cost) {
    auto& c = children_[which];
    c.registered = true;
    c.cost = cost;
}

void child_placement::remove_all() {
    for (auto& [which, c] : children_) {
        c.registered = false;
    }
}

// ---- what is known

void child_placement::on_map(const std::vector<entry>& all, std::uint64_t revision) {
    alive_revision_ = 0;
    for (auto& [which, c] : children_) {
        take_place(c, nullptr, revision);
        c.given_up.reset(); // not its time: the same one may come again
        c.wait_for = 0;
    }
    for (const auto& e : all) {
        take(e.key, &e.value, e.revision);
    }
    for (auto& [which, c] : children_) {
        c.given_up_revision = c.given_up ? c.given_up_revision : 0;
    }
    revision_ = revision;
}

void child_placement::on_changes(const std::vector<change>& changes, std::uint64_t revision) {
    for (const auto& c : changes) {
        take(c.key, c.value ? &*c.value : nullptr, revision);
    }
    revision_ = std::max(revision_, revision);
}

void child_placement::take(const std::string& key, const std::string* value, std::uint64_t revision) {
    if (key == alive_key(settings_.name)) {
        const auto alive =
            value ? from_json<alive_value>(*value, strictness::stored) : expected<alive_value>(problem{});
        alive_revision_ = alive && alive->incarnation == settings_.incarnation ? revision : 0;
    } else if (const auto placed = id_in(placed_prefix, key)) {
        take_place(children_[*placed], value, revision);
    } else if (const auto failed = id_in(given_up_prefix, key)) {
        take_given_up(children_[*failed], value, revision);
    }
}

void child_placement::take_place(child& c, const std::string* value, std::uint64_t revision) {
    c.place.reset();
    c.place_revision = 0;
    if (value != nullptr) {
        // One that cannot be read is of a newer version: somebody has the child all the same.
        const auto read = from_json<placed_value>(*value, strictness::stored);
        c.place = read ? *read : placed_value();
        c.place_revision = revision;
    }
}

void child_placement::take_given_up(child& c, const std::string* value, std::uint64_t revision) {
    if (c.given_up_revision != revision) {
        c.given_up_ms = -1;
    }
    c.given_up.reset();
    c.given_up_revision = value != nullptr ? revision : 0;
    if (value != nullptr) {
        const auto read = from_json<given_up_value>(*value, strictness::stored);
        c.given_up = read ? *read : given_up_value();
    }
}

void child_placement::on_nodes(std::vector<cluster_node> nodes, std::int64_t serves_until_ms) {
    nodes_ = std::move(nodes);
    serves_until_ms_ = serves_until_ms;
}

void child_placement::on_ended(const placed_id& which, std::optional<std::string> gave_up) {
    auto& c = children_[which];
    c.state = run::none;
    c.failed = std::move(gave_up);
}

void child_placement::on_committed(std::uint64_t id, const expected<transaction_result>& result) {
    const auto found = std::ranges::find(children_, id, [](const auto& known) { return known.second.commit; });
    if (found == children_.end()) {
        return;
    }
    auto& c = found->second;
    c.commit = 0;
    c.came_to_nothing = !result || !result->applied; // or nobody knows: news will say so
    if (result && result->applied) {
        c.wait_for = result->revision;
    }
}

const cluster_node* child_placement::self() const {
    const auto found = std::ranges::find(nodes_, settings_.replica, &cluster_node::replica);
    return found == nodes_.end() ? nullptr : &*found;
}

/// A process that had the same name and directory before is another one: its child ends with its lease.
bool child_placement::is_mine(const child& c) const { return c.place && c.place->incarnation == settings_.incarnation; }

bool child_placement::may_commit(const child& c, std::int64_t now_ms) const {
    return c.commit == 0 && c.wait_for <= revision_ && now_ms >= c.retry_ms.value_or(now_ms);
}

std::int64_t child_placement::holds_until_ms(const placed_id& which) const {
    const auto found = children_.find(which);
    return found == children_.end() || found->second.state != run::running ? 0 : found->second.until_ms;
}

std::vector<placed_glance> child_placement::all() const {
    std::vector<placed_glance> out;
    for (const auto& [which, c] : children_) {
        if (!c.registered && !c.place && !c.given_up) {
            continue;
        }
        placed_glance one;
        one.which = which;
        if (c.place) {
            one.node = c.place->name;
            one.since = c.place->since;
        }
        if (c.given_up) {
            one.failures = c.given_up->failures;
            one.last_node = c.given_up->name;
            one.why = c.given_up->why;
        }
        out.push_back(std::move(one));
    }
    return out;
}

// ---- what is to be done

void child_placement::tick(std::int64_t now_ms, timestamp now, actions& out) {
    note_times(now_ms);
    for (auto& [which, c] : children_) {
        run_or_stop(which, c, now_ms, now, out);
    }
    claim_free(now_ms, now, out);
}

void child_placement::note_times(std::int64_t now_ms) {
    const bool serves = alive_revision_ != 0 && serves_until_ms_ - settings_.margin_ms > now_ms;
    if (serves && !serving_) {
        serving_since_ms_ = now_ms;
    }
    serving_ = serves;
    for (auto& [which, c] : children_) {
        if (std::exchange(c.came_to_nothing, false)) {
            c.retry_ms = now_ms + settings_.retry_ms;
        }
        if (c.given_up && c.given_up_ms < 0) {
            c.given_up_ms = now_ms;
        }
        if (c.place) {
            c.free_ms = -1;
        } else if (c.free_ms < 0) {
            c.free_ms = now_ms;
        }
    }
}

void child_placement::run_or_stop(const placed_id& which, child& c, std::int64_t now_ms, timestamp now, actions& out) {
    const auto* me = self();
    const bool keeps = is_mine(c) && c.registered && serving_ && me != nullptr && !me->draining && !c.failed;
    const bool same = c.state != run::none && is_mine(c) && c.term == c.place_revision;
    if (same && serving_) {
        c.until_ms = serves_until_ms_; // a longer lease, and it is the one of the child's key
    }
    if (c.state == run::running && (!keeps || !same)) {
        c.state = run::stopping;
        c.stopping_ms = now_ms;
        out.emplace_back(stop_placed{which, !same           ? "its place is not this node's any more"
                                            : !serving_     ? "the node's lease is about to end"
                                            : !c.registered ? "the node stops"
                                                            : "the node is drained"});
    }
    // A process that stood still until after the end gets its time, too.
    if (c.state == run::stopping && now_ms >= std::max(c.until_ms, c.stopping_ms + settings_.margin_ms)) {
        out.emplace_back(placed_overdue{which});
    }
    if (c.state == run::none && keeps) {
        c.state = run::running;
        c.term = c.place_revision;
        c.running_ms = now_ms;
        c.until_ms = serves_until_ms_;
        out.emplace_back(start_placed{which, c.term});
    } else if (c.state == run::none && is_mine(c)) {
        if (may_commit(c, now_ms)) {
            release(which, c, now, out);
        }
    } else if (c.state == run::none) {
        c.failed.reset(); // its lease was lost meanwhile, and whoever has it finds out itself
    }
    if (c.state == run::running && c.given_up && now_ms - c.running_ms >= settings_.quiet_ms && may_commit(c, now_ms)) {
        const auto key = key_of(given_up_prefix, which);
        commit(c, {{{key, c.given_up_revision}}, {{key, std::nullopt}}}, out);
    }
}

/// Others may take it; when it failed here, they hear of that with the same revision.
void child_placement::release(const placed_id& which, child& c, timestamp now, actions& out) {
    const auto key = key_of(placed_prefix, which);
    transaction what{{{key, c.place_revision}}, {{key, std::nullopt}}};
    if (c.failed) {
        auto next = c.given_up.value_or(given_up_value{});
        ++next.failures;
        if (std::ranges::find(next.by, settings_.replica) == next.by.end()) {
            next.by.push_back(settings_.replica);
        }
        next.name = settings_.name;
        next.why = *c.failed;
        next.at = now;
        const auto failures = key_of(given_up_prefix, which);
        what.when.push_back({failures, c.given_up_revision});
        what.then.push_back({failures, to_json(next)});
    }
    commit(c, std::move(what), out);
}

/// Those that may take it now, the one with the most room for it first. All nodes that know the same say the same.
std::vector<const cluster_node*> child_placement::takers(const child& c, const loads& load, std::int64_t now_ms) const {
    auto wait_ms = settings_.pass_over_ms;
    for (std::uint32_t i = 1; c.given_up && i < c.given_up->failures && wait_ms < settings_.pass_over_max_ms; ++i) {
        wait_ms *= 2;
    }
    wait_ms = std::min(wait_ms, settings_.pass_over_max_ms);
    const bool over = !c.given_up || now_ms - c.given_up_ms >= wait_ms;
    std::vector<const cluster_node*> out;
    for (const auto& n : nodes_) {
        const bool failed_it = c.given_up && std::ranges::find(c.given_up->by, n.replica) != c.given_up->by.end();
        if (n.alive && !n.draining && n.weight > 0 && (over || !failed_it)) {
            out.push_back(&n);
        }
    }
    const auto room = [&](const cluster_node* n) {
        const auto found = load.find(n->replica);
        return n->weight / ((found == load.end() ? 0 : found->second) + c.cost);
    };
    std::ranges::sort(
        out, [&](const auto* a, const auto* b) { return room(a) != room(b) ? room(a) > room(b) : a->name < b->name; });
    return out;
}

void child_placement::claim_free(std::int64_t now_ms, timestamp now, actions& out) {
    loads load;
    for (const auto& [which, c] : children_) {
        if (c.place) {
            load[c.place->replica] += c.place->cost;
        }
    }
    // Where others are at work already nobody else is about to come.
    const bool begun = std::ranges::any_of(
        children_, [&](const auto& one) { return one.second.place && one.second.place->replica != settings_.replica; });
    const bool settled = serving_ && (begun || now_ms - serving_since_ms_ >= settings_.settle_ms);
    for (auto& [which, c] : children_) {
        if (c.place || !c.registered) {
            continue;
        }
        const auto by_turn = takers(c, load, now_ms);
        if (by_turn.empty() || !settled) {
            c.free_ms = now_ms; // turns begin when there is somebody who may take it, and this node among them
        }
        if (by_turn.empty()) {
            continue;
        }
        load[by_turn.front()->replica] += c.cost; // as if: what comes next goes elsewhere
        const auto mine = std::ranges::find(by_turn, settings_.replica, &cluster_node::replica);
        const auto my_turn_ms = (mine - by_turn.begin()) * settings_.turn_ms;
        if (!settled || mine == by_turn.end() || now_ms - c.free_ms < my_turn_ms || c.state != run::none ||
            !may_commit(c, now_ms)) {
            continue;
        }
        const auto key = key_of(placed_prefix, which);
        // Under the lease that the own key was written with, or not at all.
        transaction what{
            {{key, 0}, {alive_key(settings_.name), alive_revision_}},
            {{key, to_json(placed_value{settings_.replica, settings_.incarnation, settings_.name, c.cost, now}),
              true}}};
        commit(c, std::move(what), out);
    }
}

void child_placement::commit(child& c, transaction what, actions& out) {
    c.commit = next_commit_++;
    out.emplace_back(placement_commit{c.commit, std::move(what)});
}

} // namespace troupe::runtime::cluster
