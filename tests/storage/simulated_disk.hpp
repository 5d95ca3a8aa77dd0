#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::test {

/// Random numbers that are the same on every machine for a seed (splitmix64).
class seeded_random {
public:
    explicit seeded_random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        auto z = state_ += 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    /// 0 to `bound - 1`.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    bool chance(unsigned percent) { return below(100) < percent; }

private:
    std::uint64_t state_;
};

/// A number that tells whether two runs did the same: everything that happens is mixed into it, in order (FNV-1a).
class trace_hash {
public:
    void add(std::string_view text) {
        for (const char c : text) {
            value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        }
        value_ = (value_ ^ 0xff) * 0x100000001b3ULL;
    }
    void add(std::uint64_t number) { add(std::to_string(number)); }
    [[nodiscard]] std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

enum class disk_operation { create, append, sync, sync_folder, rename, remove, open };
inline constexpr std::size_t disk_operations = 7;

enum class disk_result { ok, failed, full, missing };

/// How a life of the machine ends: with the power, what was not synced is lost in part; with the process, nothing is.
enum class disk_end { power, process };

/// Files in memory that know what a loss of power would leave. Contents last after `sync` of the file, names after
/// `sync_folder`; of what was not synced a loss of power keeps a part: of names a prefix of the changes in their order
/// (as a journaling file system does), of each file a prefix that ends at any byte. Not thread-safe.
///
/// A cut is armed for an operation in the future (`cut_after`) or made at once (`cut`). It sets aside what is left
/// then; what is done to the disk after that still succeeds, so that the program ends in order, but leads nowhere:
/// whoever drives the simulation looks at `is_cut` and believes nothing that was said later. `restart` shows the rest.
class simulated_disk {
public:
    struct file {
        std::string data;
        std::size_t synced = 0;
        bool sync_failed = false; ///< What was not synced then is gone, and no later sync brings it back.
    };
    using file_ptr = std::shared_ptr<file>;

    /// `root` is there and lasts; all else lies in it.
    simulated_disk(std::uint64_t seed, std::string root);

    // ---- what a file system does. Paths are whole.
    disk_result create(const std::string& path, file_ptr& out);
    disk_result append(const std::string& path, const file_ptr& to, std::string_view data);
    disk_result sync(const std::string& path, const file_ptr& what);
    disk_result sync_folder(const std::string& path);
    disk_result rename(const std::string& from, const std::string& to);
    disk_result remove(const std::string& path);
    disk_result open(const std::string& path, file_ptr& out);
    disk_result truncate(const std::string& path, std::size_t bytes);
    void add_folder(const std::string& path);
    [[nodiscard]] bool has_folder(const std::string& path) const { return now_.folders.contains(path); }
    [[nodiscard]] file_ptr find(const std::string& path) const;
    [[nodiscard]] std::vector<std::string> names_in(const std::string& folder) const;
    [[nodiscard]] std::uint64_t free_bytes() const;

    // ---- what goes wrong
    void cut(disk_end how);
    void cut_after(std::uint64_t operations, disk_end how);
    [[nodiscard]] bool is_cut() const { return left_.has_value(); }
    /// The n-th operation of that kind from now on (from 1) fails, once.
    void fail_after(disk_operation kind, std::uint64_t operations);
    /// Operations that failed by `fail_after` so far.
    [[nodiscard]] std::uint64_t failures() const { return failures_; }
    void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
    [[nodiscard]] std::uint64_t used_bytes() const;
    /// Forgets what was armed and not yet met.
    void disarm();
    /// After a cut, when no file is open any more: the disk is what the cut left.
    void restart();
    /// Flips a random bit in a random file whose name ends so. Says where; nothing when there is no such byte.
    std::optional<std::string> flip_bit(std::string_view ending);

    [[nodiscard]] std::uint64_t operations() const { return operations_; }
    /// Of everything that was done to the disk up to the cut.
    [[nodiscard]] std::uint64_t trace() const { return trace_.value(); }

private:
    struct tree {
        std::map<std::string, file_ptr> files;
        std::set<std::string> folders;
    };
    enum class change_kind { file, folder, rename, remove };
    struct change {
        change_kind kind = change_kind::file;
        std::string path;
        std::string target; ///< Of a rename.
        file_ptr what;
    };
    struct contents {
        tree now;
        tree lasting; ///< Names that were synced.
        std::vector<change> unsynced;
    };
    class operation;

    static void apply(tree& to, const change& c);
    void do_change(change c);
    bool fails(disk_operation kind);
    contents survivors(disk_end how);

    std::string root_;
    seeded_random random_;
    trace_hash trace_;
    tree now_;
    tree lasting_;
    std::vector<change> unsynced_;
    std::optional<contents> left_; ///< After a cut.
    std::uint64_t operations_ = 0;
    std::uint64_t cut_at_ = 0;
    disk_end cut_how_ = disk_end::power;
    std::array<std::uint64_t, disk_operations> fail_in_{}; ///< 0: never.
    std::uint64_t failures_ = 0;
    std::uint64_t capacity_ = std::numeric_limits<std::uint64_t>::max();
};

} // namespace troupe::test
