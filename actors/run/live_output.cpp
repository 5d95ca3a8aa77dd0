#include "actors/run/live_output.hpp"

#include <algorithm>

namespace troupe::actors {
namespace {

/// Shown live of one command; the result has its beginning and its end.
constexpr std::size_t output_bytes_max = 256 << 10;

std::string channel_of(const runtime::effect_context& ctx) { return "runs/" + to_string(ctx.self().id); }

/// How many bytes of the text are whole characters, as far as its end tells.
std::size_t whole_characters(std::string_view text) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xc0) == 0x80) {
            continue;
        }
        const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
        return length > back ? text.size() - back : text.size();
    }
    return text.size();
}

} // namespace

token_stream::token_stream(runtime::effect_context& ctx, std::uint32_t step, std::uint32_t attempt)
    : ctx_(ctx), channel_(channel_of(ctx)), step_(step), attempt_(attempt) {}

void token_stream::add(std::string_view text) {
    waiting_ += text;
    send(whole_characters(waiting_)); // at once: nobody knows when the next piece comes
}

void token_stream::finish() { send(waiting_.size()); }

void token_stream::send(std::size_t bytes) {
    if (bytes > 0) {
        ctx_.publish(channel_, "token", to_json(token_data{step_, attempt_, offset_, waiting_.substr(0, bytes)}));
        offset_ += bytes;
        waiting_.erase(0, bytes);
    }
}

output_stream::output_stream(runtime::effect_context& ctx, std::uint32_t step, std::uint32_t call)
    : ctx_(ctx), channel_(channel_of(ctx)), step_(step), call_(call) {}

void output_stream::add(bool is_stderr, std::string_view text) {
    if (full_ || text.empty()) {
        return;
    }
    const auto room = output_bytes_max - shown_bytes_;
    full_ = text.size() > room;
    shown_bytes_ += std::min(room, text.size());
    send(is_stderr, text.substr(0, room));
    if (full_) {
        send(is_stderr, "\n[… the rest is not shown live …]\n");
    }
}

void output_stream::send(bool is_stderr, std::string_view text) {
    ctx_.publish(channel_, "output",
                 to_json(output_data{step_, call_, is_stderr ? "stderr" : "stdout", std::string(text)}));
}

} // namespace troupe::actors
