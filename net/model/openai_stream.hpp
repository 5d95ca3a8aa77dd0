#pragma once

#include "net/model/model.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net {

/// Puts a chat completion together from the chunks of its stream, or from one whole reply. Pure: no I/O, no clock.
class openai_stream {
public:
    using token_sink = std::function<void(std::string_view)>;

    /// Takes the data of one server-sent event, or a whole JSON reply. An `error` object comes back as the problem
    /// it means; what cannot be read is `model_reply_invalid`. After a problem the stream is of no more use.
    expected<void> feed(std::string_view data, const token_sink& on_token);

    /// The provider has said that nothing follows.
    [[nodiscard]] bool is_done() const { return done_; }
    /// The reply is whole, though its usage may still follow.
    [[nodiscard]] bool is_complete() const { return done_ || finish_.has_value(); }

    /// The reply, after the end of the stream. `model_unavailable` when that came too early. Without usage from the
    /// provider tokens are estimated; `request_bytes` is what was sent.
    [[nodiscard]] expected<model_reply> finish(std::size_t request_bytes) const;

private:
    struct open_call {
        std::optional<std::int64_t> index;
        tool_call call;
    };

    void take_choice(const json::value& choice, const token_sink& on_token);
    void take_text(const json::value& content, const token_sink& on_token);
    void take_call(const json::value& part);
    open_call& call_of(std::optional<std::int64_t> index, const std::string& id, bool named);
    [[nodiscard]] std::vector<tool_call> finished_calls() const;

    model_reply reply_;
    std::vector<open_call> calls_;
    std::optional<finish_reason> finish_;
    bool has_usage_ = false;
    bool done_ = false;
};

/// What a provider's refusal means. `body` is what came with it, JSON or not.
problem openai_problem(int status, std::string_view body, std::optional<std::uint32_t> retry_after_s);

} // namespace troupe::net
