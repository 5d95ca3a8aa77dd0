#include "net/cluster/link_dialer.hpp"

#include "schemas/base/log.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <string>
#include <utility>

namespace troupe::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace runtime::cluster;

std::int64_t dial_again_ms(const tcp_links_settings& settings, unsigned failures, std::uint32_t random) {
    const auto most = std::min(settings.dial_again_ms_max, settings.dial_again_ms_min << std::min(failures, 20U));
    return most / 2 + static_cast<std::int64_t>(random) % (most - most / 2 + 1);
}

namespace {

/// Asio's `is_loopback` knows mapped addresses only by their IPv6 form.
bool is_this_machine(const asio::ip::address& a) {
    if (a.is_v6() && a.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, a.to_v6()).is_loopback();
    return a.is_loopback();
}

} // namespace

/// One attempt, and the connection that it becomes.
class link_outgoing final : public link_stream {
public:
    link_outgoing(std::shared_ptr<link_dialer> by, link_hub& hub, const peer_place& place)
        : link_stream(hub.loop_of(by->on())),
          hub_(hub),
          by_(std::move(by)),
          place_(place),
          resolver_(loop_->io()),
          session_(
              hub.settings.timings, hub.settings.windows, link_hello{hub.mine, by_->on(), place.replica},
              [this](const node_card& card) { return judge(card); }, link_now_us()) {}

    void start() {
        loop_->add(self());
        error_code error;
        const auto address = asio::ip::make_address(place_.address, error);
        if (!error) {
            places_.emplace_back(address, place_.port);
            return connect();
        }
        resolver_.async_resolve(
            place_.address, std::to_string(place_.port), asio::ip::resolver_base::numeric_service,
            [s = self_as()](const error_code& failed, const auto& found) {
                if (s->has_ended())
                    return;
                if (failed)
                    return s->fail({code::connection_failed, fmt::format("the name {} has no address: {}",
                                                                         s->place_.address, failed.message())});
                for (const auto& each : found)
                    s->places_.push_back(each.endpoint());
                s->connect();
            });
    }

    bool send(shared_bytes frame) {
        {
            const std::lock_guard lock(mutex_);
            if (!session_.send(std::move(frame)))
                return false;
            if (!wants_flush())
                return true;
        }
        loop_->post([s = self_as()] { s->flush(); });
        return true;
    }

    bool is_open() {
        const std::lock_guard lock(mutex_);
        return session_.is_open();
    }
    std::uint64_t under_way() {
        const std::lock_guard lock(mutex_);
        return session_.under_way();
    }

protected:
    link_end& session() override { return session_; }
    void look(std::int64_t now_us) override { session_.on_time(now_us); }

    void take(std::string_view bytes) override {
        bool opened = false;
        {
            const std::lock_guard lock(mutex_);
            const bool before = session_.is_open();
            session_.on_bytes(bytes, link_now_us());
            opened = session_.is_open() && !before;
            if (const auto measured = session_.round_trip_us())
                by_->counters().round_trip_us = *measured;
        }
        if (opened) {
            opened_ = true;
            by_->outgoing_opened(session_.peer());
        }
    }

    void on_end() override {
        resolver_.cancel();
        by_->outgoing_ended(this, session_.why(), opened_);
    }

private:
    std::shared_ptr<link_outgoing> self_as() { return std::static_pointer_cast<link_outgoing>(self()); }

    /// With `mutex_` held, by `take`.
    expected<void> judge(const node_card& card) {
        if (auto known = find_member({place_}, card); !known)
            return known;
        return socket_->is_secure() ? check_certificate(socket_->session(), card.name) : expected<void>{};
    }

    /// To the next of its addresses.
    void connect() {
        const bool anywhere = hub_.identity || hub_.settings.insecure;
        while (!places_.empty() && !anywhere && !is_this_machine(places_.front().address())) {
            places_.pop_front();
            error_ = "without TLS nodes talk on one machine only: set cluster.tls, or cluster.insecure if whoever "
                     "reaches the network may be believed";
        }
        if (places_.empty())
            return fail({code::connection_failed, error_.empty() ? "it has no address" : error_});
        const auto to = places_.front();
        places_.pop_front();
        socket_.emplace(tcp_socket(loop_->io()));
        socket_->plain().async_connect(to, [s = self_as()](const error_code& error) {
            if (s->has_ended())
                return;
            if (!error)
                return s->connected();
            s->error_ = error.message();
            s->connect();
        });
    }

    void connected() {
        prepare();
        if (!hub_.identity)
            return begin();
        auto tls = hub_.identity->begin(socket_->plain().native_handle(), link_identity::side::dials);
        if (!tls)
            return fail({code::internal, "there is no memory for TLS"});
        socket_->secure(std::move(tls));
        shake_hands([s = self_as()] { s->begin(); });
    }

    link_hub& hub_;
    const std::shared_ptr<link_dialer> by_;
    const peer_place place_;
    asio::ip::basic_resolver<tcp, asio::io_context::executor_type> resolver_;
    std::deque<tcp::endpoint> places_;
    std::string error_; // of the last of them
    link_sender session_;
    bool opened_ = false;
};

// ---- the dialer

link_dialer::link_dialer(link_hub& hub, lane on, uuid peer, std::shared_ptr<link_counters> counters)
    : hub_(hub),
      on_(on),
      peer_(peer),
      counters_(std::move(counters)),
      timer_(hub.loop_of(on).io()),
      random_(static_cast<std::minstd_rand::result_type>(std::hash<uuid>()(make_uuid()))) {}

void link_dialer::go(peer_place place) {
    hub_.loop_of(on_).post([d = shared_from_this(), place = std::move(place)]() mutable {
        const bool moved = place != d->place_;
        d->place_ = std::move(place);
        const auto now = d->current();
        if (now && moved)
            return now->end({code::unavailable, "it listens somewhere else"}); // and dials there afterwards
        if (!now)
            d->dial();
    });
}

void link_dialer::leave(std::string why) {
    hub_.loop_of(on_).post([d = shared_from_this(), why = std::move(why)]() mutable {
        d->leaving_ = true;
        d->waiting_ = false;
        d->timer_.cancel();
        if (const auto now = d->current())
            now->end({code::unavailable, std::move(why)});
    });
}

void link_dialer::peer_is(uuid incarnation) {
    hub_.loop_of(on_).post([d = shared_from_this(), incarnation] {
        const auto now = d->current();
        if (now && !d->incarnation_.is_nil() && d->incarnation_ != incarnation)
            now->end({code::unavailable, "another process has taken its place"});
        if (d->waiting_)
            d->dial();
    });
}

bool link_dialer::send(shared_bytes frame) {
    const auto bytes = frame->size();
    const auto now = current();
    if (!now || !now->send(std::move(frame))) {
        ++counters_->refused_sends;
        return false;
    }
    ++counters_->sent_frames;
    counters_->sent_bytes += bytes;
    return true;
}

std::shared_ptr<link_outgoing> link_dialer::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

bool link_dialer::is_open() const {
    const auto now = current();
    return now && now->is_open();
}

std::uint64_t link_dialer::under_way() const {
    const auto now = current();
    return now ? now->under_way() : 0;
}

std::string link_dialer::why() const {
    const std::lock_guard lock(mutex_);
    return why_;
}

void link_dialer::dial() {
    if (leaving_ || current())
        return;
    waiting_ = false;
    timer_.cancel();
    incarnation_ = {};
    auto next = std::make_shared<link_outgoing>(shared_from_this(), hub_, place_);
    {
        const std::lock_guard lock(mutex_);
        current_ = next;
    }
    next->start();
}

void link_dialer::outgoing_opened(const node_card& peer) {
    incarnation_ = peer.incarnation;
    opened_us_ = link_now_us();
    ++counters_->connects;
    {
        const std::lock_guard lock(mutex_);
        why_.clear();
    }
    hub_.opened(shared_from_this(), peer);
}

void link_dialer::outgoing_ended(const link_outgoing* which, const problem& why, bool was_open) {
    std::shared_ptr<link_outgoing> last; // it ends after the mutex
    {
        const std::lock_guard lock(mutex_);
        if (current_.get() != which)
            return;
        last = std::move(current_);
        why_ = why.detail;
    }
    incarnation_ = {};
    counters_->round_trip_us = -1;
    if (!was_open)
        ++counters_->failed_connects;
    // One that held for a while is no failure: who welcomes and breaks at once is not dialled in a circle.
    failures_ = was_open && link_now_us() - opened_us_ >= hub_.settings.dial_again_ms_max * 1000 ? 0 : failures_ + 1;
    hub_.broke(shared_from_this(), why, was_open);
    dial_later();
}

void link_dialer::dial_later() {
    if (leaving_)
        return;
    waiting_ = true;
    timer_.expires_after(
        std::chrono::milliseconds(dial_again_ms(hub_.settings, failures_ > 0 ? failures_ - 1 : 0, random_())));
    timer_.async_wait([d = shared_from_this()](const error_code& error) {
        if (!error && d->waiting_)
            d->dial();
    });
}

} // namespace troupe::net
