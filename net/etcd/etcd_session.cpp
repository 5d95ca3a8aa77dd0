#include "net/etcd/etcd_session.hpp"

#include "schemas/base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace troupe::net::etcd {

namespace {

/// So long an endpoint has time to answer before the next is asked as well: a healthy one needs a millisecond.
constexpr std::int64_t stagger_ms = 150;
constexpr std::int64_t back_off_min_ms = 100;
constexpr std::int64_t back_off_max_ms = 1'000;
/// etcd's clock of leases ticks twice a second; its shortest lease is 2 s at its default settings.
constexpr std::int64_t interval_min_ms = 250;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

} // namespace

session::session(session_settings s)
    : settings_(std::move(s)),
      interval_ms_(std::max(settings_.ttl_ms / 3, interval_min_ms)),
      time_out_ms_(std::min(settings_.request_time_out_ms, interval_ms_)),
      random_(static_cast<std::minstd_rand::result_type>(settings_.seed % std::minstd_rand::modulus)),
      last_whys_(settings_.endpoints.size(), "it was not asked yet") {}

void session::start(std::int64_t now_ms) {
    search(settings_.seed % settings_.endpoints.size(), now_ms);
    tick(now_ms);
}

void session::stop(std::int64_t now_ms) {
    stopping_ = true;
    pending_.clear();
    to_ask_.clear();
    if (watch_ != 0)
        actions_.push_back(close_watch{std::exchange(watch_, 0)});
    if (current_ && lease_.id != 0)
        send(purpose::revoke, *current_, revoke_lease(lease_.id), now_ms);
}

std::vector<action> session::take_actions() { return std::exchange(actions_, {}); }

void session::send(purpose what, std::size_t endpoint, request body, std::int64_t now_ms, std::uint64_t about,
                   bool whole_map) {
    pending_[++last_id_] = {what, endpoint, now_ms, about, whole_map};
    // A whole map may be large.
    const bool may_be_long = whole_map || what == purpose::read_again;
    actions_.push_back(
        ask{last_id_, endpoint, std::move(body), may_be_long ? settings_.request_time_out_ms : time_out_ms_});
}

bool session::asks(purpose what) const {
    return std::any_of(pending_.begin(), pending_.end(), [&](const auto& one) { return one.second.what == what; });
}

std::int64_t session::back_off_ms() {
    const auto most = std::min(back_off_max_ms, back_off_min_ms << std::min(failures_, 10U));
    return most / 2 + std::uniform_int_distribution<std::int64_t>(0, most / 2)(random_);
}

// ---- which endpoint

void session::search(std::size_t first, std::int64_t at_ms) {
    const auto count = settings_.endpoints.size();
    to_ask_.clear();
    for (std::size_t i = count; i-- > 0;)
        to_ask_.push_back((first + i) % count);
    ask_next_ms_ = at_ms;
}

void session::ask_next(std::int64_t now_ms) {
    const auto endpoint = to_ask_.back();
    to_ask_.pop_back();
    ask_next_ms_ = now_ms + stagger_ms;
    send(purpose::hello, endpoint, has_map_ ? compare_map(settings_.prefix, resume_) : read_map(settings_.prefix),
         now_ms, 0, !has_map_);
}

void session::hello_failed(std::size_t endpoint, const std::string& why, std::int64_t now_ms) {
    last_whys_[endpoint] = why;
    actions_.push_back(leave{endpoint});
    ask_next_ms_ = std::min(ask_next_ms_, now_ms);
    if (!to_ask_.empty() || asks(purpose::hello))
        return;
    note_failure(now_ms);
    say_unreachable(now_ms);
    search(random_() % settings_.endpoints.size(), now_ms + back_off_ms());
}

void session::hello_answered(const asked& to, const answer& with, std::int64_t now_ms) {
    if (const auto bad = failure_of(with)) {
        if (!bad->compacted)
            return hello_failed(to.endpoint, bad->what.detail, now_ms);
        has_map_ = false;
        return send(purpose::hello, to.endpoint, read_map(settings_.prefix), now_ms, 0, true);
    }
    auto map = to.whole_map ? read_map_answer(with.body, settings_.prefix) : map_answer();
    const auto same = to.whole_map ? comparison_answer() : read_comparison_answer(with.body);
    if (!map || !same)
        return hello_failed(to.endpoint, map ? same.error().detail : map.error().detail, now_ms);
    const auto header = to.whole_map ? map->header : same->header;
    if (cluster_ != 0 && header.cluster != cluster_)
        return hello_failed(to.endpoint,
                            "It belongs to another cluster of etcd than the one that this node began with. Correct the "
                            "endpoints, or bring back the etcd that this node knew.",
                            now_ms);
    if (header.revision < told_)
        return hello_failed(
            to.endpoint,
            "It knows less than etcd did before: it was made anew or restored from a backup. Bring back "
            "the etcd that this node knew.",
            now_ms);
    cluster_ = header.cluster;
    if (to.whole_map)
        take_map(std::move(*map));
    else if (!same->changed)
        resume_ = std::max(resume_, header.revision);
    connect(to.endpoint, now_ms);
}

void session::connect(std::size_t endpoint, std::int64_t now_ms) {
    for (const auto& [id, other] : std::exchange(pending_, {}))
        if (other.endpoint != endpoint)
            actions_.push_back(leave{other.endpoint});
    to_ask_.clear();
    current_ = endpoint;
    last_whys_[endpoint] = "it was in use";
    compare_ms_ = now_ms + interval_ms_;
    suspected_.reset();
    hold_lease(now_ms);
    watch();
}

void session::endpoint_failed(const std::string& why, std::int64_t now_ms) {
    const auto endpoint = *std::exchange(current_, std::nullopt);
    log_for("etcd").warn("{} is left: {}", settings_.endpoints[endpoint], why);
    last_whys_[endpoint] = why;
    pending_.clear();
    watch_ = 0;
    actions_.push_back(leave{endpoint});
    // Once is a fail-over; again and again, answers that are of no use.
    note_failure(now_ms);
    if (failures_ > settings_.endpoints.size())
        say_unreachable(now_ms);
    search((endpoint + 1) % settings_.endpoints.size(), failures_ == 1 ? now_ms : now_ms + back_off_ms());
}

void session::note_failure(std::int64_t now_ms) {
    if (failures_++ == 0)
        lost_ms_ = now_ms;
}

void session::say_unreachable(std::int64_t now_ms) {
    if (reachable_ == true && now_ms - lost_ms_ < interval_ms_)
        return; // etcd may only be electing a leader
    std::string whys;
    for (std::size_t i = 0; i < settings_.endpoints.size(); ++i) {
        std::string_view why = last_whys_[i];
        if (why.ends_with('.'))
            why.remove_suffix(1);
        whys += fmt::format("{}{}: {}", i == 0 ? "" : "; ", settings_.endpoints[i], why);
    }
    why_ = fmt::format("etcd cannot be used ({}).", whys);
    if (std::exchange(reachable_, false) == false)
        return;
    log_for("etcd").error("{}", why_);
    actions_.push_back(tell_reachable{false, why_});
}

// ---- the watch

void session::watch() {
    watch_ = ++last_id_;
    watch_created_ = false;
    lines_ = line_splitter(watch_line_bytes_max);
    actions_.push_back(open_watch{watch_, *current_, watch_map(settings_.prefix, resume_ + 1), time_out_ms_});
}

void session::watch_piece(std::uint64_t id, std::string_view bytes, std::int64_t now_ms) {
    if (!wants_watch(id))
        return;
    const bool good = lines_.feed(bytes, [&](std::string_view line) { return watch_line(line, now_ms); });
    if (!good && wants_watch(id)) { // too long for a line: as a map it may be shorter
        log_for("etcd").warn("A line of the watch is over {} bytes; the map is read again.", watch_line_bytes_max);
        read_again(now_ms);
    }
}

/// False: this watch is of no more use, and what comes instead is under way.
bool session::watch_line(std::string_view line, std::int64_t now_ms) {
    const auto said = read_watch_line(line, settings_.prefix, lease_.id);
    if (!said || (said->canceled && !said->compacted)) {
        endpoint_failed(said ? fmt::format("etcd ended the watch: {}.", said->why) : said.error().detail, now_ms);
        return false;
    }
    if (said->compacted) {
        read_again(now_ms);
        return false;
    }
    if (said->created) {
        watch_created_ = true;
        if (std::exchange(reachable_, true) != true) {
            log_for("etcd").info("{} is in use.", settings_.endpoints[*current_]);
            actions_.push_back(tell_reachable{true, ""});
        }
    }
    if (said->is_progress())
        resume_ = std::max(resume_, said->header.revision);
    if (said->changes.empty() || said->last_revision <= told_)
        return true;
    if (said->first_revision <= told_) { // part of it is known: this is not what was asked for
        endpoint_failed("etcd told a change twice.", now_ms);
        return false;
    }
    told_ = said->last_revision;
    resume_ = std::max(resume_, told_);
    tell_each_revision(*said);
    return true;
}

/// A key's revision is that of its change, and what is compared with it later.
void session::tell_each_revision(const watch_answer& said) {
    for (std::size_t at = 0; at < said.changes.size(); ++at) {
        if (at == 0 || said.revisions[at] != said.revisions[at - 1])
            actions_.push_back(tell_changes{{}, said.revisions[at]});
        std::get<tell_changes>(actions_.back()).changes.push_back(said.changes[at]);
    }
}

void session::watch_ended(std::uint64_t id, const std::string& why, std::int64_t now_ms) {
    if (wants_watch(id))
        endpoint_failed(why, now_ms);
}

void session::read_again(std::int64_t now_ms) {
    if (watch_ != 0)
        actions_.push_back(close_watch{std::exchange(watch_, 0)});
    has_map_ = false;
    if (!asks(purpose::read_again))
        send(purpose::read_again, *current_, read_map(settings_.prefix), now_ms);
}

void session::take_map(map_answer map) {
    has_map_ = true;
    told_ = resume_ = map.header.revision;
    actions_.push_back(tell_map{std::move(map.entries), told_});
}

void session::compared(const asked& to, const answer& with, std::int64_t now_ms) {
    compare_ms_ = now_ms + interval_ms_;
    if (const auto bad = failure_of(with)) {
        if (bad->compacted)
            read_again(now_ms);
        else
            endpoint_failed(bad->what.detail, now_ms);
        return;
    }
    const auto same = read_comparison_answer(with.body);
    if (!same)
        return endpoint_failed(same.error().detail, now_ms);
    failures_ = 0;
    if (!same->changed)
        resume_ = std::max(resume_, same->header.revision);
    const bool stands_still = same->changed && told_ == to.about;
    if (stands_still && suspected_ == told_) {
        log_for("etcd").warn("The watch at {} has stalled; the map is read again.", settings_.endpoints[*current_]);
        suspected_.reset();
        return read_again(now_ms);
    }
    suspected_ = stands_still ? std::optional(told_) : std::nullopt;
}

// ---- the lease

void session::hold_lease(std::int64_t now_ms) {
    hold_ms_ = now_ms + interval_ms_;
    const auto ttl_s = (settings_.ttl_ms + 999) / 1000;
    send(purpose::lease, *current_, lease_.id == 0 ? grant_lease(ttl_s) : keep_lease(lease_.id), now_ms, lease_.id);
}

void session::lease_answered(const asked& to, const answer& with, std::int64_t now_ms) {
    if (to.about != lease_.id)
        return; // of a lease that was found lost meanwhile
    const auto bad = failure_of(with);
    if (bad && !bad->no_lease) {
        if (!bad->endpoint_is_well)
            return endpoint_failed(bad->what.detail, now_ms);
        log_for("etcd").error("There is no lease for this node: {}", bad->what.detail);
        return;
    }
    const auto said = bad ? lease_answer() : read_lease_answer(with.body);
    if (!said)
        return endpoint_failed(said.error().detail, now_ms);
    if (said->ttl_s == 0 || said->id == 0)
        return lease_gone(to.about, now_ms);
    if (to.about != 0 && said->id != to.about)
        return endpoint_failed("etcd answered about another lease.", now_ms);
    set_lease({said->id, to.sent_ms + said->ttl_s * 1000});
}

void session::lease_gone(std::uint64_t lease, std::int64_t now_ms) {
    if (lease == 0 || lease != lease_.id || stopping_)
        return;
    log_for("etcd").warn("This node's lease at etcd has ended; a new one is asked for.");
    set_lease({});
    if (current_)
        hold_lease(now_ms);
}

void session::set_lease(cluster::lease now) {
    lease_ = now;
    actions_.push_back(tell_lease{now});
}

// ---- what comes in

void session::answered(std::uint64_t id, const answer& with, std::int64_t now_ms) {
    const auto at = pending_.find(id);
    if (at == pending_.end())
        return;
    const auto to = at->second;
    pending_.erase(at);
    switch (to.what) {
    case purpose::hello:
        return hello_answered(to, with, now_ms);
    case purpose::compare:
        return compared(to, with, now_ms);
    case purpose::lease:
        return lease_answered(to, with, now_ms);
    case purpose::revoke:
        return;
    case purpose::read_again:
        break;
    }
    const auto bad = failure_of(with);
    auto map = bad ? expected<map_answer>(bad->what) : read_map_answer(with.body, settings_.prefix);
    if (map && map->header.revision < told_)
        map = problem{code::unavailable, "etcd knows less than it did before."};
    if (!map)
        return endpoint_failed(map.error().detail, now_ms);
    take_map(std::move(*map));
    watch();
}

void session::failed(std::uint64_t id, const std::string& why, std::int64_t now_ms) {
    const auto at = pending_.find(id);
    if (at == pending_.end())
        return;
    const auto to = at->second;
    pending_.erase(at);
    if (to.what == purpose::hello)
        hello_failed(to.endpoint, why, now_ms);
    else if (to.what != purpose::revoke)
        endpoint_failed(why, now_ms);
}

void session::tick(std::int64_t now_ms) {
    if (stopping_)
        return;
    if (!current_) {
        while (!to_ask_.empty() && ask_next_ms_ <= now_ms)
            ask_next(now_ms);
        return;
    }
    if (hold_ms_ <= now_ms && !asks(purpose::lease))
        hold_lease(now_ms);
    if (compare_ms_ <= now_ms && watch_created_ && watch_ != 0 && !asks(purpose::compare)) {
        compare_ms_ = now_ms + interval_ms_;
        send(purpose::compare, *current_, compare_map(settings_.prefix, resume_), now_ms, told_);
    }
}

std::int64_t session::wake_ms() const {
    if (stopping_)
        return never;
    if (!current_)
        return to_ask_.empty() ? never : ask_next_ms_;
    return std::min(asks(purpose::lease) ? never : hold_ms_,
                    watch_created_ && watch_ != 0 && !asks(purpose::compare) ? compare_ms_ : never);
}

} // namespace troupe::net::etcd
