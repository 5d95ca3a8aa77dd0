#include "bin/cli/keys.hpp"

#include <poll.h>
#include <unistd.h>
#include <utility>

namespace troupe::cli {
namespace {

constexpr int look_ms = 50;
constexpr int tick_ms = 500;

} // namespace

key_listener::key_listener(std::function<void(char)> on_key, std::function<void()> on_tick)
    : on_key_(std::move(on_key)), on_tick_(std::move(on_tick)) {
    termios now{};
    if (::tcgetattr(STDIN_FILENO, &now) != 0) {
        return;
    }
    before_ = now;
    take_keys();
    listener_ = std::jthread([this](const std::stop_token& over) { listen(over); });
}

key_listener::~key_listener() {
    if (listener_.joinable()) {
        listener_.request_stop();
        listener_.join();
    }
    take_lines();
}

void key_listener::take_keys() const {
    if (before_) {
        auto raw = *before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO); // Ctrl-C stays a signal
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
}

void key_listener::take_lines() const {
    if (before_) {
        ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
    }
}

void key_listener::listen(const std::stop_token& over) {
    int waited_ms = 0;
    while (!over.stop_requested()) {
        {
            const std::scoped_lock mine(turn_);
            pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
            char key = 0;
            if (::poll(&input, 1, 0) > 0) {
                if (::read(STDIN_FILENO, &key, 1) != 1) {
                    return; // the terminal is gone
                }
                on_key_(key);
                continue;
            }
            if (waited_ms >= tick_ms) {
                waited_ms = 0;
                on_tick_();
            }
        }
        ::poll(nullptr, 0, look_ms); // without the lock: a pause gets its turn
        waited_ms += look_ms;
    }
}

key_listener::pause::pause(key_listener& keys) : keys_(keys), held_(keys.turn_) { keys_.take_lines(); }

key_listener::pause::~pause() { keys_.take_keys(); }

} // namespace troupe::cli
