#pragma once

#include "schemas/base/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

/// Who may begin, when more is asked for than can be done. Pure: no clock, no lock, no actor.
namespace troupe::runtime {

/// What is asked for. Whoever asks owns it; `admission` keeps its place.
struct admission_ticket {
    uuid organization;
    std::size_t bytes = 0;
    enum class place : std::uint8_t { outside, waiting, working, parked } where = place::outside;
    std::int64_t since_ms = 0; ///< When it was offered.
};

/// Credits from the edge to the disk. So many tickets are in work as keep the disk busy; further ones wait, so that a
/// flood costs places in a queue and no work. Each organization has a queue of its own, and they take turns: one that
/// floods waits behind itself. Where the places end, the newest of whoever has the most goes first.
///
/// All that is asked for gets an end: it goes, or is refused, later or at once.
class admission {
public:
    struct bounds {
        std::size_t working_max = 1024;     ///< In work at the same time.
        std::size_t outstanding_max = 4096; ///< Waiting, in work and parked.
        std::size_t bytes_max = 64 << 20;   ///< Of those.
        std::int64_t wait_max_ms = 1000;    ///< Who waited longer is refused when its turn comes: it is too late.
    };
    using ticket_ptr = std::shared_ptr<admission_ticket>;
    /// What became of tickets that waited.
    struct changes {
        std::vector<ticket_ptr> go;
        std::vector<ticket_ptr> refused;
    };
    enum class verdict : std::uint8_t { goes, waits, refused };

    explicit admission(bounds b) : bounds_(b) {}

    /// Asks for a place. In a full house the newest of a larger organization may lose its own.
    verdict offer(ticket_ptr t, std::int64_t now_ms, changes& others);
    /// It cannot go on for a while, through no fault of the disk: its credit goes to another, its place stays.
    void park(admission_ticket& t, std::int64_t now_ms, changes& others);
    /// It came to its end. Tickets that are outside are passed over.
    void end(admission_ticket& t, std::int64_t now_ms, changes& others);
    /// All that waits goes: nothing new will come.
    void release_all(changes& others);

    [[nodiscard]] std::size_t outstanding() const { return outstanding_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t waiting() const { return waiting_; }
    [[nodiscard]] std::size_t organizations() const { return organizations_.size(); }

private:
    struct organization_load {
        std::deque<ticket_ptr> waiting; ///< Oldest first.
        std::size_t outstanding = 0;
        std::size_t bytes = 0;
    };
    /// How much of the house it fills.
    [[nodiscard]] double share(const organization_load& o) const;
    [[nodiscard]] bool is_full() const { return outstanding_ > bounds_.outstanding_max || bytes_ > bounds_.bytes_max; }
    /// Makes room by the newest of another that has more than `o`; false when there is none.
    bool evict_for(const organization_load& o, changes& others);
    ticket_ptr next();
    void admit(std::int64_t now_ms, changes& others);
    void leave(admission_ticket& t);

    bounds bounds_;
    std::unordered_map<uuid, organization_load> organizations_; ///< Those with something outstanding.
    std::deque<uuid> turns_;                                    ///< Those with something waiting, whose turn is first.
    std::size_t outstanding_ = 0;
    std::size_t bytes_ = 0;
    std::size_t waiting_ = 0;
    std::size_t working_ = 0;
};

} // namespace troupe::runtime
