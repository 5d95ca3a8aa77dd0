#pragma once

#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::net {

/// One tool call that a model asks for.
struct tool_call {
    std::string id; ///< The provider's id, or one made by the client ("call_0") when it sends none.
    std::string name;
    std::string arguments; ///< JSON text as the model wrote it; may be invalid: the caller validates.

    bool operator==(const tool_call&) const = default;
};

enum class role : std::uint8_t { system, user, assistant, tool };

/// One message of the context.
struct message {
    troupe::net::role role = role::user;
    std::string content = {};
    std::vector<tool_call> tool_calls = {}; ///< Of an assistant.
    std::string tool_call_id = {};          ///< Of a tool's result: which call it answers.
    std::string tool_name = {};             ///< Of a tool's result: the tool's name.
    bool is_error = false;                  ///< Of a tool's result.
    std::string reasoning = {};             ///< Kept where the provider wants it back.
};

/// A tool as the model is told of it.
struct tool_declaration {
    std::string name;
    std::string description;
    std::string parameters; ///< JSON Schema, as JSON text.
};

struct model_request {
    std::string model; ///< The provider's name of the model.
    std::vector<message> messages;
    std::vector<tool_declaration> tools;
    std::uint32_t output_tokens_max = 4096;
    std::optional<double> temperature;
    std::string idempotency_key;        ///< The same for every attempt of one step.
    std::int64_t time_out_ms = 300'000; ///< For the whole call; the idle limit between bytes is the client's.
};

struct token_usage {
    std::uint64_t input = 0;
    std::uint64_t output = 0;
    bool estimated = false; ///< The provider sent no usage: counted from the text.
};

enum class finish_reason : std::uint8_t { stop, tool_calls, length, content_filter };

struct model_reply {
    std::string content;
    std::string reasoning;
    std::vector<tool_call> tool_calls;
    token_usage usage;
    finish_reason finish = finish_reason::stop;
    std::string model; ///< As the provider named it.
};

/// A language model, or what stands in its place. Thread-safe; `complete` blocks its caller.
class model {
public:
    virtual ~model() = default;

    /// For people: "openai gpt-… at https://…" or "rehearsal (scripted, no language model)".
    [[nodiscard]] virtual std::string describe() const = 0;

    /// One completion. `on_token` sees the text as it streams (never tool arguments). Problems: `cancelled`,
    /// `deadline_exceeded`, `model_unavailable`, `model_rate_limited` (with `retry_after_s`), `model_refused`,
    /// `model_reply_invalid`, `script_exhausted`. A stream that was cut is `model_unavailable`; nothing half is
    /// returned.
    virtual expected<model_reply> complete(const model_request& request, std::stop_token stop,
                                           const std::function<void(std::string_view)>& on_token) = 0;
};

/// The `openai` wire: any server with `/chat/completions` under the base URL (http or https).
struct openai_settings {
    std::string base_url = "https://api.openai.com/v1";
    std::string api_key; ///< Never logged.
    /// Asked for the key at each call, instead of `api_key`; what it refuses with, the call is refused with.
    std::function<expected<std::string>()> find_api_key = {};
    std::string ca_file; ///< Empty: the system's certificates.
    std::int64_t connect_time_out_ms = 10'000;
    std::int64_t idle_time_out_ms = 90'000; ///< Longest silence inside a stream.
    std::size_t reply_bytes_max = 16 << 20;
};
expected<std::unique_ptr<model>> make_openai_model(openai_settings settings);

} // namespace troupe::net
