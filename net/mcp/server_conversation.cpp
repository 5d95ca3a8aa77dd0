#include "net/mcp/server_conversation.hpp"

#include "schemas/base/clock.hpp"

#include <algorithm>
#include <set>

namespace troupe::net::mcp {

namespace {

/// Line ends stand between the tokens of JSON only; one would end the event.
std::string to_event(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return "event: message\ndata: " + text + "\n\n";
}

std::string owner_of(const request& r) { return r.who.name + "@" + to_string(r.who.organization); }

} // namespace

// ---- The outlet.

void server_outlet::add(server_message message) {
    const std::lock_guard lock(mutex_);
    pending_.push_back(std::move(message));
}

void server_outlet::be_stream() {
    const std::lock_guard lock(mutex_);
    is_stream_ = true;
}

void server_outlet::pump() {
    show_function show;
    stream_spec what;
    {
        const std::lock_guard lock(mutex_);
        if (phase_ == phase::open)
            return drain();
        if (phase_ != phase::waiting || (pending_.empty() && !is_stream_))
            return;
        show = std::exchange(show_, nullptr);
        what.headers = headers_;
        if (!is_stream_ && pending_.front().last) {
            phase_ = phase::done;
            auto& only = pending_.front();
            what.instead = response{.status = only.refused_status, .body = std::move(only.text), .headers = headers_};
            if (what.instead->status == 0)
                what.instead->status = what.instead->body.empty() ? 202 : 200;
        } else {
            phase_ = phase::opening;
            what.closed = std::exchange(closed_, nullptr);
            what.fed = [self = shared_from_this()](stream_writer writer) {
                const std::lock_guard own(self->mutex_);
                self->writer_ = std::move(writer);
                self->phase_ = phase::open;
                self->drain();
            };
        }
    }
    show(std::move(what));
}

/// With the mutex held. The writer only queues.
void server_outlet::drain() {
    for (; !pending_.empty(); pending_.pop_front()) {
        auto& next = pending_.front();
        writer_({next.text.empty() ? std::string(": end\n\n") : to_event(std::move(next.text)), next.last});
    }
}

// ---- The conversation.

server_conversation::server_conversation(const server_offer& offer, era spoken, const request& opener)
    : offer_(offer),
      spoken_(spoken),
      owner_(owner_of(opener)),
      opener_(std::make_shared<const request>(opener)),
      session_(offer.settings, spoken, owner_) {}

void server_conversation::received(const std::vector<rpc_message>& messages, std::shared_ptr<const request> from,
                                   server_outlet::show_function show, server_outlet::header_list headers,
                                   const request_headers* checked) {
    run([&](server_session& session) {
        const auto stream = ++last_stream_;
        const auto closed = [self = shared_from_this(), stream] {
            self->run([&](server_session& s) {
                self->outlets_.erase(stream);
                s.closed(stream);
            });
        };
        if (show)
            outlets_.emplace(stream, std::make_shared<server_outlet>(std::move(show), std::move(headers), closed));
        from_ = std::move(from);
        on_ = stream;
        session.received(messages, stream, system_now().ms, checked);
    });
}

void server_conversation::open_stream(server_outlet::show_function show) {
    std::shared_ptr<server_outlet> made;
    run([&](server_session& session) {
        const auto stream = ++last_stream_;
        made = std::make_shared<server_outlet>(std::move(show), server_outlet::header_list(),
                                               [self = shared_from_this(), stream] {
                                                   self->run([&](server_session& s) {
                                                       self->outlets_.erase(stream);
                                                       s.closed(stream);
                                                   });
                                               });
        made->be_stream();
        outlets_.emplace(stream, made);
        session.opened(stream);
    });
    made->pump();
}

void server_conversation::run(const std::function<void(server_session&)>& what) {
    std::set<std::shared_ptr<server_outlet>> touched;
    std::vector<server_event> events;
    {
        const std::lock_guard lock(mutex_);
        what(session_);
        for (auto& message : session_.take_messages()) {
            const auto found = outlets_.find(message.to);
            if (found == outlets_.end())
                continue; // its client has gone
            const bool last = message.last;
            found->second->add(std::move(message));
            touched.insert(found->second);
            if (last)
                outlets_.erase(found);
        }
        events = session_.take_events();
        for (const auto& each : events)
            if (const auto* begun = std::get_if<called>(&each))
                work_.try_emplace(begun->call, work{from_, on_, {}});
        from_.reset();
    }
    for (const auto& outlet : touched)
        outlet->pump();
    for (const auto& each : events)
        happened(each);
}

void server_conversation::happened(const server_event& what) {
    if (const auto* begun = std::get_if<called>(&what))
        return begin(*begun);
    if (const auto* changed = std::get_if<watch_changed>(&what))
        return watch(*changed);
    const auto id = std::get<call_cancelled>(what).call;
    std::shared_ptr<server_call> call;
    {
        const std::lock_guard lock(mutex_);
        const auto found = work_.find(id);
        if (found == work_.end())
            return;
        call = found->second.call.lock();
        work_.erase(found);
    }
    if (call)
        call->cancel();
}

void server_conversation::begin(const called& what) {
    std::shared_ptr<server_call> call;
    {
        const std::lock_guard lock(mutex_);
        const auto found = work_.find(what.call);
        if (found == work_.end())
            return; // cancelled meanwhile
        call = std::make_shared<server_call>(shared_from_this(), what, found->second.caller);
        found->second.call = call;
    }
    offer_.methods.at(what.method)(call);
}

void server_conversation::watch(const watch_changed& what) {
    std::shared_ptr<void> held; // is let go of without the lock
    if (what.watched && offer_.watch)
        held = offer_.watch(*opener_, what.uri, [weak = weak_from_this(), uri = what.uri] {
            if (const auto self = weak.lock())
                self->run([&](server_session& session) { session.updated(uri); });
        });
    const std::lock_guard lock(mutex_);
    if (what.watched)
        watched_[what.uri].swap(held);
    else if (const auto found = watched_.find(what.uri); found != watched_.end()) {
        held = std::move(found->second);
        watched_.erase(found);
    }
}

void server_conversation::changed(list_kind what) {
    run([&](server_session& session) { session.changed(what); });
}

void server_conversation::end() {
    std::vector<std::shared_ptr<server_call>> calls;
    std::map<std::string, std::shared_ptr<void>> watched;
    std::map<stream_id, std::shared_ptr<server_outlet>> outlets;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, each] : work_)
            if (auto call = each.call.lock())
                calls.push_back(std::move(call));
        work_.clear();
        watched.swap(watched_);
        outlets.swap(outlets_);
    }
    for (const auto& [id, outlet] : outlets) {
        outlet->add({id, {}, true});
        outlet->pump();
    }
    for (const auto& call : calls)
        call->cancel();
}

bool server_conversation::belongs_to(const request& r) const { return owner_of(r) == owner_; }

bool server_conversation::ask_session(const std::function<bool(const server_session&)>& what) {
    const std::lock_guard lock(mutex_);
    return what(session_);
}

bool server_conversation::is_initialized() {
    return ask_session([](const server_session& session) { return session.is_initialized(); });
}

std::string server_conversation::version() {
    const std::lock_guard lock(mutex_);
    return session_.version();
}

bool server_conversation::is_at_work() {
    const std::lock_guard lock(mutex_);
    return !work_.empty() || !outlets_.empty();
}

void server_conversation::take_time(server_call_id call) {
    std::shared_ptr<server_outlet> outlet;
    {
        const std::lock_guard lock(mutex_);
        const auto found = work_.find(call);
        const auto to = found == work_.end() ? outlets_.end() : outlets_.find(found->second.stream);
        if (to == outlets_.end())
            return;
        outlet = to->second;
    }
    outlet->be_stream();
    outlet->pump();
}

void server_conversation::answered(server_call_id call, server_answer with) {
    run([&](server_session& session) {
        session.answer(call, std::move(with), system_now().ms);
        if (!session.has(call))
            work_.erase(call);
    });
}

// ---- The call.

server_call::server_call(std::shared_ptr<server_conversation> of, called what, std::shared_ptr<const request> caller)
    : of_(std::move(of)), what_(std::move(what)), caller_(std::move(caller)) {}

server_call::~server_call() {
    if (!answered_ && !cancelled_)
        of_->answered(what_.call, rpc_error{rpc_internal_error, "This ended without an answer.", {}});
}

era server_call::spoken() const { return of_->spoken(); }

bool server_call::can_ask(question_kind kind) const {
    return of_->ask_session([&](const server_session& s) { return s.can_ask(what_.call, kind); });
}

bool server_call::wants_progress() const {
    return of_->ask_session([&](const server_session& s) { return s.wants_progress(what_.call); });
}

void server_call::progress(double progress, std::optional<double> total, std::string_view message) {
    of_->run([&](server_session& s) { s.progress(what_.call, progress, total, message); });
}

void server_call::log(std::string_view level, std::string_view logger, const json::raw& data) {
    of_->run([&](server_session& s) { s.log(what_.call, level, logger, data); });
}

void server_call::take_time() { of_->take_time(what_.call); }

void server_call::on_cancelled(std::function<void()> then) {
    {
        const std::lock_guard lock(mutex_);
        if (!cancelled_) {
            then_ = std::move(then);
            return;
        }
    }
    then();
}

void server_call::cancel() {
    std::function<void()> then;
    {
        const std::lock_guard lock(mutex_);
        cancelled_ = true;
        then = std::exchange(then_, nullptr);
    }
    if (then)
        then();
}

void server_call::answer(server_answer with) {
    {
        const std::lock_guard lock(mutex_);
        if (answered_ || cancelled_)
            return;
        answered_ = true;
        then_ = nullptr;
    }
    of_->answered(what_.call, std::move(with));
}

} // namespace troupe::net::mcp
