#include "runtime/backup/backup_desk.hpp"

#include "runtime/metrics/metrics.hpp"
#include "runtime/supervision/supervisor_actor.hpp"
#include "schemas/base/log.hpp"
#include "storage/backup.hpp"

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
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

expected<backup_manifest> make_backup(storage::store& s, const std::filesystem::path& directory, backup_maker made_by,
                                      const std::string& key) {
    static auto& made_count = metrics().make_counter("troupe_backups_total", "Backups that were made.");
    static auto& failed_count = metrics().make_counter("troupe_backup_failures_total", "Backups that failed.");
    const auto begin = system_now();
    auto made = without_exceptions<backup_manifest>([&] { return create_backup(s, directory, made_by, key); });
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
    /// With `desk` it keeps the schedule too.
    worker(caf::actor_config& config, std::string path, dead_letters* letters, backup_desk* desk)
        : caf::event_based_actor(config), path_(std::move(path)), letters_(letters), desk_(desk) {}

    const char* name() const override { return "backups"; }

    caf::behavior make_behavior() override {
        report_failures(*this, path_, letters_);
        if (desk_) {
            send(this, look_atom::value);
        }
        return {[](const backup_job& job) { job.work(); },
                [this](look_atom) {
                    delayed_send(this, std::chrono::milliseconds(desk_->look_at_schedule()), look_atom::value);
                }};
    }

private:
    std::string path_;
    dead_letters* letters_;
    backup_desk* desk_;
};

/// The present incarnations: a restart replaces them. Weak: the desk outlives the actors, whose end must not wait for
/// it.
struct backup_desk::handles {
    std::mutex mutex;
    caf::actor_addr maker;
    caf::actor_addr reader;
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
void backup_desk::ask(bool changes, std::function<expected<T>()> work, answer<T> done) {
    const auto others = waiting_->fetch_add(1);
    auto owed = std::make_shared<waiter<T>>(std::move(done), waiting_);
    if (others >= waiting_max) {
        owed->settle(problem{code::overloaded, "many ask for backups at once; try again in a moment", {}, 5});
        return;
    }
    caf::actor to;
    {
        const std::lock_guard lock(handles_->mutex);
        to = caf::actor_cast<caf::actor>(changes ? handles_->maker : handles_->reader);
    }
    if (to) { // else the waiter's end says that the node is not there
        caf::anon_send(to, backup_job{[owed = std::move(owed), work = std::move(work)] {
                           owed->settle(without_exceptions<T>(work));
                       }});
    }
}

void backup_desk::create(std::string request_key, answer<backup_manifest> done) {
    ask<backup_manifest>(
        true,
        [this, key = std::move(request_key)] { return make_backup(store_, directory_, backup_maker::person, key); },
        std::move(done));
}

void backup_desk::list(answer<std::vector<backup_manifest>> done) {
    ask<std::vector<backup_manifest>>(
        false, [this] { return storage::list_backups(directory_); }, std::move(done));
}

void backup_desk::find(std::string id, answer<backup_manifest> done) {
    ask<backup_manifest>(
        false, [this, id = std::move(id)] { return storage::find_backup(directory_, id); }, std::move(done));
}

void backup_desk::remove(std::string id, answer<void> done) {
    ask<void>(
        true, [this, id = std::move(id)] { return storage::delete_backup(directory_, id); }, std::move(done));
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
    const auto deleted =
        without_exceptions<std::vector<std::string>>([this] { return storage::retain_backups(directory_, keep_); });
    if (!deleted) {
        log_for("backup").error("old backups stay: {}", deleted.error().detail);
    }
    return std::min(every_ms_, look_again_ms);
}

std::vector<supervised_child> backup_desk::children() {
    std::vector<supervised_child> out;
    out.push_back({{.id = "backups", .label = "backups"}, [this](const child_context& c) {
                       auto started =
                           c.system.spawn<worker, caf::detached>(c.path, c.letters, every_ms_ > 0 ? this : nullptr);
                       const std::lock_guard lock(handles_->mutex);
                       handles_->maker = started.address();
                       return caf::actor(started);
                   }});
    out.push_back({{.id = "backup_reader", .label = "backups"}, [this](const child_context& c) {
                       auto started = c.system.spawn<worker, caf::detached>(c.path, c.letters, nullptr);
                       const std::lock_guard lock(handles_->mutex);
                       handles_->reader = started.address();
                       return caf::actor(started);
                   }});
    return out;
}

} // namespace troupe::runtime
