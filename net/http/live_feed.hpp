#pragma once

#include "net/http/own_form.hpp"
#include "runtime/bus/bus.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace troupe::net {

/// What is taken out of a feed for one write: enough to fill a socket, little enough to stay fair to the others.
inline constexpr std::size_t live_write_bytes = 64 << 10;
inline constexpr std::size_t live_write_texts = 64;
/// Writes of one reader in a row before others have their turn.
inline constexpr int live_writes_max = 4;

/// What one reader of live events has yet to be sent: a bounded queue between the bus's threads and the reader's io
/// thread, over any number of subscriptions.
///
/// A reader that falls behind the present is dropped: what waits is forgotten and the cursors to resume from remain.
/// A reader that is still catching up with the past is not: its subscription is ended and asked for again, from the
/// last event that was queued, when all that waits has been sent.
class live_feed : public std::enable_shared_from_this<live_feed> {
public:
    struct limits {
        std::size_t bytes_max;
        std::size_t events_max;
    };
    /// How events are written to readers of this sort: made once for all of them.
    struct form {
        std::size_t slot;                                  ///< Of `live_event::texts`.
        std::string (*encode)(const runtime::live_event&); ///< Called on the bus's threads.
        own_form own = {};                                 ///< Instead of both: of this reader alone.
    };

    /// `wake` is called from any thread when there is something to take after `take` had returned nothing,
    /// and when the reader is dropped.
    live_feed(runtime::bus& bus, limits bounds, form encoded, std::function<void()> wake);
    ~live_feed();

    // The functions below belong to the reader's thread.

    /// Begins to fill from these channels, under a name of the reader's choice.
    expected<void> subscribe(const std::string& name, runtime::subscription_request request);
    /// Ends one subscription, by name. False: there is none.
    bool unsubscribe(const std::string& name);
    /// Takes these channels out of all subscriptions; one that has none left ends. Returns how many were found.
    std::size_t unsubscribe_channels(const std::vector<std::string>& channels);
    /// Subscribed channels, over all subscriptions.
    [[nodiscard]] std::size_t channels() const;

    struct place {
        std::string name;
        std::string since; ///< The cursor to resume from; empty: there was none yet.
    };
    struct taken {
        std::vector<std::shared_ptr<const runtime::event_text>> texts;
        bool dropped = false;           ///< The reader was too slow: nothing more will come.
        bool ended = false;             ///< By its own form: nothing more will come.
        std::vector<place> resume = {}; ///< When dropped.
        std::size_t lost = 0;           ///< Events that were forgotten; said once.
    };
    /// What to send next, about `bytes_max` and at most `texts_max` of it. Call again after each send until it returns
    /// nothing.
    taken take(std::size_t bytes_max, std::size_t texts_max);

    /// Whether the reader was too slow: `take` says where it can resume.
    [[nodiscard]] bool dropped() const;

    /// Queues what does not come from the bus. From any thread. False: nothing is taken any more.
    bool write(own_text text);

    /// Ends all subscriptions. No event is queued afterwards.
    void close();

private:
    struct source {
        std::string name;
        runtime::subscription_request request;
        timestamp subscribed_at;                           // what is older is the past
        std::shared_ptr<const runtime::event_text> queued; // the last one with a cursor that was queued
        std::shared_ptr<const runtime::event_text> sent;   // and that was taken
        bool open = true;
        bool paused = false;   // behind in the past: to be resumed from `queued`
        bool filtered = false; // some channels were taken out

        [[nodiscard]] const std::string& place_of(const std::shared_ptr<const runtime::event_text>& last) const {
            return last ? last->id : request.since;
        }
    };
    struct item {
        source* from; // is in `sources_` while anything of it is queued; null: written
        std::shared_ptr<const runtime::event_text> text;
    };
    using subscription_ptr = std::unique_ptr<runtime::subscription>;

    expected<subscription_ptr> begin(const std::shared_ptr<source>& s, runtime::subscription_request request);
    void push(const std::shared_ptr<source>& s, const runtime::live_event& e);
    void queue(const std::shared_ptr<source>& s, const runtime::live_event& e,
               const std::shared_ptr<const runtime::event_text>& text, bool last);
    void drop();
    void resume_paused();

    runtime::bus& bus_;
    const limits bounds_;
    const form form_;
    const std::function<void()> wake_;

    // Only the reader's thread touches the map; ending a subscription may wait for the bus, so never under the mutex.
    struct entry {
        std::shared_ptr<source> state;
        subscription_ptr subscription;
    };
    std::map<std::string, entry> sources_;

    mutable std::mutex mutex_; // guards all below, and every `source`
    [[nodiscard]] std::size_t queued() const { return queue_.size() - taken_; }
    void forget_queue();
    std::vector<item> queue_;
    std::size_t taken_ = 0; // of its front
    std::size_t queued_bytes_ = 0;
    bool awake_ = false; // the reader was woken and has not yet found the queue empty
    bool dropped_ = false;
    bool ended_ = false;  // the last text is queued
    bool closed_ = false; // by its reader
    std::size_t lost_ = 0;
    bool any_paused_ = false;
};

} // namespace troupe::net
