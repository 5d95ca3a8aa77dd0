#include "actors/task/board_file.hpp"

#include "actors/common/waiting.hpp"
#include "actors/task/working_board.hpp"
#include "actors/task/working_edit.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/guarded_file.hpp"
#include "schemas/base/log.hpp"
#include "schemas/task.hpp"
#include "storage/store.hpp"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::chrono::milliseconds look_every{300};
constexpr std::chrono::seconds answer_wait{30};
constexpr std::size_t file_bytes_max = 1'000'000; ///< As the API takes it.
constexpr std::string_view updated_label = "Last Updated: ";

/// Two texts of the same board differ in their time.
std::string without_time(std::string_view text) {
    const auto begin = text.find(updated_label);
    const auto end = begin == std::string_view::npos ? begin : text.find('\n', begin);
    return begin == std::string_view::npos ? std::string(text)
                                           : std::string(text.substr(0, begin)) + std::string(text.substr(end));
}

/// The reasons as lines that stand above the text.
std::string with_reasons(const problem& why, const std::string& text) {
    auto out = fmt::format("<!-- This was not taken over: {}\n", why.detail);
    for (const auto& e : why.errors) {
        out += fmt::format("     {}: {}\n", e.pointer, e.message);
    }
    return out + "-->\n" + text;
}

} // namespace

struct board_file::impl {
    impl(const runtime::services& s, std::filesystem::path f) : services(s), file(std::move(f)) {}

    const runtime::services& services;
    const std::filesystem::path file;
    std::string written;             ///< What this wrote last, or found and took over.
    std::optional<file_mark> known;  ///< Of the file as it was then.
    std::optional<file_mark> coming; ///< Seen once: whoever writes may not be through.
    std::uint64_t seen = 0;          ///< All that was applied when the board was read.
    bool stale = true;               ///< The file has to be written, whatever was applied.
    bool failing = false;            ///< Said already.
    std::mutex mutex;
    std::condition_variable ends;
    bool ended = false;
    std::thread thread;

    [[nodiscard]] uuid organization() const { return services.store->who().default_organization; }

    [[nodiscard]] std::uint64_t applied() const {
        std::uint64_t out = 0;
        for (std::uint32_t shard = 0; shard < services.store->who().shards; ++shard) {
            out += services.store->applied(shard);
        }
        return out;
    }

    void run() {
        std::unique_lock lock(mutex);
        while (!ended) {
            lock.unlock();
            take_over();
            show();
            lock.lock();
            ends.wait_for(lock, look_every, [this] { return ended; });
        }
    }

    void say(const problem& p, std::string_view doing) {
        if (!std::exchange(failing, true)) {
            log_for("task").error("{}: {}: {}", file.string(), doing, p.detail);
        }
    }

    /// What somebody wrote, when it is the same twice.
    void take_over() {
        const auto now = mark_of(file);
        if (!now) { // removed, or not there yet
            known.reset();
            stale = true;
            return;
        }
        if (now == known || std::exchange(coming, now) != now) {
            return;
        }
        const auto text = read_whole_file(file, file_bytes_max);
        if (!text) {
            return say(text.error(), "cannot be read");
        }
        if (*text != written && without_time(*text) != without_time(written) && !edit(*text)) {
            return; // it is tried again
        }
        known = now;
        stale = true;
    }

    /// False: not now.
    bool edit(const std::string& text) {
        const auto done = apply(text);
        if (done) {
            log_for("task").info("{}: what somebody changed was taken over", file.string());
            return true;
        }
        const auto& p = done.error();
        if (p.code == code::unavailable || p.code == code::overloaded || p.code == code::deadline_exceeded ||
            p.code == code::storage_full) {
            say(p, "a change cannot be taken over now");
            return false;
        }
        const auto kept = file.string() + ".rejected";
        log_for("task").warn("{}: a change was not taken over: {} It is kept in {}.", file.string(), p.detail, kept);
        if (auto written_beside = replace_file(kept, with_reasons(p, text)); !written_beside) {
            say(written_beside.error(), "what was refused cannot be kept");
            return false; // it would be lost
        }
        return true;
    }

    /// As a request of the API. The text itself is the key: after a crash in the middle nothing is created twice.
    [[nodiscard]] expected<void> apply(const std::string& text) const {
        net::request r;
        r.verb = net::verb::put;
        r.path = "/state/working-md";
        r.who = {.name = "node", .organization = organization()};
        r.headers["idempotency-key"] = to_string(derive_uuid({"board_file", text}));
        auto answered = std::make_shared<std::promise<expected<bool>>>();
        auto answer = answered->get_future();
        edit_working(services, std::move(r), text, [answered](const expected<void>& given) {
            answered->set_value(given ? expected<bool>(true) : expected<bool>(given.error()));
        });
        const auto done = wait_for(std::move(answer), answer_wait, "The node did not answer in time.");
        return done ? expected<void>() : expected<void>(done.error());
    }

    void show() {
        const auto now = applied();
        if (!stale && now == seen) {
            return;
        }
        if (mark_of(file) != known) {
            return; // somebody writes: that comes first
        }
        const auto state = read_working(services, organization());
        if (!state) {
            return say(state.error(), "the board cannot be read");
        }
        auto text = render(*state);
        if (stale || without_time(text) != without_time(written)) {
            const auto done = replace_unless_changed(file, text, known);
            if (!done) {
                return say(done.error(), "cannot be written");
            }
            if (!*done) {
                return; // as above
            }
            written = std::move(text);
            known = *done;
        }
        seen = now;
        stale = false;
        failing = false;
    }
};

board_file::board_file(const runtime::services& s, std::filesystem::path file)
    : impl_(std::make_unique<impl>(s, std::move(file))) {
    impl_->thread = std::thread([me = impl_.get()] { me->run(); });
}

board_file::~board_file() {
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->ended = true;
    }
    impl_->ends.notify_all();
    impl_->thread.join();
}

} // namespace troupe::actors
