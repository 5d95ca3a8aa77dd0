#include "actors/identity/password.hpp"

#include "schemas/name_messages.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::size_t jobs_max = 256;
constexpr std::size_t distinct_characters_min = 5;

/// What people make their passwords of, without the digits and signs that they put around it.
constexpr std::array bad_cores{
    "password",   "passwort", "passw0rd",      "pass",
    "passphrase", "qwerty",   "qwertyuiop",    "qwertz",
    "qwertzuiop", "azerty",   "asdf",          "asdfgh",
    "asdfghjkl",  "zxcvbn",   "zxcvbnm",       "letmein",
    "welcome",    "admin",    "administrator", "root",
    "user",       "login",    "iloveyou",      "monkey",
    "dragon",     "sunshine", "princess",      "football",
    "baseball",   "superman", "batman",        "master",
    "shadow",     "michael",  "jordan",        "trustno",
    "starwars",   "whatever", "freedom",       "computer",
    "internet",   "secret",   "changeme",      "default",
    "guest",      "test",     "testing",       "temp",
    "demo",       "hello",    "helloworld",    "abc",
    "abcdef",     "abcdefgh", "abcdefghijkl",  "abcdefghijklmnopqrstuvwxyz",
    "troupe",     "agent",    "summer",        "winter",
    "spring",     "autumn",   "company",       "qazwsx",
    "qazwsxedc",  "loveme",   "flower",        "charlie",
    "donald",     "ninja",    "mustang",       "correcthorsebatterystaple",
    "",
};

std::string core_of(std::string_view text) {
    std::string out;
    for (const char c : fold_name(text)) {
        if ((c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80U) {
            out += c;
        }
    }
    return out;
}

bool is_repeated(std::string_view core, std::string_view word) {
    if (word.empty() || core.size() % word.size() != 0) {
        return core == word;
    }
    for (std::size_t at = 0; at < core.size(); at += word.size()) {
        if (core.substr(at, word.size()) != word) {
            return false;
        }
    }
    return !core.empty();
}

bool consists_of(const std::string& core, std::string_view word) {
    const auto folded = core_of(word);
    return folded.size() >= 3 && is_repeated(core, folded);
}

std::string hash_of(std::string_view password) {
    std::array<char, crypto_pwhash_STRBYTES> out{};
    const int failed = crypto_pwhash_str_alg(out.data(), password.data(), password.size(), password_hash_passes,
                                             password_hash_bytes, crypto_pwhash_ALG_ARGON2ID13);
    return failed != 0 ? std::string() : std::string(out.data());
}

problem no_memory() {
    return {code::overloaded, "there is not enough memory to hash a password at the moment; try again", {}, 2};
}

problem ending() { return {code::unavailable, "the node is stopping; try again in a moment", {}, 1}; }

problem too_many() {
    return {code::overloaded, "too many people log in at this moment; try again in some seconds", {}, 5};
}

} // namespace

std::optional<std::string> weakness_of(std::string_view password, std::size_t length_min,
                                       const std::vector<std::string>& about) {
    // Characters, not bytes: continuation bytes of UTF-8 do not count.
    const auto length = static_cast<std::size_t>(
        std::ranges::count_if(password, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    if (length < length_min) {
        return "has " + std::to_string(length) + " characters and needs at least " + std::to_string(length_min);
    }
    if (std::set<char>(password.begin(), password.end()).size() < distinct_characters_min) {
        return "repeats the same few characters: choose something that is harder to guess";
    }
    const auto core = core_of(password);
    if (std::ranges::any_of(bad_cores, [&](const char* word) { return is_repeated(core, word); })) {
        return "is one of the passwords that are tried first: choose several words that have nothing to do with each "
               "other";
    }
    for (const auto& word : about) {
        if (consists_of(core, word) || consists_of(core, word.substr(0, word.find('@')))) {
            return "consists of your name or e-mail address: choose something that others do not know";
        }
    }
    return std::nullopt;
}

password_desk::password_desk(unsigned threads) {
    if (sodium_init() < 0) {
        std::abort(); // no generator: there is nothing safe to go on with
    }
    nobody_ = hash_of(random_bytes(32));
    for (unsigned i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

void password_desk::stop() {
    std::deque<job> left;
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        left.swap(jobs_);
    }
    changed_.notify_all();
    for (auto& t : threads_) {
        t.join();
    }
    threads_.clear();
    for (auto& j : left) {
        j(false);
    }
}

bool password_desk::put(job j) {
    {
        const std::lock_guard lock(mutex_);
        if (ended_ || jobs_.size() >= jobs_max) {
            return false;
        }
        jobs_.push_back(std::move(j));
    }
    changed_.notify_one();
    return true;
}

void password_desk::work() {
    for (;;) {
        job next;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return ended_ || !jobs_.empty(); });
            if (ended_) {
                return;
            }
            next = std::move(jobs_.front());
            jobs_.pop_front();
        }
        next(true);
    }
}

void password_desk::run(std::function<void()> work) {
    put([work = std::move(work)](bool goes_on) {
        if (goes_on) {
            work();
        }
    });
}

void password_desk::hash(wiped_text password, std::function<void(expected<std::string>)> done) {
    const auto text = std::make_shared<wiped_text>(std::move(password));
    const bool taken = put([text, done](bool run) {
        if (!run) {
            return done(ending());
        }
        auto out = hash_of(text->text());
        done(out.empty() ? expected<std::string>(no_memory()) : expected<std::string>(std::move(out)));
    });
    if (!taken) {
        done(too_many());
    }
}

void password_desk::verify(wiped_text password, std::string hash, std::function<void(expected<bool>)> done) {
    const auto text = std::make_shared<wiped_text>(std::move(password));
    const bool taken = put([this, text, hash = std::move(hash), done](bool run) {
        if (!run) {
            return done(ending());
        }
        const auto& compared = hash.empty() ? nobody_ : hash;
        const bool same = crypto_pwhash_str_verify(compared.c_str(), text->text().data(), text->text().size()) == 0;
        done(same && !hash.empty());
    });
    if (!taken) {
        done(too_many());
    }
}

} // namespace troupe::actors
