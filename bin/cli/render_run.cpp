#include "bin/cli/render_run.hpp"

#include "actors/usage/usage_report.hpp"
#include "bin/cli/resolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::cli {
namespace {

using actors::money_text;

constexpr std::size_t diff_lines_max = 40;
constexpr std::size_t error_lines_max = 6;
constexpr std::string_view call_indent = "    ";

std::uint64_t number_of(const json::value& data, std::string_view name) {
    const auto member = data.find(name);
    const auto number = member ? member->as_uint() : std::nullopt;
    return number.value_or(0);
}

bool is_true(const json::value& data, std::string_view name) {
    const auto member = data.find(name);
    return member && member->as_bool().value_or(false);
}

/// Calls that show themselves in another way: the run's end, and the question.
bool is_control(std::string_view tool) { return tool == "finish" || tool == "ask_human"; }

/// What a command printed, from the text that the model reads: without the lines that frame it (command_tool.cpp).
std::string output_of(std::string_view content) {
    std::string out;
    for (const auto& line : lines_of(content)) {
        const bool stream = line.starts_with("stdout") || line.starts_with("stderr");
        const bool frame =
            line.starts_with("exit code: ") || (stream && (line.ends_with(": empty") || line.ends_with(" bytes):")));
        out += frame ? "" : line + "\n";
    }
    return out;
}

std::string past_of(std::string_view decision) {
    return decision == "approve"  ? "approved"
           : decision == "deny"   ? "denied"
           : decision == "answer" ? "answered"
           : decision == "retry"  ? "to be tried again"
           : decision == "skip"   ? "skipped"
                                  : std::string(decision);
}

/// "✓ exit 0 340 ms": how a call went.
std::string outcome_of(const json::value& data, bool failed, std::optional<std::int64_t> measured_ms) {
    std::string out(failed ? "✗" : "✓");
    const auto details = data.find("details");
    if (const auto code = details ? details->find("exit_code") : std::nullopt; code && code->as_int()) {
        out += fmt::format(" exit {}", *code->as_int());
    }
    const auto duration = details ? details->find("duration_ms") : std::nullopt;
    const auto ms = duration && duration->as_int() ? duration->as_int() : measured_ms;
    return ms ? out + " " + duration_text(*ms) : out;
}

} // namespace

std::string run_renderer::indented(std::string_view text, std::size_t indent, tone t) const {
    std::string out;
    for (const auto& line : wrap(clean(text), screen_.width > indent ? screen_.width - indent : 0)) {
        out += std::string(line.empty() ? 0 : indent, ' ') + paint(screen_, t, line) + "\n";
    }
    return out;
}

std::string run_renderer::close_line() {
    std::string out;
    if (words_) {
        out += words_->finish();
        words_.reset();
    }
    if (std::exchange(inline_call_, std::nullopt)) {
        out += '\n';
    }
    return out;
}

std::string run_renderer::progress(const budget& limits, timestamp now) const {
    if (!began_) {
        return {};
    }
    const auto of = [](std::string used, std::string limit) { return limit.empty() ? used : used + "/" + limit; };
    auto out = of(std::to_string(steps_), limits.steps > 0 ? std::to_string(limits.steps) : "") +
               (steps_ == 1 && limits.steps == 0 ? " step" : " steps");
    out += " · " + of(count_text(tokens_), limits.tokens > 0 ? count_text(limits.tokens) : "") + " tokens";
    if (cost_micros_ > 0) {
        out += " · " + of(money_text(cost_micros_), limits.cost_micros > 0 ? money_text(limits.cost_micros) : "");
    }
    return out + " · " + duration_text(std::max<std::int64_t>(now - *began_, 0));
}

std::string run_renderer::last_output() const {
    if (last_content_.empty()) {
        return {};
    }
    return indented(last_call_ + ", as the model read it:", 2, tone::strong) +
           indented(last_content_, call_indent.size(), tone::plain);
}

std::string run_renderer::feed(std::string_view kind, const json::value& data, timestamp at) {
    if (kind == "token") {
        return on_token(data);
    }
    if (kind == "output") {
        return on_output(data);
    }
    if (kind == "run_created") {
        return on_created(data, at);
    }
    if (kind == "model_call_started") {
        return on_model_started(data);
    }
    if (kind == "model_call_finished") {
        return on_model_finished(data);
    }
    if (kind == "model_call_failed") {
        return on_model_failed(data, at);
    }
    if (kind == "continuation_asked") {
        return close_line() + indented("(the answer was cut at its limit; the model goes on)", 2, tone::faint);
    }
    if (kind == "tool_call_started") {
        return on_call_started(data, at);
    }
    if (kind == "child_started") {
        return on_child_started(data, at);
    }
    if (kind == "tool_call_finished") {
        return on_call_finished(data, at);
    }
    if (kind == "tool_call_unknown") {
        return on_call_unknown(data);
    }
    if (kind == "tool_call_denied" || kind == "tool_call_skipped") {
        const auto word = kind == "tool_call_denied" ? "✗ denied: " : "– skipped: ";
        return close_line() + indented(word + call_text(data.text_or("tool"), {}), 2, tone::warn);
    }
    if (kind == "approval_requested") {
        return on_approval_requested(data);
    }
    if (kind == "approval_resolved") {
        return on_approval_resolved(data);
    }
    if (kind == "run_finished" || kind == "run_failed" || kind == "run_cancelled") {
        return on_ended(kind, data, at);
    }
    if (kind == "reset") {
        return close_line() + paint(screen_, tone::faint, "(older events of this run are no longer kept)") + "\n";
    }
    return {}; // of a newer node
}

std::string run_renderer::on_created(const json::value& data, timestamp at) {
    began_ = began_.value_or(at);
    const auto goal = data.text_or("goal");
    if (goal.empty()) {
        return {};
    }
    std::string out = close_line();
    std::string lead = paint(screen_, tone::strong, "goal") + "  ";
    for (const auto& line : wrap(clean(goal), screen_.width > 6 ? screen_.width - 6 : 0)) {
        out += lead + line + "\n";
        lead = "      ";
    }
    return out;
}

std::string run_renderer::on_model_started(const json::value& data) {
    auto out = close_line();
    const auto step = number_of(data, "step");
    const auto attempt = std::max<std::uint64_t>(number_of(data, "attempt"), 1);
    step_ = step;
    attempt_ = attempt;
    streamed_bytes_ = 0;
    out += paint(screen_, tone::accent, fmt::format("▸ step {}", step));
    out += attempt > 1 ? paint(screen_, tone::faint, fmt::format("  attempt {}", attempt)) : "";
    return out + "\n";
}

std::string run_renderer::on_token(const json::value& data) {
    const auto step = number_of(data, "step");
    const auto attempt = std::max<std::uint64_t>(number_of(data, "attempt"), 1);
    std::string out;
    if (step != step_ || attempt != attempt_) {
        if (std::pair(step, attempt) < std::pair(step_, attempt_)) {
            return {}; // a straggler
        }
        out += on_model_started(data); // the token came before its step's event
    }
    const auto offset = number_of(data, "offset");
    auto text = data.text_or("text");
    if (offset < streamed_bytes_) {
        text.erase(0,
                   std::min<std::uint64_t>(text.size(), streamed_bytes_ - offset)); // given again after a reconnection
    }
    streamed_bytes_ = std::max<std::uint64_t>(streamed_bytes_, offset + data.text_or("text").size());
    if (text.empty()) {
        return out;
    }
    if (!words_) {
        out += close_line();
        words_.emplace(screen_.width, 2);
    }
    return out + words_->feed(text);
}

std::string run_renderer::on_model_finished(const json::value& data) {
    const bool streamed = streamed_bytes_ > 0 && number_of(data, "step") == step_;
    auto out = close_line();
    tokens_ += number_of(data, "input_tokens") + number_of(data, "output_tokens");
    cost_micros_ += static_cast<std::int64_t>(number_of(data, "cost_micros"));
    ++steps_;
    return streamed ? out : out + indented(data.text_or("content"), 2, tone::plain);
}

std::string run_renderer::on_model_failed(const json::value& data, timestamp at) {
    auto text = "! " + data.text_or("detail", "the model call failed");
    if (const auto again = parse_timestamp(data.text_or("retry_at"))) {
        text += fmt::format(" (tried again in {})", duration_text(std::max<std::int64_t>(*again - at, 0)));
    }
    return close_line() + indented(text, 2, tone::warn);
}

std::string run_renderer::on_call_started(const json::value& data, timestamp at) {
    const call_key key{number_of(data, "step"), number_of(data, "call")};
    const auto tool = data.text_or("tool");
    if (is_control(tool) || tool == "delegate") { // its run shows itself
        return {};
    }
    return open_line(key, {call_text(tool, data.find("arguments")), tool, at, std::nullopt});
}

std::string run_renderer::on_child_started(const json::value& data, timestamp at) {
    const auto run = parse_uuid(data.text_or("run_id"));
    const auto wish = data.find("wish");
    const auto text = fmt::format("agent (run {}) {}", run ? short_id(*run) : "?",
                                  wish ? clean_line(wish->text_or("goal")) : std::string());
    return open_line({number_of(data, "step"), number_of(data, "call")}, {text, "spawn_agent", at, std::nullopt});
}

std::string run_renderer::open_line(const call_key& key, open_call call) {
    const auto room = screen_.width > 24 ? screen_.width - 24 : 0; // leaves place for the outcome
    auto out = close_line() + "  " + paint(screen_, tone::accent, "→") + " " + shorten(call.text, room);
    calls_.insert_or_assign(key, std::move(call));
    inline_call_ = key;
    return out;
}

std::string run_renderer::on_output(const json::value& data) {
    const call_key key{number_of(data, "step"), number_of(data, "call")};
    const auto found = calls_.find(key);
    if (found == calls_.end()) {
        return {};
    }
    auto& output = found->second.output;
    if (!output) {
        output.emplace(screen_, std::string(call_indent));
    }
    auto text = output->feed(data.text_or("text"));
    return text.empty() ? "" : close_line() + text;
}

std::string run_renderer::on_call_finished(const json::value& data, timestamp at) {
    const call_key key{number_of(data, "step"), number_of(data, "call")};
    auto node = calls_.extract(key);
    const auto tool = node ? node.mapped().tool : data.text_or("tool");
    if (is_control(tool)) {
        return {};
    }
    const auto details = data.find("details");
    const auto exit_code = details ? details->find("exit_code") : std::nullopt;
    const bool failed = is_true(data, "is_error") || (exit_code && exit_code->as_int().value_or(0) != 0);
    const auto content = data.text_or("content");
    last_call_ = node ? node.mapped().text : clean_line(tool);
    last_content_ = content;
    const auto measured = node && at > node.mapped().started ? std::optional(at - node.mapped().started) : std::nullopt;
    const auto painted = paint(screen_, failed ? tone::bad : tone::good, outcome_of(data, failed, measured));

    std::string body;
    if (node && node.mapped().output) {
        body = node.mapped().output->finish();
    } else if (exit_code) {
        bounded_output past(screen_, std::string(call_indent));
        body = past.feed(output_of(content)) + past.finish();
    } else if (failed) {
        auto lines = wrap(clean(content), screen_.width > 4 ? screen_.width - 4 : 0);
        lines.resize(std::min(lines.size(), error_lines_max));
        for (const auto& line : lines) {
            body += std::string(call_indent) + paint(screen_, tone::bad, line) + "\n";
        }
    }
    if (const auto diff = details ? details->text_or("diff") : std::string(); !diff.empty()) {
        body += diff_text(screen_, diff, call_indent, diff_lines_max);
    }
    if (inline_call_ == key) {
        inline_call_.reset();
        return "  " + painted + "\n" + body;
    }
    const auto shown = node && node.mapped().output
                           ? painted
                           : painted + " " + (node ? shorten(node.mapped().text, 60) : clean_line(tool));
    return close_line() + body + std::string(call_indent) + shown + "\n";
}

std::string run_renderer::on_call_unknown(const json::value& data) {
    const call_key key{number_of(data, "step"), number_of(data, "call")};
    auto out = close_line();
    const auto node = calls_.extract(key);
    const auto text = node ? node.mapped().text : call_text(data.text_or("tool"), data.find("arguments"));
    return out +
           indented("? the node stopped during this call; it may or may not have happened: " + text, 4, tone::warn);
}

std::string run_renderer::on_approval_requested(const json::value& data) {
    auto out = close_line();
    const auto reason = data.text_or("reason");
    auto text = data.text_or("text");
    if (text.empty()) {
        text = call_text(data.text_or("tool"), data.find("arguments"));
    }
    if (reason == "question") {
        out += indented("◆ question: " + text, 0, tone::warn);
        return out + indented(fmt::format("troupe run answer {} TEXT", run_), 4, tone::faint);
    }
    if (reason == "unknown_step") {
        out += indented("◆ decide: " + text, 0, tone::warn);
        return out + indented(fmt::format("troupe run retry {0}   or   troupe run skip {0}", run_), 4, tone::faint);
    }
    out += indented("◆ approval needed: " + text, 0, tone::warn);
    return out +
           indented(fmt::format("troupe run approve {0}   or   troupe run deny {0} REASON", run_), 4, tone::faint);
}

std::string run_renderer::on_approval_resolved(const json::value& data) {
    auto out = close_line();
    const auto decision = data.text_or("decision");
    const auto answer = data.text_or("answer");
    const auto by = data.text_or("decided_by");
    const bool denied = decision == "deny";
    const auto edited = data.find("arguments");
    auto text = std::string(denied ? "✗ " : "✓ ") + past_of(decision) + (by.empty() ? "" : " by " + by) +
                (edited && edited->type() == json::kind::object ? ", with other arguments" : "") +
                (answer.empty() ? "" : ": " + answer);
    return out + indented(text, 2, denied ? tone::bad : tone::good);
}

std::string run_renderer::on_ended(std::string_view kind, const json::value& data, timestamp at) {
    auto out = close_line();
    const bool good = kind == "run_finished";
    const bool cancelled = kind == "run_cancelled";
    ended_ = good ? run_status::succeeded : cancelled ? run_status::cancelled : run_status::failed;
    const auto word = good ? "succeeded" : cancelled ? "cancelled" : "failed";
    std::string line = paint(screen_, tone_of_status(word), status_text(word));
    std::string numbers = fmt::format(" · {} {}", steps_, steps_ == 1 ? "step" : "steps");
    numbers += tokens_ > 0 ? fmt::format(" · {} tokens", count_text(tokens_)) : "";
    numbers += cost_micros_ > 0 ? " · " + money_text(cost_micros_) : "";
    numbers += began_ && at.ms > began_->ms ? fmt::format(" · {}", duration_text(at - *began_)) : "";
    out += line + paint(screen_, tone::faint, numbers) + "\n";
    const auto text = data.text_or(good ? "result" : cancelled ? "reason" : "detail");
    return out + indented(text, 2, good ? tone::plain : tone::bad);
}

} // namespace troupe::cli
