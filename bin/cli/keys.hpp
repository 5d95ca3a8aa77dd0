#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include <termios.h>

/// Keys that act at once, while something else is shown.
namespace troupe::cli {

/// While it lives, each key pressed at the terminal reaches `on_key` without Enter and is not shown, and `on_tick`
/// comes twice a second; both on a thread of its own, never at the same time. The terminal is as before afterwards.
/// Does nothing where standard input is no terminal.
class key_listener {
public:
    key_listener(std::function<void(char)> on_key, std::function<void()> on_tick);
    ~key_listener();
    key_listener(const key_listener&) = delete;

    /// While it lives, the terminal takes lines as usual and no key is taken. Not from within `on_key` or `on_tick`.
    class pause {
    public:
        explicit pause(key_listener& keys);
        ~pause();
        pause(const pause&) = delete;

    private:
        key_listener& keys_;
        std::unique_lock<std::mutex> held_;
    };

private:
    void listen(const std::stop_token& over);
    void take_keys() const;
    void take_lines() const;

    std::function<void(char)> on_key_;
    std::function<void()> on_tick_;
    std::optional<termios> before_; ///< None: no terminal.
    std::mutex turn_;               ///< Held by who reads the terminal.
    std::jthread listener_;
};

} // namespace troupe::cli
