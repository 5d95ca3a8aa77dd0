#pragma once

#include "bin/cli/terminal.hpp"
#include "bin/cli/text.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/json.hpp"
#include "schemas/run.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

/// A run's events (actors/run/run_events.hpp) as text for people. Pure: event in, text out.
namespace troupe::cli {

/// A tool call in a line: "run_command python3 -m unittest", "edit_file src/calc.py".
std::string call_text(std::string_view tool, const std::optional<json::value>& arguments);

/// A unified diff with coloured lines, each behind `indent`; at most `lines_max` (0: all), then how many were left out.
std::string diff_text(const screen& s, std::string_view diff, std::string_view indent, std::size_t lines_max);

/// Writes words as they stream in, indented and broken at spaces.
class word_stream {
public:
    word_stream(std::size_t width, std::size_t indent) : width_(width), indent_(indent) {}
    std::string feed(std::string_view piece);
    /// The last word and a line feed, when a line is open.
    std::string finish();

private:
    std::string flush_word();
    std::size_t width_;
    std::size_t indent_;
    std::size_t column_ = 0;
    std::string word_;
    text_filter filter_;
    std::size_t spaces_ = 0;
};

/// What a command prints: the first lines as they come, the last ones when it has ended.
class bounded_output {
public:
    bounded_output(const screen& s, std::string indent) : screen_(s), indent_(std::move(indent)) {}
    std::string feed(std::string_view piece);
    std::string finish();
    [[nodiscard]] bool empty() const { return count_ == 0 && line_.empty(); }
    static constexpr std::size_t first_lines = 12;
    static constexpr std::size_t last_lines = 12;

private:
    std::string add_line(std::string line);
    screen screen_;
    std::string indent_;
    text_filter filter_;
    std::string line_;
    std::deque<std::string> held_;
    std::size_t count_ = 0;
};

class run_renderer {
public:
    run_renderer(const screen& s, std::string run_id) : screen_(s), run_(std::move(run_id)) {}

    /// The text that shows this event, after all that came before. May end within a line while text streams.
    std::string feed(std::string_view kind, const json::value& data, timestamp at);
    /// Ends an open line: before anything else is printed.
    std::string close_line();
    /// Ends it where it is that of a call which goes on.
    std::string close_call() { return inline_call_ ? close_line() : ""; }
    /// How far the run is and what it used up, in a line: "3 steps · 1 204/50 000 tokens · 12.0 s". Nothing before it
    /// has begun.
    [[nodiscard]] std::string progress(const budget& limits, timestamp now) const;
    /// All that the last call answered, of which only a part was shown; empty: there is none.
    [[nodiscard]] std::string last_output() const;

    /// Set once the run has ended.
    [[nodiscard]] std::optional<run_status> ended() const { return ended_; }

private:
    using call_key = std::pair<std::uint64_t, std::uint64_t>;
    struct open_call {
        std::string text;
        std::string tool;
        timestamp started;
        std::optional<bounded_output> output;
    };

    std::string on_created(const json::value& data, timestamp at);
    std::string on_model_started(const json::value& data);
    std::string on_token(const json::value& data);
    std::string on_model_finished(const json::value& data);
    std::string on_model_failed(const json::value& data, timestamp at);
    std::string on_call_started(const json::value& data, timestamp at);
    std::string on_child_started(const json::value& data, timestamp at);
    /// The line of a call, which stays open for its outcome.
    std::string open_line(const call_key& key, open_call call);
    std::string on_output(const json::value& data);
    std::string on_call_finished(const json::value& data, timestamp at);
    std::string on_call_unknown(const json::value& data);
    std::string on_approval_requested(const json::value& data);
    std::string on_approval_resolved(const json::value& data);
    std::string on_ended(std::string_view kind, const json::value& data, timestamp at);
    std::string indented(std::string_view text, std::size_t indent, tone t) const;

    screen screen_;
    std::string run_;
    std::optional<run_status> ended_;
    std::optional<timestamp> began_;
    std::optional<word_stream> words_;
    std::optional<call_key> inline_call_; ///< The call whose line is still open.
    std::map<call_key, open_call> calls_;
    std::uint64_t step_ = 0;
    std::uint64_t attempt_ = 0;
    std::uint64_t streamed_bytes_ = 0; ///< Of this attempt's text.
    std::uint64_t steps_ = 0;
    std::uint64_t tokens_ = 0;
    std::int64_t cost_micros_ = 0;
    std::string last_call_;    ///< The one whose answer came last.
    std::string last_content_; ///< That answer.
};

} // namespace troupe::cli
