// Links between two nodes in one process, over loopback: a frame there and one back, and bulk.
//     bench_links [CA_FILE CERTIFICATE_FILE KEY_FILE]     the certificate has DNS:n1 and DNS:n2; without: no TLS
#include "net/cluster/tcp_links.hpp"
#include "schemas/base/log.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

using namespace troupe;
using namespace troupe::net;
using namespace troupe::runtime::cluster;

namespace {

std::int64_t now_us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

double processor_s() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct end : links_listener {
    void on_up(const node_card&) override {
        const std::lock_guard lock(mutex);
        up = true;
        changed.notify_all();
    }
    void on_down(const uuid&, const std::string& why) override { std::fprintf(stderr, "down: %s\n", why.c_str()); }
    void on_frame(const uuid& from, lane on, std::string_view bytes) override {
        if (answer) {
            answer(from, on, bytes);
            return;
        }
        const std::lock_guard lock(mutex);
        ++frames;
        changed.notify_all();
    }
    void wait(const std::function<bool()>& holds) {
        std::unique_lock lock(mutex);
        changed.wait(lock, holds);
    }

    std::mutex mutex;
    std::condition_variable changed;
    bool up = false;
    std::uint64_t frames = 0;
    std::function<void(const uuid&, lane, std::string_view)> answer;
};

node_card card_of(std::uint8_t number) {
    node_card out;
    out.name = "n" + std::to_string(number);
    out.replica.bytes[15] = number;
    return out;
}

void report(const char* what, bool secure, const std::string& figures) {
    std::printf("{\"case\":\"%s\",\"tls\":%s,%s}\n", what, secure ? "true" : "false", figures.c_str());
}

} // namespace

int main(int count, char** arguments) {
    (void)set_log_levels("error");
    tcp_links_settings settings;
    if (count == 4)
        settings.tls = {arguments[1], arguments[2], arguments[3]};
    const bool secure = count == 4;
    end heard_a;
    end heard_b;
    auto a = tcp_links::make(settings, card_of(1));
    auto b = tcp_links::make(settings, card_of(2));
    if (!a || !b) {
        std::fprintf(stderr, "%s\n", (a ? b : a).error().detail.c_str());
        return 1;
    }
    const uuid id_a = card_of(1).replica;
    const uuid id_b = card_of(2).replica;
    const auto echo = std::make_shared<const std::string>(1024, 'e');
    heard_b.answer = [&](const uuid&, lane on, std::string_view) {
        if (on == lane::journal)
            (*b)->send(id_a, on, echo);
    };
    (*a)->start(heard_a);
    (*b)->start(heard_b);
    (*a)->set_peers({{id_b, "n2", "127.0.0.1", (*b)->port()}});
    (*b)->set_peers({{id_a, "n1", "127.0.0.1", (*a)->port()}});
    heard_a.wait([&] { return heard_a.up; });
    heard_b.wait([&] { return heard_b.up; });

    // One after the other.
    std::vector<std::int64_t> times;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        const auto begun = now_us();
        (*a)->send(id_b, lane::journal, echo);
        heard_a.wait([&] { return heard_a.frames > i; });
        times.push_back(now_us() - begun);
    }
    std::sort(times.begin(), times.end());
    const auto of = [&](double part) { return std::to_string(times[static_cast<std::size_t>(part * 19'999)]); };
    report("round trip of 1 kB", secure,
           "\"p50_us\":" + of(0.5) + ",\"p90_us\":" + of(0.9) + ",\"p99_us\":" + of(0.99));

    // As many as the credit lets through.
    const auto stream = [&](const char* what, lane on, std::size_t bytes, std::uint64_t frames) {
        const auto piece = std::make_shared<const std::string>(bytes, 'b');
        const auto received = [&] {
            std::uint64_t out = 0;
            for (const auto& each : (*b)->figures())
                out += each.on == on ? each.received_frames : 0;
            return out;
        };
        const auto before = received();
        const auto begun = now_us();
        const auto used = processor_s();
        for (std::uint64_t i = 0; i < frames; ++i)
            while (!(*a)->send(id_b, on, piece))
                std::this_thread::sleep_for(std::chrono::microseconds(200));
        while (received() < before + frames)
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        const auto seconds = static_cast<double>(now_us() - begun) / 1e6;
        report(what, secure,
               "\"mb_per_s\":" + std::to_string(static_cast<double>(bytes * frames) / 1e6 / seconds) +
                   ",\"frames_per_s\":" + std::to_string(static_cast<double>(frames) / seconds) +
                   ",\"processor_us_per_frame\":" +
                   std::to_string((processor_s() - used) * 1e6 / static_cast<double>(frames)));
    };
    stream("bulk of 256 kB", lane::bulk, 256 << 10, 8'000);
    heard_b.answer = [](const uuid&, lane, std::string_view) {};
    stream("journal of 1 kB", lane::journal, 1 << 10, 500'000);
    (*a)->stop();
    (*b)->stop();
    return 0;
}
