#pragma once

#include "schemas/base/clock.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The supervision tree as people see it: who is there, under whom, and how it fares. Knows no actors.
namespace troupe::runtime {

/// stalled: it has been in one handler for longer than it may; only the watchdog says so.
enum class node_status : std::uint8_t { running, restarting, stopped, failed, stalled };
std::string_view to_string(node_status s);

/// Figures that an actor keeps up to date where it counts them, without asking the tree. Negative: unknown.
struct actor_figures {
    std::atomic<std::int64_t> waiting{0};       ///< What it was given and has not done: its queue.
    std::atomic<std::int64_t> memory_bytes{-1}; ///< An estimate.
    std::atomic<std::int64_t> messages{0};      ///< That it was given so far.
};

/// What a listener is told: a supervisor came, went or changed, or anything failed or restarted.
struct supervision_change {
    std::string path;
    std::string kind;
    node_status status = node_status::running;
    std::uint32_t restarts = 0;
    std::string last_failure; ///< Empty: none yet.
    bool removed = false;
    timestamp at;
};

/// The `data` of an event on the channel `supervision`.
std::string to_json(const supervision_change& change);

/// A registry of everything that has a parent. Cheap enough for every entity: an entry costs about 300 bytes and
/// around a microsecond. Thread-safe; entries may outlive the registry.
class supervision_tree {
    struct node;
    struct state;

public:
    /// Keeps its entry in the tree; the entry goes with it. Movable; a moved-from or default one does nothing.
    /// Each function may be called from any thread, one thread at a time per handle.
    class entry {
    public:
        entry() noexcept;
        entry(entry&& other) noexcept;
        entry& operator=(entry&& other) noexcept;
        ~entry();

        void set_status(node_status s);
        /// Becomes `failed` and remembers why.
        void failed(std::string_view reason);
        /// Counts a restart, becomes `running`, and its uptime begins anew.
        void restarted();
        /// Who restarts it when, for people: "permanent", "restarted by its router after 50 ms, doubling to 5 s".
        void set_policy(std::string_view policy);
        void set_policy(std::shared_ptr<const std::string> policy); ///< One text for many entries.
        /// Depth, memory and messages are read from there, as long as the entry is there.
        void show(std::shared_ptr<const actor_figures> figures);
        /// What nobody tells is shown as unknown (null).
        void set_mailbox_depth(std::size_t depth);
        void set_memory_bytes(std::size_t bytes); ///< An estimate.
        void count_messages(std::uint64_t more = 1);

        /// An entry below this one; spares the walk from the root. `id` may have several elements ("tasks/018f…").
        [[nodiscard]] entry add(std::string_view id, std::string_view kind) const;
        [[nodiscard]] std::string path() const;

    private:
        friend class supervision_tree;
        [[nodiscard]] bool is_owner() const;
        void leave();
        std::shared_ptr<state> state_;
        std::shared_ptr<node> node_;
        std::uint64_t owner_ =
            0; ///< Of the node: a successor takes another number, and this entry then changes nothing.
    };

    explicit supervision_tree(std::function<timestamp()> now = system_now);
    ~supervision_tree();
    supervision_tree(const supervision_tree&) = delete;
    supervision_tree& operator=(const supervision_tree&) = delete;

    /// Adds "/nodes/n1/shards/17/tasks/018f…"; elements on the way that nobody added are shown as kind "group".
    /// An entry of the same path is taken over: the newer actor counts, what is below stays.
    [[nodiscard]] entry add(std::string_view path, std::string_view kind);

    /// The entry at `path` ("/": all) and what is below it, `depth` levels deep (0: itself), at most `limit`
    /// children of each, by name. Where it is cut, `children_count` says how many there are. Nothing if there is no
    /// such entry.
    [[nodiscard]] std::optional<std::string> to_json(std::string_view path = "/", std::size_t depth = 3,
                                                     std::size_t limit = 100) const;

    /// Something at that path is stuck, or goes on. Does nothing where there is no entry.
    void set_stalled(std::string_view path, bool stalled);

    /// The entries with the most that waits, then with the most messages, as a JSON array of at most `limit`. Looks at
    /// 20,000 entries at most.
    [[nodiscard]] std::string busiest(std::size_t limit) const;

    /// Paths of what still runs, at most `limit`, those with nothing below: for the log of a shutdown that hangs.
    [[nodiscard]] std::vector<std::string> running(std::size_t limit) const;

    /// Entries, without groups.
    [[nodiscard]] std::size_t size() const;

    /// Calls back on changes of supervisors and on every failure and restart, from the thread that caused it;
    /// must not block. One listener; set it before the first entry.
    void listen(std::function<void(const supervision_change&)> listener);

private:
    std::shared_ptr<state> state_;
};

} // namespace troupe::runtime
