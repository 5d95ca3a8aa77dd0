#include "bin/cli/decide.hpp"

#include "bin/cli/ask.hpp"
#include "bin/cli/text.hpp"
#include "schemas/base/described.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace troupe::cli {
namespace {

constexpr int look_again_ms = 2000; ///< Somebody else may decide while we ask.

wait_reason reason_for(decision d) {
    return d == decision::answer                         ? wait_reason::question
           : d == decision::retry || d == decision::skip ? wait_reason::unknown_step
                                                         : wait_reason::approval;
}

std::string command_for(wait_reason reason) {
    return reason == wait_reason::question       ? "troupe run answer"
           : reason == wait_reason::unknown_step ? "troupe run retry (or skip)"
                                                 : "troupe run approve (or deny)";
}

/// What came of waiting for a line.
enum class line_result : std::uint8_t { line, end, stopped, gone };

/// A line from standard input. `still_wanted` is asked now and then.
line_result read_line(std::string& line, const std::stop_token& stop, const std::function<bool()>& still_wanted) {
    line.clear();
    int waited_ms = 0;
    constexpr int turn_ms = 200;
    while (!stop.stop_requested()) {
        pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        if (::poll(&input, 1, turn_ms) > 0) {
            char c = 0;
            const auto got = ::read(STDIN_FILENO, &c, 1);
            if (got == 0 || (got < 0 && errno != EINTR)) {
                return line_result::end;
            }
            if (got == 1 && c == '\n') {
                return line_result::line;
            }
            if (got == 1) {
                line += c;
            }
        } else if ((waited_ms += turn_ms) >= look_again_ms) {
            waited_ms = 0;
            if (!still_wanted()) {
                return line_result::gone;
            }
        }
    }
    return line_result::stopped;
}

/// The arguments as the person left them in an editor.
expected<json::raw> edited_arguments(const json::raw& arguments) {
    auto edited = edit_text(arguments.text + "\n", ".json");
    if (!edited) {
        return edited.error();
    }
    edited->remove();
    return json::make_raw(edited->text);
}

std::string question_for(const approval_document& a) {
    return a.reason == wait_reason::question       ? "answer> "
           : a.reason == wait_reason::unknown_step ? "retry or skip? [r/s] "
                                                   : "approve? (always for this run: a) [y/n/e/a] ";
}

/// What a typed line means for this approval; nothing: it has to be asked again.
expected<std::optional<decide_approval_body>> meaning_of(context& c, const approval_document& a,
                                                         const std::string& line) {
    using body = std::optional<decide_approval_body>;
    if (a.reason == wait_reason::question) {
        return line.empty() ? body() : body({decision::answer, line, std::nullopt});
    }
    const char first = line.empty() ? '\0' : line[0];
    if (a.reason == wait_reason::unknown_step) {
        return first == 'r'   ? body({decision::retry, "", std::nullopt})
               : first == 's' ? body({decision::skip, "", std::nullopt})
                              : body();
    }
    if (first == 'y') {
        return body({decision::approve, "", std::nullopt});
    }
    if (first == 'a') {
        return body({decision::approve, "", std::nullopt, remember_scope::run});
    }
    if (first == 'n') {
        return body({decision::deny,
                     clean_line(line.substr(line.find(' ') == std::string::npos ? line.size() : line.find(' '))),
                     std::nullopt});
    }
    if (first == 'e') {
        auto arguments = edited_arguments(a.arguments);
        if (!arguments) {
            c.print(problem_text(arguments.error(), c.out_screen()));
            return body();
        }
        return body({decision::approve, "", std::move(*arguments)});
    }
    return body();
}

} // namespace

expected<std::vector<approval_document>> pending_approvals(api& node, const uuid& run_id) {
    auto list = node.list<approval_document>("/approvals", {{"run_id", to_string(run_id)}, {"status", "pending"}}, 100);
    return list ? expected<std::vector<approval_document>>(std::move(list->items))
                : expected<std::vector<approval_document>>(list.error());
}

expected<approval_document> pick_approval(const std::vector<approval_document>& pending, decision d,
                                          std::string_view run) {
    std::vector<approval_document> fitting;
    for (const auto& a : pending) {
        if (a.reason == reason_for(d)) {
            fitting.push_back(a);
        }
    }
    if (fitting.empty() && d == decision::deny) { // a question may be declined
        std::ranges::copy_if(pending, std::back_inserter(fitting),
                             [](const auto& a) { return a.reason == wait_reason::question; });
    }
    if (fitting.size() == 1) {
        return fitting.front();
    }
    if (pending.empty()) {
        return problem{code::conflict,
                       fmt::format("Run {} waits for no decision. See it with `troupe run show {}`.", run, run)};
    }
    if (fitting.empty()) {
        return problem{code::conflict, fmt::format("Run {} waits for another kind of decision: use {}.", run,
                                                   command_for(pending.front().reason))};
    }
    problem several{code::conflict,
                    fmt::format("Run {} waits for {} decisions: name one with `troupe approval decide ID DECISION`.",
                                run, fitting.size())};
    for (const auto& a : fitting) {
        several.errors.push_back({to_string(a.id), a.text.empty() ? a.tool : a.text});
    }
    return several;
}

std::vector<flag> with_remember_flags(std::vector<flag> flags) {
    flags.push_back({"remember", "SCOPE", "Do the same with later calls like it: in this run, or of its agent."});
    flags.push_back({"pattern", "P", "With --remember: the calls that are meant, as \"git *\"."});
    return flags;
}

expected<void> read_remember(const arguments& args, decide_approval_body& body) {
    body.pattern = args.value_or("pattern", "");
    if (const auto scope = args.value("remember")) {
        body.remember = detail::enum_value<remember_scope>(*scope);
        if (!body.remember) {
            return problem{code::invalid_request, fmt::format("--remember takes run or agent, not \"{}\".", *scope)};
        }
    }
    return {};
}

expected<approval_document> decide(api& node, const uuid& approval_id, const decide_approval_body& body) {
    auto answer = node.post("/approvals/" + to_string(approval_id) + "/decide", to_json(body));
    return answer ? from_json<approval_document>(*answer, strictness::stored)
                  : expected<approval_document>(answer.error());
}

expected<bool> ask_person(context& c, const approval_document& approval, std::stop_token stop) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto path = "/approvals/" + to_string(approval.id);
    const auto still_pending = [&] {
        const auto now = (*node)->get_as<approval_document>(path);
        return !now || now->status == approval_status::pending;
    };
    const auto question = paint(c.out_screen(), tone::strong, question_for(approval));
    for (;;) {
        c.print(question);
        std::string line;
        switch (read_line(line, stop, still_pending)) {
        case line_result::line:
            break;
        case line_result::gone:
            c.print(paint(c.out_screen(), tone::faint, "(decided elsewhere)") + "\n");
            return true;
        case line_result::end:
        case line_result::stopped:
            c.print("\n");
            return false;
        }
        auto body = meaning_of(c, approval, line);
        if (!body) {
            return body.error();
        }
        if (!*body) {
            continue;
        }
        const auto decided = decide(**node, approval.id, **body);
        if (!decided && decided.error().code == code::invalid_request) {
            c.print(problem_text(decided.error(), c.out_screen()));
            continue;
        }
        if (decided || decided.error().code == code::conflict) {
            return true; // decided, here or a moment ago elsewhere: the run's events show how
        }
        return decided.error();
    }
}

} // namespace troupe::cli
