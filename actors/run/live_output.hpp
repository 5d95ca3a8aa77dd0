#pragma once

#include "runtime/entity/entity.hpp"
#include "schemas/run.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// What a run shows while it works, beside its journal. Not thread-safe: one per effect.
namespace troupe::actors {

/// The text of a model call as it comes, in whole characters.
class token_stream {
public:
    token_stream(runtime::effect_context& ctx, std::uint32_t step, std::uint32_t attempt);
    void add(std::string_view text);
    void finish();
    [[nodiscard]] bool any() const { return offset_ > 0 || !waiting_.empty(); }

private:
    void send(std::size_t bytes);
    runtime::effect_context& ctx_;
    std::string channel_;
    std::uint32_t step_;
    std::uint32_t attempt_;
    std::uint64_t offset_ = 0;
    std::string waiting_; ///< The beginning of a character.
};

/// What a command prints, up to a bound.
class output_stream {
public:
    output_stream(runtime::effect_context& ctx, std::uint32_t step, std::uint32_t call);
    void add(bool is_stderr, std::string_view text);

private:
    void send(bool is_stderr, std::string_view text);
    runtime::effect_context& ctx_;
    std::string channel_;
    std::uint32_t step_;
    std::uint32_t call_;
    std::size_t shown_bytes_ = 0;
    bool full_ = false;
};

} // namespace troupe::actors
