#include "tests/bench/bench.hpp"

/// Start after a crash: writes events, ends without a shutdown, then opens, answers a first command and replays all.
/// Usage: bench_recovery FOLDER [EVENTS]                  both cases, below FOLDER
///        bench_recovery write DIRECTORY EVENTS ENTITIES  only writes: a data directory to start a node on
namespace troupe::bench {
namespace {

constexpr std::uint32_t events_per_command = 10;

void write(const runtime::config& settings, std::uint64_t events, std::uint64_t entities) {
    auto& node = open_node(settings);
    start_node(node);
    const auto ids = notebook_ids(entities);
    load writes(node, [&, text = std::string(200, 'x')](std::uint64_t n) {
        return make_command(ids[n % entities], add_notes{text, events_per_command});
    });
    const auto f = writes.run(512, events / events_per_command, 0);
    if (f.errors > 0) {
        give_up("commands were refused while the events were written");
    }
    std::cerr << fmt::format("bench: wrote {} events to {} entities in {:.1f} s\n", events, entities, f.seconds);
}

void recover(const runtime::config& settings, std::uint64_t events, std::uint64_t entities) {
    const auto ids = notebook_ids(entities);
    const auto began = now_us();
    auto& node = open_node(settings);
    const auto opened_s = seconds_since(began);
    start_node(node);
    load wakes(node, [&](std::uint64_t n) { return make_command(ids[n], touch{}); });
    wakes.run(1, 1, 0);
    const auto first_s = seconds_since(began);
    const auto all = wakes.run(512, entities, 0);
    print_case("recovery",
               fmt::format(R"("events":{},"entities":{},"open_s":{:.3f},"first_answer_s":{:.3f},"replay_all_s":{:.3f},)"
                           R"("events_per_s":{:.0f},"entities_per_s":{:.0f},"errors":{},"rss_mb":{})",
                           events, entities, opened_s, first_s, all.seconds, static_cast<double>(events) / all.seconds,
                           all.rate(), all.errors, resident_bytes() >> 20));
}

/// Snapshots are off, so that all events are replayed: the worst case.
runtime::config settings_for(const std::string& directory) {
    runtime::config out;
    out.data = directory;
    out.snapshot_events = 100'000;
    return out;
}

void both(const std::filesystem::path& folder, std::uint64_t events, std::uint64_t entities) {
    scratch data(folder);
    const auto settings = settings_for(data.path());
    in_process_of_its_own([&] { write(settings, events, entities); });
    in_process_of_its_own([&] { recover(settings, events, entities); });
}

} // namespace
} // namespace troupe::bench

int main(int count, char** arguments) {
    using namespace troupe::bench;
    if (count == 5 && std::string_view(arguments[1]) == "write") {
        in_process_of_its_own([&] {
            write(settings_for(arguments[2]), std::strtoull(arguments[3], nullptr, 10),
                  std::strtoull(arguments[4], nullptr, 10));
        });
        return 0;
    }
    if (count < 2) {
        give_up("usage: bench_recovery FOLDER [EVENTS] | bench_recovery write DIRECTORY EVENTS ENTITIES");
    }
    const auto events = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1'000'000;
    both(arguments[1], events, 1'000);
    both(arguments[1], events, 100'000);
}
