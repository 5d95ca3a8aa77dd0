#pragma once

#include "net/model/model.hpp"

#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::actors::test {

/// One call of a scripted model: a failure, before or after some text, or an answer.
struct scripted_call {
    std::string text = {}; ///< Delivered as tokens first.
    std::optional<problem> failure = {};
    bool throws = false;
};

/// A model that plays a script, the last call again and again, and notes what it was asked.
class scripted_model final : public net::model {
public:
    explicit scripted_model(std::vector<scripted_call> calls) : calls_(std::move(calls)) {}

    [[nodiscard]] std::string describe() const override { return "scripted"; }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token,
                                        const std::function<void(std::string_view)>& on_token) override {
        const std::lock_guard lock(mutex_);
        const auto& call = calls_[std::min(asked.size(), calls_.size() - 1)];
        asked.push_back(request);
        if (call.throws) {
            throw std::runtime_error("a defect");
        }
        if (!call.text.empty() && on_token) {
            on_token(call.text);
        }
        if (call.failure) {
            return *call.failure;
        }
        net::model_reply out;
        out.content = call.text;
        out.usage = {.input = 100, .output = 10};
        return out;
    }

    std::vector<net::model_request> asked;

private:
    std::mutex mutex_;
    const std::vector<scripted_call> calls_;
};

} // namespace troupe::actors::test
