#include "tests/bench/bench.hpp"

#include <thread>

/// Durable commands in this process, without HTTP, and what an entity costs in memory.
/// Usage: bench_entities FOLDER [SECONDS]   (data goes below FOLDER, which has to be on the disk to be measured)
namespace troupe::bench {
namespace {

constexpr std::uint64_t population = 100'000;

runtime::config settings_for(const std::string& directory) {
    runtime::config out;
    out.data = directory;
    return out;
}

/// 200 bytes to one of `entities`.
void commands(const std::string& directory, std::size_t outstanding, std::uint64_t entities, double seconds) {
    const auto ids = notebook_ids(entities);
    auto& node = open_node(settings_for(directory));
    start_node(node);
    load writes(node, [&, text = std::string(200, 'x')](std::uint64_t n) {
        return make_command(ids[n * 2654435761U % entities], add_notes{text, 1});
    });
    writes.run(512, std::max<std::uint64_t>(4 * entities, 4000), 0); // warm-up: every entity is awake
    const auto commits_before = node.statistics().commits;
    const auto f = writes.run(outstanding, 0, seconds);
    const auto commits = std::max<std::uint64_t>(1, node.statistics().commits - commits_before);
    print_case("entity_command",
               fmt::format(R"("outstanding":{},"entities":{},{},"commands_per_fsync":{:.1f})", outstanding, entities,
                           to_fields(f), static_cast<double>(f.done) / static_cast<double>(commits)));
    node.stop(30'000);
}

/// Wakes 100,000 entities that are on disk, one snapshot each, and lets them go to sleep again.
void memory(const std::filesystem::path& folder) {
    scratch data(folder);
    auto settings = settings_for(data.path());
    const auto ids = notebook_ids(population);
    settings.storage_cache_bytes = 8 << 20; // its growth is not the entities'
    in_process_of_its_own([&] {
        auto& node = open_node(settings);
        start_node(node);
        load writes(node, [&](std::uint64_t n) { return make_command(ids[n], add_notes{std::string(200, 'x'), 1}); });
        writes.run(512, population, 0);
        node.stop(120'000); // passivates all: each has a snapshot
    });
    in_process_of_its_own([&] {
        settings.entity_idle_ms = 25'000;
        auto& node = open_node(settings);
        start_node(node);
        load wakes(node, [&](std::uint64_t n) { return make_command(ids[n], touch{}); });
        const auto before = resident_bytes();
        const auto f = wakes.run(512, population, 0);
        const auto active = node.statistics().entities_active;
        const auto awake = resident_bytes();
        const auto deadline = now_us() + 120'000'000;
        while (node.statistics().entities_active > 0 && now_us() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
        }
        auto asleep = resident_bytes();
        for (auto last = asleep + 1; asleep < last;) { // the last actors that ended are freed meanwhile
            last = asleep;
            std::this_thread::sleep_for(std::chrono::seconds(1));
            asleep = resident_bytes();
        }
        print_case("entity_activation", fmt::format(R"("entities":{},{})", population, to_fields(f)));
        print_case(
            "entity_memory",
            fmt::format(
                R"("active":{},"bytes_per_active":{:.0f},"left_active":{},"bytes_per_passivated":{:.0f},"rss_mb_before":{})",
                active, static_cast<double>(awake - before) / static_cast<double>(std::max<std::uint64_t>(1, active)),
                node.statistics().entities_active, static_cast<double>(asleep - before) / population, before >> 20));
    });
}

} // namespace
} // namespace troupe::bench

int main(int count, char** arguments) {
    using namespace troupe::bench;
    if (count < 2) {
        give_up("usage: bench_entities FOLDER [SECONDS]");
    }
    const std::filesystem::path folder = arguments[1];
    const double seconds = count > 2 ? std::atof(arguments[2]) : 5;
    const auto measure = [&](std::size_t outstanding, std::uint64_t entities) {
        scratch data(folder);
        in_process_of_its_own([&] { commands(data.path(), outstanding, entities, seconds); });
    };
    measure(1, 1000);
    measure(64, 1000);
    measure(512, 1000);
    measure(64, 1);
    memory(folder);
}
