#pragma once

#include "net/model/model.hpp"
#include "net/model/reasoning_trail.hpp"
#include "schemas/base/json.hpp"
#include "schemas/base/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a provider's protocol is, without any I/O. A new one is a function that writes the request, an assembler that
/// reads the reply, and a row in `wire_of`.
namespace troupe::net {

using token_sink = std::function<void(std::string_view)>;

/// Puts a reply together from the pieces of its stream, or from one whole reply. Pure: no I/O, no clock.
class reply_assembler {
public:
    explicit reply_assembler(token_sink on_token) : on_token_(std::move(on_token)) {}
    virtual ~reply_assembler() = default;
    reply_assembler(const reply_assembler&) = delete;
    reply_assembler& operator=(const reply_assembler&) = delete;

    /// Takes the data of one server-sent event, one line, or a whole JSON reply. An `error` comes back as the problem
    /// it means; what cannot be read is `model_reply_invalid`. After a problem the assembler is of no more use.
    expected<void> feed(std::string_view data);

    /// The provider has said that nothing follows.
    [[nodiscard]] bool is_done() const { return done_; }
    /// The reply is whole, though its usage may still follow.
    [[nodiscard]] bool is_complete() const { return done_ || finish_.has_value(); }

    /// The reply, after the end of the stream. `model_unavailable` when that came too early. Without usage from the
    /// provider tokens are estimated; `request_bytes` is what was sent. Calls have ids of their own and arguments.
    [[nodiscard]] expected<model_reply> finish(std::size_t request_bytes) const;

protected:
    struct open_call {
        std::optional<std::int64_t> index; ///< By which the wire's later pieces name it.
        tool_call call;
    };

    /// Reads one object; what it does not know it leaves out.
    virtual expected<void> take(const json::value& root) = 0;
    /// "[DONE]" came, which ends chat completions and nothing else.
    virtual void take_done() {}

    /// Adds to the content, and shows it.
    void take_text(std::string_view text);
    open_call& add_call(std::optional<std::int64_t> index, std::string id, std::string name);
    /// The newest call of that index, or null.
    open_call* call_at(std::int64_t index);
    /// A member that is a token count, where there is one.
    static void read_count(const json::value& usage, std::string_view pointer, std::uint64_t& into);

    model_reply reply_;
    std::vector<open_call> calls_;
    reasoning_trail trail_;
    std::optional<finish_reason> finish_;
    bool has_usage_ = false;
    bool done_ = false;

private:
    [[nodiscard]] std::vector<tool_call> finished_calls() const;

    token_sink on_token_;
};

/// How the pieces of a stream are told apart. A whole JSON document instead of events is taken, too.
enum class framing : std::uint8_t { events, lines };

using header_list = std::vector<std::pair<std::string, std::string>>;

struct wire {
    std::string_view base_url; ///< Where none is configured.
    std::string_view path;     ///< Under the base URL.
    framing pieces = framing::events;
    std::string (*write)(const model_request& request, std::string_view base_url) = nullptr;
    std::unique_ptr<reply_assembler> (*assembler)(token_sink on_token) = nullptr;
    header_list (*headers)(const std::string& api_key) = nullptr; ///< Beside those that all wires have.
};

const wire& wire_of(model_wire name);

/// Their parts, one file each.
std::string write_chat(const model_request& request, std::string_view base_url);
std::string write_deepseek(const model_request& request, std::string_view base_url);
std::string write_responses(const model_request& request, std::string_view base_url);
std::string write_anthropic(const model_request& request, std::string_view base_url);
std::string write_ollama(const model_request& request, std::string_view base_url);
std::unique_ptr<reply_assembler> chat_reply(token_sink on_token);
std::unique_ptr<reply_assembler> responses_reply(token_sink on_token);
std::unique_ptr<reply_assembler> anthropic_reply(token_sink on_token);
std::unique_ptr<reply_assembler> ollama_reply(token_sink on_token);

} // namespace troupe::net
