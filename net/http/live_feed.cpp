#include "net/http/live_feed.hpp"

#include <algorithm>
#include <utility>

namespace troupe::net {

live_feed::live_feed(runtime::bus& bus, limits bounds, form encoded, std::function<void()> wake)
    : bus_(bus), bounds_(bounds), form_(encoded), wake_(std::move(wake)) {}

live_feed::~live_feed() { close(); }

expected<live_feed::subscription_ptr> live_feed::begin(const std::shared_ptr<source>& s,
                                                       runtime::subscription_request request) {
    return bus_.subscribe(std::move(request), [feed = weak_from_this(), s](const runtime::live_event& e) {
        if (const auto self = feed.lock())
            self->push(s, e);
    });
}

expected<void> live_feed::subscribe(const std::string& name, runtime::subscription_request request) {
    auto s = std::make_shared<source>(
        source{.name = name, .request = request, .subscribed_at = system_now(), .queued = {}, .sent = {}});
    auto begun = begin(s, std::move(request));
    if (!begun)
        return begun.error();
    sources_.insert_or_assign(name, entry{std::move(s), std::move(*begun)});
    return {};
}

bool live_feed::unsubscribe(const std::string& name) {
    const auto found = sources_.find(name);
    if (found == sources_.end())
        return false;
    {
        const std::lock_guard lock(mutex_);
        const auto& s = found->second.state;
        s->open = false;
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(std::exchange(taken_, 0)));
        const auto of_source = [&](const item& i) { return i.from == s.get(); };
        for (const auto& i : queue_)
            queued_bytes_ -= of_source(i) ? i.text->bytes.size() : 0;
        std::erase_if(queue_, of_source);
    }
    sources_.erase(found);
    return true;
}

std::size_t live_feed::unsubscribe_channels(const std::vector<std::string>& channels) {
    std::size_t found = 0;
    std::vector<std::string> ended;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [name, e] : sources_) {
            const auto removed = std::erase_if(e.state->request.channels, [&](const auto& channel) {
                return std::find(channels.begin(), channels.end(), channel) != channels.end();
            });
            found += removed;
            e.state->filtered = e.state->filtered || removed > 0;
            if (e.state->request.channels.empty())
                ended.push_back(name);
        }
    }
    for (const auto& name : ended)
        unsubscribe(name);
    return found;
}

std::size_t live_feed::channels() const {
    const std::lock_guard lock(mutex_);
    std::size_t out = 0;
    for (const auto& [name, e] : sources_)
        out += e.state->request.channels.size();
    return out;
}

void live_feed::push(const std::shared_ptr<source>& s, const runtime::live_event& e) {
    if (form_.own) {
        if (auto own = form_.own(e); !own.bytes.empty())
            queue(s, e, std::make_shared<const runtime::event_text>(runtime::event_text{e.id, std::move(own.bytes)}),
                  own.last);
        return;
    }
    auto& text = e.texts[form_.slot];
    if (!text)
        text = std::make_shared<const runtime::event_text>(runtime::event_text{e.id, form_.encode(e)});
    queue(s, e, text, false);
}

void live_feed::queue(const std::shared_ptr<source>& s, const runtime::live_event& e,
                      const std::shared_ptr<const runtime::event_text>& text, bool last) {
    const auto bytes = text->bytes.size();
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        if (!s->open || s->paused || dropped_ || ended_)
            return;
        const auto& wanted = s->request.channels;
        if (s->filtered && std::none_of(wanted.begin(), wanted.end(), [&](const auto& pattern) {
                return runtime::channel_matches(pattern, e.channel);
            }))
            return;
        const bool full = queued() > 0 && (queued() >= bounds_.events_max || queued_bytes_ + bytes > bounds_.bytes_max);
        if (full) {
            const bool past = e.ts < s->subscribed_at && !e.id.empty() && !s->place_of(s->queued).empty();
            if (past)
                s->paused = any_paused_ = true;
            else
                drop();
        } else {
            if (!e.id.empty())
                s->queued = text;
            queued_bytes_ += bytes;
            queue_.push_back({s.get(), text});
            ended_ = last;
        }
        wake = !std::exchange(awake_, true) || dropped_; // a reader that is stuck in a write has to know
    }
    if (wake)
        wake_();
}

bool live_feed::write(own_text text) {
    const auto bytes = text.bytes.size();
    bool wake = false;
    {
        const std::lock_guard lock(mutex_);
        if (closed_ || dropped_ || ended_)
            return false;
        const bool full = queued() >= bounds_.events_max || queued_bytes_ + bytes > bounds_.bytes_max;
        if (full && queued() > 0 && !text.last) { // what ends it is one more at most
            drop();
        } else {
            queued_bytes_ += bytes;
            queue_.push_back(
                {nullptr, std::make_shared<const runtime::event_text>(runtime::event_text{{}, std::move(text.bytes)})});
            ended_ = text.last;
        }
        wake = !std::exchange(awake_, true) || dropped_;
    }
    if (wake)
        wake_();
    return true;
}

/// With the mutex held.
void live_feed::drop() {
    dropped_ = true;
    lost_ += queued() + 1; // and the one that found no room
    forget_queue();
}

/// With the mutex held. An idle reader keeps room for a few.
void live_feed::forget_queue() {
    constexpr std::size_t room_max = 8;
    queue_.clear();
    if (queue_.capacity() > room_max)
        queue_ = {};
    taken_ = 0;
    queued_bytes_ = 0;
}

bool live_feed::dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

live_feed::taken live_feed::take(std::size_t bytes_max, std::size_t texts_max) {
    resume_paused();
    taken out;
    const std::lock_guard lock(mutex_);
    if (dropped_) {
        out.dropped = true;
        out.lost = std::exchange(lost_, 0);
        for (const auto& [name, e] : sources_)
            out.resume.push_back({name, e.state->place_of(e.state->sent)});
        return out;
    }
    if (queued() == 0) {
        awake_ = false;
        out.ended = ended_;
        return out;
    }
    out.texts.reserve(std::min(queued(), texts_max));
    for (std::size_t bytes = 0; queued() > 0 && bytes < bytes_max && out.texts.size() < texts_max;) {
        auto& next = queue_[taken_++];
        bytes += next.text->bytes.size();
        queued_bytes_ -= next.text->bytes.size();
        if (!next.text->id.empty())
            next.from->sent = next.text;
        out.texts.push_back(std::move(next.text));
    }
    if (queued() == 0) {
        forget_queue();
    } else if (taken_ > queue_.size() / 2) {
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(std::exchange(taken_, 0)));
    }
    return out;
}

void live_feed::resume_paused() {
    {
        const std::lock_guard lock(mutex_);
        if (!any_paused_ || queued() > 0 || dropped_)
            return;
        any_paused_ = false;
    }
    for (auto& [name, e] : sources_) {
        auto request = runtime::subscription_request();
        {
            const std::lock_guard lock(mutex_);
            if (!e.state->paused)
                continue;
            e.state->open = false; // what the old subscription still sends is not wanted
            request = e.state->request;
            request.since = e.state->place_of(e.state->queued);
        }
        e.subscription.reset();
        auto s = std::make_shared<source>(*e.state);
        s->open = true;
        s->paused = false;
        s->subscribed_at = system_now();
        e.state = s;
        if (auto begun = begin(s, std::move(request))) {
            e.subscription = std::move(*begun);
        } else {
            const std::lock_guard lock(mutex_);
            drop(); // the reader is told where to go on, and meets the problem there
        }
    }
}

void live_feed::close() {
    {
        const std::lock_guard lock(mutex_);
        for (auto& [name, e] : sources_)
            e.state->open = false;
        closed_ = true;
        forget_queue();
    }
    sources_.clear();
}

} // namespace troupe::net
