#include "actors/provider/provider_desk.hpp"

#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <chrono>

namespace troupe::actors {

namespace {

/// Beyond its own deadline: for an actor that is started anew.
constexpr std::int64_t answer_grace_ms = 30'000;
/// A longer wait is left to the run, whose back-off takes no thread and survives a restart.
constexpr std::int64_t known_patience_ms = 5'000;
constexpr std::int64_t look_again_ms = 1'000;
constexpr std::uint64_t bytes_per_token = 4;
constexpr std::uint64_t image_tokens = 1'500;

problem stopped() { return {code::cancelled, "The call was not made: its run ended, or the node stops."}; }

void count(const std::string& provider, const expected<net::model_reply>& reply) {
    auto& m = runtime::metrics();
    const auto outcome = reply ? std::string_view("ok") : explain(reply.error().code).name;
    m.make_counter("troupe_model_calls_total", "Calls of models, by how they ended: ok, or a problem's code.",
                   {{"provider", provider}, {"outcome", outcome}})
        .add();
    if (reply) {
        constexpr std::string_view tokens = "Tokens of models, as the providers count them.";
        m.make_counter("troupe_model_tokens_total", tokens, {{"provider", provider}, {"direction", "input"}})
            .add(reply->usage.input);
        m.make_counter("troupe_model_tokens_total", tokens, {{"provider", provider}, {"direction", "output"}})
            .add(reply->usage.output);
    }
}

void measure(const std::string& provider, const gate_outcome& outcome) {
    auto& m = runtime::metrics();
    m.make_histogram("troupe_model_call_seconds", "How long calls of models take that succeed.",
                     {{"provider", provider}})
        .observe(static_cast<double>(outcome.call_ms) / 1e3);
    if (outcome.first_token_ms) {
        m.make_histogram("troupe_model_first_token_seconds", "How long models take to their first token.",
                         {{"provider", provider}})
            .observe(static_cast<double>(*outcome.first_token_ms) / 1e3);
    }
}

class gated_model final : public net::model {
public:
    gated_model(std::shared_ptr<provider_desk> desk, std::shared_ptr<net::model> bare)
        : desk_(std::move(desk)), model_(std::move(bare)) {}

    [[nodiscard]] std::string describe() const override { return model_->describe(); }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token) override {
        auto place = desk_->admit(
            {request.caller, estimate_input_tokens(request), request.time_out_ms, known_patience_ms}, stop);
        return place ? place->call(*model_, request, std::move(stop), on_token)
                     : expected<net::model_reply>(place.error());
    }

private:
    const std::shared_ptr<provider_desk> desk_;
    const std::shared_ptr<net::model> model_;
};

} // namespace

// ---- what the actor does

/// Carries out what the gate decides. One for each start of the actor.
struct provider_desk::keeper {
    explicit keeper(provider_desk& d, provider_gate g) : desk(d), gate(std::move(g)) {}

    /// How long until it has to look again.
    std::optional<std::int64_t> look() {
        const auto now_ms = desk.clocks_.monotonic();
        for (auto& change : desk.take_changes()) {
            std::visit([&](auto& c) { apply(c, now_ms); }, change);
        }
        bool again = false;
        for (const auto ticket : desk.give(gate.answers(now_ms))) {
            gate.ended(ticket, {.failure = stopped()}, now_ms);
            again = true; // others may have its place
        }
        auto health = gate.health(now_ms, desk.clocks_.wall());
        std::optional<std::int64_t> next;
        if (const auto at_ms = gate.next_ms(now_ms)) {
            next = std::max<std::int64_t>(0, *at_ms - now_ms);
        }
        if (health.status != provider_status::healthy) { // time alone may heal it
            next = std::min(next.value_or(look_again_ms), look_again_ms);
        }
        desk.show(std::move(health));
        return again ? 0 : next;
    }

    void apply(asked& c, std::int64_t) { gate.ask(c.ticket, std::move(c.wish)); }
    void apply(left& c, std::int64_t) { gate.leave(c.ticket); }
    void apply(finished& c, std::int64_t now_ms) { gate.ended(c.ticket, c.outcome, now_ms); }

    provider_desk& desk;
    provider_gate gate;
};

runtime::nudged_part provider_desk::part() {
    return {name_, "provider", figures_, [me = shared_from_this()](runtime::nudge wake) -> runtime::nudged_part::look {
                const auto work = std::make_shared<keeper>(*me, me->attach(std::move(wake)));
                return [me, work] { return work->look(); };
            }};
}

// ---- the desk

provider_desk::provider_desk(std::string name, gate_settings settings, provider_clocks clocks)
    : name_(std::move(name)), settings_(settings), clocks_(std::move(clocks)) {
    health_.calls_max = settings_.calls_max;
}

void provider_desk::tell(change c) {
    changes_.push_back(std::move(c));
    if (wake_) {
        wake_();
    }
}

expected<provider_desk::lease> provider_desk::admit(const call_wish& wish, std::stop_token stop) {
    const auto now_ms = clocks_.monotonic();
    const auto call = std::make_shared<open_call>();
    call->wish = {wish.caller, wish.input_tokens, now_ms + wish.patience_ms, now_ms + wish.known_patience_ms};
    std::unique_lock lock(mutex_);
    const auto ticket = ++last_ticket_;
    calls_.emplace(ticket, call);
    ++figures_->messages;
    tell(asked{ticket, call->wish});
    call->changed.wait_for(lock, stop, std::chrono::milliseconds(wish.patience_ms + answer_grace_ms),
                           [&] { return call->answer.has_value(); });
    if (call->answer && *call->answer) {
        return lease(shared_from_this(), ticket);
    }
    calls_.erase(ticket);
    if (call->answer) {
        return call->answer->error();
    }
    tell(left{ticket});
    return stop.stop_requested()
               ? stopped()
               : problem{code::model_unavailable, "The provider " + name_ + " is started anew on this node."};
}

void provider_desk::finish(std::uint64_t ticket, gate_outcome outcome) {
    const std::lock_guard lock(mutex_);
    calls_.erase(ticket);
    tell(finished{ticket, std::move(outcome)});
}

provider_gate provider_desk::attach(runtime::nudge wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
    provider_gate gate(name_, settings_);
    std::erase_if(changes_, [](const change& c) { return std::holds_alternative<asked>(c); }); // they are in `calls_`
    for (const auto& [ticket, call] : calls_) {
        if (!call->answer) {
            gate.ask(ticket, call->wish);
        } else if (*call->answer) {
            gate.adopt(ticket);
        }
    }
    return gate;
}

std::vector<provider_desk::change> provider_desk::take_changes() {
    const std::lock_guard lock(mutex_);
    return std::exchange(changes_, {});
}

std::vector<std::uint64_t> provider_desk::give(std::vector<gate_answer> answers) {
    std::vector<std::uint64_t> unwanted;
    const std::lock_guard lock(mutex_);
    for (auto& a : answers) {
        if (const auto call = calls_.find(a.ticket); call != calls_.end()) {
            call->second->answer = std::move(a.admitted);
            call->second->changed.notify_all();
        } else if (a.admitted) {
            unwanted.push_back(a.ticket);
        }
    }
    return unwanted;
}

void provider_desk::show(provider_health health) {
    figures_->waiting = health.calls_waiting + health.calls_at_work;
    const std::lock_guard lock(mutex_);
    health_ = std::move(health);
}

provider_health provider_desk::health() const {
    const std::lock_guard lock(mutex_);
    auto out = health_;
    if (out.retry_at && *out.retry_at <= clocks_.wall()) {
        out.retry_at.reset();
    }
    return out;
}

provider_desk::lease::~lease() {
    if (desk_) {
        desk_->finish(ticket_, {.failure = stopped()});
    }
}

expected<net::model_reply> provider_desk::lease::call(net::model& model, const net::model_request& request,
                                                      std::stop_token stop,
                                                      const std::function<void(std::string_view)>& on_token) {
    const auto began_ms = desk_->clocks_.monotonic();
    gate_outcome outcome;
    auto reply = model.complete(request, std::move(stop), [&](std::string_view text) {
        if (!outcome.first_token_ms) {
            outcome.first_token_ms = desk_->clocks_.monotonic() - began_ms;
        }
        if (on_token) {
            on_token(text);
        }
    });
    outcome.call_ms = desk_->clocks_.monotonic() - began_ms;
    count(desk_->name(), reply);
    if (reply) {
        outcome.limits = reply->limits;
        measure(desk_->name(), outcome);
    } else {
        outcome.failure = reply.error();
    }
    std::exchange(desk_, nullptr)->finish(ticket_, std::move(outcome));
    return reply;
}

std::uint64_t estimate_input_tokens(const net::model_request& request) {
    std::uint64_t bytes = 0;
    std::uint64_t images = 0;
    for (const auto& m : request.messages) {
        bytes += m.content.size() + m.reasoning.size() + m.reasoning_state.size();
        images += m.images.size();
        for (const auto& call : m.tool_calls) {
            bytes += call.name.size() + call.arguments.size();
        }
    }
    for (const auto& tool : request.tools) {
        bytes += tool.name.size() + tool.description.size() + tool.parameters.size();
    }
    return bytes / bytes_per_token + images * image_tokens + 1;
}

std::shared_ptr<net::model> gated(std::shared_ptr<provider_desk> desk, std::shared_ptr<net::model> model) {
    return std::make_shared<gated_model>(std::move(desk), std::move(model));
}

} // namespace troupe::actors
