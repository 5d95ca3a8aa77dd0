#include "actors/provider/rehearsal.hpp"

#include "actors/provider/rehearsal_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

namespace troupe::actors {

namespace {

using net::message;
using net::role;
using rehearsal::captures;
using rehearsal::condition;
using rehearsal::rule;
using rehearsal::script;

constexpr std::size_t seen_bytes_max = 400; ///< Of a result, in the sentence of `script_exhausted`.

/// What is told of the transcript at one point: everything before a reply.
struct view {
    std::span<const message> messages;
    std::size_t step = 1; ///< Which reply comes next, from 1.
    std::string_view goal;
    std::string_view parameters;             ///< JSON: the last line of the instructions, where it is an object.
    std::string_view last_message;           ///< Of a user.
    std::span<const message> after_the_last; ///< What came after the last reply: the results are in here.
};

view look_at(std::span<const message> messages) {
    view out;
    out.messages = messages;
    out.after_the_last = messages;
    bool has_goal = false;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (messages[i].role == role::assistant) {
            ++out.step;
            out.after_the_last = messages.subspan(i + 1);
        } else if (messages[i].role == role::user) {
            out.last_message = messages[i].content;
            if (!std::exchange(has_goal, true))
                out.goal = messages[i].content;
        } else if (messages[i].role == role::system) {
            const std::string_view text = messages[i].content;
            const auto line = text.substr(text.rfind('\n') + 1);
            out.parameters = line.starts_with('{') ? line : std::string_view();
        }
    }
    return out;
}

bool contains(std::string_view text, const std::optional<std::string>& part) {
    return !part || text.find(*part) != std::string_view::npos;
}

/// What a rule made of the transcript: the text and calls are ready, the captures are those that later rules see.
struct outcome {
    const rule* by = nullptr;
    std::string say;
    std::vector<net::tool_call> calls;
    captures captured;
};

/// Follows a script through a transcript. What was used and captured before is found by going through it again from
/// the beginning, so that a reply depends on nothing but the context.
class follower {
public:
    follower(const script& s, const net::model_request& request) : script_(s), request_(request) {}

    std::optional<outcome> next_reply() {
        const std::span<const message> all(request_.messages);
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].role != role::assistant)
                continue;
            if (auto before = match(look_at(all.first(i)))) {
                used_.insert(before->by->name);
                captured_ = std::move(before->captured);
            }
        }
        return match(look_at(all));
    }

private:
    [[nodiscard]] std::optional<outcome> match(const view& seen) const {
        for (const rule& one : script_.rules)
            if (auto out = apply(one, seen))
                return out;
        return std::nullopt;
    }

    [[nodiscard]] std::optional<outcome> apply(const rule& one, const view& seen) const {
        if (one.once && used_.contains(one.name))
            return std::nullopt;
        outcome out{&one, {}, {}, captured_};
        const message* result = nullptr;
        if (!holds(one.when, seen, out.captured) || !choose_result(one.when, seen, result, out.captured))
            return std::nullopt;
        for (const auto& capture : one.capture)
            take(capture, seen, result, out.captured);
        captures filled = out.captured;
        filled["goal"] = seen.goal;
        filled["step"] = std::to_string(seen.step);
        if (result != nullptr) {
            filled["result"] = result->content;
            filled["tool"] = result->tool_name;
        }
        for (const auto& name : one.when.captured)
            if (!filled.contains(name))
                return std::nullopt;
        if (one.say) {
            auto text = one.say->fill(filled);
            if (!text)
                return std::nullopt;
            out.say = *std::move(text);
        }
        for (const auto& call : one.calls) {
            net::tool_call made{fmt::format("call_{}_{}", seen.step, out.calls.size() + 1), call.tool, {}};
            if (!call.arguments.write(made.arguments, filled))
                return std::nullopt;
            out.calls.push_back(std::move(made));
        }
        return out;
    }

    /// Everything but the conditions on results.
    bool holds(const condition& when, const view& seen, captures& into) const {
        if ((when.step && *when.step != seen.step) || (when.after && !used_.contains(*when.after)))
            return false;
        if (!contains(seen.goal, when.goal_contains) || !contains(seen.last_message, when.message_contains))
            return false;
        for (const auto& tool : when.tools_available)
            if (std::none_of(request_.tools.begin(), request_.tools.end(),
                             [&](const auto& t) { return t.name == tool; }))
                return false;
        return (!when.goal_matches || when.goal_matches->find(seen.goal, into)) &&
               (!when.parameters_match || when.parameters_match->find(seen.parameters, into));
    }

    /// The newest result since the last reply that satisfies all conditions on results.
    static bool choose_result(const condition& when, const view& seen, const message*& result, captures& into) {
        for (auto at = seen.after_the_last.rbegin(); at != seen.after_the_last.rend(); ++at) {
            if (at->role != role::tool || (when.last_tool && at->tool_name != *when.last_tool) ||
                (when.last_is_error && at->is_error != *when.last_is_error) ||
                !contains(at->content, when.last_result_contains) ||
                (when.last_result_matches && !when.last_result_matches->find(at->content, into)))
                continue;
            result = &*at;
            return true;
        }
        return !when.asks_for_result();
    }

    static void take(const rehearsal::capture_rule& capture, const view& seen, const message* result, captures& into) {
        using rehearsal::source;
        if (capture.from == source::goal) {
            capture.matches.find(seen.goal, into);
        } else if (capture.from == source::result) {
            if (result != nullptr)
                capture.matches.find(result->content, into);
        } else {
            for (auto at = seen.messages.rbegin(); at != seen.messages.rend(); ++at)
                if (at->role == role::tool && capture.matches.find(at->content, into))
                    return;
        }
    }

    const script& script_;
    const net::model_request& request_;
    std::set<std::string> used_; ///< Names of rules.
    captures captured_;
};

problem exhausted(const std::string& name, const net::model_request& request) {
    const view seen = look_at(request.messages);
    std::string what;
    for (const auto& one : seen.after_the_last)
        if (one.role == role::tool)
            what += fmt::format("; {} {}: {}", one.tool_name, one.is_error ? "failed" : "answered",
                                one.content.substr(0, seen_bytes_max));
    return {code::script_exhausted,
            fmt::format(
                "No rule of the rehearsal script {} matches at step {}. It saw the goal \"{}\"{}. Add a rule for this, "
                "or choose a language model.",
                name, seen.step, seen.goal.substr(0, seen_bytes_max), what)};
}

/// As tokens are counted where nobody counts them: four bytes each.
std::uint64_t estimate(std::size_t bytes) { return (bytes + 3) / 4; }

net::token_usage usage_of(const net::model_request& request, const outcome& reply) {
    std::size_t input = 0;
    for (const auto& one : request.messages) {
        input += one.content.size();
        for (const auto& call : one.tool_calls)
            input += call.name.size() + call.arguments.size();
    }
    std::size_t output = reply.say.size();
    for (const auto& call : reply.calls)
        output += call.name.size() + call.arguments.size();
    return {estimate(input), estimate(output), true};
}

class rehearsal_model final : public net::model {
public:
    explicit rehearsal_model(script s) : script_(std::move(s)) {}

    [[nodiscard]] std::string describe() const override {
        return fmt::format("rehearsal script {} (scripted, no language model)", script_.name);
    }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token stop,
                                        const std::function<void(std::string_view)>& on_token) override {
        auto next = follower(script_, request).next_reply();
        if (!next)
            return exhausted(script_.name, request);
        if (!speak(next->say, stop, on_token))
            return problem{code::cancelled, "The rehearsal was cancelled."};
        net::model_reply reply;
        reply.usage = usage_of(request, *next);
        reply.content = std::move(next->say);
        reply.tool_calls = std::move(next->calls);
        reply.finish = reply.tool_calls.empty() ? net::finish_reason::stop : net::finish_reason::tool_calls;
        reply.model = "rehearsal:" + script_.name;
        return reply;
    }

private:
    /// Gives the text, word by word where there is to be time between them; false when it was stopped.
    bool speak(std::string_view text, const std::stop_token& stop,
               const std::function<void(std::string_view)>& on_token) const {
        while (!text.empty() && !stop.stop_requested()) {
            const std::size_t space = text.find_first_of(" \n", text.find_first_not_of(" \n"));
            const std::size_t word = std::min(text.find_first_not_of(" \n", space), text.size());
            const std::size_t end = script_.delay_ms > 0 ? word : text.size();
            if (on_token)
                on_token(text.substr(0, end));
            text.remove_prefix(end);
            if (script_.delay_ms > 0 && !text.empty())
                pause(stop);
        }
        return !stop.stop_requested();
    }

    void pause(const std::stop_token& stop) const {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_for(lock, stop, std::chrono::milliseconds(script_.delay_ms), [] { return false; });
    }

    script script_;
};

} // namespace

expected<std::unique_ptr<net::model>> make_rehearsal_model(std::string_view text, std::string file) {
    auto parsed = rehearsal::parse_script(text, file);
    if (!parsed)
        return parsed.error();
    if (parsed->name.empty())
        parsed->name = std::move(file);
    return std::unique_ptr<net::model>(std::make_unique<rehearsal_model>(*std::move(parsed)));
}

} // namespace troupe::actors
