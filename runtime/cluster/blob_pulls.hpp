#pragma once

#include "runtime/cluster/blob_frames.hpp"
#include "runtime/cluster/blob_spreads.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"
#include "storage/blob_copies.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace troupe::runtime::cluster {

/// What pulling has of its node. Must not call it back.
struct pull_ports {
    storage::store* store = nullptr;
    std::function<const blob_members&()> members;
    std::function<bool(const uuid& to, const blob_frame& what)> send;
    /// The blob is here: whoever offered it is to be told when it is on the disk.
    std::function<void(const uuid& to, const storage::blob_id& id)> confirm;
    /// All members that are to be asked say that they do not have it.
    std::function<void(const storage::blob_id& id)> absent;
};

/// Brings blobs here: those that others offer, and those that somebody here needs, for which it asks who has them. It
/// asks for one piece after the other, a few ahead, so what is in memory is what it asked for; what does not come it
/// asks for again, or somebody else. Blocks on the disk; one thread at a time.
class blob_pulls {
public:
    using done = std::function<void(expected<void>)>;

    static constexpr std::int64_t wait_max_ms = 10'000;  ///< Without progress.
    static constexpr std::int64_t again_ms = 2000;       ///< What is asked for was lost, perhaps.
    static constexpr std::int64_t other_after_ms = 5000; ///< A source that says nothing is left for another one.
    static constexpr std::uint32_t ahead_max = 4;        ///< Pieces of one blob that are asked for at a time.
    static constexpr std::size_t active_max = 8;
    static constexpr std::size_t pulls_max = 1024; ///< With those that wait; offers beyond come again.

    explicit blob_pulls(pull_ports ports) : ports_(std::move(ports)) {}

    /// `then`, which may be null, is called once, perhaps at once: `not_found`, `unavailable`, or what the disk says.
    void fetch(const storage::blob_id& id, done then, std::int64_t now_ms);
    void on_offer(const uuid& from, const blob_offer& what, std::int64_t now_ms);
    void on_none(const uuid& from, const storage::blob_id& id, std::int64_t now_ms);
    void on_piece(const uuid& from, const blob_piece& what, std::int64_t now_ms);
    void on_down(const uuid& peer, std::int64_t now_ms);
    /// Now and then.
    void go_on(std::int64_t now_ms);

    [[nodiscard]] std::size_t outstanding() const { return all_.size(); }
    void clear() { all_.clear(); }

private:
    struct pull {
        std::vector<done> waiters;
        std::map<uuid, storage::blob_head> sources; ///< Who offered it.
        std::set<uuid> none;                        ///< Who does not have it.
        std::unique_ptr<storage::blob_copy> copy;   ///< Null: it waits for a source, or for its turn.
        uuid source;                                ///< With a copy: where its pieces come from.
        std::uint32_t asked = 0;                    ///< The last piece that was.
        std::int64_t asked_ms = 0;
        std::int64_t progress_ms = 0;
    };
    using all = std::map<storage::blob_id, pull>;

    pull* find_or_make(const storage::blob_id& id, std::int64_t now_ms);
    void ask(const storage::blob_id& id, pull& p, std::int64_t now_ms) const;
    void start(all::iterator at, std::int64_t now_ms);
    void start_waiting(std::int64_t now_ms);
    void request(const storage::blob_id& id, pull& p, std::int64_t now_ms) const;
    /// Goes on without that source.
    void drop_source(all::iterator at, const uuid& source, std::int64_t now_ms);
    void settle(all::iterator at);
    void complete(all::iterator at);
    void finish(all::iterator at, std::int64_t now_ms);
    void fail(all::iterator at, const problem& why);
    void refuse(all::iterator at, const problem& why);
    /// Whether it is over.
    bool is_late(all::iterator at, std::int64_t now_ms);

    const pull_ports ports_;
    all all_;
    std::size_t active_ = 0; ///< With a copy.
};

} // namespace troupe::runtime::cluster
