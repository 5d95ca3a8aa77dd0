#include "actors/application/application.hpp"
#include "actors/tool/tool.hpp"
#include "runtime/bus/bus.hpp"
#include "runtime/services.hpp"
#include "schemas/run.hpp"
#include "schemas/run_messages.hpp"
#include "tests/bench/bench.hpp"

#include <thread>

/// Runs of agents with a model that answers at once: what the runtime itself takes of each step.
/// Usage: bench_agent_runs FOLDER [steps|contexts|streams …]   (data goes below FOLDER, on the disk to be measured)
namespace troupe::bench {
namespace {

using actors::application;

/// Each reply is the same: the text in pieces, then a call of the tool, until so many replies were given.
class steady_model final : public net::model {
public:
    steady_model(std::string tool, std::uint32_t replies, std::string text, std::uint32_t pieces, std::int64_t pause_us)
        : tool_(std::move(tool)), replies_(replies), text_(std::move(text)), pieces_(pieces), pause_us_(pause_us) {}

    [[nodiscard]] std::string describe() const override { return "steady (a benchmark)"; }

    expected<net::model_reply> complete(const net::model_request& request, std::stop_token,
                                        const std::function<void(std::string_view)>& on_token) override {
        net::model_reply out;
        for (std::uint32_t n = 0; n < pieces_; ++n) {
            std::this_thread::sleep_for(std::chrono::microseconds(pause_us_));
            // The piece says when it left.
            const auto piece = pause_us_ > 0 ? fmt::format("{:016} ", now_us()) : text_;
            out.content += piece;
            on_token(piece);
        }
        const auto replies = std::ranges::count(request.messages, net::role::assistant, &net::message::role);
        if (static_cast<std::uint32_t>(replies) + 1 < replies_) {
            out.finish = net::finish_reason::tool_calls;
            out.tool_calls = {{"call_0", tool_, "{}"}};
        }
        out.usage = {100, 10};
        out.model = "steady";
        return out;
    }

private:
    const std::string tool_;
    const std::uint32_t replies_;
    const std::string text_;
    const std::uint32_t pieces_;
    const std::int64_t pause_us_;
};

struct no_arguments {};
BOOST_DESCRIBE_STRUCT(no_arguments, (), ())

std::vector<actors::custom_tool> tools() {
    auto nothing = actors::make_tool<no_arguments>(
        "do_nothing", "Does nothing.",
        [](const no_arguments&, const actors::tool_environment&) { return actors::tool_result{.content = "done"}; });
    auto page = actors::make_tool<no_arguments>("read_page", "Gives a page of 8 kB.",
                                                [](const no_arguments&, const actors::tool_environment&) {
                                                    return actors::tool_result{.content = std::string(8000, 'x')};
                                                });
    nothing.safety = page.safety = actors::repeat_safety::idempotent;
    std::vector<actors::custom_tool> out;
    out.push_back(std::move(nothing));
    out.push_back(std::move(page));
    return out;
}

std::uint64_t bytes_below(const std::filesystem::path& folder) {
    std::uint64_t bytes = 0;
    std::error_code gone; // files of the database come and go
    for (auto at = std::filesystem::recursive_directory_iterator(folder, gone);
         at != std::filesystem::recursive_directory_iterator(); at.increment(gone)) {
        std::error_code failed;
        const auto size = at->is_regular_file(failed) ? at->file_size(failed) : 0;
        bytes += failed ? 0 : size;
    }
    return bytes;
}

/// What this process gave to the disk so far.
std::uint64_t written_bytes() {
    std::ifstream io("/proc/self/io");
    for (std::string name; io >> name;) {
        std::uint64_t value = 0;
        io >> value;
        if (name == "write_bytes:") {
            return value;
        }
    }
    return 0;
}

std::unique_ptr<application> start(const std::string& data, std::shared_ptr<net::model> model) {
    runtime::config settings;
    settings.data = data;
    settings.listen = "127.0.0.1:0";
    settings.sandbox = "none";
    actors::extensions own;
    own.tools = tools();
    own.models = {{"steady", std::move(model)}};
    auto made = application::start(settings, {}, std::move(own));
    if (!made) {
        give_up(made.error().detail);
    }
    return std::move(*made);
}

/// Begins a run, and tells of each of its live events.
class followed_run {
public:
    followed_run(const runtime::services& s, std::function<void(const runtime::live_event&)> told) {
        auto heard = s.live->subscribe({system_organization, {"runs/" + to_string(id_)}, "", {}}, std::move(told));
        if (!heard) {
            give_up(heard.error().detail);
        }
        heard_ = std::move(*heard);
        create_run wish;
        wish.goal = "Go on";
        wish.model = "steady";
        wish.limits = {.steps = 10'000, .tokens = 1'000'000'000'000, .time_ms = 3'600'000};
        runtime::command c;
        c.to = {system_organization, "run", id_};
        c.type = "create_run";
        c.payload = to_json(wish);
        c.principal = "bench";
        if (const auto made = runtime::ask(s, std::move(c)); !made) {
            give_up(made.error().detail);
        }
    }

private:
    uuid id_ = make_uuid();
    std::unique_ptr<runtime::subscription> heard_;
};

/// One run to its end; the times at which its steps began.
std::vector<std::int64_t> steps_of(application& app) {
    std::vector<std::int64_t> begun;
    std::atomic<bool> ended = false;
    const followed_run run(app.parts(), [&](const runtime::live_event& e) {
        if (e.kind == "model_call_started") {
            begun.push_back(now_us());
        }
        if (e.kind == "run_finished" || e.kind == "run_failed") {
            if (e.kind == "run_failed") {
                give_up(e.data);
            }
            ended = true;
            ended.notify_one();
        }
    });
    ended.wait(false);
    return begun;
}

void print_steps(std::string_view name, const std::vector<std::int64_t>& begun, std::uint64_t disk,
                 std::uint64_t kept) {
    const auto tenth = begun.size() / 10;
    const auto rate = [&](std::size_t from, std::size_t to) {
        return static_cast<double>(to - from) * 1e6 / static_cast<double>(begun[to] - begun[from]);
    };
    const auto steps = begun.size();
    print_case(name,
               fmt::format(R"("steps":{},"steps_per_s":{:.0f},"first_tenth_per_s":{:.0f},"last_tenth_per_s":{:.0f},)"
                           R"("bytes_written_per_step":{},"bytes_kept_per_step":{})",
                           steps, rate(0, steps - 1), rate(0, tenth), rate(steps - 1 - tenth, steps - 1), disk / steps,
                           kept / steps));
}

void steps(const std::filesystem::path& folder, std::string_view name, const char* tool, std::uint32_t count,
           std::string text) {
    scratch data(folder);
    auto app = start(data.path(), std::make_shared<steady_model>(tool, count, std::move(text), 1, 0));
    (void)steps_of(*app); // warm-up
    const auto written = written_bytes();
    const auto kept = bytes_below(data.path());
    const auto begun = steps_of(*app);
    print_steps(name, begun, written_bytes() - written, bytes_below(data.path()) - kept);
}

/// So many runs at a time, each streaming 40 tokens a second for 5 s.
void streams(const std::filesystem::path& folder, std::size_t count) {
    scratch data(folder);
    auto app = start(data.path(), std::make_shared<steady_model>("do_nothing", 1, "", 200, 25'000));
    std::mutex mutex;
    std::vector<std::int64_t> late;
    std::atomic<std::size_t> left = count;
    std::vector<std::unique_ptr<followed_run>> runs;
    const auto cpu = cpu_us();
    const auto began = now_us();
    for (std::size_t n = 0; n < count; ++n) {
        runs.push_back(std::make_unique<followed_run>(app->parts(), [&](const runtime::live_event& e) {
            if (e.kind == "token") {
                const auto now = now_us();
                const auto data_of = from_json<token_data>(e.data, strictness::stored);
                const std::scoped_lock lock(mutex);
                for (std::size_t at = 0; data_of && at + 16 < data_of->text.size(); at += 17) {
                    late.push_back(now - std::stoll(data_of->text.substr(at, 16)));
                }
            }
            if ((e.kind == "run_finished" || e.kind == "run_failed") && --left == 0) {
                left.notify_one();
            }
        }));
    }
    for (auto open = left.load(); open > 0; open = left.load()) {
        left.wait(open);
    }
    const auto seconds = seconds_since(began);
    const std::scoped_lock lock(mutex);
    std::ranges::sort(late);
    const auto part = [&](double share) {
        return static_cast<double>(late[static_cast<std::size_t>(static_cast<double>(late.size() - 1) * share)]) / 1000;
    };
    print_case("run_streams",
               fmt::format(R"("runs":{},"tokens":{},"seconds":{:.1f},"added_ms_p50":{:.2f},"added_ms_p99":{:.2f},)"
                           R"("added_ms_max":{:.1f},"cpu_share":{:.2f})",
                           count, late.size(), seconds, part(0.5), part(0.99), part(1),
                           static_cast<double>(cpu_us() - cpu) / 1e6 / seconds));
}

} // namespace
} // namespace troupe::bench

int main(int argc, char** argv) {
    using namespace troupe::bench;
    if (argc < 2) {
        std::cerr << "usage: bench_agent_runs FOLDER [steps|contexts|streams …]\n";
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    const std::vector<std::string> asked(argv + 2, argv + argc);
    const auto wants = [&](std::string_view name) {
        return asked.empty() || std::ranges::find(asked, name) != asked.end();
    };
    if (wants("steps")) {
        in_process_of_its_own([&] { steps(folder, "run_steps", "do_nothing", 1000, "I do nothing. "); });
    }
    if (wants("contexts")) { // 100 calls, at the end with 800 kB: 200,000 tokens
        in_process_of_its_own([&] { steps(folder, "run_contexts", "read_page", 100, "I read on. "); });
        in_process_of_its_own([&] { steps(folder, "run_contexts_short", "read_page", 50, "I read on. "); });
    }
    if (wants("streams")) {
        in_process_of_its_own([&] { streams(folder, 200); });
    }
    return 0;
}
