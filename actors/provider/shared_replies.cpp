#include "actors/provider/shared_replies.hpp"

#include "schemas/base/sha256.hpp"
#include "schemas/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace troupe::actors {
namespace {

using runtime::equal_requests;

/// All that matters to a provider of a request, and whose it is.
std::string digest(const net::model_request& r) {
    std::string text;
    const auto add = [&text](std::string_view part) { text += fmt::format("{}:{}", part.size(), part); };
    add(r.caller);
    add(r.model);
    for (const auto& m : r.messages) {
        add(detail::enum_name(m.role));
        for (const auto* part : {&m.content, &m.tool_call_id, &m.tool_name, &m.reasoning, &m.reasoning_state}) {
            add(*part);
        }
        for (const auto& call : m.tool_calls) {
            add(call.id);
            add(call.name);
            add(call.arguments);
        }
        for (const auto& image : m.images) {
            add(image.media_type);
            add(image.data);
        }
        add(m.is_error ? "error" : "");
        add(m.provider);
    }
    add("tools");
    for (const auto& tool : r.tools) {
        add(tool.name);
        add(tool.description);
        add(tool.parameters);
    }
    add(fmt::format("{} {} {}", r.output_tokens_max, r.temperature ? fmt::format("{}", *r.temperature) : "-",
                    r.reasoning));
    const auto hash = sha256(text);
    return {hash.begin(), hash.end()};
}

std::size_t bytes_of(const net::model_reply& reply) {
    auto bytes = sizeof reply + reply.content.size() + reply.reasoning.size() + reply.reasoning_state.size();
    for (const auto& call : reply.tool_calls) {
        bytes += call.id.size() + call.name.size() + call.arguments.size();
    }
    return bytes;
}

/// One question, while it is asked and as long as its answer is kept.
struct shared_call {
    std::set<std::string> steps; ///< That it was for; each is served once.
    std::vector<std::string> pieces;
    std::optional<expected<net::model_reply>> outcome;
    std::int64_t ended_ms = 0;
};

class sharing_model final : public net::model {
public:
    sharing_model(sharing_settings settings, std::shared_ptr<net::model> inner)
        : settings_(std::move(settings)), inner_(std::move(inner)) {}

    [[nodiscard]] std::string describe() const override { return inner_->describe(); }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token) override {
        const auto key = digest(request);
        std::unique_lock lock(mutex_);
        for (;;) {
            forget_old();
            const auto found = calls_.find(key);
            if (found == calls_.end() || !found->second->steps.insert(request.idempotency_key).second) {
                return ask(lock, key, request, stop, on_token);
            }
            const auto call = found->second;
            const bool kept = call->outcome.has_value();
            auto reply = follow(lock, *call, stop, on_token);
            if (reply) {
                return from(std::move(*reply), request,
                            kept ? "an equal request was answered before, and its reply is kept"
                                 : "an equal request was in flight");
            }
        }
    }

private:
    /// Asks, for whoever else wants to know.
    expected<net::model_reply> ask(std::unique_lock<std::mutex>& lock, const std::string& key,
                                   const net::model_request& request, const std::stop_token& stop,
                                   const std::function<void(std::string_view)>& on_token) {
        const auto call = std::make_shared<shared_call>();
        call->steps.insert(request.idempotency_key);
        calls_[key] = call;
        lock.unlock();
        auto reply = inner_->complete(request, stop, [&](std::string_view text) {
            if (on_token) {
                on_token(text);
            }
            const std::scoped_lock mine(mutex_);
            call->pieces.emplace_back(text);
            changed_.notify_all();
        });
        lock.lock();
        call->outcome = reply;
        call->ended_ms = settings_.clock();
        const auto now = calls_.find(key);
        if (now != calls_.end() && now->second == call && (!reply || settings_.policy != equal_requests::cache)) {
            calls_.erase(now);
        } else if (now != calls_.end() && now->second == call) {
            bytes_ += bytes_of(*reply);
            kept_.emplace_back(key, call);
        }
        changed_.notify_all();
        return reply;
    }

    /// The outcome of another one's call. Nothing: nobody has it, and it has to be asked for.
    std::optional<expected<net::model_reply>> follow(std::unique_lock<std::mutex>& lock, const shared_call& call,
                                                     const std::stop_token& stop,
                                                     const std::function<void(std::string_view)>& on_token) {
        std::size_t given = 0;
        for (;;) {
            const bool going =
                changed_.wait(lock, stop, [&] { return call.outcome.has_value() || given < call.pieces.size(); });
            if (!going) {
                return problem{code::cancelled, "The call was stopped."};
            }
            for (; given < call.pieces.size(); ++given) {
                const auto piece = call.pieces[given];
                lock.unlock();
                if (on_token) {
                    on_token(piece);
                }
                lock.lock();
            }
            if (call.outcome && given == call.pieces.size()) {
                break;
            }
        }
        if (!*call.outcome && call.outcome->error().code == code::cancelled) {
            return given == 0 ? std::optional<expected<net::model_reply>>()
                              : problem{code::model_unavailable, "The call that this one had shared was stopped."};
        }
        return *call.outcome;
    }

    [[nodiscard]] expected<net::model_reply> from(expected<net::model_reply> reply, const net::model_request& request,
                                                  std::string_view why) const {
        if (reply) {
            reply->usage = {}; // who asked pays
            reply->limits = {};
            if (reply->answered_by.empty()) {
                reply->answered_by = settings_.provider + "/" + request.model;
            }
            const auto chosen = from_json<route_choice>(reply->choice, strictness::stored);
            auto choice = chosen ? *chosen : route_choice{};
            choice.model = reply->answered_by;
            choice.why = fmt::format("Nobody was asked: {}.{}{}", why, choice.why.empty() ? "" : " ", choice.why);
            reply->choice = to_json(choice);
        }
        return reply;
    }

    void forget_old() {
        const auto now_ms = settings_.clock();
        const auto is_old = [&](const auto& one) {
            return bytes_ > settings_.bytes_max || now_ms - one.second->ended_ms >= settings_.kept_ms;
        };
        while (!kept_.empty() && is_old(kept_.front())) {
            const auto [key, call] = std::move(kept_.front());
            kept_.pop_front();
            bytes_ -= bytes_of(**call->outcome);
            if (const auto now = calls_.find(key); now != calls_.end() && now->second == call) {
                calls_.erase(now);
            }
        }
    }

    const sharing_settings settings_;
    const std::shared_ptr<net::model> inner_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<std::string, std::shared_ptr<shared_call>> calls_;             ///< In flight or kept, by digest.
    std::deque<std::pair<std::string, std::shared_ptr<shared_call>>> kept_; ///< The oldest first.
    std::size_t bytes_ = 0;
};

} // namespace

std::shared_ptr<net::model> sharing(sharing_settings settings, std::shared_ptr<net::model> model) {
    return settings.policy == equal_requests::each
               ? model
               : std::make_shared<sharing_model>(std::move(settings), std::move(model));
}

} // namespace troupe::actors
