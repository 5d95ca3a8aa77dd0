#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// What keeps entities from going on that is not part of their state: who wants to know why one waits, looks here.
namespace troupe::runtime {

/// An effect that failed and rests until its next attempt.
struct effect_trouble {
    std::string key;
    std::uint32_t attempts = 0; ///< So far, in this life of the entity.
    timestamp at;               ///< Of the last failure.
    timestamp next;             ///< When it is tried again.
    std::string cause;
};

/// It died of a command or of its own code.
struct crash_trouble {
    std::uint32_t in_a_row = 0;
    timestamp at;
    timestamp next; ///< When it is started again.
    std::string command;
    std::string cause;
};

struct quarantine_trouble {
    timestamp at;
    std::string cause;
};

struct entity_troubles {
    std::optional<crash_trouble> crash;
    std::optional<quarantine_trouble> quarantine;
    std::vector<effect_trouble> effects; ///< By key.

    [[nodiscard]] bool empty() const { return !crash && !quarantine && effects.empty(); }
};

/// Keeps the troubles of entities while they last. Written when something fails, so that what goes well costs nothing.
/// Thread-safe.
class trouble_board {
public:
    /// Beyond so many entities in trouble further ones are not noted, only counted.
    explicit trouble_board(std::size_t entities_max = 10'000) : entities_max_(entities_max) {}
    /// Of one entity.
    static constexpr std::size_t effects_max = 100;

    void crashed(const entity_address& a, crash_trouble t);
    void quarantined(const entity_address& a, quarantine_trouble t);
    void effect_failed(const entity_address& a, effect_trouble t);

    /// What is over. All do nothing when it was not noted.
    void recovered(const entity_address& a); ///< From crashes.
    void loaded(const entity_address& a);    ///< Its history can be read.
    void effect_ended(const entity_address& a, std::string_view key);
    void left(const entity_address& a); ///< Its actor ended, and with it the back-off of its effects.

    [[nodiscard]] entity_troubles of(const entity_address& a) const;
    [[nodiscard]] std::size_t entities() const { return size_.load(std::memory_order_relaxed); }
    /// Troubles that were not noted because there were too many.
    [[nodiscard]] std::uint64_t left_out() const { return left_out_.load(std::memory_order_relaxed); }

private:
    struct noted {
        std::optional<crash_trouble> crash;
        std::optional<quarantine_trouble> quarantine;
        std::map<std::string, effect_trouble, std::less<>> effects;
    };
    /// Null when there is no room.
    noted* room_for(const entity_address& a);
    template <class Change>
    void mend(const entity_address& a, Change change);

    const std::size_t entities_max_;
    mutable std::mutex mutex_;
    std::unordered_map<entity_address, noted> troubles_;
    std::atomic<std::size_t> size_{0};
    std::atomic<std::uint64_t> left_out_{0};
};

} // namespace troupe::runtime
