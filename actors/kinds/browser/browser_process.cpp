#include "actors/kinds/browser/browser_process.hpp"

#include "actors/tool/background_command.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t start_ms_max = 30'000;
constexpr std::int64_t life_ms_max = 24 * 3'600'000LL;
constexpr std::uint64_t memory_bytes_max = 3ULL << 30;
constexpr std::uint32_t tasks_max = 1500; ///< One page has some two hundred threads.
constexpr std::string_view told_begin = "DevTools listening on ";

/// The sandbox shows /usr only.
constexpr std::array programs = {"/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser",
                                 "/usr/lib64/chromium-browser/chromium-browser"};

/// Debian's configuration of fonts is in /etc, which the sandbox does not show.
constexpr std::string_view fonts = "<?xml version=\"1.0\"?>\n<!DOCTYPE fontconfig SYSTEM \"fonts.dtd\">\n"
                                   "<fontconfig><dir>/usr/share/fonts</dir><cachedir>/tmp/fonts</cachedir>"
                                   "</fontconfig>\n";

/// The paths are those inside of the sandbox, which only a shell in it knows.
constexpr std::string_view begin = R"(export FONTCONFIG_FILE="$PWD/fonts.conf"
program=$1; shift; exec "$program" --user-data-dir="$PWD/profile" "$@")";

std::vector<std::string> command(const std::string& program, std::uint16_t proxy_port) {
    return {"sh", "-c", std::string(begin), "sh", program, "--headless=new",
            "--no-sandbox", // It is in ours, which its own cannot be made in.
            "--remote-debugging-port=0", "--disable-gpu", "--no-first-run", "--no-default-browser-check",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--disable-default-apps", "--mute-audio", "--password-store=basic", "--window-size=1280,900",
            // All that it asks for goes through the proxy; names are looked up there and nowhere else.
            fmt::format("--proxy-server=http://127.0.0.1:{}", proxy_port), "--proxy-bypass-list=<-loopback>",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--disable-quic",
            "--webrtc-ip-handling-policy=disable_non_proxied_udp",
            "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
            "--disable-features=MediaRouter,DialMediaRouteProvider,Translate,OptimizationHints,WebTransport",
            "about:blank"};
}

expected<std::string> find_program() {
    for (const char* program : programs) {
        std::error_code ignored;
        if (fs::exists(program, ignored)) {
            return std::string(program);
        }
    }
    return problem{code::unavailable, "this node has no Chromium (Debian: apt-get install chromium fonts-liberation)"};
}

} // namespace

struct browser_process::impl {
    fs::path folder;
    std::mutex mutex;
    std::condition_variable_any changed;
    std::string said; ///< On its standard error, until it says where it listens.
    std::string url;
    std::optional<std::string> end;              ///< Why it has ended.
    std::unique_ptr<background_command> command; ///< Ends first: it tells the others.

    void hear(std::string_view text) {
        const std::scoped_lock lock(mutex);
        if (!url.empty()) {
            return;
        }
        said += text;
        const auto at = said.find(told_begin);
        const auto line_end = at == said.npos ? said.npos : said.find('\n', at);
        if (line_end != said.npos) {
            url = said.substr(at + told_begin.size(), line_end - at - told_begin.size());
            changed.notify_all();
        }
        constexpr std::size_t said_bytes_max = 64 << 10;
        if (said.size() > said_bytes_max) {
            said.erase(0, said.size() / 2);
        }
    }

    void hear_end(std::string how) {
        const std::scoped_lock lock(mutex);
        end = std::move(how);
        changed.notify_all();
    }

    ~impl() {
        command.reset();
        std::error_code failed;
        fs::remove_all(folder, failed);
        if (failed) {
            log_for("run").warn("cannot remove the profile {}: {}", folder.native(), failed.message());
        }
    }
};

browser_process::browser_process(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
browser_process::~browser_process() = default;

const std::string& browser_process::url() const { return impl_->url; }

expected<std::unique_ptr<browser_process>> browser_process::start(runtime::sandbox& commands, std::string key,
                                                                  fs::path folder, std::uint16_t proxy_port,
                                                                  const std::stop_token& stop) {
    const auto program = find_program();
    if (!program) {
        return program.error();
    }
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) {
        return file_problem("create", folder.native(), failed.value());
    }
    auto made = std::unique_ptr<impl>(new impl{folder, {}, {}, {}, {}, {}, {}});
    if (auto written = write_file(folder / "fonts.conf", fonts, kept::without_fsync, 0600); !written) {
        return written.error();
    }
    runtime::command_spec spec;
    spec.argv = command(*program, proxy_port);
    spec.project = folder;
    spec.network = true;
    spec.limits.time_ms = life_ms_max;
    spec.limits.memory_bytes = memory_bytes_max;
    spec.limits.processes = tasks_max;
    auto* told = made.get();
    auto begun = background_command::start(
        commands, std::move(key), std::move(spec),
        {[told](bool is_stderr, std::string_view text) { is_stderr ? told->hear(text) : void(); },
         [told](std::string how) { told->hear_end(std::move(how)); }});
    if (!begun) {
        return begun.error();
    }
    made->command = std::move(*begun);
    std::unique_lock lock(made->mutex);
    made->changed.wait_for(lock, stop, std::chrono::milliseconds(start_ms_max),
                           [&] { return !made->url.empty() || made->end; });
    const bool listens = !made->url.empty() && !made->end;
    const auto why = made->end.value_or(stop.stop_requested() ? "it was cancelled" : "it did not answer in time");
    if (!listens && made->end) {
        log_for("run").warn("the browser did not start: {}: {}", why, made->said);
    }
    lock.unlock();
    if (!listens) {
        return problem{stop.stop_requested() ? code::cancelled : code::unavailable,
                       fmt::format("the browser cannot be started: {}", why)};
    }
    return std::unique_ptr<browser_process>(new browser_process(std::move(made)));
}

} // namespace troupe::actors
