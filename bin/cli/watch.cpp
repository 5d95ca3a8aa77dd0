#include "bin/cli/watch.hpp"

#include "bin/cli/decide.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/render_run.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/run.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace troupe::cli {
namespace {

constexpr int exit_interrupted = 130;
/// An approval is opened right after the run's event is committed: how often and long to wait for it.
constexpr int approval_tries = 15;
constexpr std::int64_t approval_wait_ms = 200;

class watcher {
public:
    watcher(context& c, api& node, const uuid& run_id)
        : c_(c), node_(node), run_id_(run_id), renderer_(c.out_screen(), short_id(run_id)) {}

    expected<int> run() {
        std::string cursor = "start";
        reconnection retry;
        for (;;) {
            const auto path = with_query("/runs/" + to_string(run_id_) + "/events", {{"since", cursor}});
            const auto on_open = [&] {
                if (retry.came_back()) {
                    say("connected again");
                }
            };
            const auto streamed = node_.stream(path, interrupt_.token(), on_open, [&](const stream_event& e) {
                cursor = e.id.empty() ? cursor : e.id;
                return on_event(e) && c_.written();
            });
            if (ended_ || !c_.written()) {
                return exit_code();
            }
            if (interrupt_.token().stop_requested()) {
                return left();
            }
            if (!streamed && !reconnection::worth_it(streamed.error())) {
                return streamed.error();
            }
            if (streamed && ended_meanwhile()) {
                return exit_code();
            }
            if (retry.lost()) {
                say("connection to the node lost; trying again. The run goes on from its last step when the node is "
                    "back.");
            }
            if (!retry.wait(interrupt_)) {
                return interrupt_.token().stop_requested() ? left() : expected<int>(retry.give_up(node_.where().url));
            }
            c_.find_node_again();
        }
    }

private:
    /// False when nothing more is to come.
    bool on_event(const stream_event& e) {
        if (e.kind == "run_finished" || e.kind == "run_failed" || e.kind == "run_cancelled") {
            succeeded_ = e.kind == "run_finished";
            ended_ = true;
        }
        if (c_.json()) {
            c_.print_json(e.envelope);
            return !ended_;
        }
        c_.print(renderer_.feed(e.kind, e.data, e.ts));
        if (e.kind == "reset" && ended_meanwhile()) {
            return false; // its end may be among the events that are not kept
        }
        if (ended_) {
            succeeded_ = renderer_.ended() == run_status::succeeded;
        } else if (e.kind == "approval_requested" && c_.can_ask()) {
            offer(e.data);
        }
        return !ended_ && !interrupt_.token().stop_requested();
    }

    void offer(const json::value& data) {
        const auto id = parse_uuid(data.text_or("approval_id", data.text_or("id")));
        if (!id || !offered_.insert(*id).second) {
            return;
        }
        auto approval = node_.get_as<approval_document>("/approvals/" + to_string(*id));
        for (int i = 1; i < approval_tries && !approval && approval.error().code == code::not_found; ++i) {
            if (!interrupt_.sleep(approval_wait_ms)) {
                return;
            }
            approval = node_.get_as<approval_document>("/approvals/" + to_string(*id));
        }
        if (!approval || approval->status != approval_status::pending) {
            return; // of the past; or the event's own line says how to answer
        }
        if (const auto asked = ask_person(c_, *approval, interrupt_.token()); !asked) {
            c_.print(problem_text(asked.error(), c_.out_screen()));
        }
    }

    /// The node closed the stream: whether the run ended without our seeing it.
    bool ended_meanwhile() {
        const auto run = node_.get_as<run_document>("/runs/" + to_string(run_id_));
        if (!run || (run->status != run_status::succeeded && run->status != run_status::failed &&
                     run->status != run_status::cancelled)) {
            return false;
        }
        ended_ = true;
        succeeded_ = run->status == run_status::succeeded;
        if (!c_.json()) {
            const std::string word(detail::enum_name(run->status));
            c_.print(renderer_.close_line() + paint(c_.out_screen(), tone_of_status(word), status_text(word)) + "\n" +
                     clean(run->result.value_or(run->error.value_or(""))) + "\n");
        }
        return true;
    }

    void say(std::string_view text) {
        if (!c_.json()) {
            c_.print(renderer_.close_line());
        }
        c_.note(paint(c_.err_screen(), tone::warn, fmt::format("({})", text)));
    }

    expected<int> left() {
        c_.print(c_.json() ? "" : renderer_.close_line());
        c_.note(fmt::format("The run goes on. Watch it: troupe run watch {0}   End it: troupe run cancel {0}",
                            short_id(run_id_)));
        return exit_interrupted;
    }

    [[nodiscard]] int exit_code() const { return succeeded_ ? 0 : 1; }

    context& c_;
    api& node_;
    uuid run_id_;
    run_renderer renderer_;
    interrupt interrupt_;
    std::set<uuid> offered_;
    bool ended_ = false;
    bool succeeded_ = false;
};

} // namespace

expected<int> watch_run(context& c, const uuid& run_id) {
    auto node = c.node();
    if (!node) {
        return node.error();
    }
    const auto run = (*node)->get_as<run_document>("/runs/" + to_string(run_id));
    if (!run) {
        return run.error();
    }
    if (!c.json()) {
        c.print(paint(c.out_screen(), tone::strong, "run") + "   " +
                paint(c.out_screen(), tone::accent, to_string(run_id)) +
                paint(c.out_screen(), tone::faint, run->model.empty() ? "" : "  " + clean_line(run->model)) + "\n");
    }
    return watcher(c, **node, run_id).run();
}

} // namespace troupe::cli
