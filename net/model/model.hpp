#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"
#include "schemas/model.hpp"

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

/// A picture that a model is to look at.
struct image {
    std::string media_type; ///< "image/png"
    std::string data;       ///< Base64.

    bool operator==(const image&) const = default;
};

enum class role : std::uint8_t { system, user, assistant, tool };
BOOST_DESCRIBE_ENUM(role, system, user, assistant, tool)

/// One message of the context.
struct message {
    troupe::net::role role = role::user;
    std::string content = {};
    std::vector<tool_call> tool_calls = {}; ///< Of an assistant.
    std::string tool_call_id = {};          ///< Of a tool's result: which call it answers.
    std::string tool_name = {};             ///< Of a tool's result: the tool's name.
    bool is_error = false;                  ///< Of a tool's result.
    std::string reasoning = {};             ///< Of an assistant, as text; goes back where the wire's rule asks for it.
    std::string reasoning_state = {};       ///< Of an assistant: `model_reply::reasoning_state`, unchanged.
    std::vector<image> images = {};         ///< Of a user or a tool's result.
    std::string provider = {};              ///< Of an assistant: whose `reasoning` it is, where that is known.
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
    bool reasoning = false;             ///< The model reasons: it is asked to, where it does not by itself.
    std::uint32_t context_tokens = 0;   ///< The model's window, for servers that have to be told; 0: not known.
    std::string caller;                 ///< Calls of several callers take turns where they have to wait.
    bool priced = false;                ///< Money is counted: only a model whose price is known may answer.
};

struct token_usage {
    std::uint64_t input = 0;
    std::uint64_t output = 0;
    bool estimated = false;         ///< The provider sent no usage: counted from the text.
    std::uint64_t cached_input = 0; ///< Of the input: read from the provider's cache.
    std::uint64_t reasoning = 0;    ///< Of the output: not shown, where the provider says.

    bool operator==(const token_usage&) const = default;
};

/// What is left of one of a provider's limits.
struct rate_limit {
    std::optional<std::uint64_t> remaining;
    std::optional<std::int64_t> reset_ms; ///< From the answer on, until the limit is whole again.

    bool operator==(const rate_limit&) const = default;
};

/// What the headers of an answer taught of limits.
struct rate_limits {
    rate_limit requests;
    rate_limit tokens; ///< The tightest, where input and output are limited apart.

    bool operator==(const rate_limits&) const = default;
};

enum class finish_reason : std::uint8_t { stop, tool_calls, length, content_filter };
BOOST_DESCRIBE_ENUM(finish_reason, stop, tool_calls, length, content_filter)

struct model_reply {
    std::string content;
    std::string reasoning;
    std::vector<tool_call> tool_calls;
    token_usage usage;
    finish_reason finish = finish_reason::stop;
    std::string model; ///< As the provider named it.
    /// What the same provider wants back unchanged with this message on later turns; JSON, opaque. Empty: nothing.
    std::string reasoning_state;
    rate_limits limits;
    // Of a model that chooses among others:
    std::string answered_by = {}; ///< PROVIDER/MODEL.
    std::string choice = {};      ///< A `route_choice`, as JSON.
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

/// A provider behind HTTP.
struct wire_settings {
    model_wire wire = model_wire::openai;
    std::string provider = "openai"; ///< Its name, in messages.
    std::string base_url = {};       ///< http or https; empty: `default_base_url`.
    std::string api_key = {};        ///< Never logged.
    /// Asked for the key at each call, instead of `api_key`; what it refuses with, the call is refused with.
    std::function<expected<std::string>()> find_api_key = {};
    std::string ca_file = {}; ///< Empty: the system's certificates.
    std::int64_t connect_time_out_ms = 10'000;
    std::int64_t idle_time_out_ms = 90'000; ///< Longest silence inside a stream.
    std::size_t reply_bytes_max = 16 << 20;
};

/// The makers' own server, or the usual local one.
std::string_view default_base_url(model_wire wire);

/// `config_invalid` when base URL or key cannot be right. A 429 that means "out of credit" is `model_refused`.
expected<std::unique_ptr<model>> make_model(wire_settings settings);

} // namespace troupe::net
