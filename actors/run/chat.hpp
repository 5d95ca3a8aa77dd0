#pragma once

#include "actors/run/run_commands.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/run_messages.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Runs as chat completions: the protocol of OpenAI's `POST /v1/chat/completions`, with agents as models. Pure.
namespace troupe::actors {

/// What of a request counts here.
struct chat_request {
    std::string model; ///< The name of an agent.
    std::string instructions;
    std::string goal;                      ///< The first message of the user.
    std::vector<context_message> messages; ///< What follows it.
    /// Pictures by message: 0 is the goal, 1 the first of `messages`.
    std::map<std::size_t, std::vector<image_body>> images = {};
    std::uint32_t output_tokens_max = 0; ///< Of the whole run; 0: the agent's limits.
    bool stream = false;
    bool stream_usage = false;
};

/// Members that change nothing here (`temperature`, `user`, …) are passed over; what cannot be done (`tools`, `n` over
/// 1, pictures by an address) is `invalid_request` with its place.
expected<chat_request> read_chat_request(std::string_view body);

/// Whether the body asks for a stream. A body that cannot be read does not.
bool wants_chat_stream(std::string_view body);

/// What the caller is told of a run, event by event: the texts of the model, and the result at the end.
class chat_answer {
public:
    struct news {
        std::string text = {};              ///< That came.
        bool ended = false;                 ///< Nothing follows.
        std::optional<problem> failed = {}; ///< Instead of a good end.
    };
    /// `data` is the event's JSON; kinds that say nothing to the caller give nothing.
    news take(std::string_view kind, std::string_view data);

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] std::uint64_t input_tokens() const { return input_tokens_; }
    [[nodiscard]] std::uint64_t output_tokens() const { return output_tokens_; }

private:
    std::string say(std::string_view more);
    std::string on_token(std::string_view data);
    std::string on_reply(std::string_view data);
    news on_end(std::string_view data);

    std::string text_;
    std::string reply_;         ///< Of the call at work, as far as it was told.
    bool reply_broken_ = false; ///< Its tokens do not fit together: the whole of it comes at its end.
    std::uint32_t step_ = 0;
    std::uint32_t attempt_ = 0;
    std::string last_reply_;
    std::uint64_t input_tokens_ = 0;
    std::uint64_t output_tokens_ = 0;
};

/// The texts of the protocol, of one completion.
struct chat_writer {
    std::string id;    ///< "chatcmpl-…"
    std::string model; ///< As it was asked for.
    timestamp created;

    [[nodiscard]] std::string completion(const chat_answer& answer) const;
    [[nodiscard]] std::string first_chunk() const;
    [[nodiscard]] std::string text_chunk(std::string_view text) const;
    /// With the end of the stream.
    [[nodiscard]] std::string last_chunk(const chat_answer& answer, bool usage) const;

private:
    [[nodiscard]] std::string chunk(std::string_view delta, std::string_view finish) const;
};

/// {"error": {message, type, code}}, as clients of that protocol expect it.
std::string chat_error(const problem& p);

} // namespace troupe::actors
