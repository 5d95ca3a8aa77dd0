#pragma once

#include "runtime/bus/filter.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/problem.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::runtime {

/// An event as readers are sent it. Many hold the same one.
struct event_text {
    std::string id; ///< As the event's.
    std::string bytes;
};

/// One event on a channel. `data` is JSON. `id` is the opaque cursor after this event, empty for live-only
/// events (tokens, metrics), which are not resumable by cursor.
struct live_event {
    std::string id;
    timestamp ts;
    std::string channel; ///< "runs/018f…", "tasks/018f…", "supervision", …
    std::string kind;    ///< The journaled event's type, or "token", "output", …
    std::string data;
    uuid organization;
    /// What its sinks made of it, a slot for each form: the first makes it, a thousand share it. Only sinks touch it,
    /// and those of one event are called one after the other.
    mutable std::array<std::shared_ptr<const event_text>, 2> texts = {};
};

/// Whether a channel is meant by a name or a pattern with one trailing "*". "*" alone means the channels of all
/// entities ("runs/018f…"), not those without a slash: they are asked for by name.
bool channel_matches(std::string_view pattern, std::string_view channel);

/// {"id":…,"ts":…,"channel":…,"kind":…,"data":…}: the envelope of WebSocket and SSE.
std::string to_envelope(const live_event& e);

/// A page of the feed: envelopes, and the cursor after the last of them.
struct event_page {
    std::vector<std::string> envelopes;
    std::optional<std::string> next; ///< Set when there are more.
};

/// What a subscriber wants to see.
struct subscription_request {
    uuid organization;
    std::vector<std::string> channels; ///< Exact names, or patterns with one trailing "*": "runs/*", "*".
    std::string since;        ///< Cursor to start after; empty: from now; "start": from the oldest that is kept.
    event_filter filter = {}; ///< Checked.
};

/// Ends the subscription when destroyed. Movable.
class subscription {
public:
    virtual ~subscription() = default;
};

/// Publish and subscribe. Journaled events come in commit order, each exactly once after `since`, the past
/// before the present; order is promised per entity. Thread-safe.
class bus {
public:
    virtual ~bus() = default;

    /// `sink` is called from the bus's threads, one call at a time, and must not block. A cursor that cannot be
    /// read is `invalid_request`; one that lies before retention delivers an event of kind "reset" first.
    virtual expected<std::unique_ptr<subscription>> subscribe(subscription_request request,
                                                              std::function<void(const live_event&)> sink) = 0;

    /// Tells of every committed event of an organization, before the command behind it is answered. `told` is called
    /// from the committer's thread: it has to be done at once and must not call the bus.
    virtual std::unique_ptr<subscription>
    observe(uuid organization, std::function<void(const entity_address& entity, std::string_view type)> told) = 0;

    /// Publishes a live-only event.
    virtual void publish(live_event e) = 0;
};

} // namespace troupe::runtime
