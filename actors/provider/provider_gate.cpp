#include "actors/provider/provider_gate.hpp"

#include "schemas/base/duration.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::actors {

namespace {

constexpr double fast_part = 0.3;
constexpr double slow_part = 0.02;
constexpr std::size_t samples_min = 10;      ///< Before a latency counts as unusual.
constexpr double slow_factor = 3;            ///< So many times slower than usual is degraded…
constexpr double slow_first_token_ms = 2000; ///< …where a person notices.

/// Failures of the provider; all else says nothing about how it fares.
bool is_failure(code c) {
    return c == code::model_unavailable || c == code::deadline_exceeded || c == code::model_reply_invalid;
}

/// It answered, though not with what was asked for.
bool has_answered(code c) {
    return c == code::model_refused || c == code::model_unknown || c == code::model_rate_limited;
}

bool is_too_late(const gate_wish& wish, std::optional<std::int64_t> until_ms) {
    return until_ms > std::min(wish.until_ms, wish.known_until_ms.value_or(wish.until_ms));
}

} // namespace

void provider_gate::moving::add(double value, std::int64_t now_ms) {
    fast = count == 0 ? value : fast + fast_part * (value - fast);
    // At first an average of all: one odd call shall not be what is usual.
    slow += (value - slow) * std::max(slow_part, 1.0 / static_cast<double>(count + 1));
    ++count;
    at_ms = now_ms;
}

void provider_gate::ask(std::uint64_t ticket, gate_wish wish) {
    if (waiting_count_ >= settings_.waiting_max) {
        refused_.push_back(
            {ticket, problem{code::model_rate_limited,
                             fmt::format("{} calls wait for the provider {} already.", waiting_count_, provider_)}});
        return;
    }
    auto& queue = waiting_[wish.caller];
    if (queue.empty()) {
        turns_.push_back(wish.caller);
    }
    queue.push_back({ticket, std::move(wish)});
    ++waiting_count_;
}

void provider_gate::leave(std::uint64_t ticket) {
    for (auto queue = waiting_.begin(); queue != waiting_.end(); ++queue) {
        if (std::erase_if(queue->second, [&](const waiter& w) { return w.ticket == ticket; }) == 0) {
            continue;
        }
        --waiting_count_;
        if (queue->second.empty()) {
            std::erase(turns_, queue->first);
            waiting_.erase(queue);
        }
        return;
    }
}

// ---- who may go

std::optional<provider_gate::obstacle> provider_gate::breaker_obstacle(std::int64_t now_ms) const {
    if (state_ == breaker::closed) {
        return {};
    }
    const auto why = last_failure_ ? last_failure_->second.detail : std::string();
    if (state_ == breaker::open && now_ms < open_until_ms_) {
        return obstacle{code::model_unavailable,
                        fmt::format("The provider {} failed {} times in a row and is left alone for {}: {}", provider_,
                                    failures_in_row_, span_text(open_until_ms_ - now_ms), why),
                        open_until_ms_};
    }
    if (probe_) {
        return obstacle{
            code::model_unavailable,
            fmt::format("The provider {} failed, and one call tries whether it works again: {}", provider_, why),
            {}};
    }
    return {};
}

std::optional<provider_gate::obstacle> provider_gate::limit_obstacle(const gate_wish& wish, std::int64_t now_ms) const {
    const auto waits = [&](const char* what, std::int64_t until_ms) {
        return obstacle{
            code::model_rate_limited,
            fmt::format("The provider {} has no {} left for {}.", provider_, what, span_text(until_ms - now_ms)),
            until_ms};
    };
    if (requests_ && requests_->remaining == 0 && now_ms < requests_->reset_at_ms) {
        return waits("requests", requests_->reset_at_ms);
    }
    // Even a small call of unknown size needs one.
    if (tokens_ && now_ms < tokens_->reset_at_ms &&
        tokens_->remaining < std::max<std::uint64_t>(1, wish.input_tokens)) {
        return waits("tokens", tokens_->reset_at_ms);
    }
    return {};
}

std::optional<provider_gate::obstacle> provider_gate::obstacle_for(const gate_wish& wish, std::int64_t now_ms) const {
    if (auto broken = breaker_obstacle(now_ms)) {
        return broken;
    }
    if (held_ && now_ms < held_->first) {
        return obstacle{held_->second.code, held_->second.detail, held_->first};
    }
    if (auto limited = limit_obstacle(wish, now_ms)) {
        return limited;
    }
    if (settings_.calls_max > 0 && at_work_.size() >= settings_.calls_max) {
        return obstacle{code::model_rate_limited,
                        fmt::format("The provider {} has {} calls at work, as many as it may (calls_max).", provider_,
                                    at_work_.size()),
                        {}};
    }
    return {};
}

problem provider_gate::refusal(const obstacle& why, std::int64_t now_ms) const {
    problem out{why.why, why.text};
    if (why.until_ms && *why.until_ms > now_ms) {
        out.retry_after_s = static_cast<std::uint32_t>((*why.until_ms - now_ms + 999) / 1000);
    }
    return out;
}

void provider_gate::admit(std::uint64_t ticket, std::int64_t now_ms) {
    at_work_.insert(ticket);
    if (state_ != breaker::closed) {
        state_ = breaker::half_open;
        probe_ = ticket;
    }
    if (requests_ && now_ms < requests_->reset_at_ms) {
        --requests_->remaining; // not 0: it would not be admitted
    }
}

bool provider_gate::admit_next(std::int64_t now_ms, std::vector<gate_answer>& out) {
    for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
        const auto& first = waiting_.at(*turn).front();
        if (!obstacle_for(first.wish, now_ms)) {
            const auto ticket = first.ticket;
            std::rotate(turn, turn + 1, turns_.end());
            leave(ticket);
            admit(ticket, now_ms);
            out.push_back({ticket, {}});
            return true;
        }
    }
    return false;
}

std::vector<gate_answer> provider_gate::answers(std::int64_t now_ms) {
    auto out = std::exchange(refused_, {});
    while (admit_next(now_ms, out)) {
    }
    std::vector<std::uint64_t> over;
    for (const auto& [caller, queue] : waiting_) {
        for (const auto& w : queue) {
            const auto why = obstacle_for(w.wish, now_ms);
            if (w.wish.until_ms <= now_ms || (why && is_too_late(w.wish, why->until_ms))) {
                const obstacle late{code::model_rate_limited,
                                    fmt::format("The turn at the provider {} did not come in time.", provider_)};
                out.push_back({w.ticket, refusal(why.value_or(late), now_ms)});
                over.push_back(w.ticket);
            }
        }
    }
    std::ranges::for_each(over, [this](std::uint64_t ticket) { leave(ticket); });
    return out;
}

std::optional<std::int64_t> provider_gate::next_ms(std::int64_t now_ms) const {
    std::optional<std::int64_t> next;
    for (const auto& [caller, queue] : waiting_) {
        for (const auto& w : queue) {
            const auto why = obstacle_for(w.wish, now_ms);
            const auto at = std::min(w.wish.until_ms, why && why->until_ms ? *why->until_ms : w.wish.until_ms);
            next = std::min(next.value_or(at), at);
        }
    }
    return next;
}

// ---- what came of it

void provider_gate::ended(std::uint64_t ticket, const gate_outcome& outcome, std::int64_t now_ms) {
    if (at_work_.erase(ticket) == 0) {
        return;
    }
    const bool probe = probe_ == ticket;
    if (probe) {
        probe_.reset();
    }
    if (!outcome.failure) {
        succeeded(outcome, probe, now_ms);
        return;
    }
    const auto& why = *outcome.failure;
    if (probe && has_answered(why.code)) {
        close();
    }
    if (is_failure(why.code)) {
        last_failure_ = {now_ms, why};
        if (why.retry_after_s) {
            hold(why, std::int64_t{*why.retry_after_s} * 1000, now_ms);
        }
        failed(probe, now_ms);
    } else if (why.code == code::model_rate_limited) {
        last_failure_ = {now_ms, why};
        rate_limited(why, now_ms);
    }
}

void provider_gate::succeeded(const gate_outcome& outcome, bool probe, std::int64_t now_ms) {
    if (probe) {
        close();
    }
    failures_in_row_ = 0;
    limited_in_row_ = 0;
    note(false, now_ms);
    call_.add(static_cast<double>(outcome.call_ms), now_ms);
    if (outcome.first_token_ms) {
        first_token_.add(static_cast<double>(*outcome.first_token_ms), now_ms);
    }
    learn(outcome.limits, now_ms);
}

void provider_gate::failed(bool probe, std::int64_t now_ms) {
    ++failures_in_row_;
    note(true, now_ms);
    const auto calls = window(now_ms).second;
    const bool too_many = failures_in_row_ >= settings_.failures_max ||
                          (calls >= settings_.window_min && failure_share(now_ms) >= settings_.failure_share_max);
    if (probe || (state_ == breaker::closed && too_many)) {
        open(now_ms);
    }
}

void provider_gate::rate_limited(const problem& why, std::int64_t now_ms) {
    const auto own_ms = settings_.back_off_first_ms << std::min(limited_in_row_++, 10U);
    hold(why, why.retry_after_s ? std::int64_t{*why.retry_after_s} * 1000 : std::min(own_ms, settings_.back_off_max_ms),
         now_ms);
}

void provider_gate::open(std::int64_t now_ms) {
    back_off_ms_ =
        back_off_ms_ == 0 ? settings_.back_off_first_ms : std::min(2 * back_off_ms_, settings_.back_off_max_ms);
    state_ = breaker::open;
    open_until_ms_ = now_ms + back_off_ms_;
}

void provider_gate::close() {
    state_ = breaker::closed;
    back_off_ms_ = 0;
    failures_in_row_ = 0;
    outcomes_.clear();
}

void provider_gate::hold(const problem& why, std::int64_t ms, std::int64_t now_ms) {
    if (ms > 0 && (!held_ || held_->first < now_ms + ms)) {
        held_ = {now_ms + ms, why};
    }
}

void provider_gate::learn(const net::rate_limits& limits, std::int64_t now_ms) {
    const auto take = [&](const net::rate_limit& from, std::optional<learned_limit>& to) {
        if (from.remaining && from.reset_ms) {
            to = learned_limit{*from.remaining, now_ms + *from.reset_ms};
        }
    };
    take(limits.requests, requests_);
    take(limits.tokens, tokens_);
}

void provider_gate::note(bool failure, std::int64_t now_ms) {
    outcomes_.emplace_back(now_ms, failure);
    if (outcomes_.size() > settings_.window_calls) {
        outcomes_.pop_front();
    }
}

// ---- how it does

std::pair<std::size_t, std::size_t> provider_gate::window(std::int64_t now_ms) const {
    std::pair<std::size_t, std::size_t> out;
    for (const auto& [at_ms, failure] : outcomes_) {
        if (now_ms - at_ms < settings_.window_ms) {
            out.first += failure ? 1 : 0;
            ++out.second;
        }
    }
    return out;
}

double provider_gate::failure_share(std::int64_t now_ms) const {
    const auto [failures, calls] = window(now_ms);
    return calls == 0 ? 0 : static_cast<double>(failures) / static_cast<double>(calls);
}

std::string provider_gate::degraded_by(std::int64_t now_ms) const {
    if (held_ && now_ms < held_->first) {
        return fmt::format("it asked to wait for {}: {}", span_text(held_->first - now_ms), held_->second.detail);
    }
    if (auto limited = limit_obstacle({}, now_ms)) {
        return limited->text;
    }
    const auto [failures, calls] = window(now_ms);
    if (failures > 1 && failure_share(now_ms) >= settings_.failure_share_degraded) {
        return fmt::format("{} of the last {} calls failed: {}", failures, calls,
                           last_failure_ ? last_failure_->second.detail : "");
    }
    if (first_token_.count >= samples_min && now_ms - first_token_.at_ms < settings_.window_ms &&
        first_token_.fast > slow_first_token_ms && first_token_.fast > slow_factor * first_token_.slow) {
        return fmt::format("the first token takes {:.1f} s, and {:.1f} s usually", first_token_.fast / 1000,
                           first_token_.slow / 1000);
    }
    return {};
}

provider_health provider_gate::health(std::int64_t now_ms, timestamp wall) const {
    provider_health out;
    const auto shown = [&](const moving& m) {
        return m.count == 0 ? std::nullopt : std::optional(static_cast<std::int64_t>(m.fast));
    };
    if (state_ != breaker::closed) {
        const auto why = breaker_obstacle(now_ms);
        out.status = provider_status::open;
        out.reason = why ? why->text : "It failed; the next call tries whether it works again.";
        if (why && why->until_ms) {
            out.retry_at = wall + (*why->until_ms - now_ms);
        }
    } else if (out.reason = degraded_by(now_ms); !out.reason.empty()) {
        out.status = provider_status::degraded;
        const auto why = obstacle_for({}, now_ms);
        if (why && why->until_ms) {
            out.retry_at = wall + (*why->until_ms - now_ms);
        }
    }
    out.calls_at_work = static_cast<std::uint32_t>(at_work_.size());
    out.calls_waiting = static_cast<std::uint32_t>(waiting_count_);
    out.calls_max = settings_.calls_max;
    out.failures_in_row = failures_in_row_;
    out.failure_share = failure_share(now_ms);
    out.first_token_ms = shown(first_token_);
    out.call_ms = shown(call_);
    if (last_failure_) {
        const auto& [at_ms, why] = *last_failure_;
        out.last_failure = provider_failure{std::string(explain(why.code).name), why.detail, wall + (at_ms - now_ms)};
    }
    return out;
}

} // namespace troupe::actors
