#include "actors/provider/route.hpp"

#include <boost/describe/enum_to_string.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <random>
#include <utility>

namespace troupe::actors {

namespace {

/// A longer wait is left to the run, whose back-off takes no thread and survives a restart.
constexpr std::int64_t known_patience_ms = 5'000;

double draw() {
    static thread_local std::mt19937_64 random{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(random);
}

/// Asking another one may help at once, and this one has not worked for it.
bool may_go_on(code c) {
    return c == code::model_unavailable || c == code::model_rate_limited || c == code::model_refused ||
           c == code::model_unknown;
}

bool heals(code c) { return c == code::model_unavailable || c == code::model_rate_limited; }

/// The request as this candidate gets it.
net::model_request request_for(const route_candidate& c, const net::model_request& request) {
    auto out = request;
    out.model = c.provider_model;
    out.reasoning = c.reasoning;
    out.context_tokens = c.facts.context_tokens;
    if (c.facts.output_tokens > 0) {
        out.output_tokens_max = std::min(out.output_tokens_max, c.facts.output_tokens);
    }
    if (out.context_tokens > 0) { // beside the input, which fits: `rank` saw to it
        const auto input = std::min<std::uint64_t>(estimate_input_tokens(request), out.context_tokens - 1);
        out.output_tokens_max = std::min(out.output_tokens_max, static_cast<std::uint32_t>(out.context_tokens - input));
    }
    for (auto& m : out.messages) {
        if (!m.provider.empty() && m.provider != c.provider) { // what another one thought says nothing to it
            m.reasoning.clear();
            m.reasoning_state.clear();
        }
    }
    return out;
}

class route final : public net::model {
public:
    route(std::string name, route_policy policy, std::vector<route_candidate> candidates)
        : name_(std::move(name)), policy_(policy), candidates_(std::move(candidates)) {
        for (const auto& c : candidates_) {
            facts_.push_back(c.facts);
        }
    }

    [[nodiscard]] std::string describe() const override {
        std::string names;
        for (const auto& c : facts_) {
            names += (names.empty() ? "" : ", ") + c.name;
        }
        return fmt::format("route ({}): {}", boost::describe::enum_to_string(policy_, ""), names);
    }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token) override {
        attempt a{*this, request, std::move(stop), on_token, {}, {}, {}};
        return a.run(rank(policy_, facts_, health(), needs_of(request), turn_++, draw));
    }

private:
    /// One call, until somebody has answered it or all were asked.
    struct attempt {
        const route& self;
        const net::model_request& request;
        std::stop_token stop;
        const std::function<void(std::string_view)>& on_token;
        std::vector<passed_over> passed;
        std::optional<problem> worst; ///< Of those that were asked: one that heals, before others.
        bool streamed = false;

        expected<net::model_reply> run(ranking all) {
            passed = std::move(all.unfit);
            std::vector<ranked_model> busy;
            for (auto& one : all.order) {
                auto place = admit(one, 0, 0);
                if (place) {
                    if (auto done = ask(std::move(*place), one)) {
                        return *std::move(done);
                    }
                } else {
                    pass(one, place.error());
                    busy.push_back(std::move(one));
                }
            }
            for (const auto& one : busy) { // nobody answered at once: now it waits where that may be short
                auto place = admit(one, request.time_out_ms, known_patience_ms);
                if (auto done = place ? ask(std::move(*place), one) : std::nullopt) {
                    return *std::move(done);
                }
            }
            return stop.stop_requested() ? problem{code::cancelled, "The call was stopped."} : nobody();
        }

        [[nodiscard]] expected<provider_desk::lease> admit(const ranked_model& one, std::int64_t patience_ms,
                                                           std::int64_t known_ms) const {
            return candidate(one).desk->admit({request.caller, estimate_input_tokens(request), patience_ms, known_ms},
                                              stop);
        }

        /// Nothing: the next one may be asked.
        std::optional<expected<net::model_reply>> ask(provider_desk::lease place, const ranked_model& one) {
            const auto& c = candidate(one);
            auto reply = place.call(*c.model, request_for(c, request), stop, [this](std::string_view text) {
                streamed = true;
                if (on_token) {
                    on_token(text);
                }
            });
            if (reply) {
                forget(c.facts.name); // it may have been busy before
                reply->answered_by = c.facts.name;
                reply->choice = to_json(route_choice{self.name_, self.policy_, c.facts.name, one.why, passed});
                return reply;
            }
            if (streamed || !may_go_on(reply.error().code)) {
                auto why = reply.error();
                why.detail = fmt::format("{} (route {}, {})", why.detail, self.name_, c.facts.name);
                return why;
            }
            pass(one, reply.error());
            return {};
        }

        void pass(const ranked_model& one, const problem& why) {
            forget(candidate(one).facts.name);
            passed.push_back({candidate(one).facts.name, why.detail});
            if (!worst || (heals(why.code) && !heals(worst->code))) {
                worst = why;
            } else if (heals(why.code) && why.retry_after_s && worst->retry_after_s) {
                worst->retry_after_s = std::min(worst->retry_after_s, why.retry_after_s);
            } else if (heals(why.code)) {
                worst->retry_after_s.reset(); // one of them may work at any time
            }
        }

        void forget(const std::string& name) {
            std::erase_if(passed, [&](const passed_over& p) { return p.model == name; });
        }

        [[nodiscard]] problem nobody() const {
            problem out{code::model_refused, fmt::format("No model of the route {} can answer.", self.name_)};
            if (worst) {
                out.code = worst->code;
                out.retry_after_s = worst->retry_after_s;
            } else if (const auto at = self.first_retry()) { // none was asked, and one of them only for now
                out.code = code::model_unavailable;
                out.retry_after_s = at;
            }
            for (const auto& p : passed) {
                out.detail += fmt::format(" {}: {}", p.model, p.why);
                out.detail += out.detail.ends_with('.') ? "" : ".";
            }
            return out;
        }

        [[nodiscard]] const route_candidate& candidate(const ranked_model& one) const {
            return self.candidates_[one.index];
        }
    };

    [[nodiscard]] std::vector<provider_health> health() const {
        std::vector<provider_health> out;
        for (const auto& c : candidates_) {
            out.push_back(c.desk->health());
        }
        return out;
    }

    /// In seconds, of the providers that are left alone for now.
    [[nodiscard]] std::optional<std::uint32_t> first_retry() const {
        std::optional<std::uint32_t> out;
        for (const auto& h : health()) {
            if (h.status == provider_status::open) {
                const auto ms = h.retry_at ? std::max<std::int64_t>(0, *h.retry_at - system_now()) : 0;
                const auto seconds = static_cast<std::uint32_t>((ms + 999) / 1000);
                out = std::min(out.value_or(seconds), seconds);
            }
        }
        return out;
    }

    const std::string name_;
    const route_policy policy_;
    const std::vector<route_candidate> candidates_;
    std::vector<candidate_facts> facts_;
    std::atomic<std::uint64_t> turn_{0};
};

} // namespace

std::shared_ptr<net::model> make_route(std::string name, route_policy policy, std::vector<route_candidate> candidates) {
    return std::make_shared<route>(std::move(name), policy, std::move(candidates));
}

} // namespace troupe::actors
