#include "runtime/backup/backup_desk.hpp"

#include "runtime/backup/remote_backups.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/log.hpp"
#include "storage/backup.hpp"
#include "storage/key_store.hpp"

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace troupe::runtime {

struct backup_job {
    std::function<void()> work;
};

} // namespace troupe::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::runtime::backup_job)

namespace troupe::runtime {

namespace {

constexpr int waiting_max = 32;
constexpr std::int64_t look_again_ms = 60'000; ///< At the latest: the clock may be set.

using look_atom = caf::atom_constant<caf::atom("bk_look")>;

/// Who waits for an answer: answered exactly once, also when the work is lost.
template <class T>
class waiter {
public:
    waiter(backup_desk::answer<T> done, std::shared_ptr<std::atomic<int>> waiting)
        : done_(std::move(done)), waiting_(std::move(waiting)) {}
    waiter(const waiter&) = delete;
    ~waiter() {
        --*waiting_;
        if (done_) {
            done_(problem{code::unavailable, "the node ended before this was done; look before you ask again", {}, 5});
        }
    }
    void settle(expected<T> result) { std::exchange(done_, nullptr)(std::move(result)); }

private:
    backup_desk::answer<T> done_;
    std::shared_ptr<std::atomic<int>> waiting_;
};

template <class T>
expected<T> without_exceptions(const std::function<expected<T>()>& work) {
    try {
        return work();
    } catch (const std::exception& e) { // of the standard library's file system, or no memory
        return problem{code::storage_failed, std::string("the backup failed: ") + e.what()};
    }
}

/// The keys of the contents beside the backups, where each of them is found by all: none is in a backup.
expected<void> copy_keys_beside(const storage::store& s, const std::filesystem::path& directory) {
    const auto files = s.keys() ? s.keys()->files() : expected<key_files>(key_files());
    if (!files || files->empty()) {
        return files ? expected<void>() : expected<void>(files.error());
    }
    return storage::merge_key_files(*files, storage::store::keys_folder(directory));
}

expected<backup_manifest> make_backup(storage::store& s, const std::filesystem::path& directory, backup_maker made_by,
                                      const std::string& key) {
    static auto& made_count = metrics().make_counter("troupe_backups_total", "Backups that were made.");
    static auto& failed_count = metrics().make_counter("troupe_backup_failures_total", "Backups that failed.");
    const auto begin = system_now();
    auto made = without_exceptions<backup_manifest>([&]() -> expected<backup_manifest> {
        if (auto copied = copy_keys_beside(s, directory); !copied) {
            return copied.error();
        }
        auto out = create_backup(s, directory, made_by, key);
        const auto copied = copy_keys_beside(s, directory); // what was made meanwhile
        return copied ? std::move(out) : copied.error();
    });
    if (made && made->created_at < begin) {
        return made; // a repeat
    }
    if (made) {
        made_count.add();
        log_for("backup").info("{}: {} records, {} bytes in {} files, after {} ms", made->directory, made->records,
                               made->bytes, made->files.size(), system_now() - begin);
    } else {
        failed_count.add();
        log_for("backup").error("no backup was made: {}", made.error().detail);
    }
    return made;
}

} // namespace

/// Does what it is sent, on a thread of its own.
class backup_desk::worker : public caf::event_based_actor {
public:
    /// `look` (may be empty) is called again after the time that it gives.
    worker(caf::actor_config& config, std::string path, dead_letters* letters, std::function<std::int64_t()> look)
        : caf::event_based_actor(config), path_(std::move(path)), letters_(letters), look_(std::move(look)) {}

    const char* name() const override { return "backups"; }

    caf::behavior make_behavior() override {
        report_failures(*this, path_, letters_);
        if (look_) {
            send(this, look_atom::value);
        }
        return {[](const backup_job& job) { job.work(); },
                [this](look_atom) { delayed_send(this, std::chrono::milliseconds(look_()), look_atom::value); }};
    }

private:
    std::string path_;
    dead_letters* letters_;
    std::function<std::int64_t()> look_;
};

/// The present incarnations: a restart replaces them. Weak: the desk outlives the actors, whose end must not wait for
/// it.
struct backup_desk::handles {
    std::mutex mutex;
    std::map<who, caf::actor_addr> actors;
    std::optional<std::set<std::string>> copied; ///< Ids of this node in the object store; nothing: not known yet.
};

backup_desk::backup_desk(storage::store& s, const config& settings)
    : store_(s),
      directory_(std::filesystem::absolute(settings.backup_directory.empty()
                                               ? std::filesystem::path(settings.data) / "backups"
                                               : std::filesystem::path(settings.backup_directory))),
      every_ms_(settings.backup_every_ms),
      keep_(static_cast<std::size_t>(settings.backup_keep)),
      waiting_(std::make_shared<std::atomic<int>>(0)),
      handles_(std::make_unique<handles>()) {}

backup_desk::~backup_desk() = default;

template <class T>
void backup_desk::ask(who by, std::function<expected<T>()> work, answer<T> done) {
    const auto others = waiting_->fetch_add(1);
    auto owed = std::make_shared<waiter<T>>(std::move(done), waiting_);
    if (others >= waiting_max) {
        owed->settle(problem{code::overloaded, "many ask for backups at once; try again in a moment", {}, 5});
        return;
    }
    caf::actor to;
    {
        const std::lock_guard lock(handles_->mutex);
        to = caf::actor_cast<caf::actor>(handles_->actors[by]);
    }
    if (to) { // else the waiter's end says that the node is not there
        caf::anon_send(to, backup_job{[owed = std::move(owed), work = std::move(work)] {
                           owed->settle(without_exceptions<T>(work));
                       }});
    }
}

void backup_desk::copy_to(std::unique_ptr<object_store> remote) { remote_ = std::move(remote); }

void backup_desk::stop() {
    if (remote_) {
        remote_->cancel();
    }
}

std::string backup_desk::copy_of(const std::string& id) const {
    const std::lock_guard lock(handles_->mutex);
    return handles_->copied && handles_->copied->contains(id) ? remote_->place() : std::string();
}

void backup_desk::create(std::string request_key, answer<backup_detail> done) {
    ask<backup_detail>(
        who::maker,
        [this, key = std::move(request_key)]() -> expected<backup_detail> {
            auto made = make_backup(store_, directory_, backup_maker::person, key);
            if (!made) {
                return made.error();
            }
            if (remote_) {
                copy_soon();
            }
            auto copy = copy_of(made->id); // a repeat may have one
            return backup_detail{std::move(*made), std::move(copy)};
        },
        std::move(done));
}

void backup_desk::copy_keys(answer<void> done) {
    ask<void>(
        remote_ ? who::copier : who::maker,
        [this]() -> expected<void> {
            if (std::error_code none; !std::filesystem::exists(storage::store::keys_folder(directory_), none)) {
                return put_keys_away(); // no backup was ever made here
            }
            auto copied = copy_keys_beside(store_, directory_);
            return copied ? put_keys_away() : copied;
        },
        std::move(done));
}

expected<void> backup_desk::put_keys_away() {
    const auto files = remote_ && store_.keys() ? store_.keys()->files() : expected<key_files>(key_files());
    return files ? (files->empty() ? expected<void>() : put_keys(*remote_, store_.who().replica, *files))
                 : expected<void>(files.error());
}

void backup_desk::list(answer<std::vector<backup_entry>> done) {
    ask<std::vector<backup_entry>>(
        who::reader,
        [this]() -> expected<std::vector<backup_entry>> {
            auto all = storage::list_backups(directory_);
            if (!all) {
                return all.error();
            }
            std::vector<backup_entry> out;
            for (auto& backup : *all) {
                out.push_back({backup, copy_of(backup.id)});
            }
            return out;
        },
        std::move(done));
}

void backup_desk::find(std::string id, answer<backup_detail> done) {
    ask<backup_detail>(
        who::reader,
        [this, id = std::move(id)]() -> expected<backup_detail> {
            auto found = storage::find_backup(directory_, id);
            return found ? expected<backup_detail>(backup_detail{std::move(*found), copy_of(id)})
                         : expected<backup_detail>(found.error());
        },
        std::move(done));
}

void backup_desk::remove(std::string id, answer<void> done) {
    ask<void>(
        remote_ ? who::copier : who::maker,
        [this, id = std::move(id)]() -> expected<void> {
            if (remote_) {
                const auto found = storage::find_backup(directory_, id);
                auto gone = found ? remove_copy(*remote_, found->replica, id) : expected<void>(found.error());
                if (!gone) {
                    return gone;
                }
                const std::lock_guard lock(handles_->mutex);
                if (handles_->copied) {
                    handles_->copied->erase(id);
                }
            }
            return storage::delete_backup(directory_, id);
        },
        std::move(done));
}

/// Asked once: only this node changes its copies.
expected<std::set<std::string>> backup_desk::copies_of(const uuid& replica) {
    {
        const std::lock_guard lock(handles_->mutex);
        if (handles_->copied) {
            return *handles_->copied;
        }
    }
    const auto copies = list_copies(*remote_, replica);
    if (!copies) {
        return copies.error();
    }
    std::set<std::string> ids;
    for (const auto& copy : *copies) {
        ids.insert(copy.id);
    }
    return ids;
}

expected<void> backup_desk::copy_missing() {
    static auto& made_count = metrics().make_counter("troupe_backup_copies_total", "Backups copied to S3.");
    static auto& failed_count =
        metrics().make_counter("troupe_backup_copy_failures_total", "Backups that could not be copied to S3; they are "
                                                                    "tried again.");
    const auto all = storage::list_backups(directory_);
    if (!all) {
        return all.error();
    }
    if (auto put = put_keys_away(); !put) {
        return put;
    }
    const auto replica = store_.who().replica;
    auto copied = copies_of(replica);
    if (!copied) {
        return copied.error();
    }
    expected<void> first_failure;
    bool changed = false;
    std::size_t scheduled = 0;
    for (const auto& backup : *all) { // the newest is worth the most
        const bool is_old = backup.made_by == backup_maker::schedule && every_ms_ > 0 && ++scheduled > keep_;
        if (backup.replica != replica || is_old || copied->contains(backup.id)) {
            continue; // a folder may hold those of another node
        }
        const auto done = copy_backup(*remote_, backup);
        if (done) {
            made_count.add();
            changed = true;
            copied->insert(backup.id);
            log_for("backup").info("{} is copied to {}", backup.id, remote_->place());
            continue;
        }
        failed_count.add();
        first_failure = first_failure ? done : first_failure;
        if (done.error().code == code::connection_failed || done.error().code == code::cancelled) {
            break; // the others would fare no better; one that cannot be copied stops no other
        }
    }
    const auto removed = changed && every_ms_ > 0 ? retain_copies(*remote_, replica, keep_)
                                                  : expected<std::vector<std::string>>(std::vector<std::string>());
    const std::lock_guard lock(handles_->mutex);
    if (!removed) {
        handles_->copied.reset(); // asked again
        return first_failure ? removed.error() : first_failure;
    }
    for (const auto& id : *removed) {
        copied->erase(id);
    }
    handles_->copied = std::move(*copied);
    return first_failure;
}

void backup_desk::copy_soon() {
    const auto look = [this]() -> expected<void> {
        look_for_copies(); // says what is wrong
        return {};
    };
    ask<void>(who::copier, look, [](const expected<void>&) {});
}

std::int64_t backup_desk::look_for_copies() {
    const auto done = without_exceptions<void>([this] { return copy_missing(); });
    if (!done && done.error().code != code::cancelled) {
        log_for("backup").error("backups are not copied, and tried again in a minute: {}", done.error().detail);
    }
    return look_again_ms;
}

std::int64_t backup_desk::look_at_schedule() {
    const auto all =
        without_exceptions<std::vector<backup_manifest>>([this] { return storage::list_backups(directory_); });
    if (!all) {
        log_for("backup").error("the backups cannot be listed: {}", all.error().detail);
        return look_again_ms;
    }
    const auto now = system_now();
    const auto last = std::ranges::find_if(*all, [&](const auto& b) {
        return b.made_by == backup_maker::schedule && b.created_at <= now; // a clock that was set back stops nothing
    });
    const auto due = last == all->end() ? now : last->created_at + every_ms_;
    if (due > now) {
        return std::min(due - now, look_again_ms);
    }
    if (!make_backup(store_, directory_, backup_maker::schedule, {})) {
        return std::min(every_ms_, look_again_ms);
    }
    if (remote_) {
        copy_soon();
    }
    const auto deleted =
        without_exceptions<std::vector<std::string>>([this] { return storage::retain_backups(directory_, keep_); });
    if (!deleted) {
        log_for("backup").error("old backups stay: {}", deleted.error().detail);
    }
    return std::min(every_ms_, look_again_ms);
}

supervised_child backup_desk::child(who of, std::string id, std::function<std::int64_t()> look) {
    return {{.id = std::move(id), .label = "backups"}, [this, of, look = std::move(look)](const child_context& c) {
                auto started = c.system.spawn<worker, caf::detached>(c.path, c.letters, look);
                const std::lock_guard lock(handles_->mutex);
                handles_->actors[of] = started.address();
                return caf::actor(started);
            }};
}

std::vector<supervised_child> backup_desk::children() {
    std::function<std::int64_t()> schedule;
    if (every_ms_ > 0) {
        schedule = [this] { return look_at_schedule(); };
    }
    std::vector<supervised_child> out;
    out.push_back(child(who::maker, "backups", std::move(schedule)));
    out.push_back(child(who::reader, "backup_reader", {}));
    if (remote_) {
        out.push_back(child(who::copier, "backup_copier", [this] { return look_for_copies(); }));
    }
    return out;
}

} // namespace troupe::runtime
