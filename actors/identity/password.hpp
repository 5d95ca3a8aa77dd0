#pragma once

#include "schemas/base/cipher.hpp"
#include "schemas/base/problem.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

/// Passwords: which ones are good enough, and their hashes (Argon2id, RFC 9106, of libsodium).
namespace troupe::actors {

/// What is wrong with a new password, or nothing. Length and known bad ones, as NIST SP 800-63B asks; no rules about
/// kinds of characters. `about` are words that it must not consist of: the e-mail address and the name.
std::optional<std::string> weakness_of(std::string_view password, std::size_t length_min,
                                       const std::vector<std::string>& about);

/// Hashes and compares on threads of its own, since each takes tens of milliseconds and megabytes on purpose.
/// Thread-safe.
class password_desk {
public:
    /// Each thread takes `password_hash_bytes` of memory while it works.
    explicit password_desk(unsigned threads = 2);
    /// As `stop`.
    ~password_desk() { stop(); }
    /// Waits for what is in work; what waits is answered with `unavailable`. Later calls do nothing.
    void stop();
    password_desk(const password_desk&) = delete;
    password_desk& operator=(const password_desk&) = delete;

    /// The hash in its text form, with salt and parameters. `done` is called exactly once, from any thread;
    /// `overloaded` when too many wait.
    void hash(wiped_text password, std::function<void(expected<std::string>)> done);
    /// Whether it is the password of the hash. An empty hash is nobody's: it takes as long and is never right.
    void verify(wiped_text password, std::string hash, std::function<void(expected<bool>)> done);

    /// Other work that waits for something; forgotten when too much is under way.
    void run(std::function<void()> work);

private:
    using job = std::function<void(bool run)>;
    bool put(job j);
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<job> jobs_;
    bool ended_ = false;
    std::string nobody_; ///< A hash that no password has.
    std::vector<std::thread> threads_;
};

inline constexpr std::size_t password_hash_bytes = 32UL << 20;
inline constexpr unsigned long long password_hash_passes = 3;

} // namespace troupe::actors
