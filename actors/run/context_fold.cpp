#include "actors/run/context_fold.hpp"

#include "actors/run/run_context.hpp"
#include "schemas/base/json.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace troupe::actors {
namespace {

/// Of what is folded, to know it again.
constexpr std::size_t beginning_bytes = 120;
constexpr std::string_view ask_human = "ask_human";

/// Whole characters of its first line.
std::string beginning_of(std::string_view text) {
    auto end = std::min({text.find('\n'), text.size(), beginning_bytes});
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
        --end;
    }
    return std::string(text.substr(0, end));
}

std::string shortened(std::string_view text, std::size_t place) {
    return fmt::format("{} [… {} bytes are folded; recall with message {} gives them back …]", beginning_of(text),
                       text.size(), place);
}

bool is_folded(std::string_view text) { return text.ends_with("gives them back …]"); }

bool is_long(std::string_view text) { return text.size() >= fold_bytes_min && !is_folded(text); }

/// Where the turns begin that stay as they are.
std::size_t kept_from(const std::vector<context_message>& messages) {
    std::size_t turns = 0;
    for (auto at = messages.size(); at > 0; --at) {
        turns += messages[at - 1].role == "assistant" ? 1 : 0;
        if (turns == fold_turns_kept) {
            return at - 1;
        }
    }
    return 0;
}

/// The object with its long texts shortened; what is no object goes as a whole.
std::string shorter_arguments(const std::string& arguments, std::size_t place) {
    const auto parsed = json::document::parse(arguments);
    if (!parsed || parsed->root().type() != json::kind::object) {
        return "{}";
    }
    std::string out;
    json::object_writer w(out);
    parsed->root().each_member([&](std::string_view name, json::value value) {
        const auto text = value.as_string();
        const auto whole = text ? std::string(*text) : value.dump();
        if (is_long(whole)) {
            w.field(name, shortened(whole, place));
        } else {
            w.raw_field(name, value.dump());
        }
    });
    w.end();
    return out;
}

/// What a message becomes; itself where nothing is to be folded.
context_message folded(const context_message& m, std::size_t place) {
    auto out = m;
    const bool of_people = m.role == "user" || m.tool_name == ask_human;
    if (!of_people && is_long(m.content)) {
        out.content = shortened(m.content, place);
    }
    for (auto& call : out.tool_calls) {
        if (is_long(call.arguments)) {
            call.arguments = shorter_arguments(call.arguments, place);
        }
    }
    return out;
}

} // namespace

fold_plan plan_fold(const std::vector<context_message>& messages, std::uint64_t bytes) {
    fold_plan out;
    const auto end = kept_from(messages);
    for (std::size_t place = 0; place < end && out.freed_bytes < bytes; ++place) {
        const auto shorter = folded(messages[place], place);
        const auto before = bytes_of(messages[place]);
        const auto after = bytes_of(shorter);
        if (after >= before) {
            continue;
        }
        out.freed_bytes += before - after;
        folded_message one{static_cast<std::uint32_t>(place), shorter.content, {}};
        for (const auto& call : shorter.tool_calls) {
            one.arguments.push_back(call.arguments);
        }
        out.messages.push_back(std::move(one));
        if (out.messages.size() == fold_messages_max) {
            break;
        }
    }
    return out;
}

std::uint64_t room_of(std::uint32_t context_tokens, std::uint32_t output_tokens) {
    const auto answer = std::min<std::uint64_t>(output_tokens, context_tokens / 4); // a small window is not all answer
    return (context_tokens - answer) / 20 * 19;                                     // estimates err
}

std::uint64_t bytes_to_free(const run_progress& p, std::uint64_t room_tokens) {
    const auto needed = estimate_input_tokens(p);
    const auto wanted = room_tokens / 3 * 2;
    return needed > wanted ? (needed - wanted) * 4 * 1000 / p.tokens_permille : 0;
}

void fold(std::vector<context_message>& messages, const std::vector<folded_message>& folded) {
    for (const auto& one : folded) {
        if (one.message >= messages.size()) {
            continue; // a defect of `decide`: nothing happens to the others
        }
        auto& m = messages[one.message];
        m.content = one.content;
        for (std::size_t n = 0; n < std::min(m.tool_calls.size(), one.arguments.size()); ++n) {
            m.tool_calls[n].arguments = one.arguments[n];
        }
    }
}

} // namespace troupe::actors
