#include "bin/cli/watch.hpp"

#include "bin/cli/decide.hpp"
#include "bin/cli/interrupt.hpp"
#include "bin/cli/keys.hpp"
#include "bin/cli/render_run.hpp"
#include "bin/cli/resolve.hpp"
#include "bin/cli/text.hpp"
#include "schemas/run.hpp"

#include <fmt/format.h>

#include <mutex>
#include <optional>
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
    watcher(context& c, api& node, const run_document& run)
        : c_(c),
          node_(node),
          run_id_(run.id),
          limits_(run.limits),
          where_(node.where()),
          renderer_(c.out_screen(), short_id(run.id)) {}

    expected<int> run() {
        if (c_.can_ask()) {
            keys_.emplace([this](char key) { on_key(key); }, [this] { on_tick(); });
        }
        auto out = follow();
        keys_.reset();
        return out;
    }

private:
    expected<int> follow() {
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
            if (streamed && has_ended()) {
                return exit_code();
            }
            if (retry.lost()) {
                say("connection to the node lost; trying again. The run goes on from its last step when the node is "
                    "back.");
            }
            if (!retry.wait(interrupt_)) {
                return interrupt_.token().stop_requested() ? left() : expected<int>(retry.give_up(node_.where().url));
            }
            const std::scoped_lock mine(screen_);
            c_.find_node_again();
            where_ = node_.where();
        }
    }

    // ---- keys, on their thread

    /// Under the run, while its last line is whole: how far it is, and what the keys do.
    void show_progress() {
        if (keys_ && line_is_whole_ && !ended_) {
            auto line =
                shorten(confirming_ ? "Cancel this run? y: yes, another key: no"
                                    : "c cancel  o output  q leave   " + renderer_.progress(limits_, system_now()),
                        c_.err_screen().width);
            if (line != progress_) {
                c_.progress(paint(c_.err_screen(), tone::faint, line));
                progress_ = std::move(line);
            }
        }
    }

    void hide_progress() {
        if (!std::exchange(progress_, {}).empty()) {
            c_.progress("");
        }
    }

    void on_tick() {
        const std::scoped_lock mine(screen_);
        print(renderer_.close_call()); // it takes its time: what the keys do is to be seen
    }

    void on_key(char key) {
        const std::scoped_lock mine(screen_);
        if (std::exchange(confirming_, false)) {
            if (key == 'y' || key == 'Y') {
                cancel();
            }
        } else if (key == 'c') {
            confirming_ = true;
        } else if (key == 'o') {
            const auto output = renderer_.last_output();
            print(renderer_.close_line() + (output.empty() ? "  (no call has answered yet)\n" : output));
        } else if (key == 'q') {
            interrupt_.request_stop();
        }
        show_progress();
    }

    /// A connection of its own: the other one carries the events, which will tell.
    void cancel() {
        const auto done = api(where_).post("/runs/" + to_string(run_id_) + "/cancel", to_json(cancel_run_body{}));
        if (!done) {
            print(renderer_.close_line() + problem_text(done.error(), c_.out_screen()));
        }
    }

    /// With `screen_` held, as all that draws.
    void print(const std::string& text) {
        if (!text.empty()) {
            hide_progress();
            c_.print(text);
            line_is_whole_ = text.back() == '\n';
        }
        show_progress();
    }

    // ---- the run's events

    /// False when nothing more is to come.
    bool on_event(const stream_event& e) {
        std::unique_lock mine(screen_);
        if (e.kind == "run_finished" || e.kind == "run_failed" || e.kind == "run_cancelled") {
            succeeded_ = e.kind == "run_finished";
            ended_ = true;
        }
        if (c_.json()) {
            c_.print_json(e.envelope);
            return !ended_;
        }
        print(renderer_.feed(e.kind, e.data, e.ts));
        if (e.kind == "reset" && ended_meanwhile()) {
            return false; // its end may be among the events that are not kept
        }
        if (ended_) {
            succeeded_ = renderer_.ended() == run_status::succeeded;
        } else if (e.kind == "approval_requested" && keys_) {
            mine.unlock();
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
        const key_listener::pause lines(*keys_);
        hide_progress();
        if (const auto asked = ask_person(c_, *approval, interrupt_.token()); !asked) {
            c_.print(problem_text(asked.error(), c_.out_screen()));
        }
    }

    /// The node closed the stream: whether the run ended without our seeing it.
    bool has_ended() {
        const std::scoped_lock mine(screen_);
        return ended_meanwhile();
    }

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
            print(renderer_.close_line() + paint(c_.out_screen(), tone_of_status(word), status_text(word)) + "\n" +
                  clean(run->result.value_or(run->error.value_or(""))) + "\n");
        }
        return true;
    }

    void say(std::string_view text) {
        const std::scoped_lock mine(screen_);
        if (!c_.json()) {
            print(renderer_.close_line());
            hide_progress();
        }
        c_.note(paint(c_.err_screen(), tone::warn, fmt::format("({})", text)));
    }

    expected<int> left() {
        const std::scoped_lock mine(screen_);
        hide_progress();
        c_.print(c_.json() ? "" : renderer_.close_line());
        c_.note(fmt::format("The run goes on. Watch it: troupe run watch {0}   End it: troupe run cancel {0}",
                            short_id(run_id_)));
        return exit_interrupted;
    }

    [[nodiscard]] int exit_code() const { return succeeded_ ? 0 : 1; }

    context& c_;
    api& node_;
    uuid run_id_;
    budget limits_;
    connection where_;
    std::mutex screen_; ///< Guards what draws, from here to `progress_`.
    run_renderer renderer_;
    bool line_is_whole_ = true;
    bool confirming_ = false;
    std::string progress_;             ///< The line as it is shown; empty: none is.
    std::optional<key_listener> keys_; ///< On a terminal.
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
    return watcher(c, **node, *run).run();
}

} // namespace troupe::cli
