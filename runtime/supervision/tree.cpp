#include "runtime/supervision/tree.hpp"

#include "schemas/base/json.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

namespace troupe::runtime {

namespace {

/// Of one answer, whatever depth and limit say: about 3 MB.
constexpr std::size_t shown_nodes_max = 10'000;
/// That one look at all entries goes through.
constexpr std::size_t visited_max = 20'000;
/// Nobody told yet.
constexpr std::uint64_t unknown = std::numeric_limits<std::uint64_t>::max();

void write_known(json::object_writer& w, std::string_view name, std::uint64_t value) {
    value == unknown ? void(w.raw_field(name, "null")) : void(w.field(name, value));
}
/// A failure's sentence; more stands in the log.
constexpr std::size_t failure_bytes_max = 500;

constexpr std::string_view group_kind = "group";

/// Takes the next element of "/a/b" off the front; empty at the end.
std::string_view next_element(std::string_view& path) {
    const auto begin = std::min(path.find_first_not_of('/'), path.size());
    const auto end = std::min(path.find('/', begin), path.size());
    const auto element = path.substr(begin, end - begin);
    path.remove_prefix(std::min(path.find_first_not_of('/', end), path.size()));
    return element;
}

/// The node that an entry is on: "n1" of "/nodes/n1/timers"; empty above them.
std::string_view node_of(std::string_view path) {
    return next_element(path) == "nodes" ? next_element(path) : std::string_view();
}

void write_place(json::object_writer& w, std::string_view path) {
    w.field("path", path);
    if (const auto node = node_of(path); !node.empty()) {
        w.field("node", node);
    }
}

} // namespace

std::string_view to_string(node_status s) {
    switch (s) {
    case node_status::running:
        return "running";
    case node_status::restarting:
        return "restarting";
    case node_status::stopped:
        return "stopped";
    case node_status::failed:
        return "failed";
    case node_status::stalled:
        return "stalled";
    }
    return "";
}

std::string to_json(const supervision_change& change) {
    std::string out;
    json::object_writer w(out);
    write_place(w, change.path);
    w.field("kind", change.kind).field("status", to_string(change.status));
    w.field("restarts", std::uint64_t{change.restarts});
    if (!change.last_failure.empty()) {
        w.field("last_failure", change.last_failure);
    }
    w.field("removed", change.removed).field("at", to_string(change.at));
    w.end();
    return out;
}

/// A place in the tree. `name` and `parent` never change; `mutex` guards children, kind and failure. Two are
/// locked only from the top down. Without an owner it is a group, and goes when nothing is left below.
struct supervision_tree::node {
    std::string name;
    std::shared_ptr<node> parent;
    mutable std::mutex mutex;
    std::map<std::string_view, std::shared_ptr<node>> children; ///< Keys point into the children's names.
    std::string kind{group_kind};
    std::string last_failure;
    timestamp failed_at;
    std::atomic<std::uint64_t> owner = 0; ///< 0: nobody.
    std::atomic<std::int64_t> started_ms = 0;
    std::atomic<std::uint64_t> messages = unknown;
    std::atomic<std::uint64_t> mailbox_depth = unknown;
    std::atomic<std::uint64_t> memory_bytes = unknown;
    std::atomic<std::uint32_t> restarts = 0;
    std::atomic<node_status> status = node_status::running;
    std::atomic<bool> stalled = false;
    std::shared_ptr<const std::string> policy;    ///< Under the mutex, as the next; null: not told.
    std::shared_ptr<const actor_figures> figures; ///< Where depth and memory are counted; null: in here.

    /// Under the mutex.
    [[nodiscard]] std::uint64_t depth_now() const {
        return known(figures ? &figures->waiting : nullptr, mailbox_depth);
    }
    [[nodiscard]] std::uint64_t memory_now() const {
        return known(figures ? &figures->memory_bytes : nullptr, memory_bytes);
    }
    [[nodiscard]] std::uint64_t messages_now() const { return known(figures ? &figures->messages : nullptr, messages); }
    [[nodiscard]] node_status status_now() const {
        const auto own = status.load();
        return own == node_status::running && stalled ? node_status::stalled : own;
    }
    void write_figures(json::object_writer& w, timestamp now) const;

    [[nodiscard]] std::vector<std::shared_ptr<node>> most_telling(std::size_t limit) const;
    static std::uint64_t known(const std::atomic<std::int64_t>* counted, const std::atomic<std::uint64_t>& told) {
        const auto value = counted ? counted->load(std::memory_order_relaxed) : std::int64_t{-1};
        return counted ? (value < 0 ? unknown : static_cast<std::uint64_t>(value))
                       : told.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::string path() const {
        return parent ? (parent->parent ? parent->path() : "") + "/" + name : std::string("/");
    }
};

namespace {

/// Numbers by their value: shard 9 stands before shard 10.
bool names_in_order(std::string_view a, std::string_view b) {
    const auto is_number = [](std::string_view s) { return s.find_first_not_of("0123456789") == s.npos; };
    if (is_number(a) && is_number(b) && a.size() != b.size()) {
        return a.size() < b.size();
    }
    return a < b;
}

} // namespace

/// At most so many children: those that failed or have something below come before the quiet ones. In order of names.
/// Called under the mutex.
std::vector<std::shared_ptr<supervision_tree::node>> supervision_tree::node::most_telling(std::size_t limit) const {
    std::vector<std::shared_ptr<node>> telling;
    std::vector<std::shared_ptr<node>> quiet;
    std::size_t looked_at = 0;
    for (const auto& [name_of_child, child] : children) {
        if (telling.size() >= limit || ++looked_at > shown_nodes_max) {
            break;
        }
        bool tells = child->restarts > 0 || child->status != node_status::running;
        if (!tells) {
            const std::lock_guard below(child->mutex);
            tells = !child->children.empty();
        }
        if (tells || quiet.size() < limit) {
            (tells ? telling : quiet).push_back(child);
        }
    }
    quiet.resize(std::min(quiet.size(), limit - telling.size()));
    telling.insert(telling.end(), quiet.begin(), quiet.end());
    std::ranges::sort(telling, names_in_order, [](const auto& child) { return std::string_view(child->name); });
    return telling;
}

void supervision_tree::node::write_figures(json::object_writer& w, timestamp now) const {
    w.field("status", to_string(status_now()));
    w.field("restarts", std::uint64_t{restarts});
    if (!last_failure.empty()) {
        w.field("last_failure", last_failure).field("last_failure_at", to_string(failed_at));
    }
    if (policy) {
        w.field("policy", *policy);
    }
    w.field("started_at", to_string(timestamp{started_ms}));
    w.field("uptime_ms", std::max<std::int64_t>(now.ms - started_ms, 0));
    write_known(w, "mailbox_depth", depth_now());
    write_known(w, "messages", messages_now());
    write_known(w, "memory_bytes", memory_now());
}

struct supervision_tree::state {
    std::shared_ptr<node> root = std::make_shared<node>();
    std::function<timestamp()> now;
    std::function<void(const supervision_change&)> listener;
    std::atomic<std::size_t> size = 0;
    std::atomic<std::uint64_t> owners = 0;

    entry insert(const std::shared_ptr<state>& self, std::shared_ptr<node> at, std::string_view path,
                 std::string_view kind);
    [[nodiscard]] std::shared_ptr<node> find(std::string_view path) const;
    /// Every entry, at most `visited_max`, the upper ones first. No lock is held during the visit.
    void visit(const std::function<void(const node&, bool has_children)>& each) const;
    static void prune(std::shared_ptr<node> n);
    void tell(const node& n, bool is_failure, bool removed) const;
    void write(std::string& out, const node& n, std::size_t depth, std::size_t limit, std::size_t& budget) const;
};

supervision_tree::entry supervision_tree::state::insert(const std::shared_ptr<state>& self, std::shared_ptr<node> at,
                                                        std::string_view path, std::string_view kind) {
    std::unique_lock lock(at->mutex);
    for (auto id = next_element(path); !id.empty(); id = next_element(path)) {
        auto found = at->children.find(id);
        if (found == at->children.end()) {
            auto fresh = std::make_shared<node>();
            fresh->name = id;
            fresh->parent = at;
            found = at->children.emplace(fresh->name, fresh).first;
        }
        auto below = found->second;
        std::unique_lock next(below->mutex); // before the upper is let go, so that `prune` cannot come between
        lock = std::move(next);
        at = std::move(below);
    }
    entry made;
    made.state_ = self;
    made.node_ = at;
    made.owner_ = owners.fetch_add(1, std::memory_order_relaxed) + 1;
    at->kind = kind;
    at->last_failure.clear();
    at->started_ms = now().ms;
    at->messages = unknown;
    at->mailbox_depth = unknown;
    at->memory_bytes = unknown;
    at->restarts = 0;
    at->status = node_status::running;
    at->stalled = false;
    at->policy = nullptr;
    at->figures = nullptr;
    if (at->owner.exchange(made.owner_) == 0) {
        size.fetch_add(1, std::memory_order_relaxed);
    }
    lock.unlock();
    tell(*at, false, false);
    return made;
}

std::shared_ptr<supervision_tree::node> supervision_tree::state::find(std::string_view path) const {
    auto at = root;
    for (auto id = next_element(path); at && !id.empty(); id = next_element(path)) {
        std::shared_ptr<node> below;
        {
            const std::lock_guard lock(at->mutex);
            const auto found = at->children.find(id);
            below = found == at->children.end() ? nullptr : found->second;
        }
        at = std::move(below);
    }
    return at;
}

void supervision_tree::state::visit(const std::function<void(const node&, bool)>& each) const {
    std::deque<std::shared_ptr<node>> todo{root};
    for (std::size_t visited = 0; !todo.empty() && visited < visited_max; ++visited) {
        const auto n = std::move(todo.front());
        todo.pop_front();
        bool has_children = false;
        {
            const std::lock_guard lock(n->mutex);
            has_children = !n->children.empty();
            for (const auto& [name, child] : n->children) {
                if (todo.size() + visited >= visited_max) {
                    break;
                }
                todo.push_back(child);
            }
        }
        if (n->owner != 0) {
            each(*n, has_children);
        }
    }
}

/// Takes the node out of the tree when nobody owns it and nothing is below, then those above it likewise.
void supervision_tree::state::prune(std::shared_ptr<node> n) {
    while (n->parent) {
        auto above = n->parent;
        {
            const std::lock_guard upper(above->mutex);
            const std::lock_guard lower(n->mutex);
            const auto found = above->children.find(n->name);
            if (n->owner != 0 || !n->children.empty() || found == above->children.end() || found->second != n) {
                return;
            }
            above->children.erase(found); // `n` keeps the node for its lock
        }
        n = std::move(above);
    }
}

void supervision_tree::state::tell(const node& n, bool is_failure, bool removed) const {
    if (!listener) {
        return;
    }
    supervision_change change;
    {
        const std::lock_guard lock(n.mutex);
        if (!is_failure && n.kind != "supervisor") {
            return;
        }
        change.kind = n.kind;
        change.last_failure = n.last_failure;
    }
    change.path = n.path();
    change.status = n.status_now();
    change.restarts = n.restarts;
    change.removed = removed;
    change.at = now();
    listener(change);
}

void supervision_tree::state::write(std::string& out, const node& n, std::size_t depth, std::size_t limit,
                                    std::size_t& budget) const {
    json::object_writer w(out);
    std::vector<std::shared_ptr<node>> shown;
    std::size_t count = 0;
    {
        const std::lock_guard lock(n.mutex);
        write_place(w, n.path());
        w.field("name", n.name).field("kind", n.kind);
        if (n.owner != 0) {
            n.write_figures(w, now());
        }
        count = n.children.size();
        if (depth > 0) {
            shown = n.most_telling(std::min(limit, budget));
        }
    }
    w.field("children_count", static_cast<std::uint64_t>(count));
    if (depth > 0) {
        budget -= shown.size();
        std::string children = "[";
        for (const auto& child : shown) {
            children += children.size() > 1 ? "," : "";
            write(children, *child, depth - 1, limit, budget);
        }
        w.raw_field("children", children + "]");
    }
    w.field("truncated", shown.size() < count);
    w.end();
}

supervision_tree::entry::entry() noexcept = default;

supervision_tree::entry::entry(entry&& other) noexcept
    : state_(std::move(other.state_)), node_(std::move(other.node_)), owner_(std::exchange(other.owner_, 0)) {}

supervision_tree::entry& supervision_tree::entry::operator=(entry&& other) noexcept {
    if (this != &other) {
        leave();
        state_ = std::move(other.state_);
        node_ = std::move(other.node_);
        owner_ = std::exchange(other.owner_, 0);
    }
    return *this;
}

supervision_tree::entry::~entry() { leave(); }

bool supervision_tree::entry::is_owner() const { return node_ && node_->owner == owner_; }

void supervision_tree::entry::leave() {
    if (!node_) {
        return;
    }
    auto mine = owner_;
    if (node_->owner == mine) {
        state_->tell(*node_, false, true);
    }
    {
        const std::lock_guard lock(node_->mutex);
        if (node_->owner.compare_exchange_strong(mine, 0)) {
            node_->kind = group_kind;
            node_->figures = nullptr;
            state_->size.fetch_sub(1, std::memory_order_relaxed);
        }
    }
    state::prune(std::exchange(node_, nullptr));
}

void supervision_tree::entry::set_status(node_status s) {
    if (is_owner() && node_->status.exchange(s) != s) {
        state_->tell(*node_, false, false);
    }
}

void supervision_tree::entry::failed(std::string_view reason) {
    if (!is_owner()) {
        return;
    }
    {
        const std::lock_guard lock(node_->mutex);
        node_->last_failure = reason.substr(0, failure_bytes_max);
        node_->failed_at = state_->now();
    }
    node_->status = node_status::failed;
    state_->tell(*node_, true, false);
}

void supervision_tree::entry::restarted() {
    if (!is_owner()) {
        return;
    }
    node_->restarts.fetch_add(1);
    node_->started_ms = state_->now().ms;
    node_->status = node_status::running;
    state_->tell(*node_, true, false);
}

void supervision_tree::entry::set_policy(std::string_view policy) {
    set_policy(std::make_shared<const std::string>(policy));
}

void supervision_tree::entry::set_policy(std::shared_ptr<const std::string> policy) {
    if (is_owner()) {
        const std::lock_guard lock(node_->mutex);
        node_->policy = std::move(policy);
    }
}

void supervision_tree::entry::show(std::shared_ptr<const actor_figures> figures) {
    if (is_owner()) {
        const std::lock_guard lock(node_->mutex);
        node_->figures = std::move(figures);
    }
}

void supervision_tree::entry::set_mailbox_depth(std::size_t depth) {
    if (is_owner()) {
        node_->mailbox_depth.store(depth, std::memory_order_relaxed);
    }
}

void supervision_tree::entry::set_memory_bytes(std::size_t bytes) {
    if (is_owner()) {
        node_->memory_bytes.store(bytes, std::memory_order_relaxed);
    }
}

void supervision_tree::entry::count_messages(std::uint64_t more) {
    if (is_owner()) {
        auto nobody = unknown;
        node_->messages.compare_exchange_strong(nobody, 0, std::memory_order_relaxed);
        node_->messages.fetch_add(more, std::memory_order_relaxed);
    }
}

supervision_tree::entry supervision_tree::entry::add(std::string_view id, std::string_view kind) const {
    return node_ ? state_->insert(state_, node_, id, kind) : entry{};
}

std::string supervision_tree::entry::path() const { return node_ ? node_->path() : std::string(); }

supervision_tree::supervision_tree(std::function<timestamp()> now) : state_(std::make_shared<state>()) {
    state_->now = std::move(now);
}

supervision_tree::~supervision_tree() = default;

supervision_tree::entry supervision_tree::add(std::string_view path, std::string_view kind) {
    return state_->insert(state_, state_->root, path, kind);
}

std::optional<std::string> supervision_tree::to_json(std::string_view path, std::size_t depth,
                                                     std::size_t limit) const {
    const auto at = state_->find(path);
    if (!at) {
        return {};
    }
    auto budget = shown_nodes_max;
    std::string out;
    state_->write(out, *at, depth, limit, budget);
    return out;
}

void supervision_tree::set_stalled(std::string_view path, bool stalled) {
    const auto at = state_->find(path);
    if (at && at->owner != 0 && at->stalled.exchange(stalled) != stalled) {
        state_->tell(*at, true, false);
    }
}

std::string supervision_tree::busiest(std::size_t limit) const {
    struct ranked {
        std::uint64_t depth = 0;
        std::uint64_t messages = 0;
        std::string json;
    };
    const auto more = [](const ranked& a, const ranked& b) {
        return std::tie(a.depth, a.messages) > std::tie(b.depth, b.messages);
    };
    std::vector<ranked> top; // a heap whose first is the least busy
    state_->visit([&](const node& n, bool) {
        const std::lock_guard lock(n.mutex);
        const auto depth = n.depth_now();
        const auto messages = n.messages_now();
        ranked here{depth == unknown ? 0 : depth, messages == unknown ? 0 : messages, {}};
        if ((here.depth == 0 && here.messages == 0) || limit == 0 ||
            (top.size() == limit && !more(here, top.front()))) {
            return;
        }
        json::object_writer w(here.json);
        w.field("path", n.path()).field("kind", n.kind);
        n.write_figures(w, state_->now());
        w.end();
        if (top.size() == limit) {
            std::ranges::pop_heap(top, more);
            top.pop_back();
        }
        top.push_back(std::move(here));
        std::ranges::push_heap(top, more);
    });
    std::ranges::sort(top, more);
    std::string out = "[";
    for (const auto& r : top) {
        out += (out.size() > 1 ? "," : "") + r.json;
    }
    return out + "]";
}

std::vector<std::string> supervision_tree::running(std::size_t limit) const {
    std::vector<std::string> out;
    state_->visit([&](const node& n, bool has_children) {
        if (!has_children && n.status == node_status::running && out.size() < limit) {
            out.push_back(n.path() + (n.stalled ? " (stalled)" : ""));
        }
    });
    return out;
}

std::size_t supervision_tree::size() const { return state_->size.load(std::memory_order_relaxed); }

void supervision_tree::listen(std::function<void(const supervision_change&)> listener) {
    state_->listener = std::move(listener);
}

} // namespace troupe::runtime
