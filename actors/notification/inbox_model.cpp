#include "actors/notification/inbox_model.hpp"

#include "actors/common/message_ids.hpp"
#include "actors/notification/quiet.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace troupe::actors {
namespace {

using events = std::vector<inbox_model::event>;
using decision_result = expected<events>;

bool is_wanted(const notification_preferences& p, const notify& n) {
    const bool matters = n.priority >= p.at_least || n.kind == notification_kind::mention;
    return matters && std::ranges::find(p.muted, n.kind) == p.muted.end();
}

std::vector<notification_channel> channels_of(const notification_preferences& p, notification_kind kind) {
    if (p.by_kind) {
        const auto own = std::ranges::find(*p.by_kind, kind, &kind_channels::kind);
        if (own != p.by_kind->end()) {
            return own->channels;
        }
    }
    return p.channels.value_or(std::vector{notification_channel::in_app});
}

bool is_to_be_packed(const notice_way& w) { return w.shown.status == delivery_status::waiting && !w.shown.delivery_id; }

std::size_t waiting_in(const inbox_state& s) {
    return static_cast<std::size_t>(std::ranges::count_if(s.notices, [](const notice& n) {
        return std::ranges::any_of(n.ways, [](const auto& w) { return w.shown.status == delivery_status::waiting; });
    }));
}

/// When the next e-mail goes that waits for others; nothing when none does.
std::optional<timestamp> next_mail(const inbox_state& s, timestamp now) {
    std::optional<timestamp> out;
    for (const auto& n : s.notices) {
        for (const auto& w : n.ways) {
            const bool joins = w.shown.channel == notification_channel::email && is_to_be_packed(w) && w.due > now;
            out = joins && (!out || w.due < *out) ? w.due : out;
        }
    }
    return out;
}

timestamp due_of(const inbox_state& s, notification_channel channel, const notify& n, timestamp now) {
    if (n.priority == task_priority::urgent) {
        return now;
    }
    const bool waits = channel == notification_channel::email && n.priority < task_priority::high;
    const auto due = waits ? next_mail(s, now).value_or(now + s.preferences.batch_ms.value_or(0)) : now;
    return after_quiet(s.preferences.quiet, due);
}

decision_result decide(const inbox_state& s, const notify& c, const runtime::context& context) {
    if (!is_wanted(s.preferences, c)) {
        return events{};
    }
    notified out{c, false, {}};
    const bool refused = waiting_in(s) >= waiting_max;
    for (const auto channel : channels_of(s.preferences, c.kind)) {
        const bool known = std::ranges::find(out.ways, channel, &planned_way::channel) != out.ways.end();
        if (channel == notification_channel::in_app) {
            out.unread = true;
        } else if (!known) {
            out.ways.push_back({channel, due_of(s, channel, c, context.now), refused});
        }
    }
    return events{std::move(out)};
}

decision_result decide(const inbox_state& s, const mark_read& c, const runtime::context&) {
    if (c.number == 0 || c.number > s.total) {
        return problem{code::not_found, "There is no such notification here. See GET /notifications."};
    }
    return std::ranges::binary_search(s.unread, c.number) ? events{notification_read{c.number}} : events{};
}

decision_result decide(const inbox_state& s, const mark_all_read&, const runtime::context&) {
    return s.unread.empty() ? events{} : events{all_read{s.total}};
}

decision_result decide(const inbox_state& s, const set_preferences& c, const runtime::context&) {
    const notification_preferences& wanted = c;
    return to_json(wanted) == to_json(s.preferences) ? events{} : events{preferences_set{wanted}};
}

decision_result decide(const inbox_state& s, const delivery_due& c, const runtime::context& context) {
    const auto now = std::max(context.now, c.due);
    events out;
    parcel_packed mail{{}, notification_channel::email, {}};
    const auto close_mail = [&] {
        if (!mail.notices.empty()) {
            mail.id = context.make_id();
            out.emplace_back(std::exchange(mail, {{}, notification_channel::email, {}}));
        }
    };
    for (const auto& n : s.notices) {
        for (const auto& w : n.ways) {
            if (!is_to_be_packed(w) || w.due > now) {
                continue;
            }
            if (w.shown.channel == notification_channel::webhook) {
                out.emplace_back(parcel_packed{context.make_id(), w.shown.channel, {n.number}});
                continue;
            }
            mail.notices.push_back(n.number);
            if (mail.notices.size() == parcel_max) {
                close_mail();
            }
        }
    }
    close_mail();
    for (const auto& p : s.parcels) {
        if (p.status == parcel_status::waiting && p.at <= now) {
            out.emplace_back(parcel_resumed{p.id, false});
        }
    }
    return out;
}

bool is_urgent(const inbox_state& s, const parcel& p) {
    return std::ranges::any_of(s.notices, [&](const notice& n) {
        return n.what.priority == task_priority::urgent && std::ranges::count(p.notices, n.number) > 0;
    });
}

decision_result decide(const inbox_state& s, const note_parcel& c, const runtime::context& context) {
    const auto* p = find_parcel(s, c.id);
    if (p == nullptr || p->status != parcel_status::due || p->attempts != c.attempt) {
        return events{};
    }
    if (c.ok) {
        return events{parcel_delivered{c.id}};
    }
    if (c.for_good || p->attempts >= p->attempts_max) {
        events out{parcel_given_up{c.id, c.error}};
        const auto is_given_up = [](const parcel& one) { return one.status == parcel_status::given_up; };
        if (static_cast<std::size_t>(std::ranges::count_if(s.parcels, is_given_up)) >= undelivered_max) {
            out.emplace_back(parcel_dropped{std::ranges::find_if(s.parcels, is_given_up)->id});
        }
        return out;
    }
    const auto due = context.now + c.retry_ms;
    return events{parcel_delayed{c.id, c.error, is_urgent(s, *p) ? due : after_quiet(s.preferences.quiet, due)}};
}

expected<void> is_dead_letter(const inbox_state& s, const uuid& id) {
    const auto* p = find_parcel(s, id);
    return p != nullptr && p->status == parcel_status::given_up
               ? expected<void>()
               : problem{code::not_found,
                         "There is no dead letter " + to_string(id) + ". See GET /notification-dead-letters."};
}

decision_result decide(const inbox_state& s, const retry_parcel& c, const runtime::context&) {
    const auto known = is_dead_letter(s, c.id);
    return known ? decision_result(events{parcel_resumed{c.id, true}}) : known.error();
}

decision_result decide(const inbox_state& s, const drop_parcel& c, const runtime::context&) {
    const auto known = is_dead_letter(s, c.id);
    return known ? decision_result(events{parcel_dropped{c.id}}) : known.error();
}

// What follows.

parcel* parcel_of(inbox_state& s, const uuid& id) {
    const auto found = std::ranges::find(s.parcels, id, &parcel::id);
    return found == s.parcels.end() ? nullptr : &*found;
}

/// Each way of a notification that a parcel is on.
template <class Change>
void change_ways(inbox_state& s, const parcel& p, Change change) {
    for (auto& n : s.notices) {
        for (auto& w : n.ways) {
            if (w.shown.channel == p.channel && std::ranges::count(p.notices, n.number) > 0) {
                change(w.shown);
            }
        }
    }
}

void apply(inbox_state& s, const notified& e, const runtime::event_context& at) {
    ++s.total;
    if (e.unread) {
        s.unread.push_back(s.total);
        if (s.unread.size() > unread_max) {
            s.unread.erase(s.unread.begin());
        }
    }
    if (e.ways.empty()) {
        return;
    }
    notice n{s.total, at.time, e.what, {}};
    for (const auto& way : e.ways) {
        notice_way w{{}, way.due};
        w.shown.channel = way.channel;
        if (way.refused) {
            w.shown.status = delivery_status::failed;
            w.shown.error = "Too many wait to be sent.";
        }
        n.ways.push_back(std::move(w));
    }
    s.notices.push_back(std::move(n));
}

void apply(inbox_state& s, const notification_read& e, const runtime::event_context&) {
    std::erase(s.unread, e.number);
}

void apply(inbox_state& s, const all_read& e, const runtime::event_context&) {
    std::erase_if(s.unread, [&](auto number) { return number <= e.up_to; });
}

void apply(inbox_state& s, const preferences_set& e, const runtime::event_context&) { s.preferences = e.preferences; }

void apply(inbox_state& s, const parcel_packed& e, const runtime::event_context& at) {
    s.parcels.push_back({e.id, e.channel, e.notices, parcel_status::due, 1, delivery_attempts_max, at.time, ""});
    change_ways(s, s.parcels.back(), [&](notification_delivery& d) { d.delivery_id = e.id; });
}

void apply(inbox_state& s, const parcel_resumed& e, const runtime::event_context&) {
    if (auto* p = parcel_of(s, e.id)) {
        p->status = parcel_status::due;
        p->attempts_max = e.anew ? p->attempts + delivery_attempts_max : p->attempts_max;
        ++p->attempts; // never the same again: the key of an effect is good for one attempt
        change_ways(s, *p, [](notification_delivery& d) { d.status = delivery_status::waiting; });
    }
}

void end_attempt(inbox_state& s, parcel& p, parcel_status status, timestamp at, const std::string& error) {
    p.status = status;
    p.at = at;
    p.error = error;
    change_ways(s, p, [&](notification_delivery& d) {
        d.attempts = p.attempts;
        d.error = error;
        d.status = status == parcel_status::given_up ? delivery_status::failed : delivery_status::waiting;
    });
}

void apply(inbox_state& s, const parcel_delayed& e, const runtime::event_context&) {
    if (auto* p = parcel_of(s, e.id)) {
        end_attempt(s, *p, parcel_status::waiting, e.due, e.error);
    }
}

void apply(inbox_state& s, const parcel_given_up& e, const runtime::event_context& at) {
    if (auto* p = parcel_of(s, e.id)) {
        end_attempt(s, *p, parcel_status::given_up, at.time, e.error);
    }
}

void apply(inbox_state& s, const parcel_delivered& e, const runtime::event_context& at) {
    if (auto* p = parcel_of(s, e.id)) {
        change_ways(s, *p, [&](notification_delivery& d) {
            d.status = delivery_status::delivered;
            d.attempts = p->attempts;
            d.delivered_at = at.time;
            d.error.reset();
        });
        std::erase_if(s.parcels, [&](const parcel& one) { return one.id == e.id; });
    }
}

void apply(inbox_state& s, const parcel_dropped& e, const runtime::event_context&) {
    std::erase_if(s.parcels, [&](const parcel& one) { return one.id == e.id; });
}

/// What has left the node, or never will, was shown with the event that said so.
void forget_what_is_done(inbox_state& s) {
    std::erase_if(s.notices, [&](const notice& n) {
        return std::ranges::none_of(n.ways, [](const auto& w) { return w.shown.status == delivery_status::waiting; }) &&
               std::ranges::none_of(s.parcels,
                                    [&](const parcel& p) { return std::ranges::count(p.notices, n.number) > 0; });
    });
}

notification_document document_of(const uuid& inbox, const notice& n) {
    const auto& what = n.what;
    notification_document out{message_id(inbox, n.number),
                              what.kind,
                              what.priority,
                              what.title,
                              what.text,
                              what.task_id,
                              what.message_id,
                              what.actor,
                              n.at,
                              false,
                              std::nullopt};
    if (!n.ways.empty()) {
        out.deliveries.emplace();
        std::ranges::transform(n.ways, std::back_inserter(*out.deliveries), &notice_way::shown);
    }
    return out;
}

/// The parcel whose fate an event tells.
std::optional<uuid> parcel_told_of(const inbox_model::event& e) {
    return std::visit(
        []<class Event>(const Event& each) -> std::optional<uuid> {
            if constexpr (std::is_same_v<Event, parcel_delayed> || std::is_same_v<Event, parcel_given_up> ||
                          std::is_same_v<Event, parcel_delivered> || std::is_same_v<Event, parcel_resumed>) {
                return each.id;
            } else {
                return std::nullopt;
            }
        },
        e);
}

} // namespace

expected<std::vector<inbox_model::event>> inbox_model::decide(const state& s, const command& c,
                                                              const runtime::context& context) {
    return std::visit([&](const auto& each) { return actors::decide(s, each, context); }, c);
}

inbox_state inbox_model::apply(state s, const event& e, const runtime::event_context& at) {
    s.id = at.id;
    forget_what_is_done(s);
    std::visit([&](const auto& each) { actors::apply(s, each, at); }, e);
    return s;
}

std::vector<runtime::effect> inbox_model::resume(const state& s) {
    std::vector<runtime::effect> out;
    std::optional<timestamp> next;
    const auto consider = [&](timestamp due) { next = !next || due < *next ? due : *next; };
    std::vector<notification_channel> busy;
    for (const auto& p : s.parcels) {
        if (p.status == parcel_status::waiting) {
            consider(p.at);
        } else if (p.status == parcel_status::due && std::ranges::count(busy, p.channel) == 0) {
            busy.push_back(p.channel); // one after the other: whoever gets them is not flooded
            out.emplace_back(runtime::perform_effect{"deliver/" + to_string(p.id) + "/" + std::to_string(p.attempts),
                                                     "deliver", to_json(parcel_resumed{p.id})});
        }
    }
    for (const auto& n : s.notices) {
        for (const auto& w : n.ways) {
            if (is_to_be_packed(w)) {
                consider(w.due);
            }
        }
    }
    if (next) {
        out.emplace_back(runtime::timer_effect{"due/" + std::to_string(next->ms), *next,
                                               std::string(wire_name<delivery_due>::value),
                                               to_json(delivery_due{*next})});
    }
    return out;
}

runtime::entity_view inbox_model::view(const state& s, const runtime::view_context&) {
    inbox_view out{s.total, s.unread, s.preferences, std::nullopt};
    for (const auto& p : s.parcels) {
        if (p.status != parcel_status::given_up) {
            continue;
        }
        undelivered_document dead{p.id, p.channel, p.attempts, p.error, p.at, {}};
        std::ranges::transform(p.notices, std::back_inserter(dead.notifications),
                               [&](auto number) { return message_id(s.id, number); });
        if (!out.undelivered) {
            out.undelivered.emplace();
        }
        out.undelivered->push_back(std::move(dead));
    }
    return {.document = to_json(out), .keys = {}, .exists = !s.id.is_nil()};
}

std::vector<runtime::item> inbox_model::items(const state& after, const event& e, const runtime::event_context& at) {
    std::vector<runtime::item> out;
    const auto show = [&](const notice& n) {
        out.push_back({"notifications", message_key(n.number), to_json(document_of(at.id, n))});
    };
    if (const auto* told = std::get_if<notified>(&e)) {
        show(!told->ways.empty() ? after.notices.back() : notice{after.total, at.time, told->what, {}});
    } else if (const auto parcel = parcel_told_of(e)) {
        for (const auto& n : after.notices) {
            if (std::ranges::any_of(n.ways, [&](const auto& w) { return w.shown.delivery_id == *parcel; })) {
                show(n);
            }
        }
    }
    return out;
}

const parcel* find_parcel(const inbox_state& s, const uuid& id) {
    const auto found = std::ranges::find(s.parcels, id, &parcel::id);
    return found == s.parcels.end() ? nullptr : &*found;
}

std::vector<notification_document> told_by(const inbox_state& s, const parcel& p) {
    std::vector<notification_document> out;
    for (const auto& n : s.notices) {
        if (std::ranges::count(p.notices, n.number) > 0) {
            out.push_back(document_of(s.id, n));
            out.back().deliveries.reset(); // each attempt says the same
        }
    }
    return out;
}

} // namespace troupe::actors
