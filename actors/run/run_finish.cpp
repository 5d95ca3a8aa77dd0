#include "actors/run/run_finish.hpp"

#include "actors/kinds/kind.hpp"
#include "actors/run/result_schema.hpp"
#include "actors/run/run_children.hpp"
#include "actors/tool/tool.hpp"
#include "schemas/base/json_schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace troupe::actors {
namespace {

/// Of an output: it goes on to tasks and programs, as part of their events.
constexpr std::size_t output_bytes_max = 256 << 10;

bool is_object(const std::optional<json::raw>& value) {
    const auto read = value ? json::document::parse(value->text) : json::document::parse("null");
    return read && read->root().type() == json::kind::object;
}

std::optional<std::string> mistake_in_output(const create_run& wish, const std::optional<json::raw>& output) {
    const auto schema = result_schema_in_force(wish);
    if (!output) {
        return schema.empty() ? std::nullopt
                              : std::optional<std::string>("The output is missing: call finish again and give what was "
                                                           "found as output, as its schema says.");
    }
    if (!is_object(output)) {
        return "The output has to be a JSON object. Call finish again.";
    }
    if (output->text.size() > output_bytes_max) {
        return fmt::format("The output has {} bytes; at most {} can be given. Write what is large into a file.",
                           output->text.size(), output_bytes_max);
    }
    const auto check = schema.empty() ? json_schema_check() : json_schema_check::parse(schema);
    const auto fits = schema.empty() ? expected<void>() : check ? check->check(output->text) : check.error();
    if (fits) {
        return {};
    }
    std::string all;
    for (const auto& e : fits.error().errors) {
        all += fmt::format("{}{}: {}", all.empty() ? "" : "; ", e.pointer, e.message);
    }
    return "The output does not fit its schema. Mend it, and call finish again: " + all;
}

/// The tools of which one has to verify what was changed, when that is due.
std::string unverified_by(const run_progress& p) {
    const auto* kind = p.unverified ? find_kind(p.request.kind) : nullptr;
    return kind ? fmt::format("{}", fmt::join(kind->verified_by, " or ")) : "";
}

std::string verify_first(const std::string& tools) {
    return "The project was changed, and nothing has verified it since. Call " + tools +
           " until it says that the work is verified, and then finish. If that cannot be reached, call finish with "
           "success false and say so.";
}

} // namespace

std::string in_words(const problem& p) {
    auto out = p.detail;
    for (const auto& e : p.errors) {
        out += fmt::format(" {}: {}.", e.pointer, e.message);
    }
    return out;
}

expected<void> check_wish(const create_run& wish) {
    if (auto fits = check_parameters(wish.kind, wish.parameters ? wish.parameters->text : "{}"); !fits) {
        return fits;
    }
    const auto schema = wish.result_schema ? usable_result_schema(wish.result_schema->text) : expected<std::string>("");
    return schema ? expected<void>() : schema.error();
}

std::string result_schema_in_force(const create_run& wish) {
    if (wish.result_schema) {
        const auto usable = usable_result_schema(wish.result_schema->text); // it was when the run began
        return usable ? *usable : "";
    }
    const auto* kind = find_kind(wish.kind);
    return kind ? result_schema_of(*kind) : "";
}

std::string finish_schema(const create_run& wish) {
    const auto output = result_schema_in_force(wish);
    if (output.empty()) {
        return json_schema<finish_arguments>();
    }
    return R"({"type":"object","properties":{"result":{"type":"string","description":)"
           R"("What was reached, in a few words for the person who asked."},"success":{"type":"boolean","description":)"
           R"("False when the goal was not reached; true when left out."},"output":)" +
           output + R"(},"required":["result","output"],"additionalProperties":false})";
}

std::optional<std::string> mistake_in_finish(const run_progress& p, const finish_arguments& said) {
    if (!said.success) {
        return said.output && !is_object(said.output)
                   ? std::optional<std::string>("The output has to be a JSON object, or be left out.")
                   : std::nullopt;
    }
    if (const auto tools = unverified_by(p); !tools.empty()) {
        return verify_first(tools);
    }
    return mistake_in_output(p.request, said.output);
}

std::optional<std::string> answer_is_no_end(const run_progress& p) {
    if (const auto tools = unverified_by(p); !tools.empty()) {
        return verify_first(tools);
    }
    if (!result_schema_in_force(p.request).empty()) {
        return "An answer in words is not enough here. Call finish, with the result as output.";
    }
    return {};
}

run_failed not_finished(const run_progress& p) {
    if (!unverified_by(p).empty()) {
        return {"goal_not_reached",
                "The model stopped though nothing had verified what it changed. It said: " + p.answer};
    }
    return {std::string(explain(code::model_reply_invalid).name),
            "The model gave no output through finish, though it was told to. It said: " + p.answer};
}

bool may_change_project(std::string_view name) {
    const auto* tool = find_tool(name);
    return !tool || tool->writes || starts_child(name); // one that was removed since may have
}

bool is_unverified_after(const run_progress& before, const tool_call_finished& e) {
    const auto* kind = find_kind(before.request.kind);
    if (kind && std::ranges::count(kind->verified_by, std::string_view(e.tool)) > 0) {
        const auto details = json::document::parse(e.details.text);
        const auto verified = details ? details->root().find("verified") : std::nullopt;
        if (verified && verified->as_bool().value_or(false)) {
            return false;
        }
    }
    return before.unverified || may_change_project(e.tool);
}

} // namespace troupe::actors
